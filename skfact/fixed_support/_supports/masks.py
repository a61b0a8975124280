"""Supports of two factors as sparse masks, whatever the user gave."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse

from skfact._backend import to_numpy
from skfact._inputs import is_sparse
from skfact.supports import FixedMask, KroneckerSparse


def check_supports(
    left_support: Any,
    right_support: Any,
    names: tuple[str, str] = ("left_support", "right_support"),
) -> tuple[scipy.sparse.csc_array, scipy.sparse.csr_array]:
    """Both supports, each compressed so that a component is one run of sorted indices.

    Parameters
    ----------
    left_support : mask of shape (m, r)
        Column k says where component k may be non-zero in the left factor.
    right_support : mask of shape (r, n)
        Row k says where component k may be non-zero in the right factor.
    names : tuple of two str
        What to call them in messages.

    Returns
    -------
    left : csc_array of shape (m, r), dtype bool
    right : csr_array of shape (r, n), dtype bool

    Raises
    ------
    TypeError
        If a mask does not hold truth values or numbers.
    ValueError
        If a mask is not 2-D, is empty, holds other numbers than 0 and 1, or the two do not fit.
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
        _check_values(found.data, mask, name)
        _check_shape(found.shape, name)
        found = found.astype(bool, copy=True)
        found.sum_duplicates()
        found.eliminate_zeros()
        return found
    try:
        given = to_numpy(mask)
    except ValueError as error:
        raise ValueError(f"{name} must be a rectangular 2-D array of booleans: {error}") from error
    _check_shape(given.shape, name)
    _check_values(given, mask, name)
    rows, columns = np.nonzero(given)
    starts = np.zeros(given.shape[0] + 1, dtype=np.int64)
    np.cumsum(np.bincount(rows, minlength=given.shape[0]), out=starts[1:])
    ones = np.ones(len(columns), dtype=bool)
    return scipy.sparse.csr_array((ones, columns, starts), shape=given.shape)


def _check_shape(shape: tuple[int, ...], name: str) -> None:
    if len(shape) != 2 or 0 in shape:
        raise ValueError(f"{name} must be 2-D with at least one entry, got shape {shape}.")


def _check_values(values: np.ndarray, given: Any, name: str) -> None:
    if values.dtype.kind not in "biuf":
        raise TypeError(
            f"{name} must be a mask of booleans or of 0 and 1, got {type(given).__name__} of dtype "
            f"{values.dtype}."
        )
    if values.dtype.kind != "b" and not np.all((values == 0) | (values == 1)):
        raise ValueError(
            f"{name} must hold only booleans or 0 and 1. For the support of a matrix pass "
            "matrix != 0."
        )
