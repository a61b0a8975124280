"""Blocks of a matrix on many rectangles, in batches of equal size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from array_api_compat import is_cupy_namespace

from skfact._backend import array_namespace, device, move
from skfact._kernels.low_rank_blocks import Arranged, Classes
from skfact._linalg import is_complex
from skfact.fixed_support._supports.rank_one import RankOneSupport

# Bytes of the blocks that are worked on at once: small enough to stay in a processor's cache.
CACHED, ON_DEVICE = 2**21, 2**28


class Grid(NamedTuple):
    """Blocks on all pairs of u groups of a rows and t groups of b columns, which are disjoint."""

    rows: np.ndarray  # (u, a)
    columns: np.ndarray  # (t, b)
    row_group: np.ndarray  # (n_blocks,)
    column_group: np.ndarray  # (n_blocks,)

    def arranged(self, A: Any, checked: bool = True) -> Arranged:
        """A with its rows in the order (a, u) and its columns in the order (t, b)."""
        rows, columns = self.rows.T.reshape(-1), self.columns.reshape(-1)
        return Arranged(
            A,
            None if is_range(rows, A.shape[0]) else rows,
            None if is_range(columns, A.shape[1]) else columns,
            checked,
        )

    def classes(self, rank: int) -> Classes:
        """Sizes of the blocks, as the classes of a pair of Kronecker-sparse factors."""
        (u, a), (t, b) = self.rows.shape, self.columns.shape
        return Classes(a=1, t=t, u=u, d=1, b=a, c=b, r=rank)

    def in_order(self, x: Any) -> Any:
        """Values (1, t, u, 1, p, q) of the classes as (n_blocks, p, q), in the batch's order."""
        xp = array_namespace(x)
        _, t, u, _, p, q = x.shape
        place = move(self.column_group * u + self.row_group, xp, device(x))
        return xp.take(xp.reshape(x, (t * u, p, q)), place, axis=0)


def grid_of(rows: np.ndarray, columns: np.ndarray) -> Grid | None:
    """The grid that disjoint blocks with these rows and columns form; None if they form none."""
    sides = []
    for index in (rows, columns):
        _, firsts, group = np.unique(index[:, 0], return_index=True, return_inverse=True)
        groups = index[firsts]
        if (groups[group] != index).any() or len(np.unique(groups)) < groups.size:
            return None
        sides.append((groups, group.ravel()))
    (row_groups, row_group), (column_groups, column_group) = sides
    if len(row_groups) * len(column_groups) != len(rows):
        return None
    return Grid(row_groups, column_groups, row_group, column_group)


class Batch(NamedTuple):
    """Rectangles of one size with equally many components each."""

    rows: np.ndarray  # (n_blocks, a)
    columns: np.ndarray  # (n_blocks, b)
    components: np.ndarray  # (n_blocks, p)
    grid: Grid | None = None


def batches(supports: Sequence[RankOneSupport]) -> list[Batch]:
    """Supports of equal size and multiplicity together, in the order of their first entries."""
    kinds: dict[tuple[int, int, int], list[RankOneSupport]] = {}
    for support in supports:
        kinds.setdefault((*support.shape, support.multiplicity), []).append(support)
    found = []
    for kind in kinds.values():
        rows = np.stack([support.rows for support in kind])
        columns = np.stack([support.columns for support in kind])
        components = np.stack([support.components for support in kind])
        order = np.lexsort((columns[:, 0], rows[:, 0]))
        rows, columns, components = rows[order], columns[order], components[order]
        found.append(Batch(rows, columns, components, grid_of(rows, columns)))
    return found


def gather(A: Any, batch: Any) -> Iterator[tuple[slice, Any]]:
    """Blocks A[rows, columns] of a batch, as (part of the batch, array (n_blocks, a, b)).

    In parts, lest all blocks of a large matrix are copied before the first one is used.
    """
    xp, where = array_namespace(A), device(A)
    rows, columns = batch.rows, batch.columns
    a, b = rows.shape[1], columns.shape[1]
    if len(rows) == 1 and is_range(rows[0], A.shape[0]) and is_range(columns[0], A.shape[1]):
        yield slice(0, 1), xp.reshape(A, (1, a, b))
        return
    budget = ON_DEVICE if is_cupy_namespace(xp) else CACHED
    step = max(1, budget // ((16 if is_complex(A) else 8) * a * b))
    for start in range(0, len(rows), step):
        part = slice(start, min(start + step, len(rows)))
        i, j = (move(index[part], xp, where) for index in (rows, columns))
        yield part, A[i[:, :, None], j[:, None, :]]


def block_of(A: Any, rows: np.ndarray, columns: np.ndarray) -> Any:
    """A on one rectangle."""
    xp, where = array_namespace(A), device(A)
    return A[move(rows, xp, where)[:, None], move(columns, xp, where)[None, :]]


def is_range(index: np.ndarray, size: int) -> bool:
    """Whether the index is 0 .. size - 1."""
    return len(index) == size and bool((index == np.arange(size)).all())
