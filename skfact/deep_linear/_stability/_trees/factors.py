"""The matrix of a convolution tree as a product of structured factors, one for each depth."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from skfact.deep_linear._structured import StructuredFactor, TiedEntries


def tree_factors(
    edges: Sequence[tuple[Any, np.ndarray, int]],
    leaves: Sequence[Hashable],
    sizes: tuple[int, ...],
) -> list[TreeLevel]:
    """Factors of the matrix ``[C_1 | C_2 | ...]`` of circulant blocks, one for each leaf.

    An edge is a pair (parent, child), the indices in its support, of shape (S_e, 1 or 2), and its
    depth. Blocks of rows and columns are nodes; a leaf that has ended stays one, and its block is a
    multiple of the identity.
    """
    depth = 1 + max(level for _, _, level in edges)
    origin = np.zeros((1, len(sizes)), dtype=np.int64)
    above = [parent for (parent, _), _, level in edges if level == 0][:1]  # the root
    factors: list[TreeLevel] = []
    for k in range(depth):
        ended = [v for v in above if v in leaves]
        blocks = [(pair, indices) for pair, indices, level in edges if level == k]
        blocks += [((v, v), origin) for v in ended]
        below = list(leaves) if k == depth - 1 else [child for (_, child), _ in blocks]
        places = [(above.index(v), below.index(w), shifts) for (v, w), shifts in blocks]
        factors.append(TreeLevel(places, (len(above), len(below)), sizes))
        above = below
    return factors


class TreeLevel(TiedEntries):
    """Factor of one depth of a tree: sparse circulant blocks, the other blocks zero."""

    def __init__(
        self,
        places: list[tuple[int, int, np.ndarray]],  # row and column of a block, its shifts
        blocks: tuple[int, int],
        sizes: tuple[int, ...],
    ) -> None:
        n = math.prod(sizes)
        grid = np.stack(np.unravel_index(np.arange(n), sizes), axis=-1)  # (n, 1) or (n, 2)
        index = np.full((blocks[0], n, blocks[1], n), -1)
        first = 0
        for row, column, shifts in places:
            for s, shift in enumerate(shifts):
                moved = np.ravel_multi_index(tuple(((grid + shift) % sizes).T), sizes)
                index[row, moved, column, np.arange(n)] = first + s
            first += len(shifts)
        super().__init__(index.reshape(blocks[0] * n, blocks[1] * n))
        self.tree: Any = None  # the tree and the depth, where it is one of the factors of a tree
        self.level = 0

    __repr__ = StructuredFactor.__repr__
