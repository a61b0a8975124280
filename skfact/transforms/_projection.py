"""Random projections by rotations, as a transformer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.sparse
from sklearn.base import ClassNamePrefixFeaturesOutMixin
from sklearn.exceptions import DataDimensionalityWarning
from sklearn.random_projection import johnson_lindenstrauss_min_dim
from sklearn.utils.validation import check_is_fitted

from skfact._backend import array_namespace, compute_namespace, device
from skfact._checks import check_number, check_positive, check_random_state
from skfact._face import Face, all_or_nothing
from skfact._inputs import dtype_name
from skfact._warn import warn
from skfact.transforms._rotation import random_rotation

CHUNK = 2**22  # entries that sparse rows are spread over at a time


class FastRandomProjection(ClassNamePrefixFeaturesOutMixin, Face):
    r"""Reduce dimensionality through some coordinates of a fast random rotation.

    As :class:`~sklearn.random_projection.GaussianRandomProjection` it keeps distances between
    samples up to a few percent, whatever the samples are. The components are the rows of an
    orthogonal map that takes :math:`O(n \log n)` operations, with n features, however many of them
    are kept; and they are made of one number, the seed, which is all that a pickle has of them.

    Read more in the :doc:`user guide </user_guide/rotations>`.

    Parameters
    ----------
    n_components : int or "auto", default="auto"
        Number of dimensions to keep. "auto" takes what the lemma of Johnson and Lindenstrauss asks
        for, given the number of samples and `eps`
        (:func:`~sklearn.random_projection.johnson_lindenstrauss_min_dim`).
    eps : float, default=0.1
        Largest change of a squared distance, as a share of it, if `n_components` is "auto".
    backend : {"auto", "numpy", "cupy"}, default="auto"
        Where to compute; "auto" is where X lives. Results come back in the array type of X.
    random_state : int, RandomState instance or None, default=None
        Draws the rotation and the coordinates.

    Attributes
    ----------
    n_components_ : int
        Number of dimensions kept.
    operator_ : FactorizedOperator of shape (`n_components_`, n_features)
        The projection, in the array type of the X given to `fit`.
    components_ : array of shape (`n_components_`, n_features)
        `operator_` as a dense array; made when asked for.
    inverse_components_ : array of shape (n_features, `n_components_`)
        Their pseudo-inverse, that is their transpose, scaled; made when asked for.
    n_features_in_ : int
        Number of features of X.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Feature names, if X has string column names.

    See Also
    --------
    random_rotation : The rotation.
    sklearn.random_projection.GaussianRandomProjection : Independent components.
    sklearn.random_projection.SparseRandomProjection : Independent components with few entries.

    Notes
    -----
    With the rotation :math:`Q = H D` of size N, the larger one of n and k = `n_components_`, the
    map is :math:`\sqrt{N / k}` times k coordinates of Q x. The squared norm of the image of a unit
    vector x has mean 1 and, where all entries of H are :math:`\pm 1 / \sqrt N`, the variance

    .. math:: \frac{N - k}{N - 1} \, \frac{2 - 2 \sum_j x_j^4}{k} ,

    less than the 2 / k of a Gaussian projection, for every x; and 0 for k = N. Where they are at
    most :math:`\rho / \sqrt N`, the numerator is at most :math:`3 \rho^2 - 1`. Coordinates are
    drawn without replacement, since the rotation keeps the norm of all of them. This is the
    subsampled randomized Hadamard transform [1]_ of any size.

    The rows of the map are orthogonal, so that its pseudo-inverse is its transpose, scaled.

    References
    ----------
    .. [1] J. A. Tropp, "Improved analysis of the subsampled randomized Hadamard transform",
       Advances in Adaptive Data Analysis 3, 2011, arXiv:1011.1595.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact import FastRandomProjection
    >>> X = np.random.default_rng(0).standard_normal((25, 3000))
    >>> projection = FastRandomProjection(random_state=0).fit(X)
    >>> X_new = projection.transform(X)
    >>> X_new.shape
    (25, 2759)
    >>> norms = np.linalg.norm(X_new, axis=1) / np.linalg.norm(X, axis=1)
    >>> bool(abs(norms - 1).max() < 0.02)
    True
    >>> import pickle
    >>> len(pickle.dumps(projection)) < 1000, projection.components_.nbytes
    (True, 66216000)
    """

    def __init__(
        self,
        n_components: int | str = "auto",
        *,
        eps: float = 0.1,
        backend: str = "auto",
        random_state: Any = None,
    ) -> None:
        self.n_components = n_components
        self.eps = eps
        self.backend = backend
        self.random_state = random_state

    @all_or_nothing
    def fit(self, X: Any, y: Any = None) -> FastRandomProjection:
        """Draw the projection.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples, of which the shape, the dtype and the array library matter.
        y : None
            Ignored.

        Returns
        -------
        self : FastRandomProjection
            The fitted estimator.

        Raises
        ------
        TypeError
            If a parameter has the wrong type.
        ValueError
            If a parameter has a wrong value, X is not a finite real matrix, or "auto" asks for more
            dimensions than X has, or for none, as of one sample.
        ImportError, RuntimeError
            If ``backend="cupy"`` and CuPy or a device is missing.

        Warns
        -----
        DataDimensionalityWarning
            If `n_components` is larger than the number of features.
        """
        is_auto = isinstance(self.n_components, str) and self.n_components == "auto"
        if not is_auto:
            check_number(self.n_components, "n_components", int, 1, "auto")
        check_positive(self.eps, "eps")
        X = self._validated(X, reset=True, accept_sparse=True)
        self._like = empty_like(X)
        compute_namespace(self.backend, self._like)
        n_samples, n_features = X.shape
        n_components = self._least(n_samples, n_features) if is_auto else int(self.n_components)
        if n_components > n_features:
            warn(
                f"n_components={n_components} is larger than the number of features, {n_features}: "
                "the dimensionality of the problem will not be reduced.",
                DataDimensionalityWarning,
                type(self).__name__,
            )
        self.n_components_ = self._n_features_out = n_components
        self._seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        self._draw()
        return self

    def _least(self, n_samples: int, n_features: int) -> int:
        """The number of dimensions that the lemma asks for."""
        if self.eps >= 1:
            raise ValueError(
                f"eps must be less than 1 for n_components='auto', got {self.eps!r}: a distance "
                "cannot shrink by more than itself."
            )
        least = int(johnson_lindenstrauss_min_dim(n_samples, eps=self.eps))
        if 1 <= least <= n_features:
            return least
        why = "but one sample has no distance to keep" if least < 1 else f"but X has {n_features}"
        raise ValueError(
            f"n_components='auto' asks for {least} dimensions with eps={self.eps!r} and n_samples="
            f"{n_samples}, {why}: pass n_components as an int"
            f"{', or a larger eps' if least > 1 else ''}."
        )

    def _draw(self) -> None:
        """The operator of the seed."""
        k, n = self.n_components_, self.n_features_in_
        size, random = max(k, n), np.random.RandomState(self._seed)
        rotation = random_rotation(size, random, dtype=dtype_name(self._like.dtype))
        operator = math.sqrt(size / k) * rotation
        if k > n:
            operator = operator[:, :n]
        if k < n:
            operator = operator[np.sort(random.permutation(n)[:k]), :]
        self.operator_ = operator.to_device(self._like)

    @property
    def components_(self) -> Any:
        """`operator_` as a dense array of shape (`n_components_`, n_features)."""
        check_is_fitted(self, "operator_")
        return self.operator_.toarray()

    @property
    def inverse_components_(self) -> Any:
        """Pseudo-inverse of `components_`, dense, of shape (n_features, `n_components_`)."""
        check_is_fitted(self, "operator_")
        return self._shrink() * self.operator_.T.toarray()

    def _shrink(self) -> float:
        """What the transpose is multiplied by to be the pseudo-inverse."""
        return self.n_components_ / max(self.n_components_, self.n_features_in_)

    def transform(self, X: Any) -> Any:
        """Project samples.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        X_new : array of shape (n_samples, `n_components_`)
            ``X @ components_.T``, dense, in the array type of X.

        Raises
        ------
        ValueError
            If X has another number of features, or another array library, than in `fit`.
        """
        X = self._samples(X, "transform", accept_sparse=True)
        if scipy.sparse.issparse(X):
            step = max(1, CHUNK // X.shape[1])
            parts = range(0, X.shape[0], step)
            return np.concatenate([self.operator_.apply(X[i : i + step]) for i in parts])
        return self._there_and_back(lambda work: self.operator_.to_device(work).apply(work), X)

    def inverse_transform(self, X: Any) -> Any:
        """Give the samples of least norm whose projections are given.

        Parameters
        ----------
        X : array-like of shape (n_samples, `n_components_`)
            Projections.

        Returns
        -------
        X_original : array of shape (n_samples, n_features)
            ``X @ inverse_components_.T``, as fast as `transform`.

        Raises
        ------
        ValueError
            If X has another number of columns than `transform` returns, or is not finite.
        """
        return self._there_and_back(
            lambda work: self._shrink() * self.operator_.to_device(work).T.apply(work),
            self._codes(X),
        )

    def _fitted_array(self) -> Any:
        return self._like

    def __getstate__(self) -> dict[str, Any]:
        state = {**super().__getstate__()}
        state.pop("operator_", None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if hasattr(self, "_seed"):
            self._draw()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def empty_like(X: Any) -> Any:
    """An array without entries, of the library, on the device and in the precision of X."""
    if scipy.sparse.issparse(X):
        return np.empty(0, dtype=X.dtype)
    return array_namespace(X).empty(0, dtype=X.dtype, device=device(X))
