"""The factor that is Kronecker-sparse."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.sparse
from array_api_compat import is_cupy_namespace

from skfact._backend import (
    array_namespace,
    device,
    move,
    portable,
    to_numpy,
)
from skfact._inputs import (
    as_floating,
    dtype_name,
    is_complex_dtype,
    namespace_dtype,
    private_copy,
)
from skfact._kernels.apply import apply_factor, is_shared
from skfact._kernels.low_rank_blocks import Classes
from skfact.operators._factors.factor import Factor
from skfact.supports import KroneckerSparse
from skfact.supports._kronecker import places


class KroneckerFactor(Factor, kind="kronecker"):
    r"""Kronecker-sparse factor: ``a * d`` dense blocks of shape (b, c).

    Parameters
    ----------
    values : array-like of shape (a, d, b, c)
        The blocks, in an array of any supported library; copied. Block ``values[i, l]`` takes the
        inputs ``i*c*d + k*d + l`` to the outputs ``i*b*d + j*d + l``.
    pattern : KroneckerSparse or tuple of four int
        The pattern ``(a, b, c, d)`` of the support :math:`I_a \otimes 1_{b \times c} \otimes I_d`.

    Attributes
    ----------
    values : array of shape (a, d, b, c)
        The blocks, in float32, float64, complex64 or complex128; not to be modified (with NumPy
        they are read-only).
    pattern : KroneckerSparse
        Where the factor may be non-zero.
    shape : tuple of two int
        Shape ``(n_out, n_in)`` of the factor as a matrix.

    Raises
    ------
    TypeError
        If `values` is not numeric, or in half or extended precision.
    ValueError
        If the shape of `values` is not the one that `pattern` demands.

    See Also
    --------
    FactorizedOperator : A product of factors.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.operators import KroneckerFactor
    >>> factor = KroneckerFactor(np.ones((1, 2, 1, 2)), (1, 1, 2, 2))
    >>> factor.toarray()
    array([[1., 0., 1., 0.],
           [0., 1., 0., 1.]])
    """

    __slots__ = ("pattern", "values")
    values: Any
    pattern: KroneckerSparse

    def __init__(self, values: Any, pattern: KroneckerSparse | Sequence[int]) -> None:
        if not isinstance(pattern, KroneckerSparse):
            if not isinstance(pattern, Sequence) or len(pattern) != 4:
                raise TypeError(
                    f"pattern must be a KroneckerSparse or four ints (a, b, c, d), got {pattern!r}."
                )
            pattern = KroneckerSparse(*pattern)
        values = as_floating(values, "values")
        a, b, c, d = pattern
        if tuple(values.shape) != (a, d, b, c):
            raise ValueError(
                f"values has shape {tuple(values.shape)}; the pattern {(a, b, c, d)} needs "
                f"(a, d, b, c) = {(a, d, b, c)}."
            )
        self._fill(private_copy(values), pattern)

    def _fill(self, values: Any, pattern: KroneckerSparse) -> None:
        xp = array_namespace(values)
        self._set(values=values, pattern=pattern, shape=pattern.shape, _namespace=xp)

    @classmethod
    def _wrap(cls, values: Any, pattern: KroneckerSparse) -> KroneckerFactor:
        """A factor around values that nobody else writes to: neither checked nor copied."""
        if isinstance(values, np.ndarray):
            values.flags.writeable = False
        factor = cls.__new__(cls)
        factor._fill(values, pattern)
        return factor

    def __reduce__(self) -> Any:
        return KroneckerFactor, (portable(self.values), self.pattern)

    def __repr__(self) -> str:
        return f"KroneckerFactor({tuple(self.pattern)}, {dtype_name(self.dtype)})"

    @property
    def dtype(self) -> Any:
        return self.values.dtype

    @property
    def nnz(self) -> int:
        return self.pattern.nnz

    @property
    def T(self) -> KroneckerFactor:
        values = self._namespace.permute_dims(self.values, (0, 1, 3, 2))
        return KroneckerFactor._wrap(values, self.pattern.T)

    @property
    def H(self) -> KroneckerFactor:
        transpose = self.T
        if not is_complex_dtype(self.dtype):
            return transpose
        values = changed(transpose.values, self._namespace.conj)
        return KroneckerFactor._wrap(values, transpose.pattern)

    def astype(self, dtype: Any) -> KroneckerFactor:
        dtype = namespace_dtype(dtype, self._namespace)
        if dtype == self.dtype:
            return self
        values = changed(self.values, lambda values: self._namespace.astype(values, dtype))
        return KroneckerFactor._wrap(values, self.pattern)

    def apply(self, X: Any) -> Any:
        return apply_factor(self.values, X)

    def solve(self, B: Any) -> Any:
        a, b, c, d = self.pattern
        if b != c:
            raise ValueError(f"{self!r} has no inverse: its blocks are {b} x {c}, not square.")
        xp, batch = self._namespace, B.shape[1]
        right = xp.permute_dims(xp.reshape(B, (a, b, d, batch)), (0, 2, 1, 3))  # (a, d, b, batch)
        solution = solve_blocks(xp, self.values, right)  # (a, d, c, batch)
        return xp.reshape(xp.permute_dims(solution, (0, 2, 1, 3)), (a * c * d, batch))

    def toarray(self) -> Any:
        return dense_factor(self.values)

    def to_csr(self) -> scipy.sparse.csr_array:
        rows, columns = places(self.pattern)
        entries = to_numpy(self.values).ravel(), (rows.ravel(), columns.ravel())
        return scipy.sparse.csr_array(entries, shape=self.shape)

    def _to_device(self, xp: Any, target: Any) -> KroneckerFactor:
        values = move(self.values, xp, target)
        return self if values is self.values else KroneckerFactor._wrap(values, self.pattern)

    def _scale(self, scale: Callable[[Any], Any]) -> KroneckerFactor:
        return KroneckerFactor._wrap(changed(self.values, scale), self.pattern)

    @property
    def _array(self) -> Any:
        return self.values

    @property
    def _arrays(self) -> tuple[Any, ...]:
        return (self.values[:1] if shares_values(self.values) else self.values,)

    @property
    def _pattern(self) -> KroneckerSparse:
        return self.pattern

    def _times(self, right: KroneckerFactor) -> KroneckerFactor:
        """The product of a chainable pair, or of one whose transposes are chainable."""
        if not self.pattern.is_chainable_with(right.pattern):
            return right.T._times(self.T).T
        if shares_values(self.values) and shares_values(right.values):
            a = self.pattern.a
            first = self._first_blocks(1)._times(right._first_blocks(right.pattern.a // a))
            return KroneckerFactor._wrap(
                repeated(first.values, a), self.pattern.product(right.pattern)
            )
        classes = Classes.of_pair(self.pattern, right.pattern)
        blocks = classes.columns_of_left(self.values) @ classes.rows_of_right(right.values)
        values = classes.product_from_blocks(blocks)
        return KroneckerFactor._wrap(values, self.pattern.product(right.pattern))

    def _first_blocks(self, count: int) -> KroneckerFactor:
        """The factor of the first diagonal blocks alone."""
        _, b, c, d = self.pattern
        return KroneckerFactor._wrap(self.values[:count], KroneckerSparse(count, b, c, d))

    def _is_safe(self) -> bool:
        (values,) = self._arrays
        largest = float(self._namespace.max(self._namespace.abs(values)))
        limits = self._namespace.finfo(self.dtype)
        return math.sqrt(float(limits.smallest_normal)) < largest < math.sqrt(float(limits.max))

    def _condition(self) -> float:
        if not self._is_invertible:
            return math.inf
        (values,) = self._arrays
        singular = self._namespace.linalg.svdvals(values)
        smallest = float(self._namespace.min(singular))
        return float(self._namespace.max(singular)) / smallest if smallest > 0 else math.inf

    def _inverse(self) -> KroneckerFactor:
        values = changed(self.values, self._namespace.linalg.inv)
        return KroneckerFactor._wrap(values, self.pattern)

    def _described(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        values = np.ascontiguousarray(to_numpy(self.values))
        return {"kind": "kronecker", "pattern": list(self.pattern)}, {"values": values}

    @classmethod
    def _read(cls, file: Any) -> KroneckerFactor:
        pattern = KroneckerSparse(*file.description["pattern"])
        a, b, c, d = pattern
        return cls._wrap(file.numbers("values", (a, d, b, c)), pattern)


def shares_values(values: Any) -> bool:
    """Whether diagonal blocks are the same memory, as NumPy's arrays alone tell."""
    return isinstance(values, np.ndarray) and is_shared(values)


