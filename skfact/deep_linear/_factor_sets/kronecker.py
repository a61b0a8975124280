"""Kronecker-sparse factors; their values are the blocks (a, d, b, c)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from skfact._backend import array_namespace, move_like
from skfact._kernels.apply import apply_factor, correlate
from skfact._linalg import adjoint
from skfact.deep_linear._factor_sets.factor_set import FactorSet, factor_set
from skfact.operators._factors import KroneckerFactor, dense_factor
from skfact.supports import KroneckerSparse
from skfact.supports._kronecker import flat_places


class KroneckerSet(FactorSet):
    """Factors that are zero outside a pattern."""

    keeps_scaled_columns = True

    def __init__(self, pattern: KroneckerSparse) -> None:
        a, b, c, d = pattern
        super().__init__(pattern.shape, (a, d, b, c), fan=c)
        self.pattern = pattern
        self._flat: Any = None

    @property
    def T(self) -> KroneckerSet:
        return KroneckerSet(self.pattern.T)

    def transposed(self, values: Any) -> Any:
        return array_namespace(values).matrix_transpose(values)

    def dense(self, values: Any) -> Any:
        return dense_factor(values)

    def restrict(self, matrix: Any) -> Any:
        if isinstance(matrix, np.ndarray):
            return matrix.ravel()[flat_places(self.pattern)]
        xp = array_namespace(matrix)
        flat = flat_places(self.pattern).ravel() if self._flat is None else self._flat
        self._flat = move_like(flat, matrix)
        return xp.reshape(xp.take(xp.reshape(matrix, (-1,)), self._flat), self.values_shape)

    def times(self, values: Any, X: Any) -> Any:
        return apply_factor(values, X)

    def adjoint_times(self, values: Any, X: Any) -> Any:
        return apply_factor(adjoint(values), X)

    def correlate(self, P: Any, R: Any) -> Any:
        return correlate(self.pattern, P, R)

    def scale_columns(self, values: Any, sizes: Any) -> Any:
        xp = array_namespace(values)
        a, _, c, d = self.pattern
        return values * xp.permute_dims(xp.reshape(sizes, (a, 1, c, d)), (0, 3, 1, 2))

    def factors(self, values: Any, like: Any) -> list[Any]:
        return [KroneckerFactor(move_like(values, like), self.pattern)]


@factor_set.register
def _(support: KroneckerSparse, shape: tuple[int, int]) -> KroneckerSet:
    return KroneckerSet(support)


def patterns_of(sets: Sequence[FactorSet]) -> list[KroneckerSparse] | None:
    """The patterns of the sets; None unless all are Kronecker-sparse."""
    patterns = [one.pattern for one in sets if isinstance(one, KroneckerSet)]
    return patterns if len(patterns) == len(sets) else None
