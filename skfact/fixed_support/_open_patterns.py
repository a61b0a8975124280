"""Small sub-patterns that keep a set of products from being closed, searched for in a pattern.

A restriction of a closed set of products to some rows and columns is closed, so that one
sub-pattern that is not closed proves that the whole is not. What counts is the set of components
that reach each entry. Three kinds are known here, smallest first:

- 2 x 2: one component reaches all four entries, and others exactly one of them (the corner);
- 3 x 2 or 2 x 3: two lines reached by one component each, a third one by both (the lines);
- (p + 1) x (p + 1): p components reach all entries, and others exactly one (the corner again).

The first kind is all that the closure by complete classes can find in any restriction. It proves
non-closedness by a class of one component whose mask W has a connected part that is no biclique.
Such a part has a row i and a column j at distance three, i - d - a - j: then (a, d), (a, j), (i, d)
are reached by this component alone, and (i, j) is not. That is the 2 x 2 corner.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
from scipy.sparse.csgraph import connected_components

from skfact.fixed_support._coverage import coverage, weighted_coverage
from skfact.fixed_support._diverging import (
    DivergingSequence,
    corner_sequence,
    covering_set,
    line_sequence,
    transposed,
)


@dataclass
class Budget:
    """How many restrictions may be looked at, and how many were."""

    limit: int
    spent: int = 0

    @property
    def is_spent(self) -> bool:
        """Whether none is left."""
        return self.spent >= self.limit

    def spend(self) -> bool:
        """Take one, if there is one left."""
        if self.is_spent:
            return False
        self.spent += 1
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

    def of_row(self, i: int) -> np.ndarray:
        """Columns of row i, ascending, as positions."""
        return self.by_row.indices[self.by_row.indptr[i] : self.by_row.indptr[i + 1]]

    def of_column(self, j: int) -> np.ndarray:
        """Rows of column j, ascending, as positions."""
        return self.by_column.indices[self.by_column.indptr[j] : self.by_column.indptr[j + 1]]


class Groups:
    """All covered entries, grouped by the exact set of components that reach them."""

    def __init__(self, left: Any, right: Any) -> None:
        covered = coverage(left, right)
        self.shape = left.shape[0], right.shape[1]
        self.rows, self.columns, self.p = covered.rows, covered.columns, covered.n_covering
        self.id_sum = covered.id_sum
        # a set of components is known by the sum of random numbers of its members
        numbers = np.random.default_rng(0).integers(1, 2**63, left.shape[1], dtype=np.uint64)
        self.mark = weighted_coverage(left, right, numbers).data

    def transposed(self) -> Groups:
        """The groups of the transposed product."""
        other = copy(self)
        other.shape = self.shape[::-1]
        other.rows, other.columns = self.columns, self.rows
        return other

    def not_bicliques(self, chosen: np.ndarray) -> Iterator[Group]:
        """Connected parts of these entries' groups that are no bicliques, by ascending p.

        Parts with p rows or p columns at most are left out: every matrix there has rank p.
        """
        rows, columns, p = self.rows[chosen], self.columns[chosen], self.p[chosen]
        group = np.unique(self.mark[chosen], return_inverse=True)[1]
        row_node = np.unique(group * self.shape[0] + rows, return_inverse=True)[1]
        column_node = np.unique(group * self.shape[1] + columns, return_inverse=True)[1]
        n_rows = row_node.max(initial=-1) + 1
        n_nodes = n_rows + column_node.max(initial=-1) + 1
        edges = scipy.sparse.coo_array(
            (np.ones(len(rows), dtype=bool), (row_node, n_rows + column_node)), (n_nodes, n_nodes)
        )
        number, label = connected_components(edges, directed=False)
        of_entry = label[row_node]
        height, width = (np.bincount(part, minlength=number) for part in np.split(label, [n_rows]))
        rank = np.zeros(number, dtype=np.int64)
        rank[of_entry] = p
        size = np.bincount(of_entry, minlength=number)
        wanted = (size < height * width) & (np.minimum(height, width) > rank)
        order = np.argsort(of_entry, kind="stable")
        ends = np.cumsum(size)
        for part in sorted(np.flatnonzero(wanted), key=lambda part: (rank[part], size[part])):
            at = order[ends[part] - size[part] : ends[part]]
            yield Group(int(rank[part]), rows[at], columns[at])


def find_open_pattern(left: Any, right: Any, budget: Budget) -> DivergingSequence | None:
    """A sub-pattern that is not closed, with its sequence; None if the search finds none."""
    groups = Groups(left, right)
    for group in groups.not_bicliques(groups.p == 1):
        corner = find_corner(group, Budget(1))  # there is one, and the first try finds it
        if corner is not None:
            return corner_sequence(left, right, *corner)
    lines = find_lines(left, right, groups, budget)
    if lines is not None:
        return line_sequence(left, right, *lines)
    flipped = right.T.tocsc(), left.T.tocsr()
    lines = find_lines(*flipped, groups.transposed(), budget)
    if lines is not None:
        return transposed(line_sequence(*flipped, *lines))
    for group in groups.not_bicliques(groups.p > 1):
        corner = find_corner(group, budget)
        if corner is not None:
            return corner_sequence(left, right, *corner)
    return None


def find_corner(group: Group, budget: Budget) -> tuple[list[int], list[int]] | None:
    """p + 1 rows and columns of a group that has all their entries but the last."""
    n_columns = len(group.columns)
    for i in np.flatnonzero(np.diff(group.by_row.indptr) < n_columns).tolist():
        of_i = group.of_row(i)
        shared = group.by_column[:, of_i].sum(axis=1)  # columns that a row has in common with i
        near = np.flatnonzero(shared >= group.p)
        if len(near) < group.p:
            continue
        reached = np.unique(group.by_row[near].indices)
        for j in np.setdiff1d(reached, of_i).tolist():
            rows = np.intersect1d(group.of_column(j), near)
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
        shared = np.intersect1d(common, group.of_row(a), assume_unique=True)
        if len(shared) >= group.p:
            rest = candidates[position + 1 :]
            found = _common_block(group, [*chosen, int(a)], rest, shared, budget)
            if found is not None:
                return found
    return None


def find_corner_at_hole(
    rows: np.ndarray, columns: np.ndarray, i: np.ndarray, j: np.ndarray
) -> tuple[list[int], list[int]] | None:
    """The 2 x 2 corner in rows x columns without the holes (i, j), given as positions there.

    Like `find_corner` for p = 1, in memory proportional to the holes.
    """
    holes_of_row: dict[int, set[int]] = {}
    holes_of_column: dict[int, set[int]] = {}
    for row, column in zip(i.tolist(), j.tolist(), strict=True):
        holes_of_row.setdefault(row, set()).add(column)
        holes_of_column.setdefault(column, set()).add(row)
    for row, column in zip(i.tolist(), j.tolist(), strict=True):
        missing = holes_of_row[row]
        for a in range(len(rows)):
            if a in holes_of_column[column]:
                continue
            both = missing | holes_of_row.get(a, set())
            if len(both) < len(columns):
                d = next(d for d in range(len(columns)) if d not in both)
                return (
                    [int(rows[a]), int(rows[row])],
                    [int(columns[d]), int(columns[column])],
                )
    return None


def find_lines(
    left: Any, right: Any, groups: Groups, budget: Budget
) -> tuple[list[int], list[int]] | None:
    """Rows a, b, c and two columns: only k reaches a, only q reaches c, and only these two b."""
    left, right = left.tocsr(), right.tocsc()
    by_component = _rows_by_owner(groups, groups.p == 1, groups.id_sum - 1)
    pair = np.unique(groups.mark[groups.p == 2], return_inverse=True)[1]
    for middle_rows in _rows_by_owner(groups, groups.p == 2, pair, compressed=True).values():
        b, columns = next(iter(middle_rows.items()))
        k, q = covering_set(left, right, b, int(columns[0])).tolist()
        outer, last = by_component.get(k, {}), by_component.get(q, {})
        for b, middle in middle_rows.items():
            for a, first in outer.items():
                shared = np.intersect1d(first, middle, assume_unique=True)
                if len(shared) < 2:
                    continue
                for c, final in last.items():
                    if not budget.spend():
                        return None
                    both = np.intersect1d(shared, final, assume_unique=True)
                    if len(both) >= 2:
                        return [a, b, c], [int(both[0]), int(both[1])]
    return None


def _rows_by_owner(
    groups: Groups, chosen: np.ndarray, owner: np.ndarray, compressed: bool = False
) -> dict[int, dict[int, np.ndarray]]:
    """Columns of the chosen entries, by owner and row, where a row has at least two."""
    rows, columns = groups.rows[chosen], groups.columns[chosen]
    owner = owner if compressed else owner[chosen]
    order = np.lexsort((columns, rows, owner))
    rows, columns, owner = rows[order], columns[order], owner[order]
    borders = np.flatnonzero((np.diff(rows) != 0) | (np.diff(owner) != 0)) + 1
    starts, stops = np.append(0, borders), np.append(borders, len(rows))
    found: dict[int, dict[int, np.ndarray]] = {}
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        if stop - start >= 2:
            found.setdefault(int(owner[start]), {})[int(rows[start])] = columns[start:stop]
    return found
