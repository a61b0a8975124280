"""Factors within a budget of non-zeros; their values are the matrix."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from skfact._backend import array_namespace, move_like
from skfact._inputs import is_numpy
from skfact.deep_linear._factor_sets.factor_set import DenseSet, factor_set
from skfact.supports import KSparse


class BudgetSet(DenseSet):
    """Factors with few non-zeros, wherever these are."""

    is_linear = False

    def __init__(self, support: Any, shape: tuple[int, int]) -> None:
        super().__init__(shape)
        self.support = support

    @property
    def T(self) -> BudgetSet:
        return type(self)(self.support.T, (self.shape[1], self.shape[0]))

    def project(self, values: Any) -> Any:
        return self.support.project(values)

    def proposals(self, moved: Any, old: Any) -> Iterator[Any]:
        """The projection; then, as a budget of rows and columns is projected on by a rule of thumb,
        the same entries as before.
        """
        yield self.project(moved)
        xp = array_namespace(moved)
        yield xp.where(old != 0, moved, xp.zeros_like(moved))

    def factors(self, values: Any, like: Any) -> list[Any]:
        """The factor as one of an operator: sparse if it has zeros and the library knows that."""
        values = move_like(values, like)
        sparse = is_numpy(array_namespace(like)) and np.count_nonzero(values) < values.size
        return [csr_array(values) if sparse else values]


@factor_set.register
def _(support: KSparse, shape: tuple[int, int]) -> BudgetSet:
    return BudgetSet(support, shape)
