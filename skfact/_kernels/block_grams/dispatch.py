"""Gram matrices of small blocks are made in a compiled loop where numba is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from skfact._kernels._jit import as_if_writeable, compiled
from skfact._kernels.block_grams import generic
from skfact._kernels.block_grams.generic import Look

# Rows of Gram matrices, or entries of matrices, for which the way through Python is what costs.
SMALL, FEW = 16, 2**13


def block_grams(
    A: Any, looks: Sequence[Look], energies: Mapping[int, Any], uniform: np.ndarray
) -> tuple[Any, np.ndarray]:
    """Gram matrices, of which the lower halves are to be read; see `generic.block_grams`."""
    (m, n), (Q, P, *_) = A.shape, looks[0]
    side = min(m // Q, n // P)
    small = side <= SMALL or m * n <= FEW
    if not small or not isinstance(A, np.ndarray) or not A.flags.c_contiguous:
        return generic.block_grams(A, looks, energies, uniform)
    loops = compiled("skfact._kernels.block_grams.numba")
    if loops is None:
        return generic.block_grams(A, looks, energies, uniform)
    starts, parts, rows = {}, [np.empty((2, 0, n))], 0
    for Q in {look.Q for look in looks if look.drawn}:
        starts[Q] = rows
        parts.append(energies[Q])
        rows += Q
    numbers = [(*look[:5], starts[look.Q] if look.drawn else -1) for look in looks]
    dtype = A.dtype if A.dtype in (np.float64, np.complex128) else np.result_type(A, np.float64)
    size = sum(look[4] for look in numbers)
    grams, weights = np.zeros((size, side, side), dtype), np.empty(size)
    loops.block_grams(
        as_if_writeable(A),
        np.array(numbers, dtype=np.int64),
        np.concatenate(parts, axis=1),
        uniform,
        grams,
        weights,
    )
    return grams, weights
