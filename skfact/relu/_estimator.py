"""The scikit-learn face of the path embedding."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.utils.validation import check_is_fitted, validate_data

from skfact._backend import (
    array_namespace,
    compute_namespace,
    device,
    move_like,
    on_backend,
)
from skfact._checks import check_flag, check_number
from skfact._face import Face, all_or_nothing
from skfact._inputs import is_numpy
from skfact._samples import clone_with_seed, refuse_repeated_names, validate_samples
from skfact.relu._features import (
    CHUNK,
    dense_features,
    every_path,
    feature_count,
    feature_names,
    feature_weights,
    kept_paths,
    sparse_features,
)
from skfact.relu._networks.gates import gates
from skfact.relu._networks.layered import LayeredNetwork
from skfact.relu._networks.network import copied
from skfact.relu._networks.readers import read_layers, require_relu
from skfact.relu._networks.samples import after_steps, name_after, names_after
from skfact.relu._random_gates import random_gates

DEFAULT_SIZES = (8,)
NO_GRAPHS = "a feature stands for a path through all layers"


class ReLUPathEmbedding(Face):
    """Features of samples in which a ReLU network is linear, weighted by its paths.

    Feature p of a sample is its input at the start of path p, or one if the path starts at a bias,
    where all hidden neurons on the path are active, otherwise zero. The network's output is linear
    in these features, and its weights do not change when hidden neurons are rescaled:
    ``transform(X) @ path_weights_`` equals the output of the network for X, before its own link
    (softmax, logistic, exp).

    Read more in the :doc:`user guide </user_guide/relu>`.

    Parameters
    ----------
    estimator : network-like of layers, default=None
        The network. An MLPRegressor or MLPClassifier is cloned and fitted on X, y; other kinds are
        taken as they are, and so is a FrozenEstimator of a fitted one. X is what a fitted Pipeline
        takes: it goes through the earlier steps first. None draws random hidden layers: an
        unsupervised embedding.
    hidden_layer_sizes : int or sequence of int, default=(8,)
        Widths of the random hidden layers. Beside an `estimator` it must not be set.
    n_paths : int, default=None
        Keep this many features only: those of largest weight, summed over the outputs in magnitude.
        None keeps all.
    max_paths : int, default=1_000_000
        Largest number of features: their number is the product of the layers' widths.
    sparse_output : bool, default=False
        Return SciPy CSR arrays: about half of the neurons are active, so that most features are 0.
    backend : {"auto", "numpy", "cupy"}, default="auto"
        Where to compute; "auto" is where X lives. Results come back in the array type of X.
    random_state : int, RandomState instance or None, default=None
        Draws the random layers; passed on to an `estimator` whose own is None.

    Attributes
    ----------
    path_weights_ : array of shape (`n_paths_`, n_outputs)
        Weight of each feature's paths to the outputs, in the precision of the network. Not there
        with random layers.
    n_paths_ : int
        Number of features.
    paths_ : ndarray of shape (`n_paths_`, n_layers)
        Neurons on the path of each feature, from the input to the last hidden layer; -1 in the
        layers before the bias that it starts at. Made when asked for.
    coefs_ : list of arrays of shape (n_l, n_{l+1})
        Weights of the network (of random layers: the last matrix is all ones).
    intercepts_ : list of arrays of shape (n_{l+1},)
        Biases of the network.
    estimator_ : MLPRegressor or MLPClassifier
        The fitted copy of an estimator that was to be fitted.
    n_features_in_ : int
        Number of features of X.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Feature names, if X has string column names.

    See Also
    --------
    skfact.relu.path_kernel : Inner products of all features, without listing them.
    skfact.relu.path_count : Number of paths, summed over the outputs.
    sklearn.ensemble.RandomTreesEmbedding : Another embedding by random partitions.

    References
    ----------
    .. [1] P. Stock, R. Gribonval, "An embedding of ReLU networks and an analysis of their
       identifiability", arXiv:2107.09370.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.neural_network import MLPRegressor
    >>> from skfact import ReLUPathEmbedding
    >>> X, y = load_diabetes(return_X_y=True)
    >>> mlp = MLPRegressor(hidden_layer_sizes=(5, 3), solver="lbfgs", max_iter=5000, random_state=0)
    >>> embedding = ReLUPathEmbedding(mlp).fit(X, y)
    >>> features = embedding.transform(X)
    >>> features.shape  # 10 x 5 x 3 + 5 x 3 + 3 + 1
    (442, 169)
    >>> output = (features @ embedding.path_weights_).ravel()
    >>> bool(np.allclose(output, embedding.estimator_.predict(X), rtol=1e-10))
    True
    >>> embedding.get_feature_names_out()[[0, 150, 168]]
    array(['x0>h1_0>h2_0', '1>h1_0>h2_0', '1'], dtype=object)
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        hidden_layer_sizes: int | Sequence[int] = DEFAULT_SIZES,
        n_paths: int | None = None,
        max_paths: int = 1_000_000,
        sparse_output: bool = False,
        backend: str = "auto",
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.hidden_layer_sizes = hidden_layer_sizes
        self.n_paths = n_paths
        self.max_paths = max_paths
        self.sparse_output = sparse_output
        self.backend = backend
        self.random_state = random_state

    @all_or_nothing
    def fit(self, X: Any, y: Any = None) -> ReLUPathEmbedding:
        """Read, fit or draw the network, and choose its paths.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        y : array-like, default=None
            Targets of an MLP that is to be fitted, otherwise ignored.

        Returns
        -------
        self : ReLUPathEmbedding
            The fitted estimator.

        Raises
        ------
        TypeError
            If a parameter has the wrong type.
        ValueError
            If a parameter has a wrong value, the network is not usable or does not fit X, or it has
            more than `max_paths` paths.
        ImportError, RuntimeError
            If ``backend="cupy"`` and CuPy or a device is missing.
        """
        self._check_parameters()
        given = None
        if self.estimator is not None and not _is_to_be_fitted(self.estimator):
            given = read_layers(self.estimator, NO_GRAPHS, "estimator")
        # a step may be fitted again, by its owner
        self._earlier = copy.deepcopy(given.earlier) if given is not None else ()
        X = self._validated(X, reset=True, accept_sparse=True)
        like = np.empty(0, dtype=X.dtype) if scipy.sparse.issparse(X) else X
        xp, where = compute_namespace(self.backend, like)
        self.__dict__.pop("path_weights_", None)  # of an earlier fit
        self.__dict__.pop("estimator_", None)
        network = self._network_for(X, y, like) if given is None else given
        if network.sizes[0] != X.shape[1]:
            raise ValueError(
                f"{name_after(self._earlier, 'X')} has {X.shape[1]} features, but the network has "
                f"{network.sizes[0]} inputs."
            )
        total = feature_count(network.sizes)
        self.n_paths_ = total if self.n_paths is None else min(int(self.n_paths), total)
        if self.n_paths_ > self.max_paths:
            raise ValueError(
                f"The network has {total} paths to each output, more than max_paths="
                f"{self.max_paths}. Keep the largest with n_paths, or raise max_paths."
            )
        network = network.moved(array_namespace(like), device(like))
        # the network may be trained further, by its owner
        self.coefs_, self.intercepts_ = copied(network.weights), copied(network.biases)
        self._activation = network.activation
        kept = None if self.n_paths_ == total else kept_paths(network, self.n_paths_)
        # on the host: in a tuple, since scikit-learn wants arrays to be of the library of X
        self._kept = None if kept is None else (kept,)
        if self.estimator is not None:
            weights = feature_weights(network.moved(xp, where), kept)
            self.path_weights_ = move_like(weights, like)
        return self

    def _validated(self, X: Any, *, reset: bool, **accepted: bool) -> Any:
        """Also as the network takes it: behind the earlier steps of a pipeline."""
        if not self._earlier:
            return super()._validated(X, reset=reset, **accepted)
        # features and their names are those that the pipeline takes
        refuse_repeated_names(X)
        validate_data(self, X, reset=reset, skip_check_array=True)
        inputs = after_steps(self._earlier, X, "X")
        return validate_samples(copy.copy(self), inputs, reset=True, **accepted)

    def _fitted_array(self) -> Any:
        return self.coefs_[0]

    def _check_parameters(self) -> None:
        if self.n_paths is not None:
            check_number(self.n_paths, "n_paths", int, 1)
        check_number(self.max_paths, "max_paths", int, 1)
        check_flag(self.sparse_output, "sparse_output")
        sizes = self._hidden_sizes()
        if self.estimator is not None and sizes != DEFAULT_SIZES:
            raise ValueError(
                f"hidden_layer_sizes={self.hidden_layer_sizes!r} is for random layers; the "
                "estimator has sizes of its own: set them there."
            )

    def _hidden_sizes(self) -> tuple[int, ...]:
        given: Any = self.hidden_layer_sizes
        given = given.tolist() if isinstance(given, np.ndarray) else given
        sizes = tuple(given) if isinstance(given, (list, tuple)) else (given,)
        for size in sizes:
            check_number(size, "hidden_layer_sizes", int, 1)
        return tuple(int(size) for size in sizes)

    def _network_for(self, X: Any, y: Any, like: Any) -> LayeredNetwork:
        if self.estimator is None:
            return random_gates(X, self._hidden_sizes(), self.random_state, like)
        # before the work of fitting it
        require_relu(self.estimator, has_hidden=np.size(self.estimator.hidden_layer_sizes) > 0)
        if not is_numpy(array_namespace(like)):
            raise ValueError(
                f"estimator={self.estimator!r} computes on the host, and X is an array of another "
                "library. Fit it on NumPy data first and pass FrozenEstimator(mlp), or pass X as a "
                "NumPy array."
            )
        if y is None:
            raise ValueError(
                f"estimator={self.estimator!r} requires y to be passed, but the target y is None."
            )
        self.estimator_ = clone_with_seed(self.estimator, self.random_state).fit(X, y)
        return read_layers(self.estimator_, NO_GRAPHS)

    def transform(self, X: Any) -> Any:
        """Compute the path activations of samples.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        X_new : array or scipy.sparse.csr_array of shape (n_samples, `n_paths_`)
            In the array type and precision of X; sparse with `sparse_output`.

        Raises
        ------
        ValueError
            If X has another number of features, or another array library, than in `fit`.
        """
        X = self._samples(X, "transform", accept_sparse=True)
        if not scipy.sparse.issparse(X):
            return self._features(X)
        step = max(1, CHUNK // max(X.shape[1], self.n_paths_))
        parts = [self._features(X[i : i + step].toarray()) for i in range(0, X.shape[0], step)]
        if self.sparse_output:
            return scipy.sparse.csr_array(scipy.sparse.vstack(parts, format="csr"))
        return np.concatenate(parts)

    def _features(self, X: Any) -> Any:
        if not self.sparse_output:
            return self._there_and_back(
                lambda work: dense_features(
                    work, self._gates(work), self._network().sizes, self._chosen()
                ),
                X,
            )
        if not is_numpy(array_namespace(X)):
            raise ValueError(
                "sparse_output=True gives SciPy arrays, and X is an array of another library: "
                "set sparse_output=False, or pass X as a NumPy array."
            )
        (work,) = on_backend(self.backend, X)
        active = [move_like(gate, X) for gate in self._gates(work)]
        return sparse_features(X, active, self._network().sizes, self._chosen())

    def _gates(self, work: Any) -> list[Any]:
        """Zeros and ones in the dtype of the samples."""
        xp = array_namespace(work)
        return [xp.astype(gate, work.dtype) for gate in gates(self._network(), work)]

    def _network(self) -> LayeredNetwork:
        return LayeredNetwork(tuple(self.coefs_), tuple(self.intercepts_), None, self._activation)

    def _chosen(self) -> np.ndarray | None:
        """Paths of the features on the host; None for all of them."""
        return None if self._kept is None else self._kept[0]

    @property
    def paths_(self) -> np.ndarray:
        """Neurons on the path of each feature, of shape (`n_paths_`, n_layers)."""
        check_is_fitted(self)
        chosen = self._chosen()
        return every_path(self._network().sizes) if chosen is None else chosen.copy()

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the paths.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the features of X; None takes those of `fit`, or ``x0``, ``x1``, ... What the
            earlier steps of a pipeline make of them are the names of the inputs.

        Returns
        -------
        names : ndarray of str of shape (`n_paths_`,)
            Such as ``x3>h1_4>h2_0``: from input 3 through neuron 4 of the first and neuron 0 of the
            second hidden layer. ``1>h2_0`` starts at a bias; ``1`` is the constant.

        Raises
        ------
        ValueError
            If `input_features` are not those of `fit`.
        """
        check_is_fitted(self)
        known = getattr(self, "feature_names_in_", None)
        names = None if known is None else list(known)
        if input_features is not None:
            names = list(input_features)
            if known is not None and names != list(known):
                raise ValueError("input_features is not equal to feature_names_in_.")
            if len(names) != getattr(self, "n_features_in_", len(names)):
                raise ValueError(
                    "input_features should have length equal to number of features "
                    f"({self.n_features_in_}), got {len(names)}."
                )
        sizes, inputs = self._network().sizes, names_after(self._earlier, names)
        if inputs is None:
            inputs = [f"x{i}" for i in range(sizes[0])]
        found = feature_names(inputs, sizes, self._chosen())
        return np.array(found, dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        fits = _is_to_be_fitted(self.estimator)
        tags.input_tags.sparse = True
        tags.array_api_support = not fits and not self.sparse_output
        tags.target_tags.required = fits
        return tags


def _is_to_be_fitted(estimator: Any) -> bool:
    return isinstance(estimator, (MLPRegressor, MLPClassifier))
