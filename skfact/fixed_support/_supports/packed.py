"""Masks, and factors on them, in as few bytes as are needed to keep them."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse

from skfact._backend import array_namespace, move_like
from skfact.fixed_support._supports.runs import run_of_place


class PackedMask(NamedTuple):
    """A mask of a shape: a bit for each entry, or where the entries are."""

    shape: tuple[int, int]
    parts: tuple[np.ndarray, ...]  # bits; or where rows start among the columns, and these

    @classmethod
    def of(cls, mask: Any) -> PackedMask:
        """A sparse mask or one of booleans, packed."""
        found = scipy.sparse.csr_array(mask)
        starts, columns = found.indptr.astype(np.int64), found.indices.astype(np.int32)
        if math.prod(found.shape) // 8 > starts.nbytes + columns.nbytes:
            return cls(found.shape, (starts, columns))
        return cls(found.shape, (np.packbits(found.toarray()),))

    def unpacked(self) -> Any:
        """The mask as an array of booleans, or sparse."""
        if len(self.parts) == 1:
            bits = np.unpackbits(self.parts[0], count=math.prod(self.shape))
            return bits.astype(bool).reshape(self.shape)
        starts, columns = self.parts
        ones = np.ones(len(columns), dtype=bool)
        return scipy.sparse.csr_array((ones, columns, starts), shape=self.shape)


def packed_array(value: Any) -> Any:
    """What to keep in place of a matrix of booleans; other values as they are."""
    is_mask = isinstance(value, np.ndarray) and value.dtype == bool and value.ndim == 2
    return PackedMask.of(value) if is_mask else value


def unpacked_array(value: Any) -> Any:
    """The way back from `packed_array`."""
    if not isinstance(value, PackedMask):
        return value
    mask = value.unpacked()
    return mask.toarray() if scipy.sparse.issparse(mask) else mask


def on_mask(mask: Any, factor: Any) -> Any:
    """The entries of a dense factor on its mask, run after run: what `dense_factor` takes."""
    lines = run_of_place(mask), mask.indices
    rows, columns = lines if mask.format == "csr" else lines[::-1]
    places = rows.astype(np.int64) * mask.shape[1] + columns
    xp = array_namespace(factor)
    return xp.take(xp.reshape(factor, (-1,)), move_like(places, factor))
