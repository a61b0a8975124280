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


def segment_costs(factors: Sequence[Any], cost: Cost) -> dict[tuple[int, int], tuple[int, float]]:
    """For each run ``factors[i:j]`` that is one factor: 1 if it has numbers, and its cost."""
    segments = {}
    for start in range(len(factors)):
        pattern = factors[start]._pattern
        for stop in range(start + 1, len(factors) + 1):
            if stop > start + 1:
                pattern = product_pattern(pattern, factors[stop - 1]._pattern)
                if pattern is None:
                    break
            segments[start, stop] = (int(pattern != SELECTION), cost(pattern))
    return segments


def cheapest_partition(
    factors: Sequence[Any], cost: Cost, n: int | None = None
) -> tuple[tuple[int, int], ...]:
    """Cut the factors into runs (start, stop) to be fused, so that applying the runs costs least.

    The cost of a pattern to avoid is infinite; there is no run if each way to cut has that cost.
    `n` is the number of runs with numbers of their own (partial permutations are not counted), or
    the nearest possible one: at most that of the factors, and not fewer than can be reached.
    """
    segments = segment_costs(factors, cost)
    # best[stop][count] = (cost, start of the last run) over partitions of factors[:stop]
    best: list[dict[int, tuple[float, int]]] = [{0: (0.0, 0)}]
    for stop in range(1, len(factors) + 1):
        here: dict[int, tuple[float, int]] = {}
        for start in range(stop):
            if (start, stop) not in segments:
                continue
            counted, cost_of_run = segments[start, stop]
            for count, (before, _) in best[start].items():
                total = before + cost_of_run
                if total < here.get(count + counted, (math.inf, 0))[0]:
                    here[count + counted] = (total, start)
        best.append(here)
    if not best[-1]:
        return ()
    counts = best[-1]
    if n is None:
        count = min(counts, key=lambda k: counts[k][0])
    else:
        count = min(counts, key=lambda k: (abs(k - n), k))
    runs = []
    stop = len(factors)
    while stop:
        start = best[stop][count][1]
        runs.append((start, stop))
        count -= segments[start, stop][0]
        stop = start
    return tuple(reversed(runs))


def fuse_runs(factors: Sequence[Any], runs: Sequence[tuple[int, int]]) -> list[Any]:
    """Multiply out each run ``factors[start:stop]``."""
    return [
        reduce(lambda left, right: left._times(right), factors[start:stop]) for start, stop in runs
    ]
