"""Factors with one support of a family; their values are the matrix."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from skfact.deep_linear._factor_sets.budget import BudgetSet
from skfact.deep_linear._factor_sets.factor_set import factor_set
from skfact.supports import SupportFamily


class FamilySet(BudgetSet):
    """Factors in one set of a family, whichever is nearest; otherwise they are as in a budget."""

    def candidates(self, moved: Any) -> Iterator[Any]:
        """The nearest values on each member: which fits best is seen once they are fitted."""
        for support in self.support.members:
            yield support.project(moved)

    def drawn(self, matrix: Any, random: np.random.RandomState) -> Any:
        """A random member: that nearest to normal entries is one with many, almost always."""
        members = self.support.members
        return members[random.randint(len(members))].project(matrix)

    def check(self, like: Any, name: str) -> None:
        if self.support.is_paired:
            raise TypeError(
                f"{name} is a family of pairs, which is for the two factors of "
                "skfact.fixed_support: pass a SupportFamily of the supports of this factor alone."
            )


@factor_set.register
def _(support: SupportFamily, shape: tuple[int, int]) -> FamilySet:
    return FamilySet(support, shape)
