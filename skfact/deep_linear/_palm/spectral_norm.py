"""Squared spectral norms by warm-started power iterations."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from skfact._backend import array_namespace
from skfact._kernels.palm.dispatch import PRECISION


def squared_norm(gram: Callable[[Any], Any], start: Any, max_iter: int) -> tuple[float, Any]:
    """The largest eigenvalue of a positive semidefinite map of columns (n, 1), from below.

    Also a unit vector for the next call, for nearly the same map; the start where that is zero.
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
