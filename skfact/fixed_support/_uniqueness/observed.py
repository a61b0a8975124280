"""Whether the observed entries of a matrix say how its columns belong together."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
from scipy.sparse.csgraph import connected_components

from skfact._backend import to_numpy
from skfact.fixed_support._supports.rank_one import RankOneSupport
from skfact.fixed_support._tractable.closure import grouped_by_label
from skfact.fixed_support._tractable.grids import block_of


class Unjoined(NamedTuple):
    """Columns that some components cannot complete from each other."""

    components: np.ndarray
    parts: list[np.ndarray]  # columns that rows join with each other, but not with the other parts
    too_few: np.ndarray  # columns with too few observed entries


def unjoined_columns(classes: list[RankOneSupport], observed: Any) -> Unjoined | None:
    """The first class of components that the observed entries leave open; None if there is none.

    A row or column with fewer than p observed entries in the rectangle of p components fits them
    whatever the others are: it joins nothing, and what is missing in it is arbitrary. Such are left
    out until there are none. Let the others fall in two parts, with no entry observed between them:
    with (X, Y) on the second part, (X T, T^-1 Y) fits as well for every regular T, and the entries
    between the parts are arbitrary. (Where none of this holds they may be arbitrary still.)
    """
    for support in classes:
        seen = to_numpy(block_of(observed, support.rows, support.columns)) != 0
        p = support.multiplicity
        if _is_joined(seen, p):
            continue
        rows, columns = _core(seen, p)
        if not columns.any():
            return Unjoined(support.components, [], support.columns)
        inside = seen[rows][:, columns]
        n_parts, label = connected_components(_bipartite(inside), directed=False)
        if n_parts > 1 or not columns.all():
            kept, of_columns = support.columns[columns], label[inside.shape[0] :]
            parts = [kept[group] for group in grouped_by_label(of_columns).values()]
            return Unjoined(support.components, parts, support.columns[~columns])
    return None


def _is_joined(seen: np.ndarray, p: int) -> bool:
    """A quick answer: two rows that see more than half of the columns have one in common."""
    by_row, by_column = np.count_nonzero(seen, axis=1), np.count_nonzero(seen, axis=0)
    if min(by_row.min(), by_column.min()) < p:
        return False
    return bool(seen[2 * by_row > seen.shape[1]].any(axis=0).all())


def _core(seen: np.ndarray, p: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns that keep at least p entries each among themselves, as truth values."""
    entries = scipy.sparse.csr_array(seen, dtype=np.int64)
    rows, columns = (np.ones(size, dtype=bool) for size in seen.shape)
    while True:
        before = np.count_nonzero(rows) + np.count_nonzero(columns)
        rows &= entries @ columns.astype(np.int64) >= p
        columns &= rows.astype(np.int64) @ entries >= p
        if np.count_nonzero(rows) + np.count_nonzero(columns) == before:
            return rows, columns


def _bipartite(seen: np.ndarray) -> scipy.sparse.coo_array:
    """The graph of rows and columns, which come after the rows."""
    n_rows, n_columns = seen.shape
    i, j = np.nonzero(seen)
    size = n_rows + n_columns
    ones = np.ones(len(i), dtype=bool)
    return scipy.sparse.coo_array((ones, (i, n_rows + j)), shape=(size, size))
