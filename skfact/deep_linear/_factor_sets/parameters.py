"""The parameters of a factor beside its slot: masks and structured factors as short vectors.

Like the slots of :mod:`skfact.deep_linear._factor_sets.slots`, they hold no numbers: what they
offer is the product with a batch, its adjoint, and the gradient of the parameters.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse

from skfact._backend import array_namespace, device, move
from skfact._inputs import is_numpy
from skfact.deep_linear._factor_sets.slots import SPARSE, KroneckerSlot
from skfact.deep_linear._factor_sets.structured import StructuredFactor
from skfact.operators import KroneckerFactor, SparseFactor
from skfact.supports import FixedMask, KroneckerSparse

CHUNK = 2**22  # numbers gathered together for the gradient of a sparse mask


class MaskParameters:
    """A factor that is zero outside a mask; its values are the entries within, row by row."""

    def __init__(self, mask: np.ndarray) -> None:
        self.shape = mask.shape
        self.rows, self.columns = np.nonzero(mask)
        self.values_shape = (len(self.rows),)
        self.starts = np.append(0, np.cumsum(mask.sum(axis=1)))
        self.sparse = self.rows.size <= SPARSE * mask.size
        self.fan = max(1.0, self.rows.size / mask.shape[0])
        self.is_full = self.rows.size == mask.size

    @cached_property
    def place(self) -> np.ndarray:
        """Where each entry of the matrix finds its value; a zero stands after the last value.

        As large as the matrix: sparse factors do without it.
        """
        place = np.full(self.shape, self.rows.size)
        place[self.rows, self.columns] = np.arange(self.rows.size)
        return place.ravel()

    def matrix(self, values: Any) -> Any:
        """The factor: CSR for few entries of NumPy arrays, otherwise dense."""
        xp = array_namespace(values)
        if self.sparse and is_numpy(xp):
            return self._csr(values)
        zero = xp.zeros((1,), dtype=values.dtype, device=device(values))
        place = move(self.place, xp, device(values))
        return xp.reshape(xp.take(xp.concat([values, zero]), place), self.shape)

    def times(self, values: Any, X: Any) -> Any:
        """The factor times a batch (n_in, batch)."""
        return self.matrix(values) @ X

    def adjoint_times(self, values: Any, X: Any) -> Any:
        """The transposed factor times a batch (n_out, batch)."""
        return self.matrix(values).T @ X

    def correlate(self, P: Any, R: Any) -> Any:
        """P @ R^T on the mask, for P of shape (n_out, batch) and R of shape (n_in, batch)."""
        xp = array_namespace(P)
        if self.sparse and is_numpy(xp):
            step = max(1, CHUNK // P.shape[1])
            parts = [
                np.einsum("ij,ij->i", P[self.rows[s : s + step]], R[self.columns[s : s + step]])
                for s in range(0, self.rows.size, step)
            ]
            return np.concatenate(parts) if parts else np.empty(0, P.dtype)
        flat = move(self.rows * self.shape[1] + self.columns, xp, device(P))
        return xp.take(xp.reshape(P @ R.T, (-1,)), flat)

    def factor(self, values: Any) -> Any:
        """The factor as one of an operator."""
        if is_numpy(array_namespace(values)) and not self.is_full:
            return SparseFactor(self._csr(values))
        return dense_factor(self.matrix(values))

    def _csr(self, values: Any) -> Any:
        return scipy.sparse.csr_array((values, self.columns, self.starts), shape=self.shape)


class StructuredParameters:
    """A structured factor; its values are the parameter vector."""

    def __init__(self, structure: StructuredFactor) -> None:
        self.structure = structure
        self.shape = structure.shape
        self.values_shape = (structure.n_parameters,)
        self.fan = float(structure.shape[1])

    def times(self, values: Any, X: Any) -> Any:
        """The factor times a batch (n_in, batch)."""
        return self.structure.matrix(values) @ X

    def adjoint_times(self, values: Any, X: Any) -> Any:
        """The transposed factor times a batch (n_out, batch)."""
        return self.structure.matrix(values).T @ X

    def correlate(self, P: Any, R: Any) -> Any:
        """The adjoint map of P @ R^T."""
        return self.structure.adjoint(P @ R.T)

    def factor(self, values: Any) -> Any:
        """The factor as one of an operator."""
        return dense_factor(self.structure.matrix(values))


class KroneckerParameters(KroneckerSlot):
    """A Kronecker-sparse factor; its values are the blocks (a, d, b, c)."""

    def __init__(self, pattern: KroneckerSparse) -> None:
        super().__init__(pattern)
        self.fan = float(pattern.c)


Parameters = KroneckerParameters | MaskParameters | StructuredParameters


def parameters_of(support: Any) -> Parameters:
    """The parameters of a factor with that support."""
    if isinstance(support, KroneckerSparse):
        return KroneckerParameters(support)
    if isinstance(support, FixedMask):
        return MaskParameters(support.mask())
    return StructuredParameters(support)


def dense_factor(matrix: Any) -> KroneckerFactor:
    """A dense matrix as a factor."""
    xp = array_namespace(matrix)
    m, n = matrix.shape
    return KroneckerFactor(xp.reshape(matrix, (1, 1, m, n)), (1, m, n, 1))
