"""Where the factors of a chainable pair keep the blocks of their product, in terms of patterns.

The bookkeeping itself is :class:`skfact._kernels.low_rank_blocks.Classes`.
"""

from __future__ import annotations

from typing import Any

from skfact._kernels.low_rank_blocks import Classes
from skfact.supports import KroneckerSparse


def classes_of(left: KroneckerSparse, right: KroneckerSparse) -> Classes:
    """Sizes of the rank-one classes of a chainable pair."""
    return Classes(
        a=left.a,
        t=right.a // left.a,
        u=left.d // right.d,
        d=right.d,
        b=left.b,
        c=right.c,
        r=left.rank_with(right),
    )


def product_from_blocks(blocks: Any, left: KroneckerSparse, right: KroneckerSparse) -> Any:
    """Values (a1, d2, b1 u, t c2) of the product pattern from its class blocks."""
    return classes_of(left, right).product_from_blocks(blocks)


def columns_of_left(values: Any, left: KroneckerSparse, right: KroneckerSparse) -> Any:
    """View the left factor's values as (a1, t, u, d2, b1, r)."""
    return classes_of(left, right).columns_of_left(values)


def rows_of_right(values: Any, left: KroneckerSparse, right: KroneckerSparse) -> Any:
    """View the right factor's values as (a1, t, u, d2, r, c2)."""
    return classes_of(left, right).rows_of_right(values)
