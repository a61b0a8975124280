"""Multiples and inverses of operators."""

from __future__ import annotations

import numbers
from collections.abc import Callable
from typing import Any

import numpy as np

from skfact._inputs import dtype_name, is_complex_dtype
from skfact.operators._apply import check_operand
from skfact.operators._factors import KroneckerFactor
from skfact.operators._partial_permutation import PartialPermutation
from skfact.supports import KroneckerSparse


def python_scalar(value: Any) -> Any:
    """A number of any kind as Python's float or complex; NotImplemented if it is none."""
    is_number = isinstance(value, numbers.Number | np.bool_)
    if not is_number and (isinstance(value, str | bytes) or getattr(value, "shape", None) != ()):
        return NotImplemented
    number = complex(value)
    real = not isinstance(value, complex) and not (
        hasattr(value, "dtype") and is_complex_dtype(value.dtype)
    )
    return number.real if real else number


def scaled(operator: Any, scalar: Any, scale: Callable[[Any], Any]) -> Any:
    """The operator with `scale` applied to the values of its smallest factor with numbers."""
    if isinstance(scalar, complex) and not is_complex_dtype(operator.dtype):
        operator = operator.astype(
            {"float32": "complex64", "float64": "complex128"}[dtype_name(operator.dtype)]
        )
    factors = list(operator.factors)
    numerical = [i for i, factor in enumerate(factors) if factor.dtype is not None]
    if not numerical:  # selections alone: a diagonal factor carries the number
        n = operator.shape[0]
        ones = operator._xp.ones((n, 1, 1, 1), dtype=operator.dtype, device=operator._device)
        factors.insert(0, KroneckerFactor._wrap(ones, KroneckerSparse(n, 1, 1, 1)))
        numerical = [0]
    smallest = min(numerical, key=lambda i: factors[i].nnz)
    factors[smallest] = factors[smallest]._scale(scale)
    return operator._from(factors, operator.dtype)


def solve(operator: Any, B: Any) -> Any:
    """The inverse times one vector or a batch of columns, factor by factor."""
    for position, factor in enumerate(operator.factors):
        loses = isinstance(factor, PartialPermutation) and not factor.is_permutation
        if loses or factor.shape[0] != factor.shape[1]:
            raise ValueError(
                f"The operator has no inverse of its own: factors[{position}] = {factor!r} is not "
                "invertible. Use least_squares_codes for the least-squares solution."
            )
    xp = operator._xp
    X = check_operand(operator, B, "B", (1, 2), 0, adjoint=True)
    dtype = xp.result_type(X.dtype, operator.dtype)
    X = xp.astype(X, dtype, copy=True)
    is_vector = X.ndim == 1
    if is_vector:
        X = X[:, None]
    for factor in operator.factors:
        X = factor.astype(dtype).solve(X)
    return xp.reshape(X, (-1,)) if is_vector else X
