"""The best structure under a budget of numbers, from the tails of some blocks of some nodes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from skfact._kernels.block_grams import Look
from skfact.butterfly._structure.nodes import ARRANGEMENTS, Arrangement, Node, chain_through
from skfact.butterfly._structure.paths import Candidates, Path, best_of, candidates
from skfact.butterfly._structure.profiles import Profiles
from skfact.butterfly._structure.tails import Tails, look_at
from skfact.supports import Chain
from skfact.supports._radices import balanced_factors, divisors, next_smooth, prime_factors

THINNED = 4  # divisors of the first stage are so far apart
DRAWN = 48, 96  # rows or columns of the blocks that are looked at in each stage
SMALL = 2**12  # entries of matrices that are looked at everywhere at once
CHECKED, CLOSELY = 4, 1024  # rounds in which the best path is looked at in more blocks, or in all
HOPS = 2  # times that the neighbours of the best paths are looked at
KEPT = 3  # paths whose neighbourhood is looked at in the second one
LONGER = 0.9  # squared error of a chain of three factors or more, over the bound
PADDING = 1.12  # a side may grow by so much
ROUNDING = 1e-7  # relative errors that are not told from zero
NAMES, WAYS = list(ARRANGEMENTS), list(ARRANGEMENTS.values())
#: Which arrangements have the same blocks, where there are more classes than one of rows, and of
#: columns: one class has no order.
ALIKE = {
    (rows, cols): {
        WAYS.index(first): [
            i for i, way in enumerate(WAYS) if (way.rows and rows, way.cols and cols) == first
        ]
        for first in dict.fromkeys(
            Arrangement(way.rows and rows, way.cols and cols) for way in WAYS
        )
    }
    for rows in (False, True)
    for cols in (False, True)
}


class Structure(NamedTuple):
    """A chain, the permutation that goes with it, and the relative error that it promises."""

    permutation: str | None
    chain: Chain
    estimate: float


class StructureSearch:
    """The most promising structures of a matrix of ordinary magnitude, for some budgets.

    What is learned for one budget serves the next ones; none may be above `largest`. `thorough`
    looks at all blocks of all nodes.
    """

    def __init__(self, A: Any, largest: int, *, thorough: bool = False) -> None:
        shape = rich_size(A.shape[0]), rich_size(A.shape[1])
        self.A, self.largest, self.thorough = A, largest, thorough
        everything = self._fitting(divisors(shape[0]), divisors(shape[1]))
        self.lattice = Lattice(Tails(A, shape), shape, everything)
        if thorough:
            self.lattice.look(everything, None)
        elif self._is_small():
            self.lattice.look(everything, DRAWN[0])
        else:
            first = self._fitting(thinned(shape[0]), thinned(shape[1]))
            first += (at for at in _balanced(shape) if _fits(at, largest))
            self.lattice.look(dict.fromkeys(first), DRAWN[0])

    def best(self, budget: int, count: int = 1) -> list[Structure]:
        """Structures with at most so many numbers, the best one first; none if none is so small.

        Low rank is among them: its error is known, while that of others is estimated from samples.
        """
        lattice = self.lattice
        if budget < sum(self.A.shape):
            return []
        for _ in range(0 if self.thorough or self._is_small() else HOPS):
            near = {
                neighbour
                for _, path in lattice.best(budget, KEPT)
                for node in path.nodes
                for neighbour in _neighbours(node, lattice.shape)
            }
            fitting = (at for at in sorted(near) if _fits(at, self.largest))
            if not lattice.look(fitting, DRAWN[1]):
                break
        for _ in range(CHECKED):  # samples flatter what they choose
            name, path = next(iter(lattice.best(budget, 1)), (None, None))
            if path is None or not lattice.check(name, path):
                break
        found = [
            Structure(
                name, chain_through(path.nodes, lattice.shape), _estimate(path, lattice.tails.norm)
            )
            for name, path in lattice.best(budget, count)
        ]
        low_rank = self.low_rank(budget)
        if low_rank is None or any(structure.chain == low_rank.chain for structure in found):
            return found
        return sorted([*found, low_rank], key=_by_estimate)

    def low_rank(self, budget: int, enough: float = ROUNDING) -> Structure | None:
        """Low rank with at most so many numbers; its error is exact, but for rounding.

        The least rank that reaches an error that is enough.
        """
        rank = min(budget // sum(self.A.shape), min(self.A.shape))
        if rank == 0:
            return None
        rank = max(1, min(rank, int(np.argmax(self.low_rank_errors <= enough))))
        chain = Chain.low_rank(self.A.shape[0], self.A.shape[1], rank)
        return Structure(None, chain, float(self.low_rank_errors[rank]))

    @cached_property
    def low_rank_errors(self) -> np.ndarray:
        """Relative errors of rank 0, 1, .."""
        tails = self.lattice.whole() if self.lattice.shape == self.A.shape else None
        if tails is None:
            tails = Tails(self.A).exact(Node(1, 1, 1), ARRANGEMENTS[None])
        return tails / (tails[0] or 1.0)

    def _is_small(self) -> bool:
        return bool(self.A.shape[0] * self.A.shape[1] <= SMALL)

    def _fitting(self, rows: Sequence[int], cols: Sequence[int]) -> list[tuple[int, int]]:
        """Places with these numbers of classes, blocks of two rows and columns at least."""
        return [(Q, P) for Q in rows[:-1] for P in cols[:-1] if _fits((Q, P), self.largest)]


class Lattice:
    """What has been looked at of a matrix: tails by arrangement and (Q, P)."""

    def __init__(
        self, tails: Tails, shape: tuple[int, int], places: Iterable[tuple[int, int]]
    ) -> None:
        self.tails, self.shape, self.rng = tails, shape, np.random.default_rng(0)
        self.profiles = Profiles(places, shape, tails.norm**2, len(NAMES))
        self.settled = np.zeros((len(NAMES), len(self.profiles.names)), dtype=bool)
        self._drawn = [0.0] * len(self.profiles.names)  # rows or columns of the blocks looked at
        self._candidates: dict[int, Candidates] = {}  # by budget
        self._stale: dict[int, set[int]] = {}  # arrangements that more is known of since

    def look(self, places: Iterable[tuple[int, int]], drawn: int | None) -> bool:
        """Learn the tails at some places, from blocks with so many rows or columns (None: all).

        Whether there were any to learn.
        """
        size = math.inf if drawn is None else drawn
        looks, rows = [], []
        for Q, P in places:
            at = self.profiles.index[Q, P]
            if self._drawn[at] >= size:
                continue
            side = min(self.shape[0] // Q, self.shape[1] // P)
            count = Q * P if drawn is None else max(2, drawn // side)
            for i, alike in ALIKE[Q > 1, P > 1].items():
                if not self.settled[i, at]:
                    looks.append(look_at((Q, P), WAYS[i], count))
                    rows.append(alike)
            self._drawn[at] = math.inf if count >= Q * P else size
        self._learn(looks, rows)
        return bool(looks)

    def check(self, name: str | None, path: Path) -> bool:
        """Look closely along a path; whether that had not been done."""
        i, looks, rows = NAMES.index(name), [], []
        for Q, P, _ in path.nodes:
            if not self.settled[i, self.profiles.index[Q, P]]:
                side = min(self.shape[0] // Q, self.shape[1] // P)
                looks.append(look_at((Q, P), WAYS[i], max(2, CLOSELY // side)))
                rows.append(next(some for some in ALIKE[Q > 1, P > 1].values() if i in some))
        self._learn(looks, rows, closely=True)
        return bool(looks)

    def _learn(
        self, looks: Sequence[Look], rows: Sequence[list[int]], *, closely: bool = False
    ) -> None:
        """Look; what is found is true of some rows."""
        news: set[int] = set()
        for look, alike, found in zip(
            looks, rows, self.tails.squares(looks, self.rng), strict=True
        ):
            at = self.profiles.index[look.Q, look.P]
            where = self.profiles.at(at)
            for j in alike:
                self.profiles.squares[j, where] = found
                self.settled[j, at] = closely or not look.drawn
            news.update(alike)
        for stale in self._stale.values():
            stale |= news

    def best(self, budget: int, count: int) -> list[tuple[str | None, Path]]:
        """The best paths in all arrangements, by their estimate."""
        if not self.profiles.names:
            return []
        stale = sorted(self._stale.get(budget, range(len(NAMES))))
        if stale:
            known = self._candidates.get(budget)
            fresh = [i for i in range(len(NAMES)) if i not in stale]
            least = math.inf if known is None else float(known.error2[fresh].min(initial=math.inf))
            found = self._named_once(candidates(self.profiles, stale, budget, least), stale)
            if known is None:
                self._candidates[budget] = found
            else:
                for ours, news in zip(known, found, strict=True):
                    ours[stale] = news
            self._stale[budget] = set()
        some = best_of(self.profiles, self._candidates[budget], count, LONGER)
        return [(NAMES[i], path) for i, path in some]

    def _named_once(self, some: Candidates, rows: list[int]) -> Candidates:
        """Without those in an arrangement in which the plain one has the same blocks."""
        Q, P, *_ = self.profiles.places
        there = some.places >= 0
        alike = [~np.any(there & (side[some.places] > 1), axis=-1) for side in (Q, P)]
        rows_too, cols_too = np.array([WAYS[i] for i in rows]).T[..., None]
        some.error2[(rows_too & alike[0]) | (cols_too & alike[1])] = np.inf
        return some

    def whole(self) -> np.ndarray | None:
        """Tails of the matrix itself, if they are known."""
        at = self.profiles.index.get((1, 1))
        if at is None or not self.settled[0, at]:
            return None
        return np.sqrt(self.profiles.squares[0, self.profiles.at(at)])


def rich_size(n: int) -> int:
    """The size at least n, but not much larger, with the most divisors."""
    sizes = [n, next_smooth(n), -(-n // 16) * 16]
    return max(
        (size for size in sizes if size <= PADDING * n),
        key=lambda size: (len(divisors(size)), -size),
    )


def _estimate(path: Path, norm: float) -> float:
    """Relative error that a path promises."""
    share = LONGER if len(path.nodes) > 1 else 1.0
    return float(np.sqrt(share * path.error2) / (norm or 1.0))


def _by_estimate(structure: Structure) -> tuple[float, int]:
    """The better one first; of those that are exact, up to rounding, the smaller one."""
    return max(structure.estimate, ROUNDING), structure.chain.nnz


def _fits(place: tuple[int, int], budget: int) -> bool:
    """Whether a chain of so many numbers may pass a place: both its factors have 2 Q P at least."""
    return 4 * place[0] * place[1] <= budget


def thinned(n: int) -> tuple[int, ...]:
    """Some divisors, each THINNED times the one before at least; 1 and n are among them."""
    some = [1]
    for divisor in divisors(n)[1:-1]:
        if divisor >= THINNED * some[-1]:
            some.append(divisor)
    return (*some, n)


def _balanced(shape: tuple[int, int]) -> list[tuple[int, int]]:
    """Places of the chains of equal radices, of two, three, four and as many factors as can be."""
    m, n = shape
    most = min(len(prime_factors(m)), len(prime_factors(n)))
    found = set()
    for n_factors in {2, 3, 4, most} & set(range(2, most + 1)):
        q, p = balanced_factors(m, n_factors), balanced_factors(n, n_factors)
        for i in range(1, n_factors):
            found.add((int(np.prod(q[i:])), int(np.prod(p[:i]))))
    return sorted(found)


def _neighbours(node: Node, shape: tuple[int, int]) -> list[tuple[int, int]]:
    """The place itself, and those with the next divisor above or below on either side."""
    sides = []
    for size, at in zip(shape, node[:2], strict=True):
        all_of_them = divisors(size)[:-1]
        i = all_of_them.index(at)
        sides.append(all_of_them[max(i - 1, 0) : i + 2])
    return [(Q, P) for Q in sides[0] for P in sides[1] if Q == node.Q or P == node.P]
