"""The coefficient of determination where the data is: scikit-learn's is computed on the host."""

from __future__ import annotations

import math
from typing import Any

from skfact._backend import array_namespace


def mean_r2(true: Any, predicted: Any, weights: Any = None) -> float:
    """R2 averaged over the outputs, of arrays (n_samples,) or (n_samples, n_outputs) in float64.

    1 for an output that is constant and met, 0 for one that is constant and missed; NaN for less
    than two samples.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    xp = array_namespace(true)
    if tuple(true.shape) != tuple(predicted.shape):
        raise ValueError(
            f"y has shape {tuple(true.shape)}, but predict gives {tuple(predicted.shape)}."
        )
    if true.shape[0] < 2:
        return math.nan
    true, predicted = (xp.reshape(part, (true.shape[0], -1)) for part in (true, predicted))
    weight = xp.ones_like(true[:, :1]) if weights is None else weights[:, None]
    mean = xp.sum(weight * true, axis=0) / xp.sum(weight)
    missed = xp.sum(weight * (true - predicted) ** 2, axis=0)
    spread = xp.sum(weight * (true - mean) ** 2, axis=0)
    varies = spread > 0
    share = missed / xp.where(varies, spread, xp.ones_like(spread))
    lost = xp.where(varies, share, xp.astype(missed > 0, share.dtype))
    return 1.0 - float(xp.sum(lost)) / true.shape[1]
