"""Checks of a pair of supports."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse

from skfact._backend import to_numpy
from skfact._inputs import is_sparse


def support_pair(
    left_support: Any, right_support: Any, shape: tuple[int, int] | None = None
) -> tuple[Any, Any]:
    """The supports as boolean CSC (m, r) and CSR (r, n), with sorted indices and no explicit zero.

    Raises
    ------
    TypeError
        If a support holds no truth values or numbers.
    ValueError
        If a support is not 2-D, is empty, holds a number other than 0 and 1, or does not fit the
        other one or the shape (m, n).
    """
    left = scipy.sparse.csc_array(as_mask(left_support, "left_support"))
    right = scipy.sparse.csr_array(as_mask(right_support, "right_support"))
    if left.shape[1] != right.shape[0]:
        raise ValueError(
            f"left_support of shape {left.shape} and right_support of shape {right.shape} do not "
            "fit: the columns of the left one and the rows of the right one are the components."
        )
    if shape is not None and (left.shape[0], right.shape[1]) != tuple(shape):
        raise ValueError(
            f"left_support and right_support are for matrices of shape "
            f"{(left.shape[0], right.shape[1])}, and the matrix has shape {tuple(shape)}."
        )
    left.sort_indices()
    right.sort_indices()
    return left, right


def as_mask(support: Any, name: str) -> Any:
    """A new sparse boolean array."""
    if is_sparse(support):
        values = scipy.sparse.coo_array(support.get() if hasattr(support, "get") else support)
        values.sum_duplicates()
        entries, shape = values.data, values.shape
    else:
        try:
            entries = values = to_numpy(support)
        except ValueError as error:
            raise ValueError(
                f"{name} must be a rectangular 2-D array of booleans: {error}"
            ) from error
        shape = values.shape
    if entries.dtype.kind not in "biuf":
        raise TypeError(
            f"{name} must hold booleans or 0 and 1, got {type(support).__name__} of dtype "
            f"{entries.dtype}."
        )
    if len(shape) != 2 or 0 in shape:
        raise ValueError(f"{name} must be 2-D with at least one entry, got shape {tuple(shape)}.")
    if not np.array_equal(entries, entries != 0):
        raise ValueError(
            f"{name} must hold only booleans or 0 and 1. For the support of a matrix pass "
            "matrix != 0."
        )
    mask = scipy.sparse.coo_array(values != 0)
    mask.eliminate_zeros()
    return mask
