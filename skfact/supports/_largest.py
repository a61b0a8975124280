"""Which entries of an array are its smallest keys, ties decided by position."""

from __future__ import annotations

from typing import Any

from skfact._backend import is_cupy_namespace
from skfact._inputs import is_numpy


def smallest_keys(key: Any, k: int, axis: int, xp: Any) -> Any:
    """Mask of the `k` smallest entries along an axis; of equal ones, those that come first.

    NumPy and CuPy find the k-th smallest by a partition. The array API standard has none: other
    libraries sort.
    """
    size = key.shape[axis]
    if k >= size:
        return xp.ones_like(key, dtype=xp.bool)
    line = [slice(None)] * key.ndim
    line[axis] = slice(k - 1, k)
    if is_numpy(xp) or is_cupy_namespace(xp):
        threshold = xp.partition(key, k - 1, axis=axis)[tuple(line)]
    else:
        threshold = xp.sort(key, axis=axis)[tuple(line)]
    keep = key <= threshold
    counts = xp.sum(xp.astype(keep, xp.int32), axis=axis, keepdims=True)
    if not bool(xp.any(counts > k)):
        return keep
    below = key < threshold
    tied = keep & ~below
    room = k - xp.sum(xp.astype(below, xp.int32), axis=axis, keepdims=True)
    rank = xp.cumulative_sum(xp.astype(tied, xp.int32), axis=axis)
    return below | (tied & (rank <= room))
