"""A large matrix in few cells: which of them have an entry, and how large the largest one is."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from typing import Any

import numpy as np
import scipy.sparse

from skfact._backend import to_numpy
from skfact.operators import KroneckerFactor
from skfact.operators._factors import Factor
from skfact.supports import FixedMask, KroneckerSparse

CHUNK = 2**18  # entries that are looked at at a time
LARGEST_SIDE = 2**62  # whose double is an int64

Entries = tuple[np.ndarray, np.ndarray, np.ndarray]  # rows, columns, magnitudes; to be broadcast


def sampled(size: int, count: int) -> np.ndarray:
    """All of 0 .. size - 1, or `count` of them at equal distances."""
    return np.arange(size) if size <= count else np.arange(count) * size // count


def image_of(matrix: Any, max_pixels: int, *, values: bool) -> np.ndarray:
    """Largest magnitude of each cell of a matrix, NaN where a cell has no entry.

    No side of the image is longer than `max_pixels`: a cell is one entry of a small matrix and a
    rectangle of entries of a large one. Whatever the size, no entry is lost. Without `values` all
    magnitudes are 1, and Kronecker-sparse ones cost no more than the cells.
    """
    pattern = getattr(matrix, "pattern", matrix)
    shape = min(matrix.shape[0], max_pixels), min(matrix.shape[1], max_pixels)
    if isinstance(pattern, KroneckerSparse) and not values:
        return np.where(kronecker_cells(pattern, shape), 1.0, np.nan)
    image = np.full(shape, -np.inf)
    for rows, columns, magnitudes in entries_of(matrix):
        cells = (
            place.astype(np.int64) * pixels // side
            for place, pixels, side in zip((rows, columns), shape, matrix.shape, strict=True)
        )
        np.maximum.at(image, tuple(cells), magnitudes if values else 1.0)
    return np.where(image == -np.inf, np.nan, image)


def kronecker_cells(pattern: KroneckerSparse, shape: tuple[int, int]) -> np.ndarray:
    """Which cells have an entry, (rows, columns) of bool, from the ends of the cells alone."""
    _, b, c, d = pattern
    (top, bottom), (left, right) = map(_ends, pattern.shape, shape)
    top, bottom = top[:, None], bottom[:, None]
    # blocks I_a that have both rows and columns of the cell
    first = np.maximum(top // (b * d), left // (c * d))
    last = np.minimum((bottom - 1) // (b * d), (right - 1) // (c * d))
    found = np.zeros(shape, dtype=bool)
    for block in (first, first + 1, last):  # of three or more, the second is in the cell as a whole
        above, below = np.maximum(top, block * b * d), np.minimum(bottom, (block + 1) * b * d)
        before, after = np.maximum(left, block * c * d), np.minimum(right, (block + 1) * c * d)
        # entries are where row and column are equal modulo d
        meet = ((before - above) % d < below - above) | ((above - before) % d < after - before)
        found |= (block <= last) & (block >= first) & meet
    return found


def _ends(side: int, pixels: int) -> tuple[np.ndarray, np.ndarray]:
    """Where cells start and where they stop, along a side."""
    if side > LARGEST_SIDE:
        raise ValueError(f"A factor with a side of {side} is too large to be drawn.")
    ends = np.array([-(-pixel * side // pixels) for pixel in range(pixels + 1)])
    return ends[:-1], ends[1:]


def sparse_entries(matrix: Any) -> scipy.sparse.coo_array:
    """All entries that may be non-zero, by their magnitudes."""
    chunks = [
        [part.ravel() for part in np.broadcast_arrays(*chunk)] for chunk in entries_of(matrix)
    ]
    rows, columns, magnitudes = map(np.concatenate, zip(*chunks, strict=True))
    return scipy.sparse.coo_array((magnitudes, (rows, columns)), shape=matrix.shape)


def entries_of(matrix: Any) -> Iterator[Entries]:
    """The entries that may be non-zero, some at a time."""
    if isinstance(matrix, FixedMask):
        matrix = matrix._mask
    elif isinstance(matrix, Factor) and not isinstance(matrix, KroneckerFactor):
        matrix = matrix.to_csr().tocoo()
    if isinstance(matrix, KroneckerSparse | KroneckerFactor):
        yield from _kronecker_entries(matrix)
    elif isinstance(matrix, np.ndarray):
        step = max(1, CHUNK // matrix.shape[1])
        for start in range(0, len(matrix), step):
            rows, columns = np.nonzero(matrix[start : start + step])
            found = matrix[start : start + step][rows, columns]
            yield rows + start, columns, np.abs(found).astype(float)
    else:
        for start in range(0, max(1, matrix.nnz), CHUNK):
            some = slice(start, start + CHUNK)
            rows, columns = (place[some] for place in matrix.coords)
            yield rows, columns, np.abs(matrix.data[some]).astype(float)


def _kronecker_entries(matrix: KroneckerSparse | KroneckerFactor) -> Iterator[Entries]:
    """By lines of the blocks, in the order (a, d, b, c) of the values."""
    if isinstance(matrix, KroneckerFactor):
        pattern, lines = matrix.pattern, to_numpy(matrix.values).reshape(-1, matrix.pattern.c)
    else:
        pattern, lines = matrix, None
    a, b, c, d = pattern
    k = np.arange(c)
    step = ceil(CHUNK / c)
    for start in range(0, a * d * b, step):
        some = np.arange(start, min(start + step, a * d * b))[:, None]
        i, rest = np.divmod(some, d * b)
        l, j = np.divmod(rest, b)
        rows, columns = (i * b + j) * d + l, (i * c + k) * d + l
        numbers = np.ones((1, 1)) if lines is None else np.abs(lines[some[:, 0]]).astype(float)
        yield rows, columns, numbers
