"""The sets of hierarchical PALM: those of the factors, and of what is not split yet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from skfact.deep_linear._factor_sets.factor_set import FactorSet
from skfact.deep_linear._factor_sets.resolve import resolve_factor_sets
from skfact.supports import KSparse

SIDES = ("left", "right")


class Budgets(NamedTuple):
    """Sets of the factors, and of the residual of each level but the last."""

    factors: list[FactorSet]
    residuals: list[FactorSet]
    residual: str  # the side it is on

    @property
    def T(self) -> Budgets:
        """Those of the transposed product."""
        other = SIDES[1 - SIDES.index(self.residual)]
        return Budgets(
            [one.T for one in reversed(self.factors)], [one.T for one in self.residuals], other
        )


def resolve_budgets(
    A: Any, supports: Any, residual_supports: Any, inner_sizes: Any, k: int, residual: str
) -> Budgets:
    """The sets that the arguments of `hierarchical_palm` stand for."""
    factors = resolve_factor_sets(supports, A.shape, A, inner_sizes)
    product = factors[0].shape[0], factors[-1].shape[1]
    if product != tuple(A.shape):
        raise ValueError(
            f"The factors have a product of shape {product}, but A has shape {tuple(A.shape)}."
        )
    count, levels = len(factors), max(len(factors) - 2, 0)
    if residual_supports is None:
        return Budgets(factors, usual_residuals(A, factors, k, residual), residual)
    if isinstance(residual_supports, str) or not isinstance(residual_supports, Sequence):
        raise TypeError(f"residual_supports must be a list of supports, got {residual_supports!r}.")
    if len(residual_supports) != levels:
        raise ValueError(
            f"residual_supports must have {levels} supports, one for each level but the last, for "
            f"{count} factors; got {len(residual_supports)}."
        )
    return Budgets(factors, _residual_sets(A, factors, residual_supports, residual), residual)


def usual_residuals(
    A: Any, factors: Sequence[FactorSet], k: int = 2, residual: str = "left"
) -> list[FactorSet]:
    """Budgets that halve at each level, ``max(k, n / 2**level)`` for each row and column."""
    longer = max(A.shape)
    supports = [
        KSparse(max(k, math.ceil(longer / 2**level)), axis=(0, 1))
        for level in range(1, len(factors) - 1)
    ]
    return _residual_sets(A, factors, supports, residual)


def _residual_sets(
    A: Any, factors: Sequence[FactorSet], supports: Sequence[Any], residual: str
) -> list[FactorSet]:
    """The sets of residuals between one end of A and the factors that are split off."""
    sets = []
    for level, support in enumerate(supports, start=1):
        if residual == "left":
            shape = (A.shape[0], factors[-level].shape[0])
        else:
            shape = (factors[level - 1].shape[1], A.shape[1])
        sets += resolve_factor_sets([support], shape, A)
    return sets
