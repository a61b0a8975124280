"""Sizes as products of small integers: what chains are built from, and the digits of an index."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod

import numpy as np
from scipy.fft import next_fast_len

from skfact._checks import positive_ints

LARGEST_RADIX = 7


@lru_cache(maxsize=4096)
def prime_factors(n: int) -> tuple[int, ...]:
    """Return the prime factors of `n` in ascending order, repeated; () for 1."""
    factors = []
    prime = 2
    while prime * prime <= n:
        while n % prime == 0:
            factors.append(prime)
            n //= prime
        prime += 1
    if n > 1:
        factors.append(n)
    return tuple(factors)


@lru_cache(maxsize=4096)
def padded_size(n: int) -> int:
    """Return `n`, or the next 5-smooth size if a prime above 7 divides `n`."""
    if max(prime_factors(n), default=1) <= LARGEST_RADIX:
        return n
    return int(next_fast_len(n, real=True))


@lru_cache(maxsize=4096)
def balanced_factors(n: int, n_factors: int) -> tuple[int, ...]:
    """Write `n` as an ascending product of `n_factors` integers with the smallest sum.

    The product is fixed, so the smallest sum is the most equal choice. No factor is 1, which
    asks for at least `n_factors` prime factors.
    """
    if n_factors == 1:
        return (n,)
    candidates = (
        tuple(sorted((d, *balanced_factors(n // d, n_factors - 1))))
        for d in _divisors(n)[1:]
        if len(prime_factors(n // d)) >= n_factors - 1
    )
    return min(candidates, key=lambda factors: (sum(factors), factors[::-1]))


@lru_cache(maxsize=4096)
def _divisors(n: int) -> tuple[int, ...]:
    divisors = {1}
    for prime in prime_factors(n):
        divisors |= {prime * d for d in divisors}
    return tuple(sorted(divisors))


def digit_reversal(radices: Sequence[int]) -> np.ndarray:
    """Return the permutation of the columns that makes a DFT a product of a chain.

    Column `j` of the permuted matrix has the digits ``j_1, ..., j_L`` in the mixed radix system
    `radices`, most significant first; it is column
    ``j_1 + p_1 * j_2 + p_1 * p_2 * j_3 + ...`` of the DFT, whose digits, least significant first,
    are the same. For radices all equal to 2 this is bit reversal.

    Parameters
    ----------
    radices : sequence of int
        Column radices ``p_1, ..., p_L`` of the chain, from left to right.

    Returns
    -------
    permutation : ndarray of shape (prod(radices),), dtype intp
        Index such that ``F[:, permutation]`` is exactly factorable by
        ``Chain.deformable(radices, radices)``, `F` being the DFT matrix.

    See Also
    --------
    Chain.butterfly : The chain whose radices are prime factors.

    Examples
    --------
    >>> from skfact.supports import Chain, digit_reversal
    >>> digit_reversal(Chain.butterfly(8).in_radices)
    array([0, 4, 2, 6, 1, 5, 3, 7])
    >>> digit_reversal(Chain.butterfly(6).in_radices)
    array([0, 2, 4, 1, 3, 5])
    """
    p = positive_ints(radices, "radices")
    return np.arange(prod(p), dtype=np.intp).reshape(p[::-1]).T.ravel()
