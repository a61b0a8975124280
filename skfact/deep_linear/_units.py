"""Samples as the solvers take them: centred, weighted, of ordinary magnitude, one per column."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from skfact._backend import array_namespace, detached, device, is_array_api_obj, move_like
from skfact._checks import require_finite
from skfact._exponents import binary_exponent, times_power_of_two, unscaled_number
from skfact._inputs import as_floating, is_numpy, is_sparse
from skfact._linalg import column_means
from skfact.deep_linear._linear_network import LinearNetwork, largest_magnitude

ORDINARY = 100  # binary logarithm of weights beyond which their size does not count


class Units(NamedTuple):
    """Origin and power of two of samples and targets, and what they mean for coefficients."""

    x_mean: Any  # (n_features,)
    y_mean: Any  # (n_outputs,)
    x_exponent: int = 0
    y_exponent: int = 0
    n_factors: int = 1

    def scaled(self, X: Any, Y: Any, weights: Any) -> tuple[Any, Any]:
        """Samples (n_features, n) and targets (n_outputs, n) in these units."""
        return (
            _centred(X, self.x_mean, weights, self.x_exponent).T,
            _centred(Y, self.y_mean, weights, self.y_exponent).T,
        )

    def factors(self, values: list[Any], *, back: bool = False) -> list[Any]:
        """Factors of these units in those of the data, or `back`: the same multiple of each."""
        whole, rest = divmod(self.y_exponent - self.x_exponent, self.n_factors)
        if back:
            whole, rest = -whole, -rest
        part = 2.0 ** (rest / self.n_factors)
        with np.errstate(over="ignore"):  # whoever asks looks at the result
            return [times_power_of_two(value * part, whole) for value in values]

    def hold(self, network: LinearNetwork, values: list[Any]) -> bool:
        """Whether factors and coefficients, in the units of the data, are numbers."""
        xp = array_namespace(values[0])
        for factor, value in zip(self.factors(values), values):
            vanishes = bool(xp.any(value != 0)) and not bool(xp.any(factor != 0))
            if vanishes or not bool(xp.all(xp.isfinite(factor))):
                return False
        exponent = self.y_exponent - self.x_exponent
        most = _most(values[0])
        return exponent < most / 2 or (
            math.log2(network.largest_entry(values) or 1.0) + exponent < most
        )

    def penalty(self, alpha: float) -> float:
        """The ridge penalty on factors in these units, a number that has a square."""
        share = (self.y_exponent - self.x_exponent) / self.n_factors
        most = _most(self.x_mean) / 2
        exponent = max(-most, min(most, 2 * (share - self.y_exponent)))
        return min(alpha * 2.0**exponent, 2.0**most)

    def loss(self, loss: float) -> float:
        """A loss in the units of the data; infinite where that is no number."""
        return unscaled_number(loss, 2 * self.y_exponent)


def _most(like: Any) -> float:
    """Binary logarithm of the largest number of a dtype."""
    return math.log2(float(array_namespace(like).finfo(like.dtype).max))


def prepared(
    X: Any, Y: Any, weights: Any, *, centre: bool, n_factors: int
) -> tuple[Units, Any, Any]:
    """The units of some samples, and samples and targets in them."""
    x_mean, x_exponent, X = _ordinary(X, weights, centre, "X")
    y_mean, y_exponent, Y = _ordinary(Y, weights, centre, "y")
    return Units(x_mean, y_mean, x_exponent, y_exponent, n_factors), X.T, Y.T


def _ordinary(array: Any, weights: Any, centre: bool, name: str) -> tuple[Any, int, Any]:
    """Mean of the rows (zero where nothing is centred), a power of two near the root mean square of
    the rest, and the rest (n_samples, n) over that.

    Iterations take other paths in other units, and Adam's steps have a size. A sample of weight two
    counts as two.
    """
    xp = array_namespace(array)
    most, shares = 1.0, xp.ones_like(array[:, 0])
    if weights is not None:
        most = float(xp.max(weights))
        shares = weights / most  # whose sum is a number
        most = most if abs(math.log2(most)) < ORDINARY else 1.0
    first = binary_exponent(array, name)  # neither sums nor differences may overflow
    array = times_power_of_two(array, -first)
    mean = xp.zeros(array.shape[1], dtype=array.dtype, device=device(array))
    if centre:
        mean = column_means(array, None if weights is None else shares)
    rest = _centred(array, mean, weights)
    second = binary_exponent(rest, name)
    rest = times_power_of_two(rest, -second)
    count = array.shape[1] * float(xp.sum(shares))
    size = float(xp.linalg.vector_norm(rest)) / count**0.5 / most**0.5
    third = math.frexp(size)[1] if size > 0 else 0
    return (
        times_power_of_two(mean, first),
        first + second + third,
        times_power_of_two(rest, -third),
    )


def _centred(array: Any, mean: Any, weights: Any, exponent: int = 0) -> Any:
    """The rows over 2**exponent, less the mean of theirs, times the roots of weights."""
    rest = times_power_of_two(array, -exponent) - times_power_of_two(mean, -exponent)
    return rest if weights is None else rest * array_namespace(rest).sqrt(weights)[:, None]


def real_array(given: Any, name: str, like: Any) -> Any:
    """Real numbers as an array in the library of `like`; it belongs to no graph.

    Raises
    ------
    TypeError, ValueError
        If they are complex or no numbers, or the array is sparse.
    """
    if is_array_api_obj(given) and not is_numpy(array_namespace(given)):
        given = as_floating(detached(given), name, real=True)
    else:
        if is_sparse(given):
            raise TypeError(f"{name} is a sparse matrix: pass {name}.toarray().")
        given = np.asarray(detached(given))
        if given.dtype.kind == "c":
            raise ValueError(f"Complex data not supported: {name} has dtype {given.dtype}.")
        if given.dtype.kind not in "biuf":
            try:
                given = given.astype(np.float64)
            except (TypeError, ValueError) as error:
                raise TypeError(f"{name} must hold numbers: {error}.") from error
    return move_like(given, like)


def in_dtype_of(X: Any, array: Any, name: str) -> Any:
    """Finite numbers in the dtype of X."""
    xp = array_namespace(X)
    largest = largest_magnitude(array)
    require_finite(largest, name)
    if largest > float(xp.finfo(X.dtype).max):
        raise ValueError(
            f"{name} has entries beyond the range of {X.dtype}, the dtype of X: scale {name}."
        )
    return xp.astype(array, X.dtype, copy=False)


def checked_weights(given: Any, X: Any) -> Any:
    """Weights of the samples as an array like X; None for equal ones."""
    if given is None:
        return None
    xp, n = array_namespace(X), X.shape[0]
    weights = real_array(given, "sample_weight", X)
    if weights.ndim == 0:
        weights = xp.broadcast_to(weights, (n,))
    if weights.ndim != 1:
        raise ValueError("Sample weights must be 1D array or scalar")
    if weights.shape[0] != n:
        raise ValueError(f"sample_weight.shape == {tuple(weights.shape)}, expected ({n},)!")
    weights = in_dtype_of(X, weights, "sample_weight")
    if float(xp.min(weights)) < 0:
        raise ValueError("sample_weight must be finite and not negative.")
    if not float(xp.max(weights)) > 0:
        raise ValueError(
            f"sample_weight is zero in {X.dtype} for every sample: nothing to learn from."
        )
    return weights
