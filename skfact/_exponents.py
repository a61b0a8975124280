"""Matrices of extreme magnitude: a power of two taken out before squares are formed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from skfact._backend import array_namespace, device
from skfact._checks import require_finite
from skfact._linalg import is_complex, limited


def binary_exponent(A: Any, name: str = "A") -> int:
    """Exponent e such that A / 2**e has ordinary magnitude; 0 where A has it already.

    Squares and fourth powers of the entries are formed on the way: A is scaled where they could
    over- or underflow. Finds NaN and infinity in the same pass.
    """
    xp = array_namespace(A)
    if is_complex(A):
        largest = float(xp.max(xp.abs(A)))
    else:  # without a copy
        largest = max(float(xp.max(A)), -float(xp.min(A)))
    require_finite(largest, name)
    usual = 100 if xp.finfo(A.dtype).eps < 1e-10 else 8
    exponent = math.frexp(largest)[1]
    return 0 if largest == 0 or abs(exponent) <= usual else exponent


def times_power_of_two(x: Any, exponent: Any) -> Any:
    """x * 2**exponent, in steps since 2**1074 is no float; x itself for the exponent 0.

    An array of exponents, of floats, is broadcast against x.
    """
    if isinstance(exponent, int) and abs(exponent) < 2000:
        if exponent == 0:
            return x
        half = exponent // 2
        return (x * 2.0**half) * 2.0 ** (exponent - half)
    xp = array_namespace(x)
    two = xp.full((), 2.0, dtype=x.dtype, device=device(x))
    exponent = xp.asarray(exponent, dtype=x.dtype, device=device(x))
    largest = math.log2(float(xp.finfo(x.dtype).max)) // 1 - 1
    for _ in range(3):  # from the smallest to the largest number there are less than three
        step = limited(exponent, -largest, largest)
        x = x * two**step
        exponent = exponent - step
    return x


def equal_shares(exponent: int, count: int) -> list[int]:
    """The exponent in `count` near-equal parts: no factor overflows before the product does."""
    return [exponent * (i + 1) // count - exponent * i // count for i in range(count)]


def unscaled(norms: Any, exponent: int) -> np.ndarray:
    """norms * 2**exponent; infinite where the norm of finite entries is no finite number."""
    with np.errstate(over="ignore"):
        return np.ldexp(np.asarray(norms, dtype=float), exponent)


def unscaled_number(norm: float, exponent: int) -> float:
    """The same of one norm, as a float."""
    return float(unscaled(norm, exponent))
