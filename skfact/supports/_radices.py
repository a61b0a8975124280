"""Sizes as products of small integers: what chains are built from, and the digits of an index."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import takewhile
from math import prod

import numpy as np

from skfact._checks import positive_ints

SMALL_PRIMES = (2, 3, 5, 7)  # sizes of other prime factors are padded
LARGEST_TRIED = 2**18  # numbers are divided by others up to here, in some hundredths of a second
# no composite number below the limit passes the test of Miller and Rabin to all of these bases:
# J. Sorenson, J. Webster, "Strong pseudoprimes to twelve prime bases", Math. Comp. 86, 2017
BASES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)
SURE_BELOW = 318_665_857_834_031_151_167_461


@lru_cache(maxsize=4096)
def prime_factors(n: int) -> tuple[int, ...]:
    """Return the prime factors of `n` in ascending order, repeated; () for 1.

    Raises ValueError if two of them are so large that it would take long to find them.
    """
    factors, rest, tried = [], n, 2
    while tried * tried <= rest and tried <= LARGEST_TRIED:
        while rest % tried == 0:
            factors.append(tried)
            rest //= tried
        tried += 1 + tried % 2  # 2, 3, 5, 7, 9, ...
    if rest > tried * tried and not is_prime(rest):
        raise ValueError(
            f"The size {n} has no radices that are found soon: no number up to {LARGEST_TRIED} "
            f"divides its factor {rest}. Take another size, or give the radices."
        )
    return (*factors, rest) if rest > 1 else tuple(factors)


def is_prime(n: int) -> bool:
    """Whether an odd number above those of `BASES` is certainly prime (Miller and Rabin)."""
    twos = ((n - 1) & (1 - n)).bit_length() - 1  # n - 1 = odd * 2 ** twos
    odd = (n - 1) >> twos
    return n < SURE_BELOW and all(
        pow(base, odd, n) == 1 or any(pow(base, odd << i, n) == n - 1 for i in range(twos))
        for base in BASES
    )


@lru_cache(maxsize=4096)
def padded_size(n: int) -> int:
    """Return `n`, or the next 5-smooth size if a prime above 7 divides `n`."""
    rest = n
    for prime in SMALL_PRIMES:
        while rest % prime == 0:
            rest //= prime
    return n if rest == 1 else next_smooth(n)


def next_smooth(n: int) -> int:
    """The smallest ``2**i * 3**j * 5**k`` of at least `n`, of whatever size."""
    found = 1 << (n - 1).bit_length()
    threes = 1
    while threes < found:
        part = threes
        while part < found:
            found = min(found, part << (-(-n // part) - 1).bit_length())
            part *= 5
        threes *= 3
    return found


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
        # the smallest factor is no larger than all of them would be if they were equal
        for d in takewhile(lambda d: d**n_factors <= n, divisors(n)[1:])
        if len(prime_factors(n // d)) >= n_factors - 1
    )
    return min(candidates, key=lambda factors: (sum(factors), factors[::-1]))


@lru_cache(maxsize=4096)
def divisors(n: int) -> tuple[int, ...]:
    """Return the divisors of `n` in ascending order."""
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
