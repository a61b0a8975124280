"""The entries of a product that more than one component reaches.

The product of factors with supports (m, r) and (r, n) is a sum of r matrices of rank one; component
k reaches the rectangle of the rows in column k of the left support and the columns in row k of the
right one. Whether factors are unique, or a best product exists, is decided where rectangles
overlap: nothing is stored or looked at here for the entries that a single component reaches, but
for those of the smaller components of a row.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from skfact.fixed_support._supports.runs import equal_runs, run_of_place, with_values

# products (of covered entries by components) formed at a time
CHUNK = 5_000_000


class SharedEntries:
    """Entries that at least two components reach, at `rows` and `columns`, in row-major order.

    `count` components reach an entry, and `id_sum` is the sum of their indices + 1: what is left of
    it names the last one when the others are subtracted. `mark` is the sum of random 64-bit numbers
    of theirs: entries with equal marks are reached by the same ones (up to a chance of 1e-19 for
    each pair).
    """

    def __init__(self, left: Any, right: Any) -> None:
        self.shape = left.shape[0], right.shape[1]
        r = left.shape[1]
        numbers = np.random.default_rng(0).integers(1, 2**63, r, dtype=np.uint64)
        others, largest = _without_largest(left.tocsr(), np.diff(right.indptr))
        n_products = others.astype(np.int64) @ np.diff(right.indptr).astype(np.int64)
        chunk = np.cumsum(n_products) // CHUNK
        reached = run_of_place(right) * right.shape[1] + right.indices  # ascending
        parts = []
        for rows in np.split(np.arange(self.shape[0]), np.flatnonzero(np.diff(chunk)) + 1):
            part = others[rows[0] : rows[-1] + 1]
            count = weighted_coverage(part, right, np.ones(r, dtype=np.int32))
            row, column = rows[run_of_place(count)], count.indices
            first = largest[row]  # the component left out
            key = first * right.shape[1] + column
            place = np.minimum(np.searchsorted(reached, key), len(reached) - 1)
            also = reached[place] == key if len(reached) else np.zeros(len(key), dtype=bool)
            total = count.data + also
            shared = total > 1
            also, first = also[shared], first[shared]
            id_sum = weighted_coverage(part, right, np.arange(1, r + 1)).data[shared]
            mark = weighted_coverage(part, right, numbers).data[shared]
            id_sum, mark = id_sum + also * (first + 1), mark + also * numbers[first]
            parts.append((row[shared], column[shared], total[shared], id_sum, mark))
        self.rows, self.columns, self.count, self.id_sum, self.mark = map(
            np.concatenate, zip(*parts, strict=True)
        )
        self._start = np.searchsorted(self.rows, np.arange(self.shape[0] + 1))
        self._place = np.full(self.shape[1], -1, dtype=np.int64)  # scratch, -1 between calls

    def within(
        self, rows: np.ndarray, columns: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Shared entries in rows x columns: their numbers, positions in `rows` and in `columns`."""
        start, length = self._start[rows], self._start[rows + 1] - self._start[rows]
        i = np.repeat(np.arange(len(rows)), length)
        first = np.cumsum(length) - length
        at = np.arange(len(i)) + np.repeat(start - first, length)
        self._place[columns] = np.arange(len(columns))
        j = self._place[self.columns[at]]
        self._place[columns] = -1
        inside = j >= 0
        return at[inside], i[inside], j[inside]


def _without_largest(by_row: Any, sizes: np.ndarray) -> tuple[Any, np.ndarray]:
    """The mask without the component of each row that reaches most columns, and this component."""
    n_rows = by_row.shape[0]
    rows = run_of_place(by_row)
    order = np.lexsort((-sizes[by_row.indices], rows))  # row by row, the largest first
    ones = np.ones(len(order), dtype=bool)
    found = np.zeros(n_rows, dtype=np.int64)
    starts = by_row.indptr[:-1][np.diff(by_row.indptr) > 0]
    found[np.diff(by_row.indptr) > 0] = by_row.indices[order[starts]]
    ones[order[starts]] = False
    indptr = by_row.indptr - np.concatenate([[0], np.cumsum(np.diff(by_row.indptr) > 0)])
    indices = by_row.indices[ones]
    return type(by_row)((ones[ones], indices, indptr), shape=by_row.shape), found


def distinct_lines(left: Any, right: Any) -> tuple[Any, Any]:
    """One row of the left mask for all equal ones, and one column of the right mask.

    Equal lines are known at the same time to the completion, which treats them alike.
    """
    by_row, by_column = left.tocsr(), right.tocsc()
    by_row.sort_indices()
    by_column.sort_indices()
    rows, columns = (
        np.unique(equal_runs(mask), return_index=True)[1] for mask in (by_row, by_column)
    )
    few_rows, few_columns = by_row[rows].tocsc(), by_column[:, columns].tocsr()
    few_rows.sort_indices()
    few_columns.sort_indices()
    return few_rows, few_columns


def reached_twice(left: Any, right: Any) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the entries that at least two components reach, in row-major order."""
    count = weighted_coverage(left, right, np.ones(left.shape[1], dtype=np.int32))
    shared = count.data > 1
    return run_of_place(count)[shared], count.indices[shared]


def weighted_coverage(left: Any, right: Any, weights: np.ndarray) -> Any:
    """Sum of the weights of the components that reach each entry, as CSR (m, n), sorted."""
    by_row = left.tocsr()
    ones = np.ones(right.nnz, dtype=weights.dtype)
    coverage = with_values(by_row, weights[by_row.indices]) @ with_values(right, ones)
    coverage.sort_indices()
    return coverage
