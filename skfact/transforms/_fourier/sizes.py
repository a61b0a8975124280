"""Which chain a Fourier transform takes: the one of fewest non-zeros."""

from __future__ import annotations

from functools import lru_cache

from skfact.supports._radices import next_smooth, prime_factors
from skfact.transforms._fourier.chirp import complex_chirp, real_chirp
from skfact.transforms._fourier.cooley_tukey import (
    Spectrum,
    complex_fourier,
    complex_pairs,
    real_fourier,
    real_radices,
)
from skfact.transforms._fourier.stages import Stages


def real_nnz(n: int, radices: tuple[int, ...] | None = None) -> int:
    """Non-zeros of the transform of n real samples."""
    first, *others = real_radices(n) if radices is None else radices
    slots = -(-first // 2)
    return 2 * slots * n + sum(2 * s * 2 * slots * (n // first) for s in others)


@lru_cache(maxsize=1024)
def fast_size(n: int, *, is_complex: bool) -> int:
    """The even size of at least n with the fewest non-zeros, of some that are near."""

    def cost(size: int) -> int:
        return size * sum(prime_factors(size)) if is_complex else real_nnz(size)

    candidates = {2 * next_smooth(-(-n // 2)), 1 << (n - 1).bit_length()}
    for odd in (3, 5, 9, 15):
        candidates.add(odd << max(1, (-(-n // odd) - 1).bit_length()))
    return min((size for size in candidates if size % 2 == 0), key=lambda size: (cost(size), size))


def fourier(n: int) -> Stages:
    """The transform of n complex samples, in complex factors."""
    M = fast_size(2 * n - 1, is_complex=True)
    if 4 * M * sum(prime_factors(M)) < n * sum(prime_factors(n)):
        return complex_chirp(n, M)
    return complex_fourier(n)


def spectrum_of_real(n: int) -> Spectrum:
    """The transform of n real samples, in real factors."""
    radices = min(real_radices(n), (n,), key=lambda radices: real_nnz(n, radices))
    M = fast_size(2 * n - 1, is_complex=False)
    if 4 * real_nnz(M) + 14 * M < real_nnz(n, radices):
        return real_chirp(n, M, is_complex=False)
    return real_fourier(n, radices)


def spectrum_of_complex(n: int) -> Spectrum:
    """The transform of n complex samples, in real factors."""
    M = fast_size(2 * n - 1, is_complex=False)
    if 4 * real_nnz(M) + 16 * M < 4 * n * sum(prime_factors(n)):
        return real_chirp(n, M, is_complex=True)
    return complex_pairs(n)
