"""Sizes as products of small integers: what a chain for a given shape is built from."""

from __future__ import annotations

from functools import lru_cache

from scipy.fft import next_fast_len

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
