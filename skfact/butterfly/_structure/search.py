"""The best structure under a budget of numbers, from the tails of some blocks of some nodes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from skfact.butterfly._structure.nodes import ARRANGEMENTS, Node, chain_through
from skfact.butterfly._structure.paths import Path, best_paths_of
from skfact.butterfly._structure.tails import Tails
from skfact.supports import Chain
from skfact.supports._radices import balanced_factors, divisors, next_smooth, prime_factors

THINNED = 4  # divisors of the first stage are so far apart
DRAWN = 48, 96  # rows or columns of the blocks that are looked at in each stage
CHECKED = 6  # rounds in which the best path is looked at in all blocks
HOPS = 2  # times that the neighbours of the best paths are looked at
KEPT = 3  # paths whose neighbourhood is looked at in the second one
LONGER = 0.9  # squared error of a chain of three factors or more, over the bound
PADDING = 1.12  # a side may grow by so much
ROUNDING = 1e-7  # relative errors that are not told from zero


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
        self.lattice = Lattice(Tails(A, shape), shape)
        if thorough:
            self.lattice.look(self._fitting(divisors(shape[0]), divisors(shape[1])), None)
        else:
            self.lattice.look(self._fitting(_thinned(shape[0]), _thinned(shape[1])), DRAWN[0])
            self.lattice.look((at for at in _balanced(shape) if _fits(at, largest)), DRAWN[0])

    def best(self, budget: int, count: int = 1) -> list[Structure]:
        """Structures with at most so many numbers, the best one first; none if none is so small.

        Low rank is among them: its error is known, while that of others is estimated from samples.
        """
        lattice = self.lattice
        if budget < sum(self.A.shape):
            return []
        for _ in range(0 if self.thorough else HOPS):
            near = {
                neighbour
                for _, path in lattice.best(budget)[:KEPT]
                for node in path.nodes
                for neighbour in _neighbours(node, lattice.shape)
            }
            fitting = (at for at in sorted(near) if _fits(at, self.largest))
            if not lattice.look(fitting, DRAWN[1]):
                break
        for _ in range(CHECKED):  # samples flatter what they choose
            name, path = next(iter(lattice.best(budget)), (None, None))
            if path is None or not lattice.check(name, path):
                break
        found = [
            Structure(name, chain_through(path.nodes, lattice.shape), _estimate(path, lattice.norm))
            for name, path in lattice.best(budget)[:count]
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
        whole = ARRANGEMENTS[None]
        known = self.lattice.known[None].get((1, 1)) if self.lattice.shape == self.A.shape else None
        tails = Tails(self.A).exact(Node(1, 1, 1), whole) if known is None else known
        return tails / (tails[0] or 1.0)

    def _fitting(self, rows: Sequence[int], cols: Sequence[int]) -> list[tuple[int, int]]:
        """Places with these numbers of classes, blocks of two rows and columns at least."""
        return [(Q, P) for Q in rows[:-1] for P in cols[:-1] if _fits((Q, P), self.largest)]


class Lattice:
    """What has been looked at of a matrix: tails by arrangement and (Q, P)."""

    def __init__(self, tails: Tails, shape: tuple[int, int]) -> None:
        self.tails, self.shape, self.rng = tails, shape, np.random.default_rng(0)
        self.known: dict[str | None, dict[tuple[int, int], np.ndarray]] = {
            name: {} for name in ARRANGEMENTS
        }
        self._paths: dict[Any, list[Path]] = {}  # by arrangement and budget
        self.exact: set[tuple[str | None, tuple[int, int]]] = set()
        self._drawn: dict[tuple[int, int], float] = {}  # rows or columns of the blocks looked at
        self.norm = 0.0

    def look(self, places: Iterable[tuple[int, int]], drawn: int | None) -> bool:
        """Learn the tails at some places, from blocks with so many rows or columns (None: all).

        Whether there were any to learn.
        """
        size = math.inf if drawn is None else drawn
        places = [place for place in places if self._drawn.get(place, 0) < size]
        self._forget(ARRANGEMENTS if places else [])
        for Q, P in places:
            names = [name for name in ARRANGEMENTS if (name, (Q, P)) not in self.exact]
            if Q == P == 1:  # one block is the same in any order
                names = [name for name in names if name is None]
            side = min(self.shape[0] // Q, self.shape[1] // P)
            count = Q * P if drawn is None else max(2, drawn // side)
            arrangements = [ARRANGEMENTS[name] for name in names]
            found = self.tails.sampled_in_all(Node(Q, P, 1), arrangements, count, self.rng)
            for name, tails in zip(names, found, strict=True):
                self.known[name][Q, P] = tails
                self.norm = max(self.norm, float(tails[0]))
            self._drawn[Q, P] = math.inf if count >= Q * P else size
            if count >= Q * P:
                self.exact.update((name, (Q, P)) for name in names)
        return bool(places)

    def _forget(self, names: Iterable[str | None]) -> None:
        """Paths of arrangements that something new is known of."""
        names = list(names)
        self._paths = {key: paths for key, paths in self._paths.items() if key[0] not in names}

    def check(self, name: str | None, path: Path) -> bool:
        """Learn the exact tails along a path; whether there were any to learn."""
        news = [node for node in path.nodes if (name, node[:2]) not in self.exact]
        self._forget([name] if news else [])
        for node in news:
            self.known[name][node[:2]] = self.tails.exact(node, ARRANGEMENTS[name])
            self.exact.add((name, node[:2]))
        return bool(news)

    def best(self, budget: int) -> list[tuple[str | None, Path]]:
        """The best paths of all arrangements, by their estimate."""
        missing = [name for name in self.known if (name, budget) not in self._paths]
        if missing:
            least = min(
                (some[0].error2 for (_, at), some in self._paths.items() if at == budget and some),
                default=math.inf,
            )
            profiles = [self.known[name] for name in missing]
            found = best_paths_of(profiles, self.shape, budget, KEPT, least)
            self._paths |= {(name, budget): some for name, some in zip(missing, found, strict=True)}
        paths = [(name, path) for name in self.known for path in self._paths[name, budget]]
        return sorted(
            paths,
            key=lambda pair: (max(_estimate(pair[1], self.norm), ROUNDING), pair[1].numbers),
        )


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


def _thinned(n: int) -> tuple[int, ...]:
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
