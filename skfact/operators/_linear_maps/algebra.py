"""What Python writes as +, -, * and / between operators, matrices and numbers."""

from __future__ import annotations

import numbers
from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpy as np

from skfact._inputs import as_floating, dtype_name, is_complex_dtype, is_sparse
from skfact.operators._factors import Factor, SparseFactor
from skfact.operators._linear_maps.immutable_map import ImmutableMap


class Algebra(ImmutableMap):
    """Sums, differences, multiples and products of operators."""

    __pandas_priority__ = 5000  # frames leave + and - to it, as they do not know the result
    _kinds: ClassVar[dict[str, Any]] = {}  # the product of factors, and the sum
    _kind: ClassVar[str]

    def __init_subclass__(cls, kind: str | None = None) -> None:
        super().__init_subclass__()
        if kind is not None:
            cls._kind = kind
            Algebra._kinds[kind] = cls

    def _scaled(self, scale: Callable[[Any], Any]) -> Self:
        """A multiple of the operator: `scale` applied to numbers that it is proportional to."""
        raise NotImplementedError

    def __add__(self, other: Any) -> Any:
        return combined(self, other, "+", lambda summand: summand)

    def __radd__(self, other: Any) -> Any:
        return combined(other, self, "+", lambda summand: summand)

    def __sub__(self, other: Any) -> Any:
        return combined(self, other, "-", lambda subtrahend: -subtrahend)

    def __rsub__(self, other: Any) -> Any:
        return combined(other, self, "-", lambda subtrahend: -subtrahend)

    def _after(self, other: Algebra) -> Any:
        """The product with another operator; of sums, the sum of the products of all terms."""
        left, right = self._summands, other._summands
        product = Algebra._kinds["product"]
        products = [product(a.factors + b.factors) for a in left for b in right]
        no_sum = self is left[0] and other is right[0]
        return products[0] if no_sum else Algebra._kinds["sum"](products)

    def __mul__(self, scalar: Any) -> Any:
        scalar = python_scalar(scalar)
        if scalar is NotImplemented:
            return NotImplemented
        return self._wide_enough(scalar)._scaled(lambda values: values * scalar)

    __rmul__ = __mul__

    def __truediv__(self, scalar: Any) -> Any:
        scalar = python_scalar(scalar)
        if scalar is NotImplemented:
            return NotImplemented
        if scalar == 0:
            raise ZeroDivisionError("division of an operator by zero")
        return self._wide_enough(scalar)._scaled(lambda values: values / scalar)

    def _wide_enough(self, scalar: float | complex) -> Self:
        """The operator in a dtype that its multiple can have."""
        if isinstance(scalar, complex) and not is_complex_dtype(self.dtype):
            wide = {"float32": "complex64", "float64": "complex128"}[dtype_name(self.dtype)]
            return self.astype(wide)
        return self

    def __neg__(self) -> Self:
        return self._scaled(lambda values: values * -1.0)

    def __pos__(self) -> Self:
        return self


def combined(left: Any, right: Any, sign: str, signed: Callable[[Any], Any]) -> Any:
    """The sum left + signed(right), where one is an operator."""
    if is_zero(left, sign):
        return signed(right)
    if is_zero(right, sign):
        return left
    if is_foreign_map(left):
        return left + signed(right).aslinearoperator()
    if is_foreign_map(right):
        return left.aslinearoperator() + signed(right)
    default = (left if isinstance(left, Algebra) else right).dtype
    left = as_operator(left, f"The left operand of {sign}", default)
    right = as_operator(right, f"The right operand of {sign}", default)
    return Algebra._kinds["sum"]([left, signed(right)])


def is_zero(value: Any, sign: str) -> bool:
    """Whether it is the number zero, where Python's `sum` starts; other numbers are refused."""
    number = NotImplemented if isinstance(value, Algebra) else python_scalar(value)
    if number is NotImplemented:
        return False
    if number != 0:
        raise TypeError(
            f"{value!r} {sign} an operator is not defined, but for the number 0: add a multiple of "
            "the identity as a matrix, scipy.sparse.eye_array(n)."
        )
    return True


def is_foreign_map(value: Any) -> bool:
    """Whether this is a LinearOperator of SciPy, CuPy or the like."""
    return hasattr(type(value), "matvec") and not isinstance(value, Algebra)


def as_operator(value: Any, name: str, default: Any = None) -> Any:
    """An operator, or one with a single factor; integers take the default dtype."""
    if isinstance(value, Algebra):
        return value
    if is_sparse(value):
        if value.dtype.kind in "biu" and default is not None:
            value = value.astype(dtype_name(default))
        value = SparseFactor(value)
    if not isinstance(value, Factor):
        value = as_floating(value, name, default)
        if value.ndim != 2:
            raise ValueError(
                f"{name} must be an operator, a factor, a SciPy sparse matrix or a 2-D array, got "
                f"an array of shape {tuple(value.shape)}."
            )
    return Algebra._kinds["product"]([value])


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
