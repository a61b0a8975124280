"""Products that are larger than the map they stand for: rows are cropped, inputs padded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from skfact._backend import array_namespace, device, move_like
from skfact.deep_linear._factor_sets.factor_set import FactorSet
from skfact.deep_linear._factor_sets.kronecker import KroneckerSet
from skfact.operators import PartialPermutation
from skfact.supports._kronecker import flat_places


class CroppedSet(FactorSet):
    """The upper left corners of the factors in a linear set."""

    def __init__(self, whole: FactorSet, shape: tuple[int, int]) -> None:
        super().__init__(shape, whole.values_shape, whole.fan)
        self.whole = whole
        self.values_are_entries = whole.values_are_entries

    @property
    def T(self) -> CroppedSet:
        return CroppedSet(self.whole.T, (self.shape[1], self.shape[0]))

    def transposed(self, values: Any) -> Any:
        return self.whole.transposed(values)

    def dense(self, values: Any) -> Any:
        return self.whole.dense(values)[: self.shape[0], : self.shape[1]]

    def restrict(self, matrix: Any) -> Any:
        return self.whole.restrict(padded(matrix, self.whole.shape))

    def entries(self, values: Any) -> Any:
        if not isinstance(self.whole, KroneckerSet):
            return self.dense(values)
        rows, columns = np.divmod(flat_places(self.whole.pattern), self.whole.shape[1])
        inside = move_like((rows < self.shape[0]) & (columns < self.shape[1]), values)
        return array_namespace(values).where(inside, values, 0 * values)

    def times(self, values: Any, X: Any) -> Any:
        X = padded(X, (self.whole.shape[1], X.shape[1]))
        return self.whole.times(values, X)[: self.shape[0], :]

    def adjoint_times(self, values: Any, X: Any) -> Any:
        X = padded(X, (self.whole.shape[0], X.shape[1]))
        return self.whole.adjoint_times(values, X)[: self.shape[1], :]

    def correlate(self, P: Any, R: Any) -> Any:
        rows, columns = self.whole.shape
        return self.whole.correlate(padded(P, (rows, P.shape[1])), padded(R, (columns, R.shape[1])))

    def factors(self, values: Any, like: Any) -> list[Any]:
        """Crop, factor, pad: those of the three that do something."""
        factors = self.whole.factors(values, like)
        (m, n), (rows, columns) = self.shape, self.whole.shape
        if m < rows:
            factors.insert(0, PartialPermutation.crop(m, rows))
        if n < columns:
            factors.append(PartialPermutation.pad(columns, n))
        return factors


def cropped(sets: Sequence[FactorSet], shape: tuple[int, int]) -> list[FactorSet]:
    """The sets of a product cropped to a shape: the first loses rows, and the last columns."""
    sets, (m, n) = list(sets), shape
    if m < sets[0].shape[0]:
        sets[0] = CroppedSet(sets[0], (m, sets[0].shape[1]))
    if n < sets[-1].shape[1]:
        whole = sets[-1].whole if isinstance(sets[-1], CroppedSet) else sets[-1]
        sets[-1] = CroppedSet(whole, (sets[-1].shape[0], n))
    return sets


def padded(A: Any, shape: tuple[int, int]) -> Any:
    """The matrix with zeros appended up to a shape."""
    if tuple(A.shape) == tuple(shape):
        return A
    xp = array_namespace(A)
    wide = xp.zeros((A.shape[0], shape[1] - A.shape[1]), dtype=A.dtype, device=device(A))
    tall = xp.zeros((shape[0] - A.shape[0], shape[1]), dtype=A.dtype, device=device(A))
    return xp.concat([xp.concat([A, wide], axis=1), tall], axis=0)
