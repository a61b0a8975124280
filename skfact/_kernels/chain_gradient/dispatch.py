"""Running the compiled loops over the tiles of a batch, on threads."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

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
        and loops_pay(values, X.shape[1])
    )


def loops_pay(values: Sequence[np.ndarray], batch: int) -> bool:
    """Whether the compiled loops are there, the blocks are small, and there is enough work."""
    return (
        max(max(value.shape[2:]) for value in values) <= LARGEST_SIDE
        and sum(value.size for value in values) * batch >= SMALLEST
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
    patterns, offsets, flat = side_by_side(values)
    residual, batch = np.empty_like(Y), X.shape[1]

    def some_tiles(start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        signals = np.empty((len(values) + 2, largest_end(patterns), TILE), X.dtype)
        gradient, loss = np.empty_like(flat), np.empty(1)
        columns = start * TILE, min(stop * TILE, batch)
        loops.loss_and_gradient(
            X, Y, patterns, offsets, flat, residual, gradient, signals, *columns, loss
        )
        return gradient, loss

    found = run_slices(some_tiles, -(-batch // TILE), SECONDS * flat.size * batch)
    gradient = np.sum([part[0] for part in found], axis=0)
    loss = 0.5 * float(sum(part[1] for part in found)[0])
    return loss, taken_apart(gradient, offsets, values), residual


def side_by_side(values: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Patterns, where the values of each factor begin and end, and all of them."""
    patterns = np.array([(v.shape[0], v.shape[2], v.shape[3], v.shape[1]) for v in values])
    offsets = np.concatenate([[0], np.cumsum([value.size for value in values])])
    return patterns, offsets, np.concatenate([np.ravel(value) for value in values])


def taken_apart(
    flat: np.ndarray, offsets: np.ndarray, values: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """Numbers that stand side by side as those of the factors."""
    return [flat[i:j].reshape(v.shape) for (i, j), v in zip(pairwise(offsets), values)]


class Selections(NamedTuple):
    """What is selected at both sides of a chain, and the ways back; -1 selects nothing."""

    source: np.ndarray  # entry of a row for each input of the chain
    result: np.ndarray  # output of the chain for each entry of an image
    into: np.ndarray  # input of the chain for each entry of a row
    out: np.ndarray  # entry of an image for each output of the chain


def map_rows(values: Sequence[np.ndarray], ends: Selections, X: np.ndarray) -> np.ndarray:
    """Images (batch, n_out) of rows X (batch, n_in), without any preparation of the values.

    All in one dtype, real or complex.
    """
    loops: Any = compiled("skfact._kernels.chain_gradient.numba")
    X = as_if_writeable(np.ascontiguousarray(X))
    patterns, offsets, flat = side_by_side(values)
    Y, batch = np.empty((len(X), len(ends.result)), X.dtype), len(X)

    def some_tiles(start: int, stop: int) -> None:
        signals = np.empty((2, largest_end(patterns), TILE), X.dtype)
        rows = start * TILE, min(stop * TILE, batch)
        loops.map_rows(X, Y, patterns, offsets, flat, ends.source, ends.result, signals, *rows)

    run_slices(some_tiles, -(-batch // TILE), SECONDS / 4 * flat.size * batch)
    return Y


def pull_back_rows(
    values: Sequence[np.ndarray], ends: Selections, X: np.ndarray, G: np.ndarray, *, back: bool
) -> tuple[list[np.ndarray], np.ndarray | None]:
    """Gradients in the values, and if `back` in the rows X, from gradients G of their images."""
    loops: Any = compiled("skfact._kernels.chain_gradient.numba")
    X, G = (as_if_writeable(np.ascontiguousarray(array)) for array in (X, G))
    patterns, offsets, flat = side_by_side(values)
    of_X, batch = np.empty((len(X) if back else 0, X.shape[1]), X.dtype), len(X)

    def some_tiles(start: int, stop: int) -> np.ndarray:
        signals = np.empty((len(values) + 2, largest_end(patterns), TILE), X.dtype)
        gradient = np.empty_like(flat)
        rows = start * TILE, min(stop * TILE, batch)
        loops.pull_back_rows(X, G, patterns, offsets, flat, *ends, of_X, gradient, signals, *rows)
        return gradient

    found = run_slices(some_tiles, -(-batch // TILE), SECONDS * flat.size * batch)
    gradient = np.sum(found, axis=0) if len(found) > 1 else found[0]
    return taken_apart(gradient, offsets, values), of_X if back else None


def largest_end(patterns: np.ndarray) -> int:
    """Entries of the longest vector between the factors, or at an end."""
    return int(max(a * d * max(b, c) for a, b, c, d in patterns))
