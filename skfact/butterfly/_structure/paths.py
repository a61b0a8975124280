"""The best chain under a budget: a shortest path in the lattice, with a price for each number.

With orthogonal splits from one end to the other the squared error of a chain is at most the sum of
the squared tails of its nodes, and at least the largest of them. So the sum ranks the chains before
any is factored. It is minimized together with the numbers of the factors times a price
(a Lagrange multiplier), for some prices at once; what is left of the budget goes into ranks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from skfact.butterfly._structure.nodes import Node

# ranks that are tried on the way; between them the budget is filled up
RANKS = np.array(
    [1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 64, 96, 128, 192, 256]
)
PRICES, ROUNDS = 8, 3
ROUNDING = 1e-14  # share of the energy that squared tails are not told from
FITTED = 6  # paths around the budget whose ranks are changed to meet it


class Path(NamedTuple):
    """A chain by its nodes, what it costs, and the bound of its squared error."""

    nodes: tuple[Node, ...]
    numbers: int
    error2: float


Profile = Mapping[tuple[int, int], np.ndarray]  # (Q, P) -> tails of rank 0, 1, ..


def numbers_of(nodes: Sequence[Node], shape: tuple[int, int]) -> int:
    """Numbers of all factors of the chain that passes these nodes."""
    path = [Node(shape[0], 1, 1), *nodes, Node(1, shape[1], 1)]
    return sum(before.numbers_before(after) for before, after in pairwise(path))


def best_paths(tails: Profile, shape: tuple[int, int], budget: int, count: int = 1) -> list[Path]:
    """Paths of small squared errors with at most so many numbers, the best one first.

    One node with all the numbers is the best chain of two factors through it, exactly.
    """
    found = []
    for (Q, P), tail in tails.items():
        r = min(budget // (shape[0] * P + shape[1] * Q), len(tail) - 2)
        if r >= 1:
            found.append(_path([Node(Q, P, r)], tails, shape))
    longer = [_fitted(path, tails, shape, budget) for path in _around(tails, shape, budget)]
    found += [path for path in longer if path is not None]
    rounding = ROUNDING * _total(tails)
    return sorted(
        dict.fromkeys(found), key=lambda path: (max(path.error2, rounding), path.numbers)
    )[:count]


def _total(tails: Profile) -> float:
    """Squared norm of the matrix."""
    return max((float(tail[0]) ** 2 for tail in tails.values()), default=0.0)


def _around(tails: Profile, shape: tuple[int, int], budget: int) -> list[Path]:
    """Paths of least cost whose numbers are around the budget."""
    squares = {place: _lower_ranks(tail**2, place, budget) for place, tail in tails.items()}
    squares = {place: some for place, some in squares.items() if len(some[0])}
    total = _total(tails) or 1.0
    low, high = 1e-12 * total / budget, 1e2 * total / budget
    found: set[Path] = set()
    for _ in range(ROUNDS):
        prices = np.geomspace(low, high, PRICES)
        paths = cheapest_paths(squares, shape, prices)
        found.update(paths)
        # the numbers fall as the price rises: go on between the last two that differ
        within = [i for i, path in enumerate(paths) if path.numbers <= budget]
        if not within or within[0] == 0:
            break
        low, high = prices[within[0] - 1], prices[within[0]]
    apart = sorted(found, key=lambda path: abs(np.log(path.numbers / budget)))
    by_place = {tuple(node[:2] for node in path.nodes): path for path in reversed(apart)}
    return list(by_place.values())[::-1][:FITTED]


def _lower_ranks(
    squares: np.ndarray, place: tuple[int, int], budget: int
) -> tuple[np.ndarray, np.ndarray]:
    """Ranks that are worth their numbers at a node, and the squared tails that they leave."""
    # each of the factors beside the node has at least 2 Q P r numbers
    most = min(len(squares) - 2, budget // (4 * place[0] * place[1]))
    ranks = RANKS[most >= RANKS]
    left = squares[ranks]
    lower = np.append(True, left[1:] < left[:-1])[: len(ranks)]
    return ranks[lower], left[lower]


def cheapest_paths(
    squares: Mapping[tuple[int, int], tuple[np.ndarray, np.ndarray]],
    shape: tuple[int, int],
    prices: np.ndarray,
) -> list[Path]:
    """For each price the path with the least sum of squared tails and numbers times price.

    `squares` are, for each (Q, P), the ranks that it may have and what they leave. A path passes
    one node at least.
    """
    m, n = shape
    # from the end, (1, n), to the start: the followers of a node come before it
    places = sorted(squares, key=lambda place: (place[0], -place[1]))
    states = np.array([[1, n, 1]])  # Q, P, r
    leave = np.zeros(1)
    value = np.zeros((len(prices), 1))  # least cost from a state to the end
    following = np.full((len(prices), 1), -1)
    for Q, P in [*places, (m, 1)]:
        ranks, left = squares[Q, P] if (m, 1) != (Q, P) else (np.array([1]), np.zeros(1))
        fits = (Q % states[:, 0] == 0) & (states[:, 1] % P == 0)
        fits &= (states[:, 0] != Q) | (states[:, 1] != P)
        if (m, 1) == (Q, P):
            fits[0] = False  # not at once to the end
        (after,) = np.nonzero(fits)
        if not len(after):
            return []
        numbers = np.outer(Q * ranks, states[after, 1] * states[after, 2])
        costs = prices[:, None, None] * numbers + value[:, None, after]  # (prices, ranks, after)
        choice = np.argmin(costs, axis=2)
        here = np.column_stack([np.full_like(ranks, Q), np.full_like(ranks, P), ranks])
        states, leave = np.concatenate([states, here]), np.concatenate([leave, left])
        value = np.concatenate([value, np.min(costs, axis=2) + left], axis=1)
        following = np.concatenate([following, after[choice]], axis=1)
    paths = []
    for row in following:
        at, passed = row[-1], []
        while at > 0:
            passed.append(at)
            at = row[at]
        nodes = tuple(Node(*map(int, states[i])) for i in passed)
        paths.append(Path(nodes, numbers_of(nodes, shape), float(np.sum(leave[passed]))))
    return paths


def _path(nodes: Sequence[Node], tails: Profile, shape: tuple[int, int]) -> Path:
    error2 = sum(float(tails[node.Q, node.P][node.r]) ** 2 for node in nodes)
    return Path(tuple(nodes), numbers_of(nodes, shape), error2)


def _fitted(path: Path, tails: Profile, shape: tuple[int, int], budget: int) -> Path | None:
    """The path with ranks lowered where that loses least, then raised where it wins most.

    Each time by one, for each number; None if all ranks are one before the budget is met.
    """

    def changed(by: int) -> list[Path]:
        places = enumerate(path.nodes)
        one_off = [(i, node._replace(r=node.r + by)) for i, node in places]
        return [
            _path([*path.nodes[:i], node, *path.nodes[i + 1 :]], tails, shape)
            for i, node in one_off
            if 1 <= node.r < len(tails[node.Q, node.P]) - 1
        ]

    def slope(other: Path) -> float:
        return (path.error2 - other.error2) / (other.numbers - path.numbers)

    rounding = ROUNDING * _total(tails)
    while path.numbers > budget:
        lower = changed(-1)
        if not lower:
            return None
        path = min(lower, key=slope)
    while True:
        higher = [other for other in changed(1) if other.numbers <= budget]
        best = max(higher, key=slope, default=None)
        if best is None or path.error2 <= rounding or best.error2 >= path.error2:
            return path
        path = best
