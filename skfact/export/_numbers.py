"""What every export asks of numbers: finite, in range, and real."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse

from skfact._checks import check_choice
from skfact._inputs import dtype_name, is_complex_dtype
from skfact.operators import KroneckerFactor, PartialPermutation, SparseFactor

REAL = {"complex64": "float32", "complex128": "float64"}


def real_name(dtype: Any, given: Any) -> str:
    """The name of a real dtype, of any library; None is that of the numbers given."""
    if dtype is None:
        name = dtype_name(given)
        return REAL.get(name, name)
    name = dtype_name(dtype)
    check_choice(name, "dtype", ("float32", "float64"))
    return name


def narrowed(array: np.ndarray, dtype: Any, name: str) -> np.ndarray:
    """Numbers in a dtype in whose range they must be; `name` is the argument they come from."""
    with np.errstate(over="ignore"):
        narrow = array.astype(dtype, copy=False)
    if np.isfinite(narrow).all():
        return narrow
    if not np.isfinite(array).all():
        raise ValueError(
            f"{name} has entries that are NaN or infinite. Remove them, or fit without them."
        )
    raise ValueError(
        f"{name} has entries up to {np.abs(array).max():.1e}, beyond the range of {dtype}: pass "
        "dtype='float64', or scale it."
    )


def real_factors(factors: Any, dtype: Any) -> list[Any]:
    """Factors on vectors of twice the length, if they are complex.

    There the real and the imaginary part of an entry follow each other. A number x + iy becomes a
    block [[x, -y], [y, x]], and the blocks of a factor twice as large: with all real parts first.
    """
    if not is_complex_dtype(dtype):
        return list(factors)
    found: list[Any] = []
    for factor in factors:
        for one in real_factor(factor):
            if found and isinstance(one, PartialPermutation) and hasattr(found[-1], "index"):
                one = found.pop()._times(one)
            found.append(one)
    return found


def real_factor(factor: Any) -> list[Any]:
    """One factor in real numbers, between changes of order."""
    if isinstance(factor, PartialPermutation):
        index = factor._host[:, None]
        pairs = np.where(index < 0, -1, 2 * index + np.arange(2))
        return [PartialPermutation(pairs.ravel(), 2 * factor.n_in)]
    if isinstance(factor, SparseFactor):
        turn = np.array([[0.0, -1.0], [1.0, 0.0]])
        real, imaginary = factor.csr.real, factor.csr.imag
        return [
            SparseFactor(scipy.sparse.kron(real, np.eye(2)) + scipy.sparse.kron(imaginary, turn))
        ]
    a, b, c, d = factor.pattern
    x, y = factor.values.real, factor.values.imag
    blocks = np.concatenate(
        [np.concatenate([x, -y], axis=3), np.concatenate([y, x], axis=3)], axis=2
    )
    return [
        parts_first(a, b, d).T,
        KroneckerFactor(blocks, (a, 2 * b, 2 * c, d)),
        parts_first(a, c, d),
    ]


def parts_first(a: int, n: int, d: int) -> PartialPermutation:
    """From (a, n, d, 2) to (a, 2, n, d)."""
    index = np.arange(a * n * d * 2).reshape(a, n, d, 2).transpose(0, 3, 1, 2)
    return PartialPermutation(index.ravel(), index.size)
