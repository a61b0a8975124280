"""Which fixed-support factorizations have a closed form.

Two structures are known (arXiv 2112.00386, theorems on tractable supports):

- the distinct rank-one supports are pairwise disjoint: each is a best low-rank approximation;
- a *complete* class (at least as many components as its shorter side) reaches every matrix on its
  rectangle, so whatever the others do there can be undone. Let U be the union of the complete
  rectangles. What another class P has to answer for is W = S_P minus U, and W falls into *pieces*,
  the connected components of its bipartite graph of rows and columns: P's part of each piece can be
  chosen by itself, since the blocks across pieces lie in U.

A piece is (rows x columns) minus U, so that its rows and columns identify it; equal pieces of
different classes count together. A piece with at least as many components as its shorter side
reaches every matrix there, and joins U. When no piece joins any more, the problem is tractable if
all pieces are rectangles, pairwise disjoint.

U never has more entries than the masks have non-zeros, since a complete class of p components on a
rectangle R x C has p (|R| + |C|) >= |R| |C| non-zeros; nothing here is larger than that.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse
from scipy.sparse.csgraph import connected_components

from skfact.fixed_support._supports.rank_one import RankOneSupport, abbreviated, in_lines, named
from skfact.fixed_support._supports.runs import equal_runs, grouped, run_of


class Cover:
    """A set U of matrix entries that grows by rectangles, kept by rows and by columns."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.shape = shape
        # for each row the columns in U, for each column the rows: arrays still to be united
        self._lines: tuple[dict[int, list[np.ndarray]], ...] = ({}, {})
        self._length = tuple(np.zeros(size, dtype=np.int64) for size in shape)  # or more
        # scratch, -1 between calls
        self._place = tuple(np.full(size, -1, dtype=np.int64) for size in shape)

    def add(self, rows: np.ndarray, columns: np.ndarray) -> None:
        """Add the rectangle rows x columns."""
        for side, (lines, others) in enumerate([(rows, columns), (columns, rows)]):
            for line in lines.tolist():
                self._lines[side].setdefault(line, []).append(others)
            self._length[side][lines] += len(others)

    def within(self, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Entries of U in rows x columns, as positions in `rows` and in `columns`.

        Reads the rows or the columns of U, whichever hold less.
        """
        if self._length[0][rows].sum() <= self._length[1][columns].sum():
            return self._within(0, rows, columns)
        j, i = self._within(1, columns, rows)
        return i, j

    def _within(
        self, side: int, lines: np.ndarray, others: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        touched = np.flatnonzero(self._length[side][lines])
        if not len(touched):
            return touched, touched
        parts = [self._line(side, line) for line in lines[touched].tolist()]
        i = np.repeat(touched, [len(part) for part in parts])
        place = self._place[1 - side]
        place[others] = np.arange(len(others))
        j = place[np.concatenate(parts)]
        place[others] = -1
        inside = j >= 0
        return i[inside], j[inside]

    def _line(self, side: int, line: int) -> np.ndarray:
        """One row (or column) of U, ascending."""
        parts = self._lines[side][line]
        if len(parts) > 1:
            parts[:] = [np.unique(np.concatenate(parts))]
            self._length[side][line] = len(parts[0])
        return parts[0]


@dataclass(frozen=True, slots=True, eq=False)
class Closure:
    """What is left of the rank-one supports once the complete ones are taken out.

    Attributes
    ----------
    absorbed : list of RankOneSupport
        Pieces that joined U, in that order: first the complete classes. The t-th one answers for
        (rows x columns) minus the earlier ones, where its components reach every matrix.
    pieces : list of RankOneSupport
        Distinct pieces of the other classes, (rows x columns) minus U; their components are those
        of all classes that have the piece.
    is_rectangle : ndarray of bool, shape (n_pieces,)
        Whether U meets rows x columns of the piece nowhere. (A connected bipartite graph is a
        biclique if and only if it is a rectangle.)
    cover : Cover
        U, the union of what was absorbed.
    """

    absorbed: list[RankOneSupport]
    pieces: list[RankOneSupport]
    is_rectangle: np.ndarray
    cover: Cover

    def obstacle(self, rectangles: Sequence[RankOneSupport]) -> str:
        """Why what is left is no set of disjoint rectangles; empty if it is one.

        The `rectangles` stand for the pieces: these themselves, or the largest of each chain.
        """
        beside = "beside the complete classes, " if self.absorbed else ""
        for piece, is_rectangle in zip(self.pieces, self.is_rectangle, strict=True):
            if not is_rectangle:
                kept = piece.size - len(self.cover.within(piece.rows, piece.columns)[0])
                return (
                    f"{beside}{named(piece.components)} keep{'s' * (piece.multiplicity == 1)} "
                    f"{kept:,} of the {piece.size:,} entries of "
                    f"{in_lines(piece.rows, piece.columns, ' x ')}: no rectangle"
                )
        for overlap in overlaps(rectangles, self.cover.shape, limit=1):
            first, second = (
                abbreviated(rectangles[k].components) for k in (overlap.first, overlap.second)
            )
            return f"{beside}what is left of components {first} and {second} overlaps"
        return ""


@dataclass(frozen=True, slots=True, eq=False)
class Overlap:
    """Two different supports that meet, and where."""

    first: int
    second: int
    rows: np.ndarray
    columns: np.ndarray


def complete_closure(classes: Sequence[RankOneSupport], shape: tuple[int, int]) -> Closure:
    """Absorb complete classes and pieces until nothing joins U any more.

    A class is looked at again only where U has grown inside its rectangle.
    """
    cover = Cover(shape)
    absorbed = [support for support in classes if support.is_complete]
    for support in absorbed:
        cover.add(support.rows, support.columns)
    # small ones first: what they add to U is seen by the larger ones
    others = sorted((s for s in classes if not s.is_complete), key=lambda s: s.size)
    meetings = Meetings(others, shape)
    pieces: list[dict[tuple[bytes, bytes], tuple[np.ndarray, np.ndarray, bool]]] = [
        {} for _ in others
    ]
    holders: dict[tuple[bytes, bytes], set[int]] = {}
    queue = Worklist(range(len(others)))
    for t in queue:
        for key in pieces[t]:
            holders[key].discard(t)
        found = pieces_of(others[t], cover)
        pieces[t] = {(piece[0].tobytes(), piece[1].tobytes()): piece for piece in found}
        for key, (rows, columns, _) in pieces[t].items():
            # still equal if U has grown since: all of their classes contain the rectangle
            holders.setdefault(key, set()).add(t)
            piece = RankOneSupport(rows, columns, _components(others, holders[key]))
            if piece.is_complete:
                cover.add(rows, columns)
                absorbed.append(piece)
                queue.add(meetings.with_rectangle(rows, columns))
    left = {key: piece for found in pieces for key, piece in found.items()}
    return Closure(
        absorbed,
        [RankOneSupport(*left[key][:2], _components(others, holders[key])) for key in left],
        np.array([is_rectangle for *_, is_rectangle in left.values()], dtype=bool),
        cover,
    )


def _components(classes: Sequence[RankOneSupport], members: Iterable[int]) -> np.ndarray:
    """The components of some classes, ascending."""
    return np.sort(np.concatenate([classes[t].components for t in members]))


class Worklist:
    """Numbers still to be looked at, first come first served; each waits at most once."""

    def __init__(self, numbers: Iterable[int]) -> None:
        self._waiting = OrderedDict.fromkeys(numbers)

    def add(self, numbers: Iterable[int]) -> None:
        """Let more numbers wait, also while others are taken; those that wait keep their place."""
        self._waiting.update(OrderedDict.fromkeys(numbers))

    def __iter__(self) -> Iterator[int]:
        while self._waiting:
            yield self._waiting.popitem(last=False)[0]


class Meetings:
    """Which supports meet a rectangle; reads those of its rows or columns, whichever are fewer."""

    def __init__(self, supports: Sequence[RankOneSupport], shape: tuple[int, int]) -> None:
        self.sides = (
            _holders([support.rows for support in supports], shape[0]),
            _holders([support.columns for support in supports], shape[1]),
        )
        self.supports = supports
        self._marked = [np.zeros(size, dtype=bool) for size in shape]  # scratch

    def with_rectangle(self, rows: np.ndarray, columns: np.ndarray) -> list[int]:
        """Positions of the supports that meet rows x columns, ascending."""
        lines = rows, columns
        near = [
            np.concatenate([run_of(side, i) for i in found.tolist()])  # with repetitions
            for side, found in zip(self.sides, lines, strict=True)
        ]
        rarer = 0 if len(near[0]) < len(near[1]) else 1
        other, marked = lines[1 - rarer], self._marked[1 - rarer]
        marked[other] = True
        meeting = [
            t
            for t in np.unique(near[rarer]).tolist()
            if marked[(self.supports[t].columns, self.supports[t].rows)[rarer]].any()
        ]
        marked[other] = False
        return meeting


def _holders(lines: Sequence[np.ndarray], size: int) -> scipy.sparse.csr_array:
    """For each row (or column) the supports that have it."""
    owner = np.repeat(np.arange(len(lines)), [len(line) for line in lines])
    line = np.concatenate(lines) if len(lines) else np.empty(0, dtype=np.int64)
    return scipy.sparse.csr_array(
        (np.ones(len(line), dtype=bool), (line, owner)), shape=(size, max(len(lines), 1))
    )


def pieces_of(support: RankOneSupport, cover: Cover) -> list[tuple[np.ndarray, np.ndarray, bool]]:
    """Connected components of a rectangle minus U: rows, columns, whether it is a rectangle.

    Takes memory in proportion to the entries of U inside the rectangle, however large that is.
    """
    rows, columns = support.rows, support.columns
    i, j = cover.within(rows, columns)
    if not len(i):
        return [(rows, columns, True)]
    kept_rows = np.bincount(i, minlength=len(rows)) < len(columns)
    kept_columns = np.bincount(j, minlength=len(columns)) < len(rows)
    if not kept_rows.any():
        return []
    inside = kept_rows[i] & kept_columns[j]
    i, j = (np.cumsum(kept_rows) - 1)[i[inside]], (np.cumsum(kept_columns) - 1)[j[inside]]
    rows, columns = rows[kept_rows], columns[kept_columns]
    if not len(i):
        return [(rows, columns, True)]
    n_holes = np.bincount(i, minlength=len(rows))
    if 2 * n_holes.max() < len(columns):  # any two rows share a column
        return [(rows, columns, False)]
    row_label, column_label = component_labels(len(rows), len(columns), i, j, n_holes)
    is_rectangle = np.ones(row_label.max() + 1, dtype=bool)
    is_rectangle[row_label[i[row_label[i] == column_label[j]]]] = False
    by_column = grouped_by_label(column_label)
    return [
        (rows[members], columns[by_column[label]], bool(is_rectangle[label]))
        for label, members in grouped_by_label(row_label).items()
    ]


def grouped_by_label(labels: np.ndarray) -> dict[int, np.ndarray]:
    """Positions of each label."""
    return {int(labels[group[0]]): group for group in grouped(labels)}


def component_labels(
    n_rows: int, n_columns: int, i: np.ndarray, j: np.ndarray, n_holes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Connected components of the complete bipartite graph without the edges (i, j).

    The columns that the row with the fewest holes reaches are one node. The others are no more than
    the holes of any row, so that the graph has no more edges than there are holes, but for a star.
    """
    reached = np.ones(n_columns, dtype=bool)
    reached[j[i == np.argmin(n_holes)]] = False
    others = np.flatnonzero(~reached)
    edges = np.ones((n_rows, 1 + len(others)), dtype=bool)
    edges[:, 0] = np.bincount(i[reached[j]], minlength=n_rows) < np.count_nonzero(reached)
    far = ~reached[j]
    edges[i[far], 1 + np.searchsorted(others, j[far])] = False
    tail, head = np.nonzero(edges)
    n_nodes = n_rows + edges.shape[1]
    graph = scipy.sparse.coo_array(
        (np.ones(len(tail), dtype=bool), (tail, n_rows + head)), shape=(n_nodes, n_nodes)
    )
    labels = connected_components(graph, directed=False)[1]
    column_labels = np.full(n_columns, labels[n_rows])
    column_labels[others] = labels[n_rows + 1 :]
    return labels[:n_rows], column_labels


def overlaps(
    supports: Sequence[RankOneSupport], shape: tuple[int, int], limit: int = 10
) -> list[Overlap]:
    """Pairs of supports whose rectangles meet, at most `limit` of them; empty if none meet.

    Row by row: supports that meet in no row have disjoint columns there, so that no row is read
    further than its length.
    """
    found: dict[tuple[int, int], Overlap] = {}
    held = _holders([support.rows for support in supports], shape[0])
    held.sort_indices()
    for group in grouped(equal_runs(held)):  # rows that the same supports share
        holders = run_of(held, group[0])
        if len(holders) < 2:
            continue
        lengths = np.cumsum([len(supports[k].columns) for k in holders])
        # more columns than there are: two of these supports meet for certain
        holders = holders[: int(np.searchsorted(lengths, shape[1], side="right")) + 1]
        columns = np.concatenate([supports[k].columns for k in holders])
        order = np.argsort(columns, kind="stable")
        again = np.flatnonzero(np.diff(columns[order]) == 0)
        if not len(again):
            continue
        owner = np.repeat(holders, [len(supports[k].columns) for k in holders])[order]
        pairs = np.unique(np.stack([owner[again], owner[again + 1]]), axis=1)
        for a, b in np.sort(pairs, axis=0).T.tolist():
            if (a, b) not in found:
                first, second = supports[a], supports[b]
                found[a, b] = Overlap(
                    a,
                    b,
                    np.intersect1d(first.rows, second.rows),
                    np.intersect1d(first.columns, second.columns),
                )
            if len(found) >= limit:
                return list(found.values())
    return list(found.values())
