"""The best chain under a budget: a shortest path in the lattice, with a price for each number.

With orthogonal splits from one end to the other the squared error of a chain is at most the sum of
the squared tails of its nodes, and at least the largest of them. So the sum ranks the chains before
any is factored. It is minimized together with the numbers of the factors times a price
(a Lagrange multiplier), for some prices at once; what is left of the budget goes into ranks.
Chains of two and of three factors are all looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from skfact._kernels.chains import best_pairs, cheapest, fit_ranks
from skfact.butterfly._structure.nodes import Node
from skfact.butterfly._structure.profiles import ROUNDING, Profiles

# ranks that are tried on the way; between them the budget is filled up
RANKS = np.array([1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64, 96, 128, 192, 256])
PRICES = np.geomspace(1e-7, 1e1, 6)  # times the energy of the matrix over the budget
SPARE = 1.4  # times the squared error of two factors below which nodes of longer chains are kept
TRIPLES = 6  # chains of three factors that are kept


class Path(NamedTuple):
    """A chain by its nodes, what it costs, and the bound of its squared error."""

    nodes: tuple[Node, ...]
    numbers: int
    error2: float


class Candidates(NamedTuple):
    """Chains by their places and ranks, -1 at their ends."""

    places: np.ndarray  # (.., length)
    ranks: np.ndarray
    numbers: np.ndarray  # (..)
    error2: np.ndarray  # infinite for none


def numbers_of(nodes: Sequence[Node], shape: tuple[int, int]) -> int:
    """Numbers of all factors of the chain that passes these nodes."""
    path = [Node(shape[0], 1, 1), *nodes, Node(1, shape[1], 1)]
    return sum(before.numbers_before(after) for before, after in pairwise(path))


def best_paths(tails: Profiles, budget: int, count: int = 1) -> list[Path]:
    """Paths of small squared errors with at most so many numbers, the best one first."""
    some = candidates(tails, [0], budget) if tails.names else None
    return [] if some is None else [path for _, path in best_of(tails, some, count)]


def candidates(
    profiles: Profiles, rows: Sequence[int], budget: int, least: float = np.inf
) -> Candidates:
    """Chains (rows, ..) of small squared errors with at most so many numbers.

    One node with all the numbers is the best chain of two factors through it, exactly. Longer ones
    only if their squared error may be about the least that is known, of any row or elsewhere.
    """
    squares = profiles.squares[rows]
    most = profiles.useful(squares)
    ranks, least_of_two = _two_factors(profiles, squares, most, budget)
    within = max(SPARE * min(least, least_of_two), ROUNDING * profiles.energy)
    three = best_pairs(profiles.places, squares, most, RANKS, budget, TRIPLES)
    more = _longer(profiles, squares, budget, within)
    sizes = [ranks.shape[1], TRIPLES, more[0].shape[1]]
    places_of = np.full((len(squares), sum(sizes), more[0].shape[-1]), -1)
    ranks_of = np.zeros_like(places_of)
    places_of[:, : sizes[0], 0] = np.where(ranks >= 1, np.arange(sizes[0]), -1)
    ranks_of[:, : sizes[0], 0] = ranks
    for start, (places, chosen) in ((sizes[0], three), (sizes[0] + sizes[1], more)):
        own = slice(start, start + places.shape[1]), slice(places.shape[2])
        places_of[:, *own], ranks_of[:, *own] = places, chosen
    return _counted(profiles, squares, places_of, ranks_of)


def _counted(
    profiles: Profiles, squares: np.ndarray, places: np.ndarray, ranks: np.ndarray
) -> Candidates:
    """Chains, and what they cost and leave."""
    (m, n), (Q, P, starts, _) = profiles.shape, profiles.places
    there = places >= 0
    Qr, Pr = (np.where(there, side[places] * ranks, 1) for side in (Q, P))
    numbers = m * Pr[..., 0] + np.sum(
        np.where(there[..., 1:], Qr[..., :-1] * Pr[..., 1:], 0), axis=-1
    )
    last = np.maximum(np.sum(there, axis=-1, keepdims=True) - 1, 0)
    numbers += n * np.take_along_axis(Qr, last, axis=-1)[..., 0]
    at = np.where(there, starts[places] + ranks, 0).reshape(len(squares), -1)
    left = np.take_along_axis(squares, at, axis=1).reshape(there.shape)
    error2 = np.sum(np.where(there, left, 0.0), axis=-1)
    return Candidates(places, ranks, numbers, np.where(there[..., 0], error2, np.inf))


def best_of(
    profiles: Profiles, some: Candidates, count: int, longer: float = 1.0
) -> list[tuple[int, Path]]:
    """The rows and paths of the best candidates (rows, ..), the best one first.

    `longer` is the squared error of a chain of three factors or more, over its bound.
    """
    keys = some.error2 * np.where(some.places[..., 1] >= 0, longer, 1.0)
    keys = np.maximum(keys, ROUNDING * profiles.energy).ravel()
    found: dict[tuple[int, Path], None] = {}
    for at in np.lexsort((some.numbers.ravel(), keys)).tolist():
        row, i = divmod(at, some.numbers.shape[1])
        if len(found) == count or not some.error2[row, i] < np.inf:
            break
        pairs = zip(some.places[row, i].tolist(), some.ranks[row, i].tolist(), strict=True)
        nodes = tuple(profiles.node(place, r) for place, r in pairs if place >= 0)
        path = Path(nodes, int(some.numbers[row, i]), float(some.error2[row, i]))
        found[row, path] = None
    return list(found)


def _two_factors(
    profiles: Profiles, squares: np.ndarray, most: np.ndarray, budget: int
) -> tuple[np.ndarray, float]:
    """The largest rank at each place (rows, p) for chains of two factors, and the least error.

    Their errors are those of their blocks.
    """
    (m, n), (Q, P, starts, _) = profiles.shape, profiles.places
    ranks = np.minimum(budget // (m * P + n * Q), most)
    left = np.take_along_axis(squares, starts[:-1] + ranks, axis=1)
    return ranks, float(np.min(left, where=ranks >= 1, initial=np.inf))


def _longer(
    profiles: Profiles, squares: np.ndarray, budget: int, within: float
) -> tuple[np.ndarray, np.ndarray]:
    """Places and ranks (rows, prices, length): paths of least cost, made to meet the budget."""
    first, ranks, left = _useful_ranks(profiles, squares, budget, within)
    prices = np.tile(PRICES * (profiles.energy or 1.0) / budget, (len(squares), 1))
    paths = cheapest(profiles.places, first, ranks, left, prices)
    of = np.append(np.repeat(np.arange(len(first) - 1), np.diff(first)), -1)
    places, chosen = of[paths], np.append(ranks, 1)[paths]
    which = np.repeat(np.arange(len(squares)), prices.shape[1])
    limits = np.array([budget, ROUNDING * profiles.energy])
    flat = places.reshape(len(which), -1), chosen.reshape(len(which), -1)
    fit_ranks(profiles.places, squares, which, *flat, limits)
    places[chosen[..., 0] < 0] = -1
    return places, chosen


def _useful_ranks(
    profiles: Profiles, squares: np.ndarray, budget: int, within: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ranks that are worth their numbers at each place, and the squared tails that they leave.

    On either side of the node is a factor with Q P r numbers times r at least, or 2: with fewer
    it could be multiplied out. And no path is better than one of its nodes.
    """
    Q, P, starts, _ = profiles.places
    most = np.minimum(budget // (4 * Q * P), np.sqrt(budget / (2 * Q * P)).astype(int))
    most = np.minimum(most, profiles.lengths - 2)
    place, at = np.nonzero(most[:, None] >= RANKS)
    left = squares[:, starts[place] + RANKS[at]]
    left[left > within] = np.inf
    useful = np.isfinite(left).any(axis=0)
    first = np.concatenate([[0], np.cumsum(np.bincount(place[useful], minlength=len(Q)))])
    return first, RANKS[at[useful]], np.ascontiguousarray(left[:, useful])


def cheapest_paths(
    squares: Mapping[tuple[int, int], tuple[np.ndarray, np.ndarray]],
    shape: tuple[int, int],
    prices: np.ndarray,
) -> list[Path]:
    """For each price the path with the least sum of squared tails and numbers times price.

    `squares` are, for each (Q, P), the ranks that it may have and what they leave. A path passes
    one node at least.
    """
    profiles = Profiles(squares, shape, 0.0)
    some = [squares[place] for place in profiles.names]
    first = np.concatenate([[0], np.cumsum([len(ranks) for ranks, _ in some], dtype=int)])
    ranks, left = (np.concatenate(parts) for parts in zip(*some, strict=True))
    of = np.repeat(np.arange(len(some)), np.diff(first))
    found = []
    for path in cheapest(profiles.places, first, ranks, left[None], prices[None])[0].tolist():
        states = [s for s in path if s >= 0]
        nodes = tuple(profiles.node(of[s], int(ranks[s])) for s in states)
        if nodes:
            found.append(Path(nodes, numbers_of(nodes, shape), float(np.sum(left[states]))))
    return found
