"""Which components cover each entry of a product with fixed supports.

The product of factors with supports (m, r) and (r, n) is a sum of r matrices of rank one; component
k covers the rectangle of the rows in column k of the left support and the columns in row k of the
right one. Everything here is proportional to the number of covered entries, not to m n.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse


class Coverage(NamedTuple):
    """The covered entries in row-major order.

    Attributes
    ----------
    rows, columns : ndarray of shape (n_covered,)
        Where they are.
    keys : ndarray of shape (n_covered,)
        ``row * n + column``, increasing.
    n_covering : ndarray of shape (n_covered,)
        Number of components that cover the entry.
    id_sum : ndarray of shape (n_covered,)
        Sum of (index + 1) of these components: it names the component where `n_covering` is 1.
    """

    rows: np.ndarray
    columns: np.ndarray
    keys: np.ndarray
    n_covering: np.ndarray
    id_sum: np.ndarray

    def positions(self, rows: np.ndarray, columns: np.ndarray, n: int) -> np.ndarray:
        """Places in the list of the entries of a covered rectangle, (n_rows, n_columns)."""
        return np.searchsorted(self.keys, rows[:, None] * n + columns)


def weighted_coverage(left: Any, right: Any, weights: np.ndarray) -> Any:
    """Sum of the weights of the components that cover each entry, as CSR (m, n), sorted."""
    scaled = scipy.sparse.csc_array(
        (np.repeat(weights, np.diff(left.indptr)), left.indices, left.indptr), shape=left.shape
    )
    ones = scipy.sparse.csr_array(
        (np.ones(right.nnz, dtype=weights.dtype), right.indices, right.indptr), shape=right.shape
    )
    product = scaled.tocsr() @ ones
    product.sort_indices()
    return product


def coverage(left: Any, right: Any) -> Coverage:
    """The covered entries of a CSC left support (m, r) and a CSR right support (r, n)."""
    r = left.shape[1]
    count = weighted_coverage(left, right, np.ones(r, dtype=np.int32))
    id_sum = weighted_coverage(left, right, np.arange(1, r + 1, dtype=np.int64)).data
    rows = np.repeat(np.arange(left.shape[0], dtype=np.int64), np.diff(count.indptr))
    columns = count.indices.astype(np.int64)
    return Coverage(rows, columns, rows * right.shape[1] + columns, count.data, id_sum)


def run_of(matrix: Any, k: int) -> np.ndarray:
    """Indices of column k of a CSC array, or of row k of a CSR array."""
    return matrix.indices[matrix.indptr[k] : matrix.indptr[k + 1]].astype(np.int64)
