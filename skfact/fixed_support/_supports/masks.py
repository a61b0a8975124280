"""Supports of two factors as sparse masks, whatever the user gave."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse

from skfact._inputs import is_sparse
from skfact.supports import Chain, FixedMask, KroneckerSparse, KSparse, SupportFamily
from skfact.supports._masks import Labels, check_mask, dense_mask, labels_of, order_by


def check_supports(
    left_support: Any,
    right_support: Any,
    names: tuple[str, str] = ("left_support", "right_support"),
    matrix: str = "",
    labels: tuple[Labels, Labels] = (None, None),
) -> tuple[scipy.sparse.csc_array, scipy.sparse.csr_array]:
    """Both supports, (m, r) and (r, n), of bools; a component is one run of sorted indices.

    Raises TypeError if a mask does not hold truth values or numbers, ValueError if it is not 2-D,
    is empty, holds other numbers than 0 and 1, or if the two do not fit. `names` are for messages.

    Data frames are read by their labels: the components in the order of the right mask, rows and
    columns in that of a `matrix` with these `labels`.
    """
    rows, columns = ((part, matrix) for part in labels)
    components = labels_of(right_support)[0], names[1]
    left = scipy.sparse.csc_array(as_mask(left_support, names[0], rows, components))
    right = as_mask(right_support, names[1], columns=columns)
    if left.shape[1] != right.shape[0]:
        raise ValueError(
            f"{names[0]} of shape {left.shape} has {left.shape[1]} columns, but {names[1]} of "
            f"shape {right.shape} has {right.shape[0]} rows: there must be one of each per "
            "component, left (m, r) and right (r, n). A mask of shape (n, r) has to be transposed."
        )
    left.sort_indices()
    return left, right


def as_mask(
    mask: Any,
    name: str,
    rows: tuple[Labels, str] = (None, ""),
    columns: tuple[Labels, str] = (None, ""),
) -> scipy.sparse.csr_array:
    """A mask as a CSR array of bools with sorted indices and only True entries.

    Takes arrays of any library, nested lists, SciPy and CuPy sparse matrices, the supports
    :class:`~skfact.supports.FixedMask` and :class:`~skfact.supports.KroneckerSparse`, and data
    frames, whose `rows` and `columns` are put in the order of these labels (of what has that name).
    """
    if mask is None:
        raise TypeError(
            f"{name} is None: pass a mask of booleans or of 0 and 1, np.ones((rows, columns)) for "
            "a factor without zeros."
        )
    refuse_other_supports(mask, name)
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
    for axis, (own, wanted) in enumerate(zip(labels_of(mask), (rows, columns), strict=True)):
        order = order_by(own, wanted[0], name, wanted[1])
        given = given if order is None else np.take(given, order, axis=axis)
    i, j = np.nonzero(given)
    starts = np.zeros(given.shape[0] + 1, dtype=np.int64)
    np.cumsum(np.bincount(i, minlength=given.shape[0]), out=starts[1:])
    return scipy.sparse.csr_array((np.ones(len(j), dtype=bool), j, starts), shape=given.shape)


def refuse_other_supports(mask: Any, name: str) -> None:
    """Raise where a support that has no single mask is given as one; say where it is taken."""
    if isinstance(mask, KSparse):
        raise TypeError(
            f"{name} is {mask!r}, a budget, which has no mask: pass a mask. Budgets are for "
            "skfact.deep_linear (palm4msa, explore_supports, SparseDeepLinearNet), and for "
            "relu_training_has_optimum."
        )
    if isinstance(mask, SupportFamily):
        raise TypeError(
            f"{name} is a SupportFamily, where one mask is asked for: pass its members one by one. "
            "Families are searched by fixed_support_factorize, by FixedSupportMF in its parameter "
            "supports, and by skfact.deep_linear (palm4msa, explore_supports, SparseDeepLinearNet)."
        )
    if isinstance(mask, Chain):
        raise TypeError(
            f"{name} is a Chain, which is for a product of {len(mask)} factors: pass the mask of "
            "one, such as chain[0], or that of a product, such as chain[:2].product."
        )
