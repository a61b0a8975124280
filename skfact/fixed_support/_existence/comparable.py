"""Rectangles that are ordered wherever they meet: no more rows, no fewer columns.

Let a be below b if its rows are among those of b, and its columns contain those of b. If any two
rectangles that meet are ordered so, the products with these supports are a closed set. With X_k the
columns of the left factor of the components on rectangle k, let V_k be the span of X_l for all l
below k and for k itself. Rectangles below k that are not ordered have no row in common, so that
dim V_k <= d_k = min(|R_k|, p_k + sum of d over the largest ones below k), and any spaces
V_k of these dimensions within R^(R_k), each of which contains those below it, come from factors. A
matrix is a product if and only if each of its columns is in the sum of the V_k that reach it, which
is direct for the largest of these. Such spaces form a compact set, and the dimension of the sum is
the same for all of them: what they reach together is closed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import scipy.sparse

from skfact.fixed_support._supports.rank_one import RankOneSupport

# pairs of rectangles that are compared at a time
CHUNK = 100_000


def incomparable(
    pieces: Sequence[RankOneSupport], shape: tuple[int, int]
) -> tuple[RankOneSupport, RankOneSupport] | None:
    """Two rectangles that meet and are not ordered; None if there are none."""
    rows = _members([piece.rows for piece in pieces], shape[0])
    columns = _members([piece.columns for piece in pieces], shape[1])
    n_rows, n_columns = np.diff(rows.indptr), np.diff(columns.indptr)
    for a, b, common_rows, common_columns in _pairs(rows, columns):
        meet = (common_rows > 0) & (common_columns > 0)
        below = (common_rows == n_rows[a]) & (common_columns == n_columns[b])
        above = (common_rows == n_rows[b]) & (common_columns == n_columns[a])
        found = np.flatnonzero(meet & ~below & ~above)
        if len(found):
            return pieces[a[found[0]]], pieces[b[found[0]]]
    return None


def _members(lines: Sequence[np.ndarray], size: int) -> scipy.sparse.csr_array:
    """One row for each rectangle: which lines it has."""
    ends = np.cumsum([0, *map(len, lines)])
    indices = np.concatenate([*lines, np.empty(0, dtype=np.int64)]).astype(np.int64)
    return scipy.sparse.csr_array(
        (np.ones(len(indices), dtype=np.int64), indices, ends), shape=(len(lines), size)
    )


def _pairs(
    rows: scipy.sparse.csr_array, columns: scipy.sparse.csr_array
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Pairs of rectangles, and how many rows and columns they have in common.

    All that meet are among them. They are those with a common line of the side that has fewer.
    """
    first, second = rows, columns
    of_rows, of_columns = (
        int((np.bincount(side.indices).astype(np.int64) ** 2).sum()) for side in (rows, columns)
    )
    if swapped := of_columns < of_rows:
        first, second = columns, rows
    pairs = scipy.sparse.triu(first @ first.T, 1).tocoo()
    for start in range(0, pairs.nnz, CHUNK):
        part = slice(start, start + CHUNK)
        a, b, common = pairs.row[part], pairs.col[part], pairs.data[part]
        also = second[a].multiply(second[b]).sum(axis=1)
        yield (a, b, also, common) if swapped else (a, b, common, also)
