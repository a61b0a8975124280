"""The nodes that chains pass, and the four ways in which a node cuts a matrix into blocks.

A gap of a chain is a node (Q, P, r): the rows are cut into Q classes, the columns into P, and each
of the Q P blocks has rank r. A chain of an m x n matrix is a path from (m, 1, 1) to (1, n, 1) along
which Q falls and P grows by divisors; the factor between two nodes has Q r P' r' numbers. Low rank
is the node (1, 1), and every chain of two factors is one node.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from skfact._backend import array_namespace, device
from skfact._kernels.block_grams import block_view
from skfact.butterfly._reading import REVERSED
from skfact.supports import Chain
from skfact.supports._radices import divisors


class Node(NamedTuple):
    """A gap of a chain: Q x P blocks of rank r."""

    Q: int
    P: int
    r: int

    def numbers_before(self, following: Node) -> int:
        """Numbers of the factor between this node and the following one."""
        return self.Q * self.r * following.P * following.r


class Arrangement(NamedTuple):
    """Whose digits are reversed: classes of rows are spaced unless so, those of columns are not."""

    rows: bool
    cols: bool


#: By the names that a permutation has, the plain one first.
ARRANGEMENTS: dict[str | None, Arrangement] = {
    None: Arrangement(False, False),
    **{name: Arrangement(*REVERSED[name]) for name in ("columns", "rows", "both")},
}


def lattice(shape: tuple[int, int]) -> list[tuple[int, int]]:
    """All (Q, P) at which the blocks of a matrix have two rows and two columns at least."""
    m, n = shape
    return [(Q, P) for Q in divisors(m)[:-1] for P in divisors(n)[:-1]]


def nodes_of(chain: Chain) -> list[Node]:
    """The gaps of a chain whose product is dense."""
    return [
        Node(left.d, right.a, left.rank_with(right)) for left, right in pairwise(chain.patterns)
    ]


def chain_through(nodes: Sequence[Node], shape: tuple[int, int]) -> Chain:
    """The chain of a shape that passes these nodes, from left to right."""
    path = [Node(shape[0], 1, 1), *nodes, Node(1, shape[1], 1)]
    return Chain.deformable(
        [before.Q // after.Q for before, after in pairwise(path)],
        [after.P // before.P for before, after in pairwise(path)],
        [node.r for node in nodes],
    )


def dimensions(chain: Chain) -> int:
    """The largest rank that a product along a chain can have."""
    return min(a * d * min(b, c) for a, b, c, d in chain)


def padded(A: Any, shape: tuple[int, int]) -> Any:
    """The matrix with rows and columns of zeros up to a shape; itself if it has it."""
    xp = array_namespace(A)
    for axis in (0, 1):
        missing = list(A.shape)
        missing[axis] = shape[axis] - A.shape[axis]
        if missing[axis]:
            zeros = xp.zeros(tuple(missing), dtype=A.dtype, device=device(A))
            A = xp.concat([A, zeros], axis=axis)
    return A


def blocks_at(A: Any, node: Node, arrangement: Arrangement) -> Any:
    """View of a matrix as the blocks (Q, P, m / Q, n / P) of a node."""
    return block_view(A, node[:2], *arrangement)