def changed(values: Any, change: Callable[[Any], Any]) -> Any:
    """The values (a, d, b, c) changed, once where all diagonal blocks are the same memory."""
    return repeated(change(values[:1]), len(values)) if shares_values(values) else change(values)


def repeated(values: np.ndarray, a: int) -> np.ndarray:
    """Values (1, d, b, c) as those of `a` diagonal blocks, in the same memory."""
    return np.broadcast_to(values, (a, *values.shape[1:]))


def dense_factor(values: Any) -> Any:
    """The matrix (a * b * d, a * c * d) of the factor with values (a, d, b, c), a new array."""
    xp = array_namespace(values)
    a, d, b, c = values.shape
    shape = a * b * d, a * c * d
    if isinstance(values, np.ndarray):
        dense = np.zeros((a, b, d, a, c, d), values.dtype)
        np.einsum("ijlikl->iljk", dense)[...] = values  # a view of the blocks
        return dense.reshape(shape)
    place = device(values)
    outer = xp.eye(a, dtype=xp.bool, device=place)[:, None, None, :, None, None]
    inner = xp.eye(d, dtype=xp.bool, device=place)[None, None, :, None, None, :]
    blocks = xp.permute_dims(values, (0, 2, 1, 3))[:, :, :, None, :, None]  # (a, b, d, 1, c, 1)
    zero = xp.zeros((1,) * 6, dtype=values.dtype, device=place)
    return xp.reshape(xp.where(outer & inner, blocks, zero), shape)


def solve_blocks(xp: Any, blocks: Any, right: Any) -> Any:
    """Batched `linalg.solve` that raises numpy.linalg.LinAlgError with every library."""
    message = "The operator has no inverse: a block of one of its factors is singular"
    try:
        if is_cupy_namespace(xp):
            import cupyx

            with cupyx.errstate(linalg="raise"):  # the default is a result full of NaN
                return xp.linalg.solve(blocks, right)
        return xp.linalg.solve(blocks, right)
    except (np.linalg.LinAlgError, RuntimeError) as error:  # PyTorch's is a RuntimeError
        raise np.linalg.LinAlgError(f"{message} ({error}).") from error
