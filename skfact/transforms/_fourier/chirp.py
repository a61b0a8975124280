"""Fourier transforms whose size has a large prime factor: convolutions with a chirp (Bluestein).

As ``2 j k = j ** 2 + k ** 2 - (j - k) ** 2``, the transform is a Toeplitz matrix, with the
conjugates of ``g_(j - k)``, between diagonals of ``g_j = exp(-pi i j ** 2 / n)``; the Toeplitz
matrix is a corner of a circulant one of a size M >= 2 n - 1 that has small prime factors.
"""

from __future__ import annotations

import numpy as np

from skfact.operators._factors import repeated, shares_values
from skfact.transforms._fourier.circular import complex_circulant, real_weights, slot_blocks
from skfact.transforms._fourier.cooley_tukey import (
    UNUSED,
    Spectrum,
    as_real,
    real_fourier,
    real_radices,
    root,
)
from skfact.transforms._fourier.stages import Stages, Values


def chirp(n: int, M: int) -> tuple[np.ndarray, np.ndarray]:
    """The chirp g (n,), and the first column (M,) of the circulant matrix of its conjugate."""
    j = np.arange(n)
    g = root(2 * n, j * j % (2 * n))
    column = np.zeros(M, complex)
    column[:n] = g.conj()
    column[M - n + 1 :] = g[:0:-1].conj()
    return g, column


def complex_chirp(n: int, M: int) -> Stages:
    """The transform in complex factors."""
    g, column = chirp(n, M)
    circulant = complex_circulant(column)
    into = np.where(circulant.into < n, circulant.into, -1)
    cropped = Stages(circulant.values, into, circulant.out[:n], n)
    return cropped.scaled(rows=g, columns=g)


def real_chirp(n: int, M: int, *, is_complex: bool) -> Spectrum:
    """The transform of real or complex samples, in real factors."""
    g, column = chirp(n, M)
    fourier = real_fourier(M, real_radices(M))
    leaf = np.where(fourier.leaf < n, fourier.leaf, UNUSED)
    turns = as_real(np.append(g, 0)[leaf][:, None, None])  # (M, 2, 2)
    chirped = turns if is_complex else turns[:, :, :1]
    there = side_by_side(fourier.values)
    back = side_by_side(tuple(v.swapaxes(2, 3) for v in reversed(fourier.values)))
    spectra = np.fft.fft(column.real), np.fft.fft(column.imag)
    real, imaginary = (
        real_weights(fourier)[:, None, None] * slot_blocks(s, fourier) for s in spectra
    )
    multiply = np.stack([np.stack([real, -imaginary], 2), np.stack([imaginary, real], 2)], 1)
    middle = multiply.reshape(-1, 4, 4)  # was (T, channel, p, channel, p)
    values = turns[None], *back, middle[None], *there, chirped[None]
    kept = leaf if is_complex else np.where(leaf <= n // 2, leaf, UNUSED)
    return Spectrum(values, n, leaf, kept, False, is_complex)


def side_by_side(values: Values) -> Values:
    """Two of a product, one for each channel."""
    return tuple(
        repeated(v[:1], 2 * len(v)) if shares_values(v) or len(v) == 1 else np.concatenate([v, v])
        for v in values
    )
