"""Small sub-patterns that keep a set of products from being closed, searched for in a pattern.

A restriction of a closed set of products to some rows and columns is closed, so that one
sub-pattern that is not closed proves that the whole is not. What counts is the set of components
that reach each entry. Three kinds are known here, smallest first (and one in `zero_patterns`):

- 2 x 2: one component reaches all four entries, and others exactly one of them (the corner);
- 3 x 2 or 2 x 3: two lines reached by one component each, a third one by both (the lines);
- (p + 1) x (p + 1): p components reach all entries, and others exactly one (the corner again).

The first kind is all that the closure by complete classes can find in any restriction. It proves
non-closedness by a class of one component whose mask W has a connected part that is no biclique.
Such a part has a row i and a column j at distance three, i - d - a - j: then (a, d), (a, j), (i, d)
are reached by this component alone, and (i, j) is not. That is the 2 x 2 corner.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from math import inf
from typing import Any

import numpy as np
import scipy.sparse
from scipy.sparse.csgraph import connected_components

from skfact.fixed_support._existence.diverging import (
    DivergingSequence,
    corner_sequence,
    covering_set,
    line_sequence,
    transposed,
)
from skfact.fixed_support._supports.runs import run_of
from skfact.fixed_support._supports.shared_entries import SharedEntries, reached_twice
from skfact.fixed_support._uniqueness.closability import joined

# Components that are looked at by themselves before all shared entries are listed.
FIRST = 3

# rows and columns of a sub-pattern
Pattern = tuple[list[int], list[int]]


@dataclass
class Budget:
    """How many restrictions may be looked at, and how many were."""

    limit: int
    spent: int = 0

    @property
    def is_spent(self) -> bool:
        """Whether none is left."""
        return self.spent >= self.limit

    def spend(self, cost: int = 1) -> bool:
        """Take one, or what counts as several, if as many are left."""
        if self.limit - self.spent < cost:
            self.spent = self.limit
            return False
        self.spent += cost
        return True


class Group:
    """A connected part of the entries that exactly the same p components reach."""

    def __init__(self, p: int, rows: np.ndarray, columns: np.ndarray) -> None:
        self.p = p
        self.rows, i = np.unique(rows, return_inverse=True)
        self.columns, j = np.unique(columns, return_inverse=True)
        shape = len(self.rows), len(self.columns)
        self.by_row = scipy.sparse.csr_array((np.ones(len(i), dtype=np.int8), (i, j)), shape=shape)
        self.by_row.sort_indices()
        self.by_column = self.by_row.tocsc()


def find_open_pattern(
    left: Any, right: Any, budget: Budget, largest: float = inf
) -> DivergingSequence | None:
    """A sub-pattern that is not closed, with its sequence; None if the search finds none.

    The first few components are looked at by themselves, which takes a fraction of the time of a
    list of all shared entries and often is enough. That list is made if the rectangles of the
    components have no more than `largest` entries in all.
    """
    by_row = left.tocsr()

    def by_itself(rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return reached_twice(by_row[rows], right[:, columns])

    r = left.shape[1]
    corner = find_small_corner(left, right, range(min(FIRST, r)), by_itself)
    if corner is not None:
        return corner_sequence(left, right, *corner)
    if np.diff(left.indptr).astype(float) @ np.diff(right.indptr) > largest:
        return None
    shared = SharedEntries(left, right)
    corner = find_small_corner(
        left, right, range(FIRST, r), lambda *lines: shared.within(*lines)[1:]
    )
    if corner is not None:
        return corner_sequence(left, right, *corner)
    lines = find_lines(left, right, shared, budget)
    if lines is not None:
        return line_sequence(left, right, *lines)
    flipped = right.T.tocsc(), left.T.tocsr()
    lines = find_lines(*flipped, SharedEntries(*flipped), budget)
    if lines is not None:
        return transposed(line_sequence(*flipped, *lines))
    for group in not_bicliques(shared):
        corner = find_corner(group, budget)
        if corner is not None:
            return corner_sequence(left, right, *corner)
    return None


def find_small_corner(
    left: Any,
    right: Any,
    components: Iterable[int],
    shared_within: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]],
) -> Pattern | None:
    """A 2 x 2 corner: a component whose shared entries are holes inside a connected part.

    `shared_within` gives the entries of rows x columns that at least two components reach, as
    positions in the rows and in the columns.
    """
    for k in components:
        rows, columns = run_of(left, k), run_of(right, k)
        if len(rows) == 0 or len(columns) == 0:
            continue
        i, j = shared_within(rows, columns)
        if 0 < len(i) < len(rows) * len(columns):
            corner = find_corner_at_hole(rows, columns, i, j)
            if corner is not None:
                return corner
    return None


def find_corner_at_hole(
    rows: np.ndarray, columns: np.ndarray, i: np.ndarray, j: np.ndarray
) -> Pattern | None:
    """The 2 x 2 corner at one of the holes (positions i, j) of rows x columns, if there is one.

    The hole's row i and column j have to be at distance three, i - d - a - j. Some hole inside a
    connected part is, or the part would be a biclique.
    """
    within = joined(len(rows), len(columns), i, j)
    if not within.any():
        return None
    holes = scipy.sparse.csr_array(
        (np.ones(len(i), dtype=np.int32), (i, j)), shape=(len(rows), len(columns))
    )
    for row, column in zip(i[within].tolist(), j[within].tolist(), strict=True):
        free = np.ones(len(columns), dtype=np.int32)
        free[j[i == row]] = 0
        ready = holes @ free < np.count_nonzero(free)  # rows with a column in common with row i
        ready[i[j == column]] = False
        if ready.any():
            a = int(np.argmax(ready))
            free[j[i == a]] = 0
            d = int(np.argmax(free))
            return [int(rows[a]), int(rows[row])], [int(columns[d]), int(columns[column])]
    return None


def not_bicliques(shared: SharedEntries) -> Iterator[Group]:
    """Connected parts of the groups of shared entries that are no bicliques, by ascending p.

    Parts with p rows or p columns at most are left out: every matrix there has rank p.
    """
    group = np.unique(shared.mark, return_inverse=True)[1]
    row_node = np.unique(group * shared.shape[0] + shared.rows, return_inverse=True)[1]
    column_node = np.unique(group * shared.shape[1] + shared.columns, return_inverse=True)[1]
    n_rows = row_node.max(initial=-1) + 1
    n_nodes = n_rows + column_node.max(initial=-1) + 1
    edges = scipy.sparse.coo_array(
        (np.ones(len(group), dtype=bool), (row_node, n_rows + column_node)), (n_nodes, n_nodes)
    )
    number, label = connected_components(edges, directed=False)
    of_entry = label[row_node]
    height, width = (np.bincount(part, minlength=number) for part in np.split(label, [n_rows]))
    p = np.zeros(number, dtype=np.int64)
    p[of_entry] = shared.count
    size = np.bincount(of_entry, minlength=number)
    wanted = (size < height * width) & (np.minimum(height, width) > p)
    order = np.argsort(of_entry, kind="stable")
    ends = np.cumsum(size)
    for part in sorted(np.flatnonzero(wanted), key=lambda part: (p[part], size[part])):
        at = order[ends[part] - size[part] : ends[part]]
        yield Group(int(p[part]), shared.rows[at], shared.columns[at])


def find_corner(group: Group, budget: Budget) -> Pattern | None:
    """p + 1 rows and columns of a group that has all their entries but the last."""
    n_columns = len(group.columns)
    for i in np.flatnonzero(np.diff(group.by_row.indptr) < n_columns).tolist():
        of_i = run_of(group.by_row, i)
        shared = group.by_column[:, of_i].sum(axis=1)  # columns that a row has in common with i
        near = np.flatnonzero(shared >= group.p)
        if len(near) < group.p:
            continue
        reached = np.unique(group.by_row[near].indices)
        for j in np.setdiff1d(reached, of_i).tolist():
            rows = np.intersect1d(run_of(group.by_column, j), near)
            block = _common_block(group, [], rows, of_i, budget)
            if block is not None:
                return (
                    group.rows[[*block[0], i]].tolist(),
                    group.columns[[*block[1], j]].tolist(),
                )
            if budget.is_spent:
                return None
    return None


def _common_block(
    group: Group, chosen: list[int], candidates: np.ndarray, common: np.ndarray, budget: Budget
) -> tuple[list[int], np.ndarray] | None:
    """p rows with at least p columns in common; each row tried is one restriction."""
    if len(chosen) == group.p:
        return chosen, common[: group.p]
    for position, a in enumerate(candidates):
        if not budget.spend():
            return None
        shared = np.intersect1d(common, run_of(group.by_row, a), assume_unique=True)
        if len(shared) >= group.p:
            rest = candidates[position + 1 :]
            found = _common_block(group, [*chosen, int(a)], rest, shared, budget)
            if found is not None:
                return found
    return None


def find_lines(left: Any, right: Any, shared: SharedEntries, budget: Budget) -> Pattern | None:
    """Rows a, b, c and two columns: only k reaches a, only q reaches c, and only these two b."""
    by_row, by_column = left.tocsr(), right.tocsc()

    @cache
    def distinct(k: int) -> dict[bytes, tuple[int, np.ndarray]]:
        return _rows_by_holes(left, right, shared, k)

    for middle_rows in _lines_of_pairs(shared):
        b, columns = middle_rows[0]
        k, q = covering_set(by_row, by_column, b, int(columns[0])).tolist()
        for b, middle in middle_rows:
            for a, missing in distinct(k).values():
                first = np.setdiff1d(middle, missing, assume_unique=True)
                if len(first) < 2:
                    continue
                for c, also_missing in distinct(q).values():
                    if not budget.spend():
                        return None
                    both = np.setdiff1d(first, also_missing, assume_unique=True)
                    if len(both) >= 2:
                        return [a, b, c], both[:2].tolist()
    return None


def _rows_by_holes(
    left: Any, right: Any, shared: SharedEntries, k: int
) -> dict[bytes, tuple[int, np.ndarray]]:
    """One row of component k for each set of columns where others reach it too, with the set."""
    rows, columns = run_of(left, k), run_of(right, k)
    _, i, j = shared.within(rows, columns)
    ends = np.cumsum(np.bincount(i, minlength=len(rows)))
    found: dict[bytes, tuple[int, np.ndarray]] = {}
    for row, missing in zip(rows.tolist(), np.split(columns[j], ends[:-1]), strict=True):
        found.setdefault(missing.tobytes(), (row, missing))
    return found


def _lines_of_pairs(shared: SharedEntries) -> Iterator[list[tuple[int, np.ndarray]]]:
    """For each pair of components: rows with at least two entries that only these two reach."""
    two = shared.count == 2
    rows, columns, mark = shared.rows[two], shared.columns[two], shared.mark[two]
    order = np.lexsort((columns, rows, mark))
    rows, columns, mark = rows[order], columns[order], mark[order]
    new_pair = np.append(True, mark[1:] != mark[:-1]) if len(mark) else np.empty(0, dtype=bool)
    new_line = new_pair | np.append(True, rows[1:] != rows[:-1])[: len(rows)]
    starts = np.flatnonzero(new_line)
    stops = np.append(starts[1:], len(rows))
    lines: list[tuple[int, np.ndarray]] = []
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=False):
        if new_pair[start] and lines:
            yield lines
            lines = []
        if stop - start >= 2:
            lines.append((int(rows[start]), columns[start:stop].astype(np.int64)))
    if lines:
        yield lines
