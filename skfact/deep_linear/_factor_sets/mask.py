"""Factors that are zero outside a mask; their values are the entries within, row by row."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse
from scipy.sparse.csgraph import maximum_bipartite_matching

from skfact._backend import array_namespace, device, move, move_like
from skfact._inputs import is_numpy
from skfact._linalg import adjoint, is_complex
from skfact.deep_linear._factor_sets.factor_set import FactorSet, factor_set
from skfact.supports import FixedMask

# A factor of NumPy arrays is multiplied as CSR where that is faster, up to this share of non-zeros
# in matrices of so many entries; and where a dense copy of so many would be made, up to that share.
SPARSE, MEDIUM = 0.06, 2**14
THICK, LARGE = 0.25, 2**22
CHUNK = 2**22  # numbers gathered together to correlate on a sparse mask


class MaskSet(FactorSet):
    """Factors that are zero outside a mask."""

    keeps_scaled_columns = True

    def __init__(self, support: FixedMask) -> None:
        mask = support.mask()
        self.rows, self.columns = np.nonzero(mask)
        count = self.rows.size
        super().__init__(support.shape, (count,), fan=max(1.0, count / mask.shape[0]))
        self.support = support
        self.starts = np.append(0, np.cumsum(mask.sum(axis=1)))
        most = THICK if mask.size >= LARGE else SPARSE if mask.size >= MEDIUM else 0
        self.sparse = count <= most * mask.size

    @property
    def T(self) -> MaskSet:
        return MaskSet(self.support.T)

    def transposed(self, values: Any) -> Any:
        """The entries column by column."""
        order = np.lexsort((self.rows, self.columns))
        return array_namespace(values).take(values, move_like(order, values))

    @cached_property
    def place(self) -> np.ndarray:
        """Where each entry of the matrix finds its value; a zero stands after the last value.

        As large as the matrix: sparse factors do without it.
        """
        place = np.full(self.shape, self.rows.size)
        place[self.rows, self.columns] = np.arange(self.rows.size)
        return place.ravel()

    def dense(self, values: Any) -> Any:
        xp = array_namespace(values)
        if self.sparse and is_numpy(xp):
            return self._csr(values).toarray()
        zero = xp.zeros((1,), dtype=values.dtype, device=device(values))
        place = move(self.place, xp, device(values))
        return xp.reshape(xp.take(xp.concat([values, zero]), place), self.shape)

    def restrict(self, matrix: Any) -> Any:
        xp = array_namespace(matrix)
        flat = move_like(self.rows * self.shape[1] + self.columns, matrix)
        return xp.take(xp.reshape(matrix, (-1,)), flat)

    def identity(self, like: Any) -> Any:
        """The identity; where the mask lacks a diagonal entry, a largest matching within it."""
        columns = np.arange(self.shape[0])
        if not self.support.mask().diagonal().all():
            pattern = self._csr(np.ones(self.values_shape))
            columns = maximum_bipartite_matching(pattern, perm_type="column")
        kept = columns[self.rows] == self.columns
        return array_namespace(like).astype(move_like(kept, like), like.dtype)

    def times(self, values: Any, X: Any) -> Any:
        return self._matrix(values) @ X

    def adjoint_times(self, values: Any, X: Any) -> Any:
        xp = array_namespace(values)
        return self._matrix(xp.conj(values) if is_complex(values) else values).T @ X

    def correlate(self, P: Any, R: Any) -> Any:
        """P @ R^H on the mask; where it is sparse, entry by entry."""
        if not (self.sparse and is_numpy(array_namespace(P))):
            return self.restrict(P @ adjoint(R))
        R, step = R.conj(), max(1, CHUNK // P.shape[1])
        parts = [
            np.einsum("ij,ij->i", P[self.rows[s : s + step]], R[self.columns[s : s + step]])
            for s in range(0, self.rows.size, step)
        ]
        return np.concatenate(parts) if parts else np.empty(0, P.dtype)

    def scale_columns(self, values: Any, sizes: Any) -> Any:
        return values * array_namespace(values).take(sizes, move_like(self.columns, values))

    def factors(self, values: Any, like: Any) -> list[Any]:
        """The factor as one of an operator: sparse if it has zeros and the library knows that."""
        values = move_like(values, like)
        has_zeros = self.rows.size < self.shape[0] * self.shape[1]
        if has_zeros and is_numpy(array_namespace(like)):
            return [self._csr(values)]
        return [self.dense(values)]

    def _matrix(self, values: Any) -> Any:
        """What multiplies fast: CSR for few entries of NumPy arrays, otherwise dense."""
        if self.sparse and is_numpy(array_namespace(values)):
            return self._csr(values)
        return self.dense(values)

    def _csr(self, values: Any) -> Any:
        return scipy.sparse.csr_array((values, self.columns, self.starts), shape=self.shape)


@factor_set.register
def _(support: FixedMask, shape: tuple[int, int]) -> MaskSet:
    return MaskSet(support)
