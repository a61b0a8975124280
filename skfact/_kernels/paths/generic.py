"""v @ abs(W)^q: one step of a sum over paths, in any array-API namespace."""

from __future__ import annotations

from typing import Any


def power_product(v: Any, w: Any, q: float) -> Any:
    """``v @ abs(w) ** q`` for rows v (..., n), a matrix w (n, m) and q > 0: a new array (..., m).

    Examples
    --------
    >>> import numpy as np
    >>> from skfact._kernels.paths import power_product
    >>> power_product(np.array([1.0, 2.0]), np.array([[1.0, -2.0], [-3.0, 0.5]]), 2)
    array([19. ,  4.5])
    """
    return v @ magnitude_power(w, q)


def magnitude_power(x: Any, q: float) -> Any:
    """abs(x)^q, entry by entry."""
    if q == 1:
        return abs(x)
    return x * x if q == 2 else abs(x) ** float(q)
