"""The best structure under a budget of numbers, from the tails of some blocks of some nodes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from skfact.butterfly._structure.nodes import ARRANGEMENTS, Node, chain_through
from skfact.butterfly._structure.paths import Path, best_paths
from skfact.butterfly._structure.tails import Tails
from skfact.supports import Chain
from skfact.supports._radices import balanced_factors, divisors, next_smooth, prime_factors

THINNED = 4  # divisors of the first stage are so far apart
DRAWN = 64, 256  # rows or columns of the blocks that are looked at in each stage
CHECKED = 6  # rounds in which the best path is looked at in all blocks
KEPT = 3  # paths whose neighbourhood is looked at in the second one
LONGER = 0.9  # squared error of a chain of three factors or more, over the bound
PADDING = 1.12  # a side may grow by so much


class Structure(NamedTuple):
    """A chain, the permutation that goes with it, and the relative error that it promises."""

    permutation: str | None
    chain: Chain
    estimate: float


def best_structures(
    A: Any, budget: int, count: int = 1, *, thorough: bool = False
) -> list[Structure]:
    """The most promising structures with at most so many numbers, the best one first.

    The matrix is of ordinary magnitude. Low rank stands last if it is not there already: its error
    is known, while that of the others is estimated from samples. `thorough` looks at all blocks of
    all nodes.
    """
    shape = rich_size(A.shape[0]), rich_size(A.shape[1])
    lattice = Lattice(Tails(A, shape), shape)
    if thorough:
        lattice.look(_places([divisors(shape[0]), divisors(shape[1])], budget), None)
    else:
        lattice.look(_places([_thinned(shape[0]), _thinned(shape[1])], budget), DRAWN[0])
        lattice.look((place for place in _balanced(shape) if _fits(place, budget)), DRAWN[0])
        near = {
            neighbour
            for _, path in lattice.best(budget)[:KEPT]
            for node in path.nodes
            for neighbour in _neighbours(node, shape)
        }
        lattice.look((place for place in sorted(near) if _fits(place, budget)), DRAWN[1])
    for _ in range(CHECKED):  # samples flatter what they choose
        name, path = next(iter(lattice.best(budget)), (None, None))
        if path is None or not lattice.check(name, path):
            break
    found = [
        Structure(name, chain_through(path.nodes, shape), _estimate(path, lattice.norm))
        for name, path in lattice.best(budget)[:count]
    ]
    rank = min(budget // sum(A.shape), min(A.shape))
    low_rank = Chain.low_rank(A.shape[0], A.shape[1], rank) if rank else None
    if low_rank is None or any(s.chain.shape == A.shape and s.chain == low_rank for s in found):
        return found
    missed = Tails(A).exact(Node(1, 1, rank), ARRANGEMENTS[None])[rank] / (lattice.norm or 1.0)
    return sorted([*found, Structure(None, low_rank, missed)], key=lambda s: s.estimate)


class Lattice:
    """What has been looked at of a matrix: tails by arrangement and (Q, P)."""

    def __init__(self, tails: Tails, shape: tuple[int, int]) -> None:
        self.tails, self.shape, self.rng = tails, shape, np.random.default_rng(0)
        self.known: dict[str | None, dict[tuple[int, int], np.ndarray]] = {
            name: {} for name in ARRANGEMENTS
        }
        self._paths: dict[Any, list[Path]] = {}  # by arrangement and budget
        self.exact: set[tuple[str | None, tuple[int, int]]] = set()
        self.norm = 0.0

    def look(self, places: Iterable[tuple[int, int]], drawn: int | None) -> None:
        """Learn the tails at some places, from blocks with so many rows or columns (None: all)."""
        self._forget(ARRANGEMENTS)
        for Q, P in places:
            side = min(self.shape[0] // Q, self.shape[1] // P)
            for name, arrangement in ARRANGEMENTS.items():
                if name is not None and Q == P == 1:  # the same in any order
                    continue
                node = Node(Q, P, 1)
                if drawn is None:
                    tails = self.tails.exact(node, arrangement)
                else:
                    count = max(2, drawn // side)
                    tails = self.tails.sampled(node, arrangement, count, self.rng)
                self.known[name][Q, P] = tails
                self.norm = max(self.norm, float(tails[0]))

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
        paths = []
        for name, known in self.known.items():
            if (name, budget) not in self._paths:
                self._paths[name, budget] = best_paths(known, self.shape, budget, KEPT)
            paths += [(name, path) for path in self._paths[name, budget]]
        return sorted(
            paths,
            key=lambda pair: (max(_estimate(pair[1], self.norm), 1e-7), pair[1].numbers),
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


def _fits(place: tuple[int, int], budget: int) -> bool:
    """Whether a chain of so many numbers may pass a place: both its factors have 2 Q P at least."""
    return 4 * place[0] * place[1] <= budget


def _places(
    sides: tuple[tuple[int, ...], ...] | list[tuple[int, ...]], budget: int
) -> list[tuple[int, int]]:
    """Places with these numbers of classes, blocks of two rows and two columns at least."""
    (*rows, _), (*cols, _) = sides
    return [(Q, P) for Q in rows for P in cols if _fits((Q, P), budget)]


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
