"""The matrix that a ButterflyFactorizer approximates, from what the user gave it."""

from __future__ import annotations

import inspect
import math
from contextlib import suppress
from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.utils import get_tags

from skfact._backend import array_namespace, detached, device, move_like, to_numpy
from skfact._checks import call, check_matrix, check_number, is_number, require_finite
from skfact._inputs import is_numpy
from skfact._linalg import column_means, is_complex
from skfact._samples import clone_with_seed

# Rows of X on which an estimator given as `operator` is tested for being affine.
PROBES = 5
# Below the exponent of every number.
NOTHING = -2000


class Target(NamedTuple):
    """x -> matrix @ (x - mean) + offset, in the array library of X."""

    matrix: Any  # (n_out, n_features)
    mean: Any  # (n_features,)
    offset: Any  # (n_out,)
    centred: bool  # X holds samples, and `mean` is theirs


def target_of(
    X: Any, y: Any, operator: Any, n_components: Any, random_state: Any, frame: Any = None
) -> Target:
    """The affine map to approximate; `frame` is X as a data frame with names, if it was one.

    Raises
    ------
    TypeError
        If `operator` is none of the four kinds.
    ValueError
        If the operator does not fit X, or is an estimator that is not affine, or has fewer than
        `n_components` rows.
    """
    if n_components is not None:
        _check_n_components(n_components, operator)
    if operator is None:
        return (
            _linear(X, X)
            if n_components is None
            else _principal_components(X, n_components, random_state)
        )
    target = _given_operator(X, y, operator, random_state, frame)
    if n_components is None:
        return target
    if n_components > target.matrix.shape[0]:
        raise ValueError(
            f"n_components={n_components} is more than the {target.matrix.shape[0]} rows of the "
            f"operator (n_samples={X.shape[0]}, n_features={X.shape[1]})."
        )
    return target._replace(
        matrix=target.matrix[:n_components, :], offset=target.offset[:n_components]
    )


def _check_n_components(n_components: Any, operator: Any) -> None:
    """Raise unless it is a number of components, or a share of the variance of samples."""
    if not is_number(n_components, float) or is_number(n_components, int):
        check_number(n_components, "n_components", int, 1)
    elif n_components >= 1 and float(n_components).is_integer():
        raise TypeError(
            f"n_components must be an int, or a share of the variance between 0 and 1, got "
            f"{n_components!r}: pass {int(n_components)}."
        )
    elif not 0 < n_components < 1:
        raise ValueError(
            "n_components must be an int, or a share of the variance between 0 and 1, got "
            f"{n_components!r}."
        )
    elif operator is not None:
        raise ValueError(
            f"n_components={n_components!r} is a share of the variance, of which an operator knows "
            "nothing: pass a number of its rows, or operator=None."
        )


def _given_operator(X: Any, y: Any, operator: Any, random_state: Any, frame: Any) -> Target:
    if isinstance(operator, type):
        raise TypeError(f"operator is the class {operator.__name__}: pass an instance of it.")
    if hasattr(operator, "fit"):
        return _affine_estimator(X, y, operator, random_state, frame)
    origin = "operator"
    if callable(operator):
        operator = call(operator, "operator", "(n_features,)", X.shape[1])
        origin = "the result of operator(n_features)"
    matrix = check_matrix(detached(operator), origin)
    xp = array_namespace(matrix)
    require_finite(float(xp.max(xp.abs(matrix))), origin)
    if matrix.shape[1] != X.shape[1]:
        raise ValueError(
            f"{origin} must have one column per feature: got shape {tuple(matrix.shape)} for "
            f"{X.shape[1]} features."
        )
    return _linear(_cast_like(matrix, X), X)


def centred_on(X: Any, target: Target) -> Target:
    """The same map, by its output for the mean of samples."""
    mean = _means(X)
    return target._replace(
        mean=mean, offset=target.offset + target.matrix @ (mean - target.mean), centred=True
    )


def _linear(matrix: Any, X: Any) -> Target:
    xp, where = array_namespace(X), device(X)
    return Target(
        matrix,
        xp.zeros(X.shape[1], dtype=X.dtype, device=where),
        xp.zeros(matrix.shape[0], dtype=matrix.dtype, device=where),
        False,
    )


