"""The best chain under a budget: a shortest path in the lattice, with a price for each number.

With orthogonal splits from one end to the other the squared error of a chain is at most the sum of
the squared tails of its nodes, and at least the largest of them. So the sum ranks the chains before
any is factored. It is minimized together with the numbers of the factors times a price
(a Lagrange multiplier), for some prices at once; what is left of the budget goes into ranks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from skfact.butterfly._structure.nodes import Node

# ranks that are tried on the way; between them the budget is filled up
RANKS = np.array([1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64, 96, 128, 192, 256])
PRICES, ROUNDS = 6, 1
ROUNDING = 1e-14  # share of the energy that squared tails are not told from
SPARE = 1.4  # times the squared error of two factors below which nodes of longer chains are kept
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
    return best_paths_of([tails], shape, budget, count)[0]


def best_paths_of(
    profiles: Sequence[Profile],
    shape: tuple[int, int],
    budget: int,
    count: int,
    least: float = np.inf,
) -> list[list[Path]]:
    """`best_paths` of some profiles at once.

    Longer ones than two factors only if their squared error may be about the least that is known,
    of any profile or elsewhere.
    """
    found = [two_factors(tails, shape, budget) for tails in profiles]
    least = min([least, *(path.error2 for some in found for path in some)])
    total = max(map(_total, profiles), default=0.0)
    within = max(SPARE * least, ROUNDING * total)
    for some, tails in zip(found, profiles, strict=True):
        some += three_factors(tails, shape, budget)
    around = _around(profiles, shape, budget, within)
    for some, tails, paths in zip(found, profiles, around, strict=True):
        longer = [_fitted(path, tails, shape, budget) for path in paths]
        some += [path for path in longer if path is not None]

    def by_error(path: Path) -> tuple[float, int]:
        return max(path.error2, ROUNDING * total), path.numbers

    return [sorted(dict.fromkeys(some), key=by_error)[:count] for some in found]


def two_factors(tails: Profile, shape: tuple[int, int], budget: int) -> list[Path]:
    """The best chains of two factors through each node, whose error is that of its blocks."""
    found, rounding = [], ROUNDING * _total(tails)
    for (Q, P), tail in tails.items():
        r = min(budget // (shape[0] * P + shape[1] * Q), len(tail) - 2)
        if r >= 1:
            if tail[r] ** 2 <= rounding:  # fewer will do
                r = max(1, int(np.argmax(tail**2 <= rounding)))
            found.append(_path([Node(Q, P, r)], tails, shape))
    return found


def three_factors(tails: Profile, shape: tuple[int, int], budget: int) -> list[Path]:
    """The best chains of three factors, for all pairs of nodes and all ranks of `RANKS` at one."""
    if not tails:
        return []
    places = np.array(list(tails))
    table, most = _table_of_squares(tails)
    (Q, P), (m, n) = places.T, shape
    follows = (Q[:, None] % Q == 0) & (P % P[:, None] == 0)
    np.fill_diagonal(follows, False)
    i, j = np.nonzero(follows)
    ranks = np.minimum(RANKS, table.shape[1] - 1)
    rest = budget - (m * P[i])[:, None] * ranks
    each = (Q[i] * P[j])[:, None] * ranks + (n * Q[j])[:, None]
    others = np.minimum(np.maximum(rest, 0) // each, most[j][:, None])
    squares = table[i[:, None], ranks] + table[j[:, None], others]
    squares[(others < 1) | (ranks > most[i][:, None])] = np.inf
    at = np.argmin(squares, axis=1) if len(i) else np.zeros(0, dtype=int)
    least = squares[np.arange(len(i)), at]
    chosen = np.argsort(least, kind="stable")[:FITTED]
    paths = []
    for k in chosen[np.isfinite(least[chosen])].tolist():
        before, after = places[i[k]].tolist(), places[j[k]].tolist()
        r, r2 = int(ranks[at[k]]), int(others[k, at[k]])
        paths.append(
            _path([Node(before[0], before[1], r), Node(after[0], after[1], r2)], tails, shape)
        )
    return paths


def _table_of_squares(tails: Profile) -> tuple[np.ndarray, np.ndarray]:
    """Squared tails of all places, a row each, and the largest rank of each that is of use."""
    longest = max(map(len, tails.values()))
    table, rounding = np.zeros((len(tails), longest)), ROUNDING * _total(tails)
    most = np.zeros(len(tails), dtype=int)
    for row, tail in enumerate(tails.values()):
        table[row, : len(tail)] = tail**2
        enough = int(np.argmax(table[row] <= rounding)) if tail[0] > 0 else 1
        most[row] = min(len(tail) - 2, max(enough, 1))
    return table, most


def _total(tails: Profile) -> float:
    """Squared norm of the matrix."""
    return max((float(tail[0]) ** 2 for tail in tails.values()), default=0.0)


def _around(
    profiles: Sequence[Profile], shape: tuple[int, int], budget: int, within: float
) -> list[list[Path]]:
    """For each profile paths of least cost whose numbers are around the budget."""
    places = dict.fromkeys(place for tails in profiles for place in tails)
    squares = {place: _useful_ranks(profiles, place, budget, within) for place in places}
    squares = {place: some for place, some in squares.items() if len(some[0])}
    total = max(map(_total, profiles), default=0.0) or 1.0
    prices = np.tile(np.geomspace(1e-7, 1e1, PRICES) * total / budget, (len(profiles), 1))
    found: list[set[Path]] = [set() for _ in profiles]
    for _ in range(ROUNDS):
        for i, paths in enumerate(_cheapest(squares, shape, prices)):
            found[i].update(path for path in paths if path is not None)
            # the numbers fall as the price rises: go on between the last two that differ
            fit = [path is not None and path.numbers <= budget for path in paths]
            at = fit.index(True) if any(fit) else 0
            if at > 0:
                prices[i] = np.geomspace(prices[i, at - 1], prices[i, at], PRICES)
    return [_closest(paths, budget) for paths in found]


def _closest(found: set[Path], budget: int) -> list[Path]:
    """Paths whose numbers are closest to the budget, one for each sequence of places."""
    apart = sorted(found, key=lambda path: (abs(np.log(path.numbers / budget)), path))
    by_place = {tuple(node[:2] for node in path.nodes): path for path in reversed(apart)}
    return list(by_place.values())[::-1][:FITTED]


def _useful_ranks(
    profiles: Sequence[Profile], place: tuple[int, int], budget: int, within: float
) -> tuple[np.ndarray, np.ndarray]:
    """Ranks that are worth their numbers at a node, and the squared tails that they leave.

    On either side of the node is a factor with Q P r numbers times r at least, or 2: with fewer
    it could be multiplied out. And no path is better than one of its nodes.
    """
    length = max(len(tails[place]) for tails in profiles if place in tails)
    most = budget // (4 * place[0] * place[1])
    most = min(length - 2, most, int(math.sqrt(budget / (2 * place[0] * place[1]))))
    ranks = RANKS[most >= RANKS]
    missing = np.full(len(ranks), np.inf)
    left = np.stack([tails[place][ranks] ** 2 if place in tails else missing for tails in profiles])
    left[left > within] = np.inf
    useful = np.isfinite(left).any(axis=0)
    return ranks[useful], left[:, useful]


def cheapest_paths(
    squares: Mapping[tuple[int, int], tuple[np.ndarray, np.ndarray]],
    shape: tuple[int, int],
    prices: np.ndarray,
) -> list[Path]:
    """For each price the path with the least sum of squared tails and numbers times price.

    `squares` are, for each (Q, P), the ranks that it may have and what they leave. A path passes
    one node at least.
    """
    lifted = {place: (ranks, left[None]) for place, (ranks, left) in squares.items()}
    (paths,) = _cheapest(lifted, shape, prices[None])
    return [path for path in paths if path is not None]


def _cheapest(
    squares: Mapping[tuple[int, int], tuple[np.ndarray, np.ndarray]],
    shape: tuple[int, int],
    prices: np.ndarray,
) -> list[list[Path | None]]:
    """`cheapest_paths` of some profiles at once, each with prices (k, n) and tails (k, ranks)."""
    m, n = shape
    # from the end, (1, n), to the start: the followers of a node come before it
    places = sorted(squares, key=lambda place: (place[0], -place[1]))
    states = np.array([[1, n, 1]])  # Q, P, r
    leave = np.zeros((len(prices), 1))
    value = np.zeros((*prices.shape, 1))  # least cost from a state to the end
    following = np.full(value.shape, -1)
    for Q, P in [*places, (m, 1)]:
        start = np.array([1]), np.zeros((len(prices), 1))
        ranks, left = squares[Q, P] if (m, 1) != (Q, P) else start
        fits = (Q % states[:, 0] == 0) & (states[:, 1] % P == 0)
        fits &= (states[:, 0] != Q) | (states[:, 1] != P)
        if (m, 1) == (Q, P):
            fits[0] = False  # not at once to the end
        (after,) = np.nonzero(fits)
        if not len(after):
            return [[None] * prices.shape[1] for _ in prices]
        numbers = np.outer(Q * ranks, states[after, 1] * states[after, 2])
        costs = prices[..., None, None] * numbers + value[..., None, after]  # (k, n, ranks, after)
        choice = np.argmin(costs, axis=-1)
        least = np.take_along_axis(costs, choice[..., None], axis=-1)[..., 0]
        here = np.column_stack([np.full_like(ranks, Q), np.full_like(ranks, P), ranks])
        states, leave = np.concatenate([states, here]), np.concatenate([leave, left], axis=1)
        value = np.concatenate([value, least + left[:, None, :]], axis=-1)
        following = np.concatenate([following, after[choice]], axis=-1)
    return [
        [
            _followed(states, leave[k], following[k, i], shape)
            if np.isfinite(value[k, i, -1])
            else None
            for i in range(prices.shape[1])
        ]
        for k in range(len(prices))
    ]


def _followed(
    states: np.ndarray, leave: np.ndarray, following: np.ndarray, shape: tuple[int, int]
) -> Path:
    """The path from the start, which is the last of the states."""
    at, passed = following[-1], []
    while at > 0:
        passed.append(at)
        at = following[at]
    nodes = tuple(Node(*map(int, states[i])) for i in passed)
    return Path(nodes, numbers_of(nodes, shape), float(np.sum(leave[passed])))


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
