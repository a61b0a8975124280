"""Components that together reach every matrix where the complete classes do not.

Let the factor on one side have generic entries. A column of the product is then any vector on the
rows that it reaches, if and only if these rows can be matched with distinct components that reach
them in this column: the rows of the left factor there are independent. So one side of constants
reaches every matrix if each column has such a matching (or, for the other side, each row).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse
from scipy.sparse.csgraph import maximum_bipartite_matching

from skfact.fixed_support._supports.runs import run_of
from skfact.fixed_support._tractable.closure import Cover


def reach_everything(left: Any, right: Any, cover: Cover) -> bool:
    """Whether the products are all matrices, apart from the entries of a cover."""
    sides = (left.tocsc(), right.tocsc()), (right.T.tocsc(), left.T.tocsc())
    return any(
        all(is_matched(*masks, j, cover, side) for j in range(masks[1].shape[1]))
        for side, masks in enumerate(sides)
    )


def is_matched(left: Any, right: Any, j: int, cover: Cover, side: int) -> bool:
    """Whether the entries of column j outside the cover have distinct components that reach them.

    With `side` 1 the masks are those of the transposed product.
    """
    components = run_of(right, j)
    part = left[:, components].tocsr()
    rows = np.flatnonzero(np.diff(part.indptr))
    one = np.array([j])
    held = cover.within(rows, one)[0] if side == 0 else cover.within(one, rows)[1]
    rows = np.delete(rows, held)
    if len(rows) > len(components):
        return False
    matched = maximum_bipartite_matching(scipy.sparse.csr_array(part[rows]), perm_type="column")
    return bool((matched >= 0).all())
