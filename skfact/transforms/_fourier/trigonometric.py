"""Cosine, sine and Hartley transforms of any size, made of one Fourier transform in real factors.

All are unscaled, as SciPy's with ``norm="backward"``.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from skfact.transforms._fourier.cooley_tukey import as_real, root
from skfact.transforms._fourier.sizes import spectrum_of_complex, spectrum_of_real
from skfact.transforms._fourier.stages import Stages


def hartley_stages(n: int) -> Stages:
    """``sum_j x_j cas(2 pi j k / n)``, where cas is the sum of cosine and sine."""
    spectrum = spectrum_of_real(n)
    blocks = np.tile([[1.0, -1.0], [1.0, 1.0]], (len(spectrum.frequency), 1, 1))
    if spectrum.merged:
        blocks[0] = np.eye(2)
    return spectrum.turned(blocks).stages(spectrum.places(), np.arange(n))


def dct1_stages(n: int) -> Stages:
    """A real transform of size 2 (n - 1), backwards, of a spectrum with these real parts.

    ``x_0 + (-1)^k x_(n-1) + 2 sum_(0<j<n-1) x_j cos(pi j k / (n - 1))``
    """
    return half_of_even_size(n - 1, np.arange(n), imaginary=False)


def dst1_stages(n: int) -> Stages:
    """The same of size 2 (n + 1), with these imaginary parts: ``2 sum x_j sin(...)``."""
    return half_of_even_size(n + 1, np.arange(1, n + 1), imaginary=True)


def half_of_even_size(half: int, kept: np.ndarray, *, imaginary: bool) -> Stages:
    """Entries `kept` of the samples (2 half,) whose spectrum has such parts at `kept`."""
    spectrum = spectrum_of_real(2 * half)
    T, n = len(spectrum.frequency), 2 * half
    # rows of cosines and of minus sines, of frequencies of which one in a pair f, n - f is there
    used = np.nonzero(spectrum.frequency >= 0)[0]
    folded = np.minimum(spectrum.frequency[used], n - spectrum.frequency[used])
    flips = np.where(spectrum.frequency[used] > half, -1.0, 1.0)
    place, scale = np.full(half + 1, -1), np.ones(half + 1)
    place[folded] = used
    if imaginary:
        place[folded] += T
        scale[folded] = -2 * flips
    else:
        scale[folded] = 2
        scale[[0, half]] = 1
        if spectrum.merged:
            place[half] = T
    rows = spectrum.stages(place[kept], np.arange(n)).scaled(rows=scale[kept]).T
    return replace(rows, out=rows.out[kept])


def dct2_stages(n: int) -> Stages:
    """``2 sum_j x_j cos(pi k (2 j + 1) / (2 n))``: the even samples, then the odd ones backwards.

    Entries f and n - f are made of slot f alone (Makhoul 1980).
    """
    spectrum = spectrum_of_real(n)
    angle = np.pi * spectrum.frequency / (2 * n)
    cos, sin = 2 * np.cos(angle), 2 * np.sin(angle)
    blocks = np.stack([np.stack([cos, sin], -1), np.stack([sin, -cos], -1)], 1)
    if spectrum.merged:
        blocks[0] = np.diag([2, np.sqrt(2)])
    samples = np.concatenate([np.arange(0, n, 2), np.arange(1, n, 2)[::-1]])
    return spectrum.turned(blocks).stages(spectrum.places(), samples)


def dct3_stages(n: int) -> Stages:
    """``x_0 + 2 sum_(j>0) x_j cos(pi (2 k + 1) j / (2 n))``: the second type, transposed."""
    return dct2_stages(n).T.scaled(columns=np.append(0.5, np.ones(n - 1)))


def dst2_stages(n: int) -> Stages:
    """``2 sum_j x_j sin(pi (k + 1) (2 j + 1) / (2 n))``: cosines, with signs and backwards."""
    cosines = dct2_stages(n).scaled(columns=alternating(n))
    return replace(cosines, out=cosines.out[::-1])


def dst3_stages(n: int) -> Stages:
    """``(-1)^k x_(n-1) + 2 sum_(j<n-1) x_j sin(pi (2 k + 1) (j + 1) / (2 n))``."""
    return dst2_stages(n).T.scaled(columns=np.append(np.ones(n - 1), 0.5))


def dct4_stages(n: int) -> Stages:
    """``2 sum_j x_j cos(pi (2 j + 1) (2 k + 1) / (4 n))``."""
    return even_dct4(n) if n % 2 == 0 else odd_dct4(n)


def dst4_stages(n: int) -> Stages:
    """``2 sum_j x_j sin(pi (2 j + 1) (2 k + 1) / (4 n))``: of the samples backwards, with signs."""
    cosines = dct4_stages(n)
    backwards = np.where(cosines.into >= 0, n - 1 - cosines.into, -1)
    return replace(cosines, into=backwards).scaled(rows=alternating(n))


def even_dct4(n: int) -> Stages:
    """A complex transform of half the size, between two diagonals of rotations.

    The complex samples are x_(2 j) and x_(n-1-2j), the results entries 2 k and n - 1 - 2 k.
    """
    half = n // 2
    spectrum, j = spectrum_of_complex(half), np.arange(half)
    turns = as_real(root(8 * n, 4 * j + 1)[:, None, None])
    k = np.maximum(spectrum.frequency, 0)
    back = 2 * as_real(root(2 * n, k)[:, None, None]) * [[1], [-1]]
    samples = np.stack([2 * j, n - 1 - 2 * j], 1)
    (slots,) = np.nonzero(spectrum.frequency >= 0)
    out = np.full(n, -1)
    out[2 * k[slots]], out[n - 1 - 2 * k[slots]] = slots, len(k) + slots
    return spectrum.turned_samples(turns).turned(back).stages(out, samples)


def odd_dct4(n: int) -> Stages:
    """A Hartley transform of the same size, with signs and permutations on both sides.

    Of the odd numbers 2 j + 1, up to multiples of 4 n and signs, one is a = 1 modulo 8; then
    ``cos(2 pi a b / (8 n))`` depends on a b modulo n (Chinese remainders).
    """
    odd = 2 * np.arange(n) + 1
    a, signs = np.zeros(n, int), np.zeros(n)
    for candidate, sign in ((odd, 1), (-odd, 1), (odd + 4 * n, -1), (4 * n - odd, -1)):
        right = candidate % 8 == 1
        a[right], signs[right] = candidate[right], sign
    u, v = pow(n, -1, 8), pow(8, -1, n) if n > 1 else 0
    # cos(pi u / 4 + t) is this sign times cas(t), or cas(-t), over the root of 2
    outer, inner = {1: (1, -1), 3: (-1, 1), 5: (-1, -1), 7: (1, 1)}[u]
    hartley = hartley_stages(n)
    where = np.full(n, -1)
    where[v * a % n] = np.arange(n)
    into = np.where(hartley.into >= 0, where[hartley.into], -1)
    permuted = replace(hartley, into=into, out=hartley.out[inner * a % n])
    return permuted.scaled(rows=np.sqrt(2) * outer * signs, columns=signs)


def alternating(n: int) -> np.ndarray:
    """1, -1, 1, ..."""
    return 1.0 - 2 * (np.arange(n) % 2)


DCT = {1: dct1_stages, 2: dct2_stages, 3: dct3_stages, 4: dct4_stages}
DST = {1: dst1_stages, 2: dst2_stages, 3: dst3_stages, 4: dst4_stages}
