"""Weights of samples in any array library."""

from __future__ import annotations

from typing import Any

import numpy as np

from skfact._backend import array_namespace, move_like


def checked_weights(given: Any, X: Any) -> Any:
    """Weights of the samples as an array like X; None for equal ones."""
    if given is None:
        return None
    xp, n = array_namespace(X), X.shape[0]
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
