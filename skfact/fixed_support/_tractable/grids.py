"""Blocks of a matrix on many rectangles, in batches of equal size; and factors as flat vectors.

The values of a factor are one vector: component after component, each in the order of its support
(the data of the CSC mask of the left factor, of the CSR mask of the right one). A *slot* is a place
in that vector.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from skfact._backend import array_namespace, device, is_cupy_namespace, move
from skfact._inputs import is_numpy
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
    xp = array_namespace(A)
    rows, columns = batch.rows, batch.columns
    a, b = rows.shape[1], columns.shape[1]
    itemsize = 16 if xp.isdtype(A.dtype, "complex floating") else 8
    budget = ON_DEVICE if is_cupy_namespace(xp) else CACHED
    step = max(1, budget // (itemsize * a * b))
    if len(rows) == 1 and is_range(rows[0], A.shape[0]) and is_range(columns[0], A.shape[1]):
        yield slice(0, 1), xp.reshape(A, (1, a, b))
        return
    for start in range(0, len(rows), step):
        part = slice(start, min(start + step, len(rows)))
        if is_numpy(xp):
            yield part, A[rows[part, :, None], columns[part, None, :]]
        else:
            flat = rows[part, :, None].astype(np.int64) * A.shape[1] + columns[part, None, :]
            found = xp.take(xp.reshape(A, (-1,)), move(flat.ravel(), xp, device(A)))
            yield part, xp.reshape(found, (-1, a, b))


def is_range(index: np.ndarray, size: int) -> bool:
    """Whether the index is 0 .. size - 1."""
    return len(index) == size and bool((index == np.arange(size)).all())


def slots(compressed: Any, components: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Slots of (component, place) for all pairs: (n_components, n_places).

    Parameters
    ----------
    compressed : csc_array of the left mask, or csr_array of the right one
    components : ndarray (n_components,)
    places : ndarray (n_places,)
        Rows of the left or columns of the right factor, ascending, in the support of each.
    """
    found = np.empty((len(components), len(places)), dtype=np.int64)
    for q, k in enumerate(components.tolist()):
        start, stop = compressed.indptr[k], compressed.indptr[k + 1]
        own = compressed.indices[start:stop]
        found[q] = start + (
            np.arange(len(own)) if len(own) == len(places) else np.searchsorted(own, places)
        )
    return found


class FlatFactor:
    """Collects values of a factor by slots, then makes the flat vector of all of them."""

    def __init__(self, compressed: Any) -> None:
        self.compressed = compressed
        self._slots: list[np.ndarray] = []
        self._values: list[Any] = []

    def put(self, where: np.ndarray, values: Any) -> None:
        """Set slots `where` to `values`, arrays of one shape; each slot at most once."""
        self._slots.append(where.ravel())
        self._values.append(array_namespace(values).reshape(values, (-1,)))

    def vector(self, like: Any) -> Any:
        """All values, zero where none was put, in the namespace, dtype and device of `like`."""
        xp, where = array_namespace(like), device(like)
        size = int(self.compressed.nnz)
        if not self._slots:
            return xp.zeros((size,), dtype=like.dtype, device=where)
        filled = np.concatenate(self._slots)
        if is_numpy(xp):
            vector = np.zeros(size, dtype=like.dtype)
            vector[filled] = np.concatenate(self._values)
            return vector
        zero = xp.zeros((1,), dtype=like.dtype, device=where)
        source = np.full(size, len(filled))
        source[filled] = np.arange(len(filled))
        return xp.take(xp.concat([*self._values, zero]), move(source, xp, where))


def with_fixed_phases(
    x: Any, y: Any, left: Any, right: Any, classes: Sequence[Batch]
) -> tuple[Any, Any]:
    """The same product, the largest entry of each row of the right factor positive.

    Without it signs would depend on the library that computes.
    """
    xp, where = array_namespace(y), device(y)
    one = xp.ones((1,), dtype=y.dtype, device=where)
    phases, holders = [], []
    for batch in classes:
        starts = right.indptr[batch.components].astype(np.int64)  # (n_blocks, p)
        b = batch.columns.shape[1]
        runs = move((starts[..., None] + np.arange(b)).ravel(), xp, where)
        values = xp.reshape(xp.take(y, runs), (-1, b))
        largest = xp.argmax(xp.abs(values), axis=1)
        place = move(starts.ravel(), xp, where) + largest
        leading = xp.take(y, place)
        size = xp.abs(leading)
        phase = leading / xp.astype(xp.where(size > 0, size, xp.ones_like(size)), y.dtype)
        phases.append(xp.where(size > 0, phase, one))
        holders.append(batch.components.ravel())
    phase = xp.take(
        xp.concat([*phases, one]), move(sources(holders, left.shape[1]), xp, where)
    )  # (r,), 1 for dead components
    of_x, of_y = (
        xp.take(phase, move(np.repeat(np.arange(len(m.indptr) - 1), np.diff(m.indptr)), xp, where))
        for m in (left, right)
    )
    return x * of_x, y * (xp.conj(of_y) if is_complex(y) else of_y)


def sources(parts: Sequence[np.ndarray], size: int) -> np.ndarray:
    """Where in the concatenated parts the value of each slot is; at the end where there is none."""
    filled = np.concatenate([part.ravel() for part in parts]) if parts else np.empty(0, np.int64)
    source = np.full(size + 1, len(filled), dtype=np.int64)
    source[filled] = np.arange(len(filled))
    return source[:-1]


def dense_factor(compressed: Any, vector: Any) -> Any:
    """The factor as a dense matrix, from its mask and flat vector."""
    xp, where = array_namespace(vector), device(vector)
    if is_numpy(xp):
        return type(compressed)(
            (vector, compressed.indices, compressed.indptr), shape=compressed.shape
        ).toarray()
    source = np.full(compressed.shape, compressed.nnz, dtype=np.int64)
    runs = np.repeat(np.arange(len(compressed.indptr) - 1), np.diff(compressed.indptr))
    place = (compressed.indices, runs) if compressed.format == "csc" else (runs, compressed.indices)
    source[place] = np.arange(compressed.nnz)
    zero = xp.zeros((1,), dtype=vector.dtype, device=where)
    flat = xp.take(xp.concat([vector, zero]), move(source.ravel(), xp, where))
    return xp.reshape(flat, compressed.shape)


def product(left: Any, x: Any, right: Any, y: Any) -> Any:
    """The dense product of two factors given as masks and flat vectors.

    SciPy multiplies sparse ones with as many operations as there are non-zeros to combine.
    """
    if is_numpy(array_namespace(x)):
        combined = float(np.diff(left.indptr).astype(float) @ np.diff(right.indptr))
        m, r, n = left.shape[0], left.shape[1], right.shape[1]
        if combined < 0.05 * m * r * n:
            sparse_left = type(left)((x, left.indices, left.indptr), shape=left.shape).tocsr()
            sparse_right = type(right)((y, right.indices, right.indptr), shape=right.shape)
            return (sparse_left @ sparse_right).toarray()
    return dense_factor(left, x) @ dense_factor(right, y)
