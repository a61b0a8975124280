"""A factor that never changes: the data in the place of a factor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from skfact._backend import array_namespace
from skfact.deep_linear._factor_sets.factor_set import DenseSet


class ConstantSet(DenseSet):
    """One matrix, of whatever norm PALM gives it."""

    is_linear = False

    def __init__(self, matrix: Any) -> None:
        super().__init__((matrix.shape[0], matrix.shape[1]))
        self.matrix = matrix

    @property
    def T(self) -> ConstantSet:
        return ConstantSet(array_namespace(self.matrix).matrix_transpose(self.matrix))

    def project(self, values: Any) -> Any:
        return self.matrix

    def proposals(self, moved: Any, old: Any) -> Iterator[Any]:
        """No step."""
        yield old
