"""A product of Kronecker-sparse factors between two selections: what transforms are made of.

Factors and selections in this order run in compiled loops; a selection inside would not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import array_api_compat.numpy
import numpy as np

from skfact._inputs import namespace_dtype
from skfact.operators import FactorizedOperator, KroneckerFactor, PartialPermutation
from skfact.operators._factors import changed
from skfact.supports import KroneckerSparse

Values = tuple[np.ndarray, ...]  # each (a, d, b, c), in the order of the product


@dataclass(frozen=True)
class Stages:
    """The linear map ``x -> (values[0] @ ... @ values[-1] @ x[into])[out]``.

    An index of -1 stands for a zero. No entry is taken twice.
    """

    values: Values
    into: np.ndarray  # which entry of the argument each input of the product is
    out: np.ndarray  # which output of the product each entry of the result is
    n_in: int  # entries of the argument

    @property
    def nnz(self) -> int:
        return sum(values.size for values in self.values)

    @property
    def T(self) -> Stages:
        """The transpose."""
        n_product_out, n_product_in = product_shape(self.values)
        return Stages(
            tuple(values.swapaxes(2, 3) for values in reversed(self.values)),
            inverse(self.out, n_product_out),
            inverse(self.into, self.n_in),
            len(self.out),
        )

    def scaled(self, rows: np.ndarray | None = None, columns: np.ndarray | None = None) -> Stages:
        """With a multiple of each entry of the result, and of the argument."""
        values = list(self.values)
        n_product_out, _ = product_shape(self.values)
        if rows is not None and np.all(rows == rows[0]):
            values[0] = changed(values[0], lambda v: v * rows[0])
        elif rows is not None:
            a, d, b, _ = values[0].shape
            scales = spread(rows, self.out, n_product_out).reshape(a, b, d)
            values[0] = values[0] * scales.swapaxes(1, 2)[..., None]
        if columns is not None:
            a, d, _, c = values[-1].shape
            scales = np.append(columns, 0)[self.into].reshape(a, c, d)
            values[-1] = values[-1] * scales.swapaxes(1, 2)[:, :, None, :]
        return replace(self, values=tuple(values))

    def operator(self, dtype: Any) -> FactorizedOperator:
        """The product as an operator; dense factors at the ends select by themselves."""
        values, into, out = list(self.values), self.into, self.out
        if values[0].shape[:2] == (1, 1) and out.min() >= 0:
            values[0] = values[0][:, :, out]
            out = np.arange(len(out))
        if values[-1].shape[:2] == (1, 1) and len(into) >= self.n_in:
            values[-1] = values[-1][:, :, :, inverse(into, self.n_in)]
            into = np.arange(self.n_in)
        n_product_out, n_product_in = product_shape(values)
        factors: list[Any] = [kronecker_factor(v, dtype) for v in values]
        if len(out) != n_product_out or np.any(out != np.arange(len(out))):
            factors.insert(0, PartialPermutation(out, n_product_out))
        if self.n_in != n_product_in or np.any(into != np.arange(n_product_in)):
            factors.append(PartialPermutation(into, self.n_in))
        return FactorizedOperator(factors)


def product_shape(values: Values | list[np.ndarray]) -> tuple[int, int]:
    """Outputs and inputs of the product."""
    (a, d, b, _), (e, f, _, c) = values[0].shape, values[-1].shape
    return a * d * b, e * f * c


def inverse(index: np.ndarray, n: int) -> np.ndarray:
    """Where each of n entries is taken; -1 for nowhere."""
    places = np.full(n, -1)
    places[index[index >= 0]] = np.nonzero(index >= 0)[0]
    return places


def spread(entries: np.ndarray, index: np.ndarray, n: int) -> np.ndarray:
    """Entry i at place ``index[i]`` of n, zeros elsewhere."""
    found = np.zeros(n, entries.dtype)
    found[index[index >= 0]] = entries[index >= 0]
    return found


def kronecker_factor(values: np.ndarray, dtype: Any) -> KroneckerFactor:
    """The factor of values (a, d, b, c) that nobody else writes to."""
    a, d, b, c = values.shape
    values = changed(values, lambda v: v.astype(dtype))
    return KroneckerFactor._wrap(values, KroneckerSparse(a, b, c, d))


def checked_dtype(dtype: Any, *, kind: str = "") -> np.dtype:
    """One of the four floating dtypes of NumPy; with a kind, "c", one of the complex ones."""
    found: np.dtype = namespace_dtype(dtype, array_api_compat.numpy)
    if kind and found.kind not in kind:
        raise TypeError(
            f"dtype must be complex64 or complex128, as the transform is complex; got {found}. "
            "Real forms are rfft with dtype='float64', and hartley."
        )
    return found
