"""Random arrays of every precision."""

import os
from typing import Any

import numpy as np

# SKFACT_TESTS: a quick run, of fewer cases; each precision has its loops compiled, which takes long
PRECISIONS = {
    "": ("float32", "float64", "complex64", "complex128"),
    "few": ("float32", "complex128"),
    "few-others": ("float64", "complex64"),
}
FEW = os.environ.get("SKFACT_TESTS", "") != ""
DTYPES = PRECISIONS[os.environ.get("SKFACT_TESTS", "")]


def gaussian(random: np.random.Generator, shape: Any, dtype: str = "float64") -> np.ndarray:
    """Standard normal entries; real and imaginary parts are, where the dtype is complex."""
    values = random.standard_normal(shape)
    if np.dtype(dtype).kind == "c":
        values = values + 1j * random.standard_normal(shape)
    return values.astype(dtype)
