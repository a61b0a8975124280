"""Multiplying neighbouring factors out: exact algebra, and a model of when it pays."""

from __future__ import annotations

from typing import Any

from .._backend import array_namespace
from ._factors import KroneckerFactor, PartialPermutation
from ._rank_one_classes import columns_of_left, product_from_blocks, rows_of_right


def product_of_pair(left: Any, right: Any) -> Any:
    """The product of two neighbouring factors as one factor; None where it is not one.

    Two Kronecker-sparse factors have a Kronecker-sparse product where they are chainable, or where
    their transposes are (the product is then the transpose of a chainable one). Two partial
    permutations always have one.
    """
    if isinstance(left, PartialPermutation) and isinstance(right, PartialPermutation):
        return left.compose(right)
    if not (isinstance(left, KroneckerFactor) and isinstance(right, KroneckerFactor)):
        return None
    if left.pattern.is_chainable_with(right.pattern):
        return chainable_product(left, right)
    if right.pattern.T.is_chainable_with(left.pattern.T):
        return chainable_product(right.T, left.T).T
    return None


def chainable_product(left: KroneckerFactor, right: KroneckerFactor) -> KroneckerFactor:
    """The product of two factors with chainable patterns."""
    xp = array_namespace(left.values, right.values)
    patterns = left.pattern, right.pattern
    blocks = xp.matmul(
        columns_of_left(left.values, *patterns), rows_of_right(right.values, *patterns)
    )
    values = product_from_blocks(blocks, *patterns)
    return KroneckerFactor._wrap(values, left.pattern.product(right.pattern))
