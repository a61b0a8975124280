"""The analysis of two supports: what they say about the factorization."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse

from skfact.fixed_support._supports.masks import check_supports
from skfact.fixed_support._supports.rank_one import RankOneSupport, classes_of, dead_components
from skfact.fixed_support._supports.runs import equal_runs
from skfact.fixed_support._tractable.closure import complete_closure, overlaps
from skfact.fixed_support._tractable.report import (
    ALTERNATING,
    BLOCKWISE,
    COMPLETE,
    SupportReport,
    where_they_meet,
)


def analyze_supports(left_support: Any, right_support: Any) -> SupportReport:
    """Find out what the supports of two factors say about ``A ~ left @ right``.

    Parameters
    ----------
    left_support : mask of shape (m, r)
        Where the left factor may be non-zero: booleans or 0/1, an array of any library or a SciPy
        sparse matrix.
    right_support : mask of shape (r, n)
        Where the right factor may be non-zero.

    Returns
    -------
    report : SupportReport
        Rank-one supports, complete classes, dead components, whether the global optimum has a
        closed form and why, the route that the solver will take and its cost.

    Raises
    ------
    TypeError
        If a mask does not hold truth values or numbers.
    ValueError
        If a mask is not 2-D, is empty, holds other numbers than 0 and 1, or the two do not fit.

    See Also
    --------
    fixed_support_factorize : The factorization itself; takes the report to save the analysis.
    skfact.inspection.SupportReportDisplay : A picture of the report.

    Notes
    -----
    Tractable are supports whose distinct rank-one supports are pairwise disjoint, and those whose
    pieces are once the complete classes are taken out [1]_, in an iterated form: pieces are
    the connected components of what is left of a support, and a piece that its components fill
    counts as complete. Memory is proportional to the non-zeros of the masks. "Not tractable" means
    that neither closed form applies; the general problem is NP-hard.

    References
    ----------
    .. [1] Q.-T. Le, E. Riccietti, R. Gribonval, "Spurious valleys, NP-hardness, and tractability of
       sparse matrix factorization with fixed support", arXiv:2112.00386, Theorem 3.8.

    Examples
    --------
    The features of 4 and 3 columns, two components each, have a closed form:

    >>> import numpy as np
    >>> from skfact.fixed_support import analyze_supports
    >>> right = np.repeat([[1, 0], [1, 0], [0, 1], [0, 1]], [4, 3], axis=1)
    >>> analyze_supports(np.ones((10, 4)), right)
    SupportReport: (10 x 7) ~ (10 x 4) @ (4 x 7), 40 + 14 non-zeros
      rank-one supports  2 distinct: 1 of 10 x 4 with 2 components; 1 of 10 x 3 with 2 components
      complete classes   0
      dead components    0
      tractable          yes: the rank-one supports are pairwise disjoint
      route              blockwise: one low-rank approximation per class
      cost               about 2.8e+02 multiplications in all

    Lower times upper triangular matrices do not:

    >>> lower = np.tri(3)
    >>> analyze_supports(lower, lower.T)
    SupportReport: (3 x 3) ~ (3 x 3) @ (3 x 3), 6 + 6 non-zeros
      rank-one supports  3 distinct: 1 of 3 x 3 with 1 component; ...
      complete classes   1
      dead components    0
      tractable          no: beside the complete classes, component [1] keeps 3 of the 4 entries ...
                         components [0] and [1] meet in rows [1, 2], columns [1, 2]
      route              alternating: least squares for one factor, then for the other, in turns
      cost               about 8.0e+01 multiplications per sweep
    """
    return report_on(*check_supports(left_support, right_support))


def report_on(left: scipy.sparse.csc_array, right: scipy.sparse.csr_array) -> SupportReport:
    """The report on two checked masks."""
    shape = left.shape[0], right.shape[1]
    classes = classes_of(left, right)
    report = SupportReport(
        left_support=left,
        right_support=right,
        classes=classes,
        dead_components=dead_components(left, right),
        pieces=classes,
        absorbed=[],
        route=BLOCKWISE,
        reason="the rank-one supports are pairwise disjoint"
        if classes
        else "no component can hold anything",
        overlaps=overlaps(classes, shape),
        cost=_blockwise_cost(classes),
    )
    if not report.overlaps:
        return report
    closure = complete_closure(classes, shape)
    if not closure.absorbed:
        reason = f"{where_they_meet(classes, report.overlaps[0])}, and no class is complete"
    else:
        reason = closure.obstacle(closure.pieces)
    if reason:
        cost = _sweep_cost(classes, left, right)
        return replace(report, route=ALTERNATING, reason=reason, cost=cost)
    of_absorbed = sum(piece.size * piece.multiplicity for piece in closure.absorbed)
    return replace(
        report,
        pieces=closure.pieces,
        absorbed=closure.absorbed,
        route=COMPLETE,
        reason="beside the complete classes, what is left is disjoint rectangles",
        cost=_blockwise_cost(closure.pieces) + of_absorbed,
    )


def _blockwise_cost(pieces: list[RankOneSupport]) -> int:
    """Multiplications of low-rank approximations: a few products with each block."""
    return sum(2 * piece.size * min(piece.multiplicity, *piece.shape) for piece in pieces)


def _sweep_cost(classes: list[RankOneSupport], left: Any, right: Any) -> int:
    """Products with the blocks of both half steps, Gram matrices, and small linear systems."""
    cost = sum(2 * support.size * support.multiplicity for support in classes)
    for by_entry in (left.tocsr(), right.tocsc()):  # a row of the left factor, column of the right
        unknowns = np.diff(by_entry.indptr).astype(np.int64)
        by_entry.sort_indices()
        systems = np.unique(equal_runs(by_entry), return_index=True)[1]
        cost += int(np.sum(unknowns**2) + np.sum(unknowns[systems] ** 3) // 3)
    return cost
