"""Blocks are drawn in a compiled loop where numba is there and the matrix on the host."""

from __future__ import annotations

from typing import Any

import numpy as np

from skfact._backend import array_namespace
from skfact._kernels._jit import as_if_writeable, compiled
from skfact._kernels.drawn_blocks import generic
from skfact._linalg import is_complex

NOTHING = np.empty((1, 0, 0))


def drawn_blocks(
    A: Any, place: tuple[int, int], ways: np.ndarray, energies: Any, uniform: np.ndarray | None
) -> tuple[Any, np.ndarray]:
    """Blocks in double precision and their weights; see `generic.drawn_blocks`."""
    loops = None
    if isinstance(A, np.ndarray) and A.flags.c_contiguous:
        loops = compiled("skfact._kernels.drawn_blocks.numba")
    if loops is None:
        xp = array_namespace(A)
        blocks, weights = generic.drawn_blocks(A, place, ways, energies, uniform)
        return xp.astype(blocks, xp.complex128 if is_complex(A) else xp.float64), weights
    (m, n), (Q, P) = A.shape, place
    if uniform is None:
        energies, uniform, count = NOTHING, NOTHING[0], Q * P
    else:
        count = uniform.shape[1]
    blocks = np.empty(
        (len(ways), count, m // Q, n // P), np.complex128 if A.dtype.kind == "c" else np.float64
    )
    weights = np.empty((len(ways), count))
    loops.drawn_blocks(as_if_writeable(A), P, ways, energies, uniform, blocks, weights)
    return blocks.reshape(-1, m // Q, n // P), weights
