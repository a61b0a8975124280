"""Factors as small images on the host, ready to be drawn."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse

from skfact._backend import to_numpy
from skfact.operators import PartialPermutation
from skfact.supports import FixedMask, KroneckerSparse
from skfact.supports._kronecker import places


class Panel(NamedTuple):
    """One factor: its entries that may be non-zero, and what is written next to them."""

    entries: scipy.sparse.coo_array  # magnitudes; an entry that is stored may be non-zero
    has_values: bool  # the magnitudes are those of a factor, not ones that mark a support
    above: str
    below: str


def panel_of(factor: Any, position: int) -> Panel:
    """Read a factor, a support, a sparse matrix or a mask."""
    label = f"$S_{{{position}}}$"
    pattern = getattr(factor, "pattern", factor)
    if isinstance(pattern, KroneckerSparse):
        label = f"{label}\n{tuple(pattern)}"
    if isinstance(factor, PartialPermutation):
        what = "permutation" if factor.is_permutation else "selection"
        return Panel(factor.to_csr().tocoo(), False, "$P$", what)
    entries, has_values = _entries(factor, position)
    return Panel(entries, has_values, label, f"{entries.nnz:,}\nnon-zeros")


def _entries(factor: Any, position: int) -> tuple[scipy.sparse.coo_array, bool]:
    if isinstance(factor, KroneckerSparse):  # without a dense mask
        rows, columns = places(factor)
        marks = np.ones(factor.nnz, dtype=bool), (rows.ravel(), columns.ravel())
        factor = scipy.sparse.coo_array(marks, shape=factor.shape)
    elif hasattr(factor, "to_csr"):
        factor = factor.to_csr()
    elif isinstance(factor, FixedMask):
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
