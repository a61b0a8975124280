"""Random arrays of every precision."""

import os
from typing import Any

import numpy as np

# SKFACT_TESTS=few: a quick second run, of fewer cases; each precision has its loops compiled
FEW = os.environ.get("SKFACT_TESTS") == "few"
DTYPES = ("float32", "complex128") if FEW else ("float32", "float64", "complex64", "complex128")


def gaussian(random: np.random.Generator, shape: Any, dtype: str = "float64") -> np.ndarray:
    """Standard normal entries; real and imaginary parts are, where the dtype is complex."""
    values = random.standard_normal(shape)
    if np.dtype(dtype).kind == "c":
        values = values + 1j * random.standard_normal(shape)
    return values.astype(dtype)
