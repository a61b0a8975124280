"""Fourier transforms."""

from cupy._surface import on_device

globals().update(on_device("fft."))
