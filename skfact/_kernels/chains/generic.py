"""Loops over chains in NumPy: a node is a place (Q, P) and a rank r, and it leaves a squared error.

A chain of an m x n matrix goes from (m, 1, 1) through its nodes to (1, n, 1). The factor between
two of them has Q r P' r' numbers; what all nodes leave together is the bound of its squared error.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Places(NamedTuple):
    """Places that chains may pass, in an order in which those that follow come before."""

    Q: np.ndarray  # (p,)
    P: np.ndarray
    starts: np.ndarray  # (p + 1,): where the ranks 0, 1, .. of each begin
    shape: np.ndarray  # (2,): m, n

    def follow(self) -> np.ndarray:
        """Whether place j may come after place i, at [i, j]."""
        follow = (self.Q[:, None] % self.Q == 0) & (self.P % self.P[:, None] == 0)
        np.fill_diagonal(follow, False)
        return follow

    def longest(self) -> int:
        """More than the nodes of any path: each step halves Q or doubles P, at least."""
        return sum(int(size).bit_length() for size in self.shape) + 1


def cheapest(
    places: Places, first: np.ndarray, ranks: np.ndarray, left: np.ndarray, prices: np.ndarray
) -> np.ndarray:
    """Paths (k, n, length) of least squared error plus numbers times price, -1 at their ends.

    Place i may have the ranks from ``first[i]`` to ``first[i + 1]``; the state s leaves
    ``left[:, s]`` in each of k profiles, with prices (k, n). A path is given by its states, one at
    least; its first entry is -1 if there is none.
    """
    m, n = places.shape.tolist()
    of = np.repeat(np.arange(len(places.Q)), np.diff(first))
    Q, weight = places.Q[of], places.P[of] * ranks  # (states,)
    follow = places.follow()
    value = np.full((*prices.shape, len(ranks)), np.inf)
    following = np.full(value.shape, -1)
    for i in range(len(places.Q)):
        own = slice(first[i], first[i + 1])
        to_end = prices[..., None] * (places.Q[i] * ranks[own] * n)
        least, after = to_end, np.full(to_end.shape, -1)
        (others,) = np.nonzero(follow[i][of])
        if len(others):
            numbers = np.outer(Q[own] * ranks[own], weight[others])
            costs = prices[..., None, None] * numbers + value[..., None, others]
            at = np.argmin(costs, axis=-1)
            onwards = np.take_along_axis(costs, at[..., None], axis=-1)[..., 0]
            after = np.where(onwards < to_end, others[at], -1)
            least = np.minimum(onwards, to_end)
        value[..., own] = least + left[:, None, own]
        following[..., own] = after
    at = np.argmin(prices[..., None] * (m * weight) + value, axis=-1)
    at[~np.isfinite(np.min(value, axis=-1))] = -1
    steps = [at]
    for _ in range(places.longest() - 1):
        at = np.where(at >= 0, np.take_along_axis(following, at[..., None], axis=-1)[..., 0], -1)
        steps.append(at)
    return np.stack(steps, axis=-1)


def best_pairs(
    places: Places,
    squares: np.ndarray,
    most: np.ndarray,
    ranks: np.ndarray,
    budget: int,
    count: int,
) -> tuple[np.ndarray, np.ndarray]:
    """The best chains of three factors: places (k, count, 2) and ranks (k, count, 2), -1 for none.

    For all pairs of places, for `ranks` at the first and the most that is left of the budget at the
    second one, up to ranks `most` (k, p). Place i leaves ``squares[:, starts[i] + r]``.
    """
    m, n = places.shape.tolist()
    found = np.full((len(squares), count, 2), -1)
    chosen = np.full(found.shape, -1)
    i, j = np.nonzero(places.follow())
    Q, P = places.Q, places.P
    rest = budget - (m * P[i])[:, None] * ranks
    each = (Q[i] * P[j])[:, None] * ranks + (n * Q[j])[:, None]
    affordable = np.maximum(rest, 0) // each  # (pairs, ranks)
    for k in range(len(squares)):
        other = np.minimum(affordable, most[k, j, None])
        apart = (other < 1) | (ranks > most[k, i, None])
        first = np.where(apart, 0, places.starts[i][:, None] + ranks)
        second = np.where(apart, 0, places.starts[j][:, None] + other)
        error2 = np.where(apart, np.inf, squares[k, first] + squares[k, second])
        at = np.argmin(error2, axis=1) if len(i) else np.zeros(0, dtype=int)
        least = error2[np.arange(len(i)), at]
        best = np.argsort(least, kind="stable")[:count]
        best = best[np.isfinite(least[best])]
        found[k, : len(best)] = np.stack([i[best], j[best]], axis=1)
        chosen[k, : len(best)] = np.stack([ranks[at[best]], other[best, at[best]]], axis=1)
    return found, chosen


def fit_ranks(
    places: Places,
    squares: np.ndarray,
    which: np.ndarray,
    paths: np.ndarray,
    ranks: np.ndarray,
    limits: np.ndarray,
) -> None:
    """Lower ranks where that loses least, then raise them where it wins most, in place.

    Each time by one, for each number. Paths (c, length) are places, -1 at their ends, in the
    profiles `which` (c,) of (k, total); the limits are the budget and the squared error that is
    rounding. The first rank is -1 if all are one before the budget is met.
    """
    budget, rounding = int(limits[0]), float(limits[1])
    for row, path, own in zip(squares[which], paths, ranks, strict=True):
        path = path[path >= 0].tolist()
        rank = own[: len(path)].tolist()
        if path:
            _fit(places, row, path, rank, budget, rounding)
            own[: len(path)] = rank


def _fit(
    places: Places,
    squares: np.ndarray,
    path: list[int],
    rank: list[int],
    budget: int,
    rounding: float,
) -> None:
    m, n = places.shape.tolist()
    Q = [int(places.Q[i]) for i in path] + [1]
    P = [1] + [int(places.P[i]) for i in path]
    Q, P = [m, *Q], [*P, n]
    left = [squares[places.starts[i] : places.starts[i + 1]] for i in path]

    def numbers() -> int:
        r = [1, *rank, 1]
        return sum(Q[i] * r[i] * P[i + 1] * r[i + 1] for i in range(len(r) - 1))

    def best_change(by: int, most: float) -> tuple[float, int]:
        """The least loss, or largest win, of squared error a number, and where."""
        least, where = np.inf, -1
        for i, tail in enumerate(left):
            before, after = ([1, *rank, 1][i + step] for step in (0, 2))
            each = before * Q[i] * P[i + 1] + after * Q[i + 1] * P[i + 2]
            if not 1 <= rank[i] + by < len(tail) - 1 or total + by * each > most:
                continue
            slope = float(tail[rank[i] + by] - tail[rank[i]]) / each
            if slope < least:
                least, where = slope, i
        return least, where

    total = numbers()
    while total > budget:
        _, i = best_change(-1, np.inf)
        if i < 0:
            rank[0] = -1
            return
        rank[i] -= 1
        total = numbers()
    while sum(tail[r] for tail, r in zip(left, rank, strict=True)) > rounding:
        slope, i = best_change(1, budget)
        if i < 0 or slope >= 0:
            return
        rank[i] += 1
        total = numbers()
