"""The scikit-learn face of sparse deep linear maps."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, MultiOutputMixin, RegressorMixin
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from skfact._backend import array_namespace, detached, is_array_api_obj, move_like, on_backend
from skfact._checks import (
    check_choice,
    check_finite,
    check_flag,
    check_number,
    check_positive,
    check_random_state,
    check_verbose,
)
from skfact._exponents import binary_exponent, times_power_of_two
from skfact._face import Face, ReportsProgress, all_or_nothing
from skfact._inputs import is_numpy
from skfact._samples import refuse_repeated_names, validate_samples
from skfact._sklearn_compat import with_callbacks
from skfact._stopping import Stopping
from skfact._warn import warn
from skfact.deep_linear._linear_network import LinearNetwork, resolve_network
from skfact.deep_linear._outcome import complaint, uselessness
from skfact.deep_linear._r2 import mean_r2
from skfact.deep_linear._solvers.adam import Stream
from skfact.deep_linear._solvers.problem import MiniBatches, Problem
from skfact.deep_linear._solvers.solve import NAMES, solve
from skfact.deep_linear._units import Units, checked_weights, in_dtype_of, prepared, real_array
from skfact.exceptions import StructureWarning
from skfact.operators import FactorizedOperator
from skfact.supports import Chain, KSparse, SupportFamily


class SparseDeepLinearNet(
    ReportsProgress, ClassNamePrefixFeaturesOutMixin, MultiOutputMixin, RegressorMixin, Face
):
    r"""Linear regression whose coefficients are a product of sparse factors; also a transformer.

    Minimizes, with every factor in its set,

    .. math:: \tfrac12 \|Y - X (S_1 \cdots S_L)^T - 1 b^T\|_F^2
              + \tfrac{\alpha}{2} \sum_l \|S_l\|_F^2.

    Read more in the :doc:`user guide </user_guide/deep_linear>`.

    Parameters
    ----------
    supports : str, callable, Chain or list, default="butterfly"
        - A family by name: "butterfly", "monarch", "low-rank", "dense", or "kaleidoscope" (a
          transposed butterfly times a butterfly), all of rank 1; for other ranks pass a callable,
          or "dense" with `hidden_layer_sizes` for low rank.
        - A callable ``(n_out, n_in) -> Chain``, or a chain.
        - A list with one item per factor, the last one applied first: patterns, masks, structured
          factors such as :class:`ToeplitzFactor`, budgets such as ``KSparse(2, axis=1)``, or a
          ``SupportFamily`` of some supports, of which one is chosen.
    hidden_layer_sizes : int or sequence of int, default=None
        Widths between the layers, the one next to the input first, as in
        :class:`~sklearn.neural_network.MLPRegressor`. A family gives the supports of every layer;
        beside a list, the sizes between its factors.
    solver : str, default="auto"
        One of "auto", "closed-form", "lbfgs", "adam", "palm", "palm4msa" and "hierarchical".
        "closed-form" factors the least-squares matrix, for one dense layer or where the centred
        inputs are isotropic; "lbfgs" and "adam" are for fixed supports and structured factors;
        "palm4msa" and "hierarchical" for budgets. "palm", projected gradient steps factor by
        factor, also keeps the models of structured factors with a `projection`. "auto" takes the
        first that applies, for several factors with budgets "hierarchical", and with models "palm";
        see the user guide.
    alpha : float, default=0.0
        Ridge penalty on the factors; of a structured one, where all supports are fixed, on its
        parameters. Factors within budgets get equal norms, for which it is least.
    fit_intercept : bool, default=True
        Whether to fit b; otherwise X and y are not centred.
    batch_size : int or "auto", default="auto"
        Samples of a mini-batch of "adam"; "auto" is 200, or all if there are fewer.
    learning_rate_init : float, default=1e-3
        Step size of "adam".
    early_stopping : bool, default=False
        For "adam": set samples aside, and stop when their R2 no longer improves.
    validation_fraction : float, default=0.1
        Share of the samples set aside.
    n_iter_no_change : int, default=10
        Epochs of "adam" without improvement by `tol` after which it stops.
    warm_start : bool, default=False
        Start from the factors of the last `fit`.
    max_iter : int, default=200
        Largest number of iterations, sweeps or epochs.
    tol : float, default=1e-4
        "lbfgs" and the sweeps end when ten of them lower the loss by no more than this share of it.
    backend : {"auto", "numpy", "cupy"}, default="auto"
        Where to compute; "auto" is where X lives. Results come back in the array type of X.
    random_state : int, RandomState instance or None, default=None
        Draws starts, batches and the validation set.
    verbose : int or bool, default=0
        Print the loss after every `verbose` iterations.

    Attributes
    ----------
    operator_ : FactorizedOperator of shape (n_outputs, n_features)
        The coefficients as a fast linear map.
    factors_ : list of arrays
        Factors with parameters: values (a, d, b, c), or dense arrays.
    parameters_ : list of arrays
        What was learned, from left to right: the blocks (a, d, b, c) of a pattern, the entries
        within a mask row by row, the vector of a structured factor, the matrix within a budget.
    family_index_ : list of (int or None)
        For each factor, from left to right, which member of its ``SupportFamily`` it has; None
        without a family.
    coef_ : array of shape (n_outputs, n_features) or (n_features,)
        `operator_` as a dense array, made when asked for.
    intercept_ : array of shape (n_outputs,) or float
        The offset b.
    mean_ : array of shape (n_features,)
        Mean of X that `transform` subtracts; zero without intercept.
    solver_ : str
        The solver that was used.
    loss_curve_ : list of float
        Loss at the start and after each iteration; for "adam" after each epoch.
    n_iter_ : int
        Number of iterations; 1 for a closed form.
    n_features_in_ : int
        Number of features of X.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Feature names, if X has string column names.

    See Also
    --------
    skfact.butterfly.ButterflyFactorizer : Factors a map that is known.
    palm4msa : Factors a matrix within budgets.

    Notes
    -----
    With more samples than features as many rows as there are features, from eigenvectors of Gram
    matrices of the centred X, replace the samples of full-batch solvers; the loss changes by a
    constant, which is added back. X and y are taken in units near their root mean squares, and with
    budgets (and ``alpha=0``) each feature is: multiplying X or y by a power of two changes no
    iteration.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact import SparseDeepLinearNet
    >>> X = np.random.default_rng(0).standard_normal((100, 8))
    >>> Y = X @ np.kron(np.eye(4), np.ones((2, 2)))
    >>> net = SparseDeepLinearNet("dense", hidden_layer_sizes=4).fit(X, Y)  # rank at most 4
    >>> net.coef_.shape, net.transform(X).shape
    ((8, 8), (100, 4))
    >>> round(net.score(X, Y), 6)
    1.0
    """

    def __init__(
        self,
        supports: Any = "butterfly",
        *,
        hidden_layer_sizes: Any = None,
        solver: str = "auto",
        alpha: float = 0.0,
        fit_intercept: bool = True,
        batch_size: int | str = "auto",
        learning_rate_init: float = 1e-3,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        warm_start: bool = False,
        max_iter: int = 200,
        tol: float = 1e-4,
        backend: str = "auto",
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.supports = supports
        self.hidden_layer_sizes = hidden_layer_sizes
        self.solver = solver
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.max_iter = max_iter
        self.tol = tol
        self.backend = backend
        self.random_state = random_state
        self.verbose = verbose

    @all_or_nothing
    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> SparseDeepLinearNet:
        """Learn the factors.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples, not negative.

        Returns
        -------
        self : SparseDeepLinearNet
            The fitted estimator.

        Raises
        ------
        TypeError
            If a parameter has the wrong type.
        ValueError
            If a parameter has a wrong value, X or y is not finite, they do not fit together, or the
            supports do not fit them or the solver.
        ImportError, RuntimeError
            If ``backend="cupy"`` and CuPy or a device is missing.
        """
        self._check_parameters()
        X, Y, single = self._checked(X, y, reset=True)
        weights = checked_weights(sample_weight, X)
        work = self._moved(X, Y, weights)
        network, units, samples, targets = self._network_on(*work)
        problem = Problem(
            network,
            samples,
            targets,
            alpha=units.penalty(float(self.alpha)),
            random=check_random_state(self.random_state),
            start=self._earlier(network, units, samples) if self.warm_start else None,
            weights=work[-1],
            units=units,
            batches=MiniBatches(*(getattr(self, name) for name in MiniBatches._fields)),
        )
        with self._progress() as report:

            def on_sweep(number: int, loss: float) -> bool:
                return report("sweep", f"iteration {number}, loss: {units.loss(loss):.6g}", number)

            stopping = Stopping(int(self.max_iter), float(self.tol), on_sweep)
            solver, found = solve(self.solver, problem, stopping)
        category, text = complaint(found.outcome, self.get_params(deep=False))
        if category is not None and issubclass(category, ValueError):
            raise category(text)
        self.solver_ = solver
        self._stream: Stream | None = None
        self.loss_curve_ = [units.loss(loss) for loss in found.losses]
        self.n_iter_ = found.n_iter
        self._record(network, units, found.values, X, single)
        if category is None:
            category = StructureWarning
            text = uselessness(network, found.values, found.losses[-1], samples, targets)
        if text:
            warn(text, category, type(self).__name__)
        return self

    def _takes_batches(self) -> bool:
        """True, or an AttributeError that says why there are no batches."""
        listed = isinstance(self.supports, list | tuple) and not isinstance(self.supports, Chain)
        if listed and any(isinstance(s, KSparse | SupportFamily) for s in self.supports):
            raise AttributeError(
                "partial_fit needs fixed supports, but supports has budgets or families of them."
            )
        if listed and any(getattr(s, "projection", None) is not None for s in self.supports):
            raise AttributeError(
                "partial_fit takes steps of Adam, which leave the models of parameters: pass "
                "structured factors without a projection, or call fit."
            )
        return True

    @available_if(_takes_batches)
    @all_or_nothing
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> SparseDeepLinearNet:
        """Take one step of Adam on a batch.

        The first call fixes the mean of X, and the mean of y as the offset to start from. After
        `fit` it goes on from the factors found there.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples, not negative.

        Returns
        -------
        self : SparseDeepLinearNet
            The fitted estimator.

        Raises
        ------
        TypeError, ValueError
            As in `fit`; also if y has another number of outputs than before.
        AttributeError
            If supports has budgets.
        """
        self._check_parameters()
        fitted = hasattr(self, "operator_")
        X, Y, single = self._checked(X, y, reset=not fitted)
        weights = checked_weights(sample_weight, X)
        if fitted and Y.shape[1] != self._offset.shape[0]:
            raise ValueError(
                f"y has {Y.shape[1]} outputs, but the first batch {self._offset.shape[0]}."
            )
        batch = self._moved(X, Y, weights)
        stream: Stream | None = getattr(self, "_stream", None)
        if stream is not None:
            stream = stream.copy()  # this step may fail
        else:
            network, units, samples, _ = self._network_on(*batch)
            values = None
            if fitted:
                at = move_like(self.mean_, samples)
                units = units._replace(x_mean=at, y_mean=self._outputs(at[None, :])[0, :])
                values = self._earlier(network, units, samples)
            values = values or network.start(check_random_state(self.random_state), samples)
            stream = Stream(network, units, values, float(self.learning_rate_init))
        curve, n_iter = ([*self.loss_curve_], self.n_iter_) if fitted else ([], 0)
        stream.move_like(batch[0])
        loss = stream.step(*batch, alpha=float(self.alpha), centre=bool(self.fit_intercept))
        units = stream.units._replace(y_mean=stream.offset)
        self._record(stream.network, units, stream.values, X, single)
        stream.move_like(X)  # nothing stays on a device that X is not on
        self._stream, self.solver_ = stream, "adam"
        self.loss_curve_, self.n_iter_ = [*curve, loss], n_iter + 1
        return self

    def _moved(self, X: Any, Y: Any, weights: Any) -> tuple[Any, Any, Any]:
        """Samples, targets and weights where `backend` says to compute."""
        work, target = on_backend(self.backend, X, Y)
        return work, target, None if weights is None else move_like(weights, work)

    def _network_on(self, X: Any, Y: Any, weights: Any) -> tuple[LinearNetwork, Units, Any, Any]:
        """The network, the units of the data, and the data in them."""
        network = resolve_network(self.supports, self.hidden_layer_sizes, Y.shape[1], X.shape[1], X)
        centre, count = bool(self.fit_intercept), len(network.sets)
        return network, *prepared(X, Y, weights, centre=centre, n_factors=count)

    def _earlier(self, network: LinearNetwork, units: Units, like: Any) -> list[Any] | None:
        """Values of the last fit in the units of this one; None if they do not fit the network."""
        earlier = getattr(self, "parameters_", None)
        if earlier is None or [tuple(value.shape) for value in earlier] != network.values_shapes:
            return None
        return units.factors([move_like(value, like) for value in earlier], back=True)

    def _record(
        self, network: LinearNetwork, units: Units, values: list[Any], X: Any, single: bool
    ) -> None:
        """Fitted attributes, in the array type of X."""
        if not all(_is_finite(value) for value in values):
            raise ValueError(
                "Training diverged: the factors are not finite. Pass alpha > 0, or scale X and y."
            )
        if not units.hold(network, values):
            raise ValueError(
                f"The coefficients leave the range of {X.dtype}: the units of X and y are too far "
                "apart. Scale X or y."
            )
        values = units.factors(values)
        decoding, encoding = network.halves(values, X)
        operator, mean = FactorizedOperator(decoding + encoding), move_like(units.x_mean, X)
        with np.errstate(over="ignore", invalid="ignore"):
            offset = move_like(units.y_mean, X) - operator.matvec(mean)
        if not _is_finite(offset):
            raise ValueError("The intercept overflows. Scale X and y.")
        self.operator_, self.mean_ = operator, mean
        self.intercept_ = offset[0] if single else offset
        self._offset, self._single = offset, single
        self.parameters_ = [move_like(value, X) for value in values]
        families = [getattr(one, "support", None) for one in network.sets]
        self.family_index_ = [
            family.nearest(value) if isinstance(family, SupportFamily) else None
            for family, value in zip(families, self.parameters_, strict=True)
        ]
        rest = operator.factors[len(decoding) :]
        self._encoder = FactorizedOperator(rest) if len(values) > 1 else None
        self._n_features_out = int(decoding[-1].shape[1])

    @property
    def coef_(self) -> Any:
        """`operator_` as a dense array; of shape (n_features,) if y was 1-D."""
        check_is_fitted(self, "operator_")
        dense = self.operator_.toarray()
        return dense[0, :] if self._single else dense

    @property
    def factors_(self) -> list[Any]:
        """Factors with parameters: values (a, d, b, c), or dense arrays."""
        check_is_fitted(self, "operator_")
        return [
            f.values if hasattr(f, "values") else f.toarray()
            for f in self.operator_.factors
            if f.dtype is not None
        ]

    def predict(self, X: Any) -> Any:
        """Predict the targets.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        y : array of shape (n_samples,) or (n_samples, n_outputs)
            ``operator_.apply(X) + intercept_``, in the array type of X.
        """
        Y = self._there_and_back(self._outputs, self._samples(X, "predict"))
        return Y[:, 0] if self._single else Y

    def transform(self, X: Any) -> Any:
        """Codes of the samples: the last hidden layer, or the input of the last-applied factor.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        X_new : array of shape (n_samples, n_inner)
            With `hidden_layer_sizes` the values of the last of these layers for ``X - mean_``; else
            all factors but ``factors_[0]`` applied to it, and for one factor ``X - mean_``.
        """
        return self._there_and_back(self._hidden, self._samples(X, "transform"))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Coefficient of determination R2, averaged over the outputs.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            True targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        score : float
            At most 1.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            prediction = self.predict(detached(X))
        xp, weights = array_namespace(prediction), checked_weights(sample_weight, prediction)
        # single precision loses sums over many rows, and squares must be numbers
        predicted, true = (
            xp.astype(array, xp.float64) for array in (prediction, real_array(y, "y", prediction))
        )
        exponent = -binary_exponent(true, "y") if math.prod(true.shape) else 0
        predicted, true = (times_power_of_two(array, exponent) for array in (predicted, true))
        if not _is_finite(predicted):
            raise ValueError(f"The outputs leave the range of {prediction.dtype}: scale X and y.")
        if weights is not None:
            weights = xp.astype(weights / xp.max(weights), xp.float64)
        if prediction.shape[0] < 2:
            words = "R2 is not defined for less than two samples."
            warn(words, UndefinedMetricWarning, type(self).__name__)
        return mean_r2(true, predicted, weights)

    def _outputs(self, work: Any) -> Any:
        """All outputs, where the samples are."""
        return self.operator_.to_device(work).apply(work) + move_like(self._offset, work)

    def _hidden(self, work: Any) -> Any:
        """Codes, where the samples are."""
        centred = work - move_like(self.mean_, work)
        return centred if self._encoder is None else self._encoder.to_device(work).apply(centred)

    def _fitted_array(self) -> Any:
        return self.mean_

    def _checked(self, X: Any, y: Any, *, reset: bool) -> tuple[Any, Any, bool]:
        """X, y as a matrix, and whether y was 1-D."""
        X = detached(X)  # a later batch, too
        elsewhere = hasattr(X, "dask") or not is_numpy(array_namespace(X))
        if y is not None:
            y = real_array(y, "y", X if elsewhere and is_array_api_obj(X) else np.empty(0))
            if y.ndim not in (1, 2) or 0 in y.shape[1:]:
                raise ValueError(
                    "y must have shape (n_samples,) or (n_samples, n_outputs), got "
                    f"{tuple(y.shape)}."
                )
        elif elsewhere:
            raise ValueError("requires y to be passed, but the target y is None.")
        if elsewhere:
            X = validate_samples(self, X, reset=reset)
            if y.shape[0] != X.shape[0]:
                raise ValueError(f"X has {X.shape[0]} samples, but y has {y.shape[0]}.")
        else:
            refuse_repeated_names(X)
            with np.errstate(invalid="ignore"):  # the sum of huge numbers, which it looks at first
                X, y = validate_data(
                    self, X, y, reset=reset, multi_output=True, y_numeric=True,
                    dtype=[np.float64, np.float32],
                )  # fmt: skip
        y = in_dtype_of(X, y, "y")
        return X, y[:, None] if y.ndim == 1 else y, y.ndim == 1

    def _check_parameters(self) -> None:
        check_choice(self.solver, "solver", NAMES)
        for name in ("alpha", "tol", "validation_fraction"):
            check_finite(getattr(self, name), name)
        check_positive(self.learning_rate_init, "learning_rate_init")
        if not 0 < self.validation_fraction < 1:
            raise ValueError(
                f"validation_fraction must be between 0 and 1, got {self.validation_fraction!r}."
            )
        for name in ("max_iter", "n_iter_no_change"):
            check_number(getattr(self, name), name, int, 1)
        check_verbose(self.verbose)
        for name in ("fit_intercept", "early_stopping", "warm_start"):
            check_flag(getattr(self, name), name)
        check_random_state(self.random_state)
        if self.batch_size != "auto":
            check_number(self.batch_size, "batch_size", int, 1, "auto")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.single_output = True
        return tags


def _is_finite(array: Any) -> bool:
    xp = array_namespace(array)
    return bool(xp.all(xp.isfinite(array)))
