"""Structured factors; their values are the parameter vector."""

from __future__ import annotations

from typing import Any

from skfact.deep_linear._factor_sets.factor_set import FactorSet, factor_set
from skfact.deep_linear._parameter_model import check_projection
from skfact.deep_linear._structured import StructuredFactor, by_parts, check_adjoint


class StructuredSet(FactorSet):
    """Matrices that are a linear function of a short vector."""

    values_are_entries = False

    def __init__(self, support: StructuredFactor) -> None:
        super().__init__(support.shape, (support.n_parameters,))
        self.support = support
        self.has_model = support.projection is not None

    @property
    def T(self) -> StructuredSet:
        return StructuredSet(self.support.T)

    def transposed(self, values: Any) -> Any:
        return values

    def dense(self, values: Any) -> Any:
        return by_parts(self.support.matrix, values)

    def restrict(self, matrix: Any) -> Any:
        return by_parts(self.support.adjoint, matrix)

    def solve_gram(self, values: Any) -> Any:
        return self.support._solve_gram(values)

    def project(self, values: Any) -> Any:
        """The nearest parameters within the model."""
        project = self.support._project
        return values if project is None else project(values)

    def entries(self, values: Any) -> Any:
        return self.dense(values)

    def check(self, like: Any, name: str) -> None:
        check_adjoint(self.support, like, name)
        project = self.support._project
        if project is not None:
            check_projection(project, self.support.n_parameters, like, name)


@factor_set.register
def _(support: StructuredFactor, shape: tuple[int, int]) -> StructuredSet:
    return StructuredSet(support)
