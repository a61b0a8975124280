"""Supports of two factors as sparse masks, whatever the user gave."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse

from skfact._inputs import is_sparse
from skfact.supports import FixedMask, KroneckerSparse
from skfact.supports._masks import check_mask, dense_mask


def check_supports(
    left_support: Any,
    right_support: Any,
    names: tuple[str, str] = ("left_support", "right_support"),
) -> tuple[scipy.sparse.csc_array, scipy.sparse.csr_array]:
    """Both supports, (m, r) and (r, n), of bools; a component is one run of sorted indices.

    Raises TypeError if a mask does not hold truth values or numbers, ValueError if it is not 2-D,
    is empty, holds other numbers than 0 and 1, or if the two do not fit. `names` are for messages.
    """
    left = scipy.sparse.csc_array(as_mask(left_support, names[0]))
    right = as_mask(right_support, names[1])
    if left.shape[1] != right.shape[0]:
        raise ValueError(
            f"{names[0]} of shape {left.shape} has {left.shape[1]} columns, but {names[1]} of "
            f"shape {right.shape} has {right.shape[0]} rows: there must be one of each per "
            "component, left (m, r) and right (r, n). A mask of shape (n, r) has to be transposed."
        )
    left.sort_indices()
    return left, right


def as_mask(mask: Any, name: str) -> scipy.sparse.csr_array:
    """A mask as a CSR array of bools with sorted indices and only True entries.

    Takes arrays of any library, nested lists, SciPy and CuPy sparse matrices, and the supports
    :class:`~skfact.supports.FixedMask` and :class:`~skfact.supports.KroneckerSparse`.
    """
    if mask is None:
        raise TypeError(
            f"{name} is None: pass a mask of booleans or of 0 and 1, np.ones((rows, columns)) for "
            "a factor without zeros."
        )
    if isinstance(mask, FixedMask | KroneckerSparse):
        mask = mask.mask()
    if is_sparse(mask):
        if not scipy.sparse.issparse(mask):  # CuPy's
            mask = mask.get()
        found = scipy.sparse.csr_array(mask)
        check_mask(found.data, found.shape, name)
        found = found.astype(bool, copy=True)
        found.sum_duplicates()
        found.eliminate_zeros()
        return found
    given = dense_mask(mask, name)
    rows, columns = np.nonzero(given)
    starts = np.zeros(given.shape[0] + 1, dtype=np.int64)
    np.cumsum(np.bincount(rows, minlength=given.shape[0]), out=starts[1:])
    ones = np.ones(len(columns), dtype=bool)
    return scipy.sparse.csr_array((ones, columns, starts), shape=given.shape)
