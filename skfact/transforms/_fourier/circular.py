"""Circular convolution: a product with a spectrum between two Fourier transforms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from skfact.transforms._fourier.cooley_tukey import (
    UNUSED,
    Spectrum,
    as_real,
    complex_fourier,
    real_fourier,
    real_radices,
)
from skfact.transforms._fourier.stages import Stages


def complex_circulant(column: np.ndarray) -> Stages:
    """The circulant matrix with this first column, in complex factors.

    With the butterfly factors B of the transform, whose columns are in digit-reversed order, and
    the spectrum s of the column in this order, it is ``conj(B) diag(s / n) B.T``.
    """
    n = len(column)
    fourier = complex_fourier(n)
    transform = replace(fourier, into=np.arange(n)).T
    spectrum = np.fft.fft(column)[fourier.into] / n
    there = transform.scaled(rows=spectrum)
    back = tuple(values.conj() for values in fourier.values)
    return Stages((*back, *there.values), np.arange(n), np.arange(n), n)


def real_circulant(column: np.ndarray) -> Stages:
    """The circulant matrix with this first column, in real factors.

    The spectrum multiplies the slots of the transform, in blocks of size 2; the transpose of the
    transform goes back, as its rows are orthogonal.
    """
    n = len(column)
    fourier = real_fourier(n, real_radices(n))
    blocks = slot_blocks(np.fft.fft(column), fourier)
    there = fourier.turned(real_weights(fourier)[:, None, None] * blocks)
    back = tuple(values.swapaxes(2, 3) for values in reversed(fourier.values))
    into = fourier.leaf
    out = np.argsort(into)
    return Stages((*back, *there.values), into, out, n)


def slot_blocks(spectrum: np.ndarray, fourier: Spectrum) -> np.ndarray:
    """Blocks (T, 2, 2) that multiply each slot by the spectrum (n,) of a real sequence."""
    blocks = as_real(spectrum[fourier.frequency][:, None, None])
    if fourier.merged:
        blocks[0] = np.diag([spectrum[0].real, spectrum[fourier.n // 2].real])
    return blocks


def real_weights(fourier: Spectrum) -> np.ndarray:
    """What makes the transpose of the transform its inverse, of each slot (T,)."""
    n, f = fourier.n, fourier.frequency
    weights = np.where(f == UNUSED, 0, 2 / n)
    weights[f == 0] = 1 / n
    return weights
