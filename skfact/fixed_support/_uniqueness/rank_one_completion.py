"""Rank-one completion: read off entries and follow ratios until neither helps."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
from scipy.sparse.csgraph import connected_components

from skfact.fixed_support._supports.runs import run_of
from skfact.fixed_support._supports.shared_entries import weighted_coverage


@dataclass
class Block:
    """The rectangle of one component: which entries are known, and their values."""

    rows: np.ndarray
    columns: np.ndarray
    known: np.ndarray  # (n_rows, n_columns)
    values: np.ndarray  # alike


class Completion:
    """The state of the iteration: what of Z remains, and how many components hide it.

    `determined_components` is the same on supports alone.
    """

    def __init__(self, left: Any, right: Any, Z: np.ndarray, zero: float) -> None:
        self.left, self.right, self.zero = left, right, zero
        r = left.shape[1]
        # components in which an entry is unknown: how many, and the sum of their indices + 1
        self.count = weighted_coverage(left, right, np.ones(r, dtype=np.int32)).toarray()
        self.id_sum = weighted_coverage(left, right, np.arange(1, r + 1)).toarray()
        self.remainder = Z.copy()
        self.blocks = [self._empty_block(k) for k in range(r)]

    def _empty_block(self, k: int) -> Block:
        rows, columns = run_of(self.left, k), run_of(self.right, k)
        shape = len(rows), len(columns)
        return Block(
            rows, columns, np.zeros(shape, dtype=bool), np.zeros(shape, self.remainder.dtype)
        )

    def run(self) -> None:
        """Iterate to the fixpoint."""
        queue = deque(self._owners(np.nonzero(self.count)))
        waiting = set(queue)
        while queue:
            k = queue.popleft()
            waiting.discard(k)
            for other in self._visit(k):
                if other not in waiting:
                    waiting.add(other)
                    queue.append(other)

    def _owners(self, at: tuple[np.ndarray, ...]) -> list[int]:
        """Components that alone are unknown at some of these entries."""
        return (np.unique(self.id_sum[at][self.count[at] == 1]) - 1).tolist()

    def _visit(self, k: int) -> list[int]:
        """Read off entries, complete the block; return the components that this helps."""
        block = self.blocks[k]
        at = np.ix_(block.rows, block.columns)
        before = block.known.copy()
        read = ~before & (self.count[at] == 1)
        block.known |= read
        block.values[read] = self.remainder[at][read]
        if not block.known.all():
            _fill(block, self.zero)
        i, j = np.nonzero(block.known & ~before)
        new = block.rows[i], block.columns[j]
        self.count[new] -= 1
        self.id_sum[new] -= k + 1
        self.remainder[new] -= block.values[i, j]
        return self._owners(new)


def complete(left: Any, right: Any, Z: np.ndarray, zero: float) -> tuple[list[Block], float]:
    """The blocks of all components, and the largest misfit where all of them are known."""
    state = Completion(left, right, Z, zero)
    state.run()
    residual = float(np.abs(state.remainder[state.count == 0]).max(initial=0.0))
    return state.blocks, residual


def _fill(block: Block, zero: float) -> None:
    """Fill all entries that the ratios of the known non-zero ones determine."""
    known, values = block.known, block.values
    solid = known & (np.abs(values) > zero)
    p, q = known.shape
    i, j = np.nonzero(solid)
    edges = scipy.sparse.coo_array((np.ones(len(i)), (i, p + j)), shape=(p + q, p + q))
    _, label = connected_components(edges, directed=False)
    connected = label[:p, None] == label[None, p:]
    a, b = _potentials(solid, values, label[:p])
    fill = connected & ~known
    values[fill] = np.multiply.outer(a, b)[fill]
    # a_i = 0 where a known zero faces b_j != 0, and the other way round
    row, column = np.any(solid, axis=1), np.any(solid, axis=0)
    zeros = known & ~solid
    zero_rows = np.any(zeros & column, axis=1) & ~row
    zero_columns = np.any(zeros & row[:, None], axis=0) & ~column
    known |= connected | zero_rows[:, None] | zero_columns


def _potentials(
    solid: np.ndarray, values: np.ndarray, label: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """a and b with a_i b_j = values along a spanning forest of the known non-zero entries.

    Breadth first from one row of each connected part, through the largest entry at every step.
    """
    size = np.where(solid, np.abs(values), 0.0)
    a, b = (np.zeros(length, dtype=values.dtype) for length in solid.shape)
    order = np.argsort(-size.max(axis=1), kind="stable")
    has_a = np.zeros(len(a), dtype=bool)
    has_a[order[np.unique(label[order], return_index=True)[1]]] = True
    a[has_a] = 1
    has_b = np.zeros(len(b), dtype=bool)
    while True:
        new_b = ~has_b & solid[has_a].any(axis=0)
        through = np.argmax(np.where(has_a[:, None], size, -1.0), axis=0)[new_b]
        b[new_b] = values[through, new_b] / a[through]
        has_b |= new_b
        new_a = ~has_a & solid[:, has_b].any(axis=1)
        through = np.argmax(np.where(has_b, size, -1.0), axis=1)[new_a]
        a[new_a] = values[new_a, through] / b[through]
        has_a |= new_a
        if not (new_a.any() or new_b.any()):
            return a, b
