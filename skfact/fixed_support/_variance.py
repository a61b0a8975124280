"""How much of the variance of a matrix each component of its factorization has."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from skfact._backend import array_namespace
from skfact._exponents import binary_exponent, times_power_of_two
from skfact._linalg import column_means, norm2
from skfact.fixed_support._tractable.grids import CACHED


def explained_variance_ratio(A: Any, weights: Any, left: Any, right: Any) -> Any:
    """Variance of left[:, k] right[k, :], summed over its columns, as a share of that of A: (r,).

    The columns of A (m, n) have weighted variances; None is ones. Zero where A has no variance.
    """
    xp = array_namespace(A)
    least = float(xp.finfo(A.dtype).smallest_normal) / float(xp.finfo(A.dtype).eps) ** 2
    with np.errstate(over="ignore", invalid="ignore"):
        total = total_variance(A, weights)
    if not (math.isfinite(total) and total > least):  # squares have left the range of numbers
        exponent = binary_exponent(A)
        A, left = times_power_of_two(A, -exponent), times_power_of_two(left, -(exponent // 2))
        right = times_power_of_two(right, exponent // 2 - exponent)
        total = total_variance(A, weights)
    of_codes = xp.sum((left - column_means(left)[None, :]) ** 2, axis=0) / left.shape[0]
    sizes = xp.sqrt(of_codes) * xp.sqrt(xp.sum(right**2, axis=1))  # large where parts cancel
    return (sizes / math.sqrt(total)) ** 2 if total else xp.zeros_like(sizes)


def total_variance(A: Any, weights: Any) -> float:
    """The sum of the variances of the columns."""
    xp, (m, n) = array_namespace(A), A.shape
    if weights is not None:
        counts = xp.sum(weights, axis=0)
        shares = weights / xp.where(counts > 0, counts, xp.ones_like(counts))[None, :]
        rest = A - xp.sum(shares * A, axis=0)[None, :]
        return float(xp.sum(shares * rest**2))
    # one pass, by rows that stay in a processor's cache, around the mean of the first ones
    step = min(m, max(1, CACHED // (8 * n)))
    centre = column_means(A[:step, :])[None, :]
    sums, squares = xp.zeros_like(centre), 0.0
    for start in range(0, m, step):
        part = A[start : min(start + step, m), :] - centre
        sums = sums + xp.sum(part, axis=0)[None, :]
        squares += norm2(part)
    return max(squares - norm2(sums) / m, 0.0) / m
