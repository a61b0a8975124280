"""How much of the variance of a matrix each component of its factorization has."""

from __future__ import annotations

from typing import Any

from skfact._backend import array_namespace
from skfact._exponents import binary_exponent, times_power_of_two
from skfact._linalg import norm2


def explained_variance_ratio(A: Any, weights: Any, left: Any, right: Any) -> Any:
    """Variance of left[:, k] right[k, :], summed over its columns, as a share of that of A: (r,).

    The columns of A (m, n) have weighted variances; None is ones. Zero where A has no variance.
    """
    xp = array_namespace(A)
    exponent = binary_exponent(A)
    A, left = times_power_of_two(A, -exponent), times_power_of_two(left, -(exponent // 2))
    right = times_power_of_two(right, exponent // 2 - exponent)
    if weights is None:
        total = norm2(A - xp.mean(A, axis=0)[None, :]) / A.shape[0]
    else:
        counts = xp.sum(weights, axis=0)
        shares = weights / xp.where(counts > 0, counts, xp.ones_like(counts))[None, :]
        rest = A - xp.sum(shares * A, axis=0)[None, :]
        total = float(xp.sum(shares * rest**2))
    of_components = xp.var(left, axis=0) * xp.sum(right**2, axis=1)
    return of_components / total if total else xp.zeros_like(of_components)