def _principal_components(X: Any, n_components: Any, random_state: Any) -> Target:
    n_samples, n_features = X.shape
    if n_components > min(n_samples, n_features):
        raise ValueError(
            f"n_components={n_components} must be at most min(n_samples, n_features) = "
            f"{min(n_samples, n_features)} (n_samples={n_samples}, n_features={n_features})."
        )
    xp = array_namespace(X)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = _means(X)
        centred = X - mean
        largest = float(xp.max(xp.abs(centred)))
    if not math.isfinite(largest):
        raise ValueError(
            f"X has finite entries whose means exceed the largest number of {X.dtype}: divide X by "
            "a power of two."
        )
    centred = centred / (largest or 1.0)  # the variance of huge entries is no number
    if largest == 0:  # no direction is better than another, and one has all of no variance
        count = n_components if n_components >= 1 else 1
        components = xp.eye(count, n_features, dtype=X.dtype, device=device(X))
    elif is_numpy(xp):
        share = n_components if n_components >= 1 else float(n_components)
        components = PCA(share, random_state=random_state).fit(centred).components_
    else:
        _, sizes, components = xp.linalg.svd(centred, full_matrices=False)
        components = components[: _count(sizes, n_components), :]
        # the signs of scikit-learn's PCA: the largest entry of each component is positive
        flipped = xp.max(components, axis=1) < -xp.min(components, axis=1)
        components = xp.where(flipped[:, None], -components, components)
    return _linear(components, X)._replace(mean=mean, centred=True)


def _count(singular_values: Any, n_components: Any) -> int:
    """Number of components: as many as asked for, or with more than a share of the variance."""
    if n_components >= 1:
        return int(n_components)
    energies = to_numpy(singular_values).astype(np.float64) ** 2
    shares = np.cumsum(energies) / np.sum(energies)
    return min(int(np.searchsorted(shares, n_components, side="right")) + 1, len(energies))


def needs_target(operator: Any) -> bool:
    """Whether an estimator cannot be fitted without y; one that is frozen is not fitted."""
    return not isinstance(operator, FrozenEstimator) and get_tags(operator).target_tags.required


def _means(X: Any) -> Any:
    """Means of the features; exactly the samples where all are alike."""
    alike = bool(array_namespace(X).all(X[:1, :] == X))
    return X[0, :] if alike else column_means(X)


def _affine_estimator(X: Any, y: Any, operator: Any, random_state: Any, frame: Any) -> Target:
    """Fit a copy of the estimator and read its matrix off points around the mean.

    Around the origin of far-off data the difference of two images would lose the matrix to
    rounding.
    """
    if not is_numpy(array_namespace(X)):
        raise ValueError(
            f"operator={operator!r} is a scikit-learn estimator, which computes on the host, and X "
            "is an array of another library. Fit it on NumPy data first and pass its matrix (for "
            "PCA, `components_`) as operator, or pass X as a NumPy array."
        )
    # a copy, since some estimators write to what they are given
    fitted = _fitted_copy(operator, deepcopy(X if frame is None else frame), y, random_state)
    probe = _Probe(operator, fitted, frame)

    mean = _means(X)
    offset = probe.images(mean[np.newaxis, :])[0]
    steps = _probe_steps(X, mean)
    # one probe per feature, in slices that stay small beside X
    n_features = X.shape[1]
    rows = []
    for first in range(0, n_features, 1024):
        some = np.arange(first, min(first + 1024, n_features))
        points = np.repeat(mean[np.newaxis, :], len(some), axis=0)
        points[np.arange(len(some)), some] += steps[some]
        # what was really added, after rounding
        added = points[np.arange(len(some)), some] - mean[some]
        rows.append((probe.images(points) - offset) / added[:, np.newaxis])
    matrix = np.concatenate(rows).T
    require_finite(
        float(np.max(np.abs(matrix))),
        f"the matrix of operator={operator!r}, fitted on n_samples={len(X)},",
    )
    probe.require_affine(X, Target(matrix, mean, offset, True))
    matrix, offset = matrix.astype(X.dtype), offset.astype(X.dtype)
    return Target(np.ascontiguousarray(matrix), mean, offset, True)


def _fitted_copy(operator: Any, X: Any, y: Any, random_state: Any) -> Any:
    """A copy of the estimator, fitted; one that is frozen is taken as it is."""
    copy = clone_with_seed(operator, random_state)
    arguments: tuple[Any, ...] = (X, y)
    if y is None:
        with suppress(TypeError):  # which says that fit has a y without a default
            inspect.signature(copy.fit).bind(X)
            arguments = (X,)
    try:
        copy.fit(*arguments)
    except (TypeError, ValueError) as error:
        if y is None and needs_target(operator):
            raise ValueError(
                f"operator={operator!r} requires y to be passed, but the target y is None."
            ) from error
        kind = TypeError if isinstance(error, TypeError) else ValueError
        given = "X" if y is None else "X and y"
        raise kind(f"operator={operator!r} could not be fitted on {given}: {error}") from error
    return copy


