"""Random parameter vectors, and the same class in other words."""

from typing import Any

import numpy as np

from tests.arrays import gaussian


def draw(random: np.random.Generator, sizes: Any, dtype: str = "float64") -> list[np.ndarray]:
    return [gaussian(random, int(size), dtype) for size in sizes]


def rescaled(random: np.random.Generator, h: list[np.ndarray], spread: float = 1) -> list[Any]:
    """Multiples of product one of the vectors, with sizes up to 2**spread and random phases."""
    powers = np.round(random.uniform(-spread, spread, len(h)))
    powers[-1] = -np.sum(powers[:-1])
    signs = random.choice([-1.0, 1.0], len(h))
    signs[-1] = np.prod(signs[:-1])
    if h[0].dtype.kind == "c":
        angles = random.uniform(0, 2 * np.pi, len(h))
        angles[-1] = -np.sum(angles[:-1])
        signs = np.exp(1j * angles)
    return [(s * 2.0**power * x).astype(x.dtype) for s, power, x in zip(signs, powers, h)]
