"""Factors as small images on the host, ready to be drawn."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse

from skfact._backend import to_numpy
from skfact.operators import KroneckerFactor, PartialPermutation, SparseFactor
from skfact.supports import FixedMask, KroneckerSparse


class Panel(NamedTuple):
    """One factor: its entries that may be non-zero, and what is written next to them."""

    entries: scipy.sparse.coo_array  # magnitudes; an entry that is stored may be non-zero
    has_values: bool  # the magnitudes are those of a factor, not ones that mark a support
    above: str
    below: str


def panel_of(factor: Any, position: int) -> Panel:
    """Read a factor, a support, a sparse matrix or a mask."""
    label = f"$S_{{{position}}}$"
    if isinstance(factor, PartialPermutation):
        what = "permutation" if factor.is_permutation else "selection"
        return Panel(factor.to_csr().tocoo(), False, "$P$", what)
    if isinstance(factor, KroneckerFactor | KroneckerSparse):
        values = factor.values if isinstance(factor, KroneckerFactor) else None
        pattern = factor.pattern if isinstance(factor, KroneckerFactor) else factor
        label = f"{label}\n{tuple(pattern)}"
        entries = _kronecker_entries(pattern, values)
        has_values = values is not None
    else:
        entries, has_values = _general_entries(factor, position)
    return Panel(entries, has_values, label, f"{entries.nnz:,}\nnon-zeros")


def _kronecker_entries(pattern: KroneckerSparse, values: Any) -> scipy.sparse.coo_array:
    a, b, c, d = pattern
    i, l, j, k = np.ogrid[:a, :d, :b, :c]  # the axes of the values
    rows, columns = np.broadcast_arrays((i * b + j) * d + l, (i * c + k) * d + l)
    found = np.ones(pattern.nnz) if values is None else np.abs(to_numpy(values)).reshape(-1)
    places = rows.reshape(-1), columns.reshape(-1)
    return scipy.sparse.coo_array((found, places), shape=pattern.shape)


def _general_entries(factor: Any, position: int) -> tuple[scipy.sparse.coo_array, bool]:
    if isinstance(factor, SparseFactor):
        factor = factor.to_csr()
    if isinstance(factor, FixedMask):
        factor = factor.mask()
    matrix = factor if scipy.sparse.issparse(factor) else to_numpy(factor)
    if matrix.ndim != 2 or 0 in matrix.shape or matrix.dtype.kind not in "biufc":
        raise ValueError(
            f"factors[{position - 1}] must be a factor, a support or a non-empty 2-D array of "
            f"numbers, got {type(factor).__name__} of shape {matrix.shape} and dtype "
            f"{matrix.dtype}."
        )
    entries = scipy.sparse.coo_array(matrix)
    magnitudes = np.abs(entries.data).astype(float)
    coo = scipy.sparse.coo_array((magnitudes, entries.coords), shape=entries.shape)
    return coo, matrix.dtype.kind != "b"


def image_of(entries: scipy.sparse.coo_array, max_pixels: int) -> np.ndarray:
    """Largest magnitude of each cell of the matrix, NaN where a cell has no entry.

    No side of the image is longer than `max_pixels`: a cell is one entry of a small matrix and a
    rectangle of entries of a large one. Whatever the size, no entry is lost.
    """
    shape = tuple(min(side, max_pixels) for side in entries.shape)
    row, column = (
        place * pixels // side
        for place, pixels, side in zip(entries.coords, shape, entries.shape, strict=True)
    )
    image = np.full(shape, -np.inf)
    np.maximum.at(image, (row, column), entries.data)
    return np.where(image == -np.inf, np.nan, image)