def _probe_steps(X: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """How far from the mean each feature is probed: powers of two, towards zero.

    As far as the samples spread, where rounding is least beside the images, and at least the mean,
    which would swallow a small step; but no further than 2**52 times the spread of the feature, by
    which an estimator may divide.
    """
    with np.errstate(over="ignore"):
        spread = np.max(np.abs(X - mean), axis=0).astype(np.float64)
    of_mean, own, widest = (_exponent(size) for size in (np.abs(mean), spread, np.max(spread)))
    exponents = np.maximum(of_mean, np.minimum(widest, np.where(spread > 0, own + 52, widest)))
    exponents = np.where(exponents < NOTHING, 1, exponents)
    return np.copysign(np.ldexp(1.0, exponents - 1), -mean)


def _exponent(size: Any) -> Any:
    """Exponents e such that 2**(e - 1) <= size < 2**e; less than NOTHING for zero."""
    return np.where(size > 0, np.frexp(np.minimum(size, np.finfo(float).max))[1], 2 * NOTHING)


class _Probe:
    """What a fitted estimator makes of points, as long as it may be affine."""

    def __init__(self, operator: Any, fitted: Any, frame: Any) -> None:
        self.operator, self.fitted, self.frame = operator, fitted, frame
        self.method = "transform" if hasattr(fitted, "transform") else "predict"
        if not hasattr(fitted, self.method):
            raise ValueError(f"operator={operator!r} has neither transform nor predict.")

    def images(self, points: np.ndarray) -> np.ndarray:
        """Images (n_points, n_out) of points (n_points, n_features)."""
        points = points.copy()  # some estimators write to what they are given
        if self.frame is not None:  # and some choose features by name
            argument = "columns" if hasattr(self.frame, "iloc") else "schema"
            points = type(self.frame)(points, **{argument: list(self.frame.columns)})
        try:
            image = getattr(self.fitted, self.method)(points)
        except ValueError as error:
            raise ValueError(
                f"operator={self.fitted!r} must be affine, and its {self.method} refused a probe "
                f"around the mean of X: {error}"
            ) from error
        image = image.toarray() if scipy.sparse.issparse(image) else to_numpy(image)
        try:
            image = image.astype(np.float64)
        except (TypeError, ValueError):
            raise ValueError(
                f"operator={self.fitted!r} must be affine, and its {self.method} gives "
                f"{image.dtype} values: a classifier's labels cannot be approximated. Use a "
                "transformer or a regressor."
            ) from None
        return image.reshape(len(points), -1)

    def require_affine(self, X: np.ndarray, target: Target) -> None:
        """Raise unless the map read off the identity gives the images of some rows of X."""
        mean = target.mean
        some = np.unique(np.linspace(0, len(X) - 1, PROBES).astype(int))
        # twice the deviation from the mean, too: clipping and ReLU show outside the data
        points = np.concatenate([X[some], mean - 2 * (X[some] - mean)])
        found = self.images(points)
        expected = (points - mean).astype(np.float64) @ target.matrix.T + target.offset
        # of the points themselves: estimators round before they centre
        slopes = np.max(np.abs(target.matrix), axis=0)
        size = np.max(np.abs(found)) + np.max(np.abs(points) * slopes)
        error = np.max(np.abs(found - expected))
        tolerance = 1e3 * math.sqrt(X.shape[1]) * float(np.finfo(X.dtype).eps)
        if not error <= tolerance * size:
            raise ValueError(
                f"operator={self.operator!r} is not affine: on rows of X its {self.method} differs "
                f"from the linear map read off the identity by {error / size:.1e} of its size. "
                "Only affine estimators can be factored (PCA, TruncatedSVD, "
                "LinearDiscriminantAnalysis, linear regressors, scalers and pipelines of them; "
                "not NMF, kernels or trees)."
            )


def _cast_like(matrix: Any, X: Any) -> Any:
    """The matrix beside X, in the precision of X; complex stays complex."""
    matrix = move_like(matrix, X)
    xp = array_namespace(X)
    if not is_complex(matrix):
        return xp.astype(matrix, X.dtype)
    return xp.astype(matrix, xp.complex64 if X.dtype == xp.float32 else xp.complex128)
