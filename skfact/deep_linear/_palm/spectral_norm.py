"""Squared spectral norms by warm-started power iterations."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from skfact._backend import array_namespace
from skfact._kernels.palm import PRECISION


def squared_norm(gram: Callable[[Any], Any], start: Any, max_iter: int) -> tuple[float, Any]:
    """Estimate the largest eigenvalue of a positive semidefinite map, from below.

    Parameters
    ----------
    gram : callable
        Maps columns (n, 1) to columns (n, 1).
    start : array of shape (n, 1)
        Where to start, such as the vector of an earlier call for nearly the same map.
    max_iter : int
        Largest number of steps.

    Returns
    -------
    value : float
        The estimate; at most the largest eigenvalue, up to rounding.
    vector : array of shape (n, 1)
        A unit vector for the next call; the start where the map is zero there.
    """
    norm = array_namespace(start).linalg.vector_norm
    vector, value = start, 0.0
    for _ in range(max_iter):
        image = gram(vector)
        found = float(norm(image))
        if not found > 0 or not math.isfinite(found):
            return value, start
        vector = image / found
        if abs(found - value) <= PRECISION * found:
            return found, vector
        value = found
    return value, vector
