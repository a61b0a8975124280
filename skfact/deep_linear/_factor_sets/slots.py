"""The places of a product: what one factor can do, by the kind of its support.

A slot holds no numbers. The values of a factor are an array whose form its slot knows: the blocks
of a Kronecker-sparse factor, or a dense matrix within a budget or a mask.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from skfact._backend import array_namespace, device, move, to_numpy
from skfact._inputs import is_numpy
from skfact._kernels.apply import apply_factor
from skfact._linalg import adjoint
from skfact.deep_linear._factor_sets.structured import StructuredFactor
from skfact.operators import KroneckerFactor, SparseFactor
from skfact.supports import FixedMask, KroneckerSparse, KSparse

# A factor with at most this share of non-zeros becomes a sparse factor of the operator.
SPARSE = 0.25
# Patterns with at most so many entries have their places remembered: short runs are many.
SMALL = 2**12


class KroneckerSlot:
    """A factor with a Kronecker-sparse support; its values have shape (a, d, b, c)."""

    def __init__(self, pattern: KroneckerSparse) -> None:
        self.pattern = pattern
        self.shape = pattern.shape
        self.nnz = pattern.nnz
        a, b, c, d = pattern
        self.values_shape = a, d, b, c
        self._flat: Any = None

    def times(self, values: Any, X: Any) -> Any:
        """The factor times a matrix."""
        return apply_factor(values, X)

    def adjoint_times(self, values: Any, X: Any) -> Any:
        """The adjoint of the factor times a matrix."""
        return apply_factor(adjoint(values), X)

    def restrict(self, matrix: Any) -> Any:
        """Entries of a matrix on the support."""
        a, b, c, d = self.pattern
        places = small_places if self.nnz <= SMALL else flat_places
        if isinstance(matrix, np.ndarray):
            return matrix.ravel()[places(*self.pattern)].reshape(a, d, b, c)
        xp = array_namespace(matrix)
        if self._flat is None or array_namespace(self._flat) is not xp:
            self._flat = move(places(*self.pattern), xp, device(matrix))
        return xp.reshape(xp.take(xp.reshape(matrix, (-1,)), self._flat), (a, d, b, c))

    def correlate(self, P: Any, R: Any) -> Any:
        """P @ R^H on the support, for P of shape (rows, n) and R of shape (columns, n)."""
        xp = array_namespace(P)
        a, b, c, d = self.pattern
        left = xp.permute_dims(xp.reshape(P, (a, b, d, -1)), (0, 2, 1, 3))
        right = xp.permute_dims(xp.reshape(R, (a, c, d, -1)), (0, 2, 1, 3))
        return xp.matmul(left, adjoint(right))

    def project(self, values: Any) -> Any:
        """The nearest values within the support."""
        return values

    def on_support_of(self, values: Any, kept: Any) -> Any:
        """The values where `kept` may be non-zero."""
        return values

    def scale_columns(self, values: Any, sizes: Any) -> Any:
        """The factor times a diagonal matrix."""
        xp = array_namespace(values)
        a, _, c, d = self.pattern
        return values * xp.permute_dims(xp.reshape(sizes, (a, 1, c, d)), (0, 3, 1, 2))

    def dense(self, values: Any) -> Any:
        """The factor as a matrix."""
        return KroneckerFactor._wrap(values, self.pattern).toarray()

    def factor(self, values: Any) -> Any:
        """The factor as one of an operator."""
        return KroneckerFactor(values, self.pattern)


def flat_places(a: int, b: int, c: int, d: int) -> np.ndarray:
    """Where the entries of a pattern, in the order (a, d, b, c), are in the flattened matrix."""
    row = np.arange(a * b * d).reshape(a, b, d).transpose(0, 2, 1)[..., :, None]
    column = np.arange(a * c * d).reshape(a, c, d).transpose(0, 2, 1)[..., None, :]
    return (row * (a * c * d) + column).ravel()


small_places = lru_cache(maxsize=256)(flat_places)


class DenseSlot:
    """A factor within a budget or a mask; its values are the matrix."""

    def __init__(
        self, support: KSparse | FixedMask | StructuredFactor, shape: tuple[int, int]
    ) -> None:
        self.support = support
        self.shape = self.values_shape = shape
        self.nnz = prod(shape)

    def times(self, values: Any, X: Any) -> Any:
        """The factor times a matrix."""
        return values @ X

    def adjoint_times(self, values: Any, X: Any) -> Any:
        """The adjoint of the factor times a matrix."""
        return adjoint(values) @ X

    def restrict(self, matrix: Any) -> Any:
        """Entries of a matrix that may become non-zero: all."""
        return matrix

    def correlate(self, P: Any, R: Any) -> Any:
        """P @ R^H."""
        return P @ adjoint(R)

    def project(self, values: Any) -> Any:
        """The nearest values within the support."""
        return self.support.project(values)

    def on_support_of(self, values: Any, kept: Any) -> Any:
        """The values where `kept` is not zero."""
        xp = array_namespace(values)
        return xp.where(kept != 0, values, xp.zeros_like(values))

    def scale_columns(self, values: Any, sizes: Any) -> Any:
        """The factor times a diagonal matrix."""
        return values * sizes[None, :]

    def dense(self, values: Any) -> Any:
        """The factor as a matrix."""
        return values

    def factor(self, values: Any) -> Any:
        """The factor as one of an operator: sparse if it has zeros and the library knows that."""
        xp = array_namespace(values)
        if is_numpy(xp) and np.count_nonzero(to_numpy(values)) < self.nnz:
            from scipy.sparse import csr_array

            return SparseFactor(csr_array(values))
        return KroneckerFactor(xp.reshape(values, (1, 1, *self.shape)), (1, *self.shape, 1))


class StructuredSlot(DenseSlot):
    """A factor with a structure; its values are the matrix."""

    support: StructuredFactor

    def on_support_of(self, values: Any, kept: Any) -> Any:
        """The nearest values with the structure, which is a linear space."""
        return self.support.project(values)


Slot = KroneckerSlot | DenseSlot | StructuredSlot


def make_slot(support: Any, shape: tuple[int, int]) -> Slot:
    """The slot of a factor with that support."""
    if isinstance(support, KroneckerSparse):
        return KroneckerSlot(support)
    if isinstance(support, StructuredFactor):
        return StructuredSlot(support, shape)
    return DenseSlot(support, shape)


def transposed_support(support: Any) -> Any:
    """The support of the transpose."""
    if isinstance(support, KroneckerSparse | StructuredFactor):
        return support.T
    if isinstance(support, FixedMask):
        return FixedMask(support.mask().T)
    return KSparse(support.k, 1 - support.axis if isinstance(support.axis, int) else support.axis)
