"""What data sets share: random values of comparable size, and noise of a stated size."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from skfact._checks import check_number


def checked_noise(noise: Any) -> float:
    """The size of the noise relative to the product, finite and not negative."""
    check_number(noise, "noise", float, 0)
    if not math.isfinite(noise):
        raise ValueError(f"noise must be finite, got {noise!r}.")
    return float(noise)


def checked_dtype(dtype: Any) -> np.dtype:
    """One of the four floating dtypes."""
    dtype = np.dtype(dtype)
    if dtype.char not in "fdFD":
        raise TypeError(f"dtype must be float32, float64, complex64 or complex128, got {dtype}.")
    return dtype


def random_values(
    random: np.random.RandomState, size: tuple[int, ...], dtype: np.dtype, scale: float = 1.0
) -> np.ndarray:
    """Magnitudes between 0.5 and 1.5, times a scale, with random signs or phases."""
    values = random.uniform(0.5, 1.5, size)
    if dtype.kind == "c":
        values = values * np.exp(2j * np.pi * random.uniform(size=size))
    else:
        values = values * random.choice([-1.0, 1.0], size)
    return (scale * values).astype(dtype)


def plus_noise(random: np.random.RandomState, product: np.ndarray, noise: float) -> np.ndarray:
    """The product with Gaussian noise of that norm relative to its own."""
    if noise == 0:
        return product
    disturbance = random.normal(size=product.shape)
    if product.dtype.kind == "c":
        disturbance = disturbance + 1j * random.normal(size=product.shape)
    disturbance *= noise * np.linalg.norm(product) / np.linalg.norm(disturbance)
    return product + disturbance.astype(product.dtype)
