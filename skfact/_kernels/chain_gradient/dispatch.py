"""Running the compiled loop over the tiles of a batch, on threads."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from skfact._kernels._jit import as_if_writeable, compiled
from skfact._kernels._threads import run_slices

# larger blocks are left to BLAS
LARGEST_SIDE = 8
# multiplications of one product below which nothing is compiled
SMALLEST = 2**18
TILE = 64  # columns that go through all factors together
# seconds of work for an entry of a factor and a column
SECONDS = 6e-10


def pays(values: Sequence[Any], X: Any) -> bool:
    """Whether the compiled loop is there and faster than a product at a time.

    It takes NumPy arrays of one real dtype, small blocks, and enough work.
    """
    return (
        isinstance(X, np.ndarray)
        and X.dtype.kind == "f"
        and all(isinstance(v, np.ndarray) and v.dtype == X.dtype for v in values)
        and max(max(value.shape[2:]) for value in values) <= LARGEST_SIDE
        and sum(value.size for value in values) * X.shape[1] >= SMALLEST
        and compiled("skfact._kernels.chain_gradient.numba") is not None
    )


def loss_and_gradient(
    values: Sequence[np.ndarray], X: np.ndarray, Y: np.ndarray
) -> tuple[float, list[np.ndarray], np.ndarray]:
    """0.5 ||S_1 ... S_L X - Y||^2, its gradient, and the residual.

    For blocks (a, d, b, c) of the factors, from left to right, and X (n_in, batch) and
    Y (n_out, batch) of their dtype.
    """
    loops: Any = compiled("skfact._kernels.chain_gradient.numba")
    X, Y = (as_if_writeable(np.ascontiguousarray(array)) for array in (X, Y))
    patterns = np.array([(v.shape[0], v.shape[2], v.shape[3], v.shape[1]) for v in values])
    offsets = np.concatenate([[0], np.cumsum([value.size for value in values])])
    flat = np.concatenate([np.ravel(value) for value in values])
    residual, batch = np.empty_like(Y), X.shape[1]
    sizes = [a * b * d for a, b, c, d in patterns] + [X.shape[0]]

    def some_tiles(start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        signals = np.empty((len(values) + 2, max(sizes), TILE), X.dtype)
        gradient, loss = np.empty_like(flat), np.empty(1)
        columns = start * TILE, min(stop * TILE, batch)
        loops.loss_and_gradient(
            X, Y, patterns, offsets, flat, residual, gradient, signals, *columns, loss
        )
        return gradient, loss

    found = run_slices(some_tiles, -(-batch // TILE), SECONDS * flat.size * batch)
    gradient = np.sum([part[0] for part in found], axis=0)
    loss = 0.5 * float(sum(part[1] for part in found)[0])
    parts = [gradient[i:j] for i, j in pairwise(offsets)]
    return loss, [p.reshape(v.shape) for p, v in zip(parts, values)], residual
