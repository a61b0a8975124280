"""Radices of rotations: into which digits an index is split, so that all entries are small."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from skfact.transforms._flat_blocks import flatness

SIDES = 64  # blocks up to this side are tried first
FLAT, FLAT_ENOUGH = math.sqrt(2), 2.0


class Radices(NamedTuple):
    """Digits of the indices, the last of them the fastest, and what is known of the rotation."""

    flatness: float  # bound of the largest entry, times sqrt(n)
    n_products: int  # for each output: the sum of the radices
    n_factors: int
    radices: tuple[int, ...]

    def with_digit(self, b: int, flatness: float) -> Radices:
        """One more digit, the fastest one, with which the bound is another one."""
        bound = round(flatness, 9)  # so that equal ones are
        return Radices(bound, self.n_products + b, self.n_factors + 1, (*self.radices, b))


def flat_radices(n: int) -> Radices:
    r"""The radices of least flatness for a rotation of size n, and of these the cheapest.

    The product of the radices is n, or exceeds it by less than the last radix.

    Where it does, the last indices are padding. A path of digits from an input to an output then
    meets at most one block with padding, whose other entries are mixed by a smaller block: these
    entries are so much larger.
    """
    found = list(choices(n, 2, SIDES))
    if not found or min(found).flatness > FLAT:
        found += choices(n, SIDES + 1, 2 * SIDES)
    low = 2 * SIDES + 1
    while not found or min(found).flatness > FLAT_ENOUGH:  # it ends: one block of side n is enough
        found += choices(n, low, 2 * low)
        low = 2 * low + 1
    return min(found)


def choices(n: int, low: int, high: int) -> Iterator[Radices]:
    """What there is with a last radix within limits."""
    for last in range(low, min(n, high) + 1):
        first = -(-n // last)
        known = exact_radices(first)
        if known is None:
            continue
        padding = last * first - n
        spread = flatness(last)
        if padding:
            # the last block of the last digit, or one of another digit without its last entry
            shorter = math.sqrt(last / (last - padding)) * flatness(last - padding)
            spread = max(spread, shorter)
            for b in known.radices:
                shorter = math.sqrt(b / (b - 1)) * flatness(b - 1) / flatness(b)
                spread = max(spread, flatness(last) * shorter)
            spread *= math.sqrt(n / (last * first))
        yield known.with_digit(last, known.flatness * spread)


@lru_cache(maxsize=2**14)
def exact_radices(n: int) -> Radices | None:
    """Radices up to `SIDES` whose product is n, if all prime factors of n are."""
    if n == 1:
        return Radices(1.0, 0, 0, ())
    best = None
    for b in range(2, min(n, SIDES) + 1):
        rest = exact_radices(n // b) if n % b == 0 else None
        if rest is not None:
            found = rest.with_digit(b, rest.flatness * flatness(b))
            best = found if best is None else min(best, found)
    return best
