"""Multiplying neighbouring factors out: exact algebra, and a model of when it pays."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from skfact._inputs import dtype_name
from skfact.operators._factors import SELECTION
from skfact.supports import KroneckerSparse


@dataclass(frozen=True)
class BlockCost:
    """Nanoseconds to multiply one dense b x c block by a c x batch array, of one dtype.

    ``call + row * (b + c) * batch + multiply * b * c * batch + load * b * c``
    """

    call: float
    row: float
    multiply: float
    load: float

    def __call__(self, b: int, c: int, batch: int) -> float:
        return (
            self.call
            + self.row * (b + c) * batch
            + self.multiply * b * c * batch
            + self.load * b * c
        )


# Fitted by eye to NumPy 2.4 with OpenBLAS 0.3 on one core of an x86-64 server with AVX2: block
# products of total size 1024, b = c = 2 .. 1024 and batches of 1 .. 128 (within a factor of 1.5
# but for batches of 2 to 8, which take up to twice as long). Only ratios matter, and these vary
# little between machines; other array libraries use the same table.
BLOCK_COST = {
    "float32": BlockCost(call=100, row=0.2, multiply=0.024, load=0.15),
    "float64": BlockCost(call=100, row=0.6, multiply=0.055, load=0.2),
    "complex64": BlockCost(call=60, row=0.5, multiply=0.09, load=0.15),
    "complex128": BlockCost(call=60, row=0.8, multiply=0.21, load=0.2),
}
FACTOR_COST = 6000.0  # nanoseconds per factor, for the calls of Python and NumPy around the blocks
USUAL_BATCH = 64  # what `fuse` assumes
LONG = 64  # factors up to which the best of all ways to cut is looked for


def product_pattern(left: Any, right: Any) -> Any:
    """Pattern of the product of two neighbours if that is one factor, else None.

    Two Kronecker-sparse factors have a Kronecker-sparse product where they are chainable, or where
    their transposes are: the product is then the transpose of a chainable one.
    """
    if left == SELECTION and right == SELECTION:
        return SELECTION
    if not (isinstance(left, KroneckerSparse) and isinstance(right, KroneckerSparse)):
        return None
    if left.is_chainable_with(right):
        return left.product(right)
    if right.T.is_chainable_with(left.T):
        return right.T.product(left.T).T
    return None


Cost = Callable[[Any], float]  # nanoseconds to apply a factor of a pattern


def numpy_cost(dtype: Any, batch: int) -> Cost:
    """Expected time of the batched matrix products of an array library."""
    block_cost = BLOCK_COST[dtype_name(dtype)]

    def cost(pattern: Any) -> float:
        if not isinstance(pattern, KroneckerSparse):
            return FACTOR_COST
        a, b, c, d = pattern
        return FACTOR_COST + a * d * block_cost(b, c, batch)

    return cost


def segment_costs(patterns: Sequence[Any], cost: Cost) -> dict[tuple[int, int], float]:
    """The cost of each run ``patterns[i:j]`` that is one factor."""
    segments = {}
    for start, pattern in enumerate(patterns):
        for stop in range(start + 1, len(patterns) + 1):
            if stop > start + 1:
                pattern = product_pattern(pattern, patterns[stop - 1])
                if pattern is None:
                    break
            segments[start, stop] = cost(pattern)
    return segments


def absorbed(
    patterns: Sequence[Any], cost: Cost, n: int | None
) -> tuple[list[Any], list[tuple[int, int]]]:
    """Products of neighbours that cost no more than one of the two, and the runs they stand for.

    In one pass. At least `n` patterns with numbers are left, if there are so many.
    """
    spare = sum(pattern != SELECTION for pattern in patterns) - (n or 1)
    found: list[Any] = []
    runs: list[tuple[int, int]] = []
    for position, pattern in enumerate(patterns):
        found.append(pattern)
        runs.append((position, position + 1))
        while len(found) > 1:
            left, right = found[-2:]
            product = product_pattern(left, right)
            counted = product != SELECTION
            if (
                product is None
                or (counted and spare <= 0)
                or cost(product) > max(cost(left), cost(right))
            ):
                break
            spare -= counted
            found[-2:] = [product]
            runs[-2:] = [(runs[-2][0], position + 1)]
    return found, runs


def cheapest_partition(
    factors: Sequence[Any], cost: Cost, n: int | None = None
) -> tuple[tuple[int, int], ...]:
    """Cut the factors into runs (start, stop) to be fused, so that applying the runs costs least.

    The cost of a pattern to avoid is infinite; there is no run if each way to cut has that cost.
    `n` is the number of runs with numbers of their own (partial permutations are not counted), or
    the nearest possible one: at most that of the factors, and not fewer than can be reached.
    More than `LONG` factors are shortened first: all ways to cut them are too many.
    """
    patterns: Sequence[Any] = [factor._pattern for factor in factors]
    pieces = [(i, i + 1) for i in range(len(patterns))]
    if len(patterns) > LONG:
        patterns, pieces = absorbed(patterns, cost, n)
        if n is not None and sum(pattern != SELECTION for pattern in patterns) == n:
            return tuple(pieces)
    # a run of several has numbers if its first pattern has; without a number to reach none counts
    counts = [int(n is not None and pattern != SELECTION) for pattern in patterns]
    segments = segment_costs(patterns, cost)
    # best[stop][count] = (cost, start of the last run) over partitions of patterns[:stop]
    best: list[dict[int, tuple[float, int]]] = [{0: (0.0, 0)}]
    by_stop: list[list[int]] = [[] for _ in range(len(patterns) + 1)]
    for start, stop in segments:
        by_stop[stop].append(start)
    for stop in range(1, len(patterns) + 1):
        here: dict[int, tuple[float, int]] = {}
        for start in by_stop[stop]:
            for before, (spent, _) in best[start].items():
                count, total = before + counts[start], spent + segments[start, stop]
                if total < here.get(count, (math.inf, 0))[0]:
                    here[count] = (total, start)
        best.append(here)
    if not best[-1]:
        return ()
    count = min(best[-1], key=lambda k: (abs(k - (n or 0)), k))
    runs = []
    stop = len(patterns)
    while stop:
        start = best[stop][count][1]
        runs.append((pieces[start][0], pieces[stop - 1][1]))
        count -= counts[start]
        stop = start
    return tuple(reversed(runs))


def fuse_runs(factors: Sequence[Any], runs: Sequence[tuple[int, int]]) -> list[Any]:
    """Multiply out each run ``factors[start:stop]``."""
    return [
        reduce(lambda left, right: left._times(right), factors[start:stop]) for start, stop in runs
    ]
