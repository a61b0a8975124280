"""PALM4MSA as it was published: its start, and step sizes from exact norms.

Le Magoarou and Gribonval, "Flexible multilayer sparse approximations of matrices and applications",
IEEE JSTSP 10(4), 2016, algorithm 2: the factor that is updated first is zero, the others are
identities, whether or not these are in their sets, the scale is 1, and no step is shortened.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from skfact._backend import array_namespace, device
from skfact.deep_linear._factor_sets.factor_set import DenseSet, FactorSet
from skfact.deep_linear._palm.sweeps import GenericSweeps, Start


class ProjectedSet(DenseSet):
    """Any matrix at first, and within a set once it is projected."""

    def __init__(self, inner: FactorSet) -> None:
        super().__init__(inner.shape)
        self.inner = inner

    @property
    def T(self) -> ProjectedSet:
        return ProjectedSet(self.inner.T)

    def project(self, values: Any) -> Any:
        return self.inner.dense(self.inner.project(self.inner.coordinates(values)))


def published_start(target: Any, sets: Sequence[FactorSet], first: int, exponent: int) -> Start:
    """Zero, identities and the scale 1, for the target A / 2**exponent."""
    xp = array_namespace(target)
    values = [xp.eye(*one.shape, dtype=target.dtype, device=device(target)) for one in sets]
    values[first] = xp.zeros_like(values[first])
    return Start(values, math.ldexp(1.0, -exponent), feasible=False, sweeps=PublishedSweeps)


class PublishedSweeps(GenericSweeps):
    """Sweeps whose steps follow from spectral norms, to rounding, and are taken as they are."""

    def sweep(self, check: bool) -> bool:
        return super().sweep(check=False)

    def _left_norm2(self, j: int) -> float:
        if j == 0:
            return 1.0
        xp = array_namespace(self.A)
        size = self.sets[j].shape[0]
        one = xp.eye(size, dtype=self.A.dtype, device=device(self.A))
        return _spectral_norm(self._left(j, one)) ** 2

    def _right_norm2(self, j: int, right: Any) -> float:
        return 1.0 if right is None else _spectral_norm(right) ** 2


def _spectral_norm(matrix: Any) -> float:
    return float(array_namespace(matrix).linalg.matrix_norm(matrix, ord=2))
