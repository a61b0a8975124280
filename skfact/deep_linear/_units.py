"""Samples as the solvers take them: centred, weighted, of ordinary magnitude, one per column."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from skfact._backend import array_namespace, detached, device, move_like
from skfact._exponents import binary_exponent, times_power_of_two


class Units(NamedTuple):
    """Origin and power of two of samples and targets, and what they mean for coefficients."""

    x_mean: Any  # (n_features,)
    y_mean: Any  # (n_outputs,)
    x_exponent: int = 0
    y_exponent: int = 0
    n_factors: int = 1

    def scaled(self, X: Any, Y: Any, weights: Any) -> tuple[Any, Any]:
        """Samples (n_features, n) and targets (n_outputs, n) in these units."""
        X, Y = X - self.x_mean, Y - self.y_mean
        if weights is not None:
            root = array_namespace(X).sqrt(weights)[:, None]
            X, Y = X * root, Y * root
        return times_power_of_two(X, -self.x_exponent).T, times_power_of_two(Y, -self.y_exponent).T

    def factors(self, values: list[Any], *, back: bool = False) -> list[Any]:
        """Factors of these units in those of the data, or `back`: the same multiple of each."""
        whole, rest = divmod(self.y_exponent - self.x_exponent, self.n_factors)
        if back:
            whole, rest = -whole, -rest
        part = 2.0 ** (rest / self.n_factors)
        return [times_power_of_two(value * part, whole) for value in values]

    def penalty(self, alpha: float) -> float:
        """The ridge penalty on factors in these units."""
        share = (self.y_exponent - self.x_exponent) / self.n_factors
        exponent = max(-1000.0, min(1000.0, 2 * (share - self.y_exponent)))
        return alpha * 2.0**exponent

    def loss(self, loss: float) -> float:
        """A loss in the units of the data; infinite where that is no number."""
        with np.errstate(over="ignore"):
            return float(np.ldexp(loss, 2 * self.y_exponent))


def prepared(
    X: Any, Y: Any, weights: Any, *, centre: bool, n_factors: int
) -> tuple[Units, Any, Any]:
    """The units of some samples, and samples and targets in them."""
    units = Units(_mean(X, weights, centre), _mean(Y, weights, centre), n_factors=n_factors)
    X, Y = units.scaled(X, Y, weights)
    n_samples = X.shape[1] if weights is None else float(array_namespace(X).sum(weights))
    X, x_exponent = _ordinary(X, n_samples, "X")
    Y, y_exponent = _ordinary(Y, n_samples, "y")
    return units._replace(x_exponent=x_exponent, y_exponent=y_exponent), X, Y


def _ordinary(array: Any, n_samples: float, name: str) -> tuple[Any, int]:
    """The array (n, n_samples) over a power of two near its root mean square, and the exponent.

    Iterations take other paths in other units, and Adam's steps have a size. A sample of weight two
    counts as two.
    """
    exponent = binary_exponent(array, name)
    array = times_power_of_two(array, -exponent)
    xp = array_namespace(array)
    size = float(xp.linalg.vector_norm(array)) / (array.shape[0] * n_samples) ** 0.5
    further = math.frexp(size)[1] if size > 0 else 0
    return times_power_of_two(array, -further), exponent + further


def _mean(array: Any, weights: Any, centre: bool) -> Any:
    """Mean of the rows; zero where nothing is centred."""
    xp = array_namespace(array)
    if not centre:
        return xp.zeros(array.shape[1], dtype=array.dtype, device=device(array))
    scale = float(xp.max(xp.abs(array))) or 1.0  # sums must not overflow
    scaled = array / scale
    if weights is None:
        return xp.mean(scaled, axis=0) * scale
    return xp.sum(scaled * weights[:, None], axis=0) / xp.sum(weights) * scale


def checked_weights(given: Any, X: Any) -> Any:
    """Weights of the samples as an array like X; None for equal ones."""
    if given is None:
        return None
    xp, n, given = array_namespace(X), X.shape[0], detached(given)
    if isinstance(given, int | float | np.number):
        given = np.full(n, float(given))
    elif not hasattr(given, "ndim") or isinstance(given, np.ndarray):
        given = np.asarray(given, dtype=float)
    weights = xp.astype(move_like(given, X), X.dtype)
    if weights.ndim != 1:
        raise ValueError("Sample weights must be 1D array or scalar")
    if weights.shape[0] != n:
        raise ValueError(f"sample_weight.shape == {tuple(weights.shape)}, expected ({n},)!")
    if not bool(xp.all(xp.isfinite(weights))) or float(xp.min(weights)) < 0:
        raise ValueError("sample_weight must be finite and not negative.")
    if not float(xp.max(weights)) > 0:
        raise ValueError("sample_weight is zero for every sample: nothing to learn from.")
    return weights
