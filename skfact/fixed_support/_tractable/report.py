"""What two supports say about a factorization: the report of `analyze_supports`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse

from skfact.fixed_support._supports.masks import check_supports
from skfact.fixed_support._supports.packed import PackedMask
from skfact.fixed_support._supports.rank_one import (
    RankOneSupport,
    abbreviated,
    classes_of,
    dead_components,
    in_lines,
)
from skfact.fixed_support._supports.runs import equal_runs
from skfact.fixed_support._tractable.closure import Overlap, complete_closure, overlaps
from skfact.fixed_support._tractable.grids import Batch, batches
from skfact.supports._masks import Labels, labels_of

BLOCKWISE, COMPLETE, ALTERNATING = "blockwise", "complete-classes", "alternating"
ROUTES = {
    BLOCKWISE: "blockwise: one low-rank approximation per class",
    COMPLETE: "complete-classes: low-rank pieces, then complete classes fit the remainder",
    ALTERNATING: "alternating: least squares for one factor, then for the other, in turns",
}


@dataclass(frozen=True, eq=False, repr=False)
class SupportReport:
    """What the supports of two factors say about the factorization.

    Made by :func:`analyze_supports`; its text is meant to be read.

    Parameters
    ----------
    left_support : scipy.sparse.csc_array of shape (m, r)
        Where the left factor may be non-zero.
    right_support : scipy.sparse.csr_array of shape (r, n)
        Where the right factor may be non-zero.
    classes : list of RankOneSupport
        The distinct rank-one supports, in the order of their first components.
    dead_components : ndarray of int
        Components that can hold nothing.
    pieces : list of RankOneSupport
        What a low-rank approximation is for: the classes themselves, or what complete classes
        leave of them.
    absorbed : list of RankOneSupport
        Complete classes and pieces, which fit the remainder; empty for the route "blockwise".
    route : {"blockwise", "complete-classes", "alternating"}
        What the solver will do.
    reason : str
        Why.
    overlaps : list of Overlap
        Classes that meet and where (`first`, `second`: positions in `classes`; `rows`,
        `columns`): some of them if there are many.
    cost : int
        Estimate of the multiplications: all of them for a closed form, those of one sweep for
        "alternating".
    labels : tuple of two lists or None
        Labels of the rows of the left mask and of the columns of the right one, where these were
        data frames.

    See Also
    --------
    analyze_supports : Makes the report.
    skfact.inspection.SupportReportDisplay : Draws it.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.fixed_support import analyze_supports
    >>> lower = np.tri(3)
    >>> report = analyze_supports(lower, lower.T)
    >>> report.is_tractable
    False
    """

    left_support: scipy.sparse.csc_array
    right_support: scipy.sparse.csr_array
    classes: list[RankOneSupport]
    dead_components: Any
    pieces: list[RankOneSupport]
    absorbed: list[RankOneSupport]
    route: str
    reason: str
    overlaps: list[Overlap] = field(default_factory=list)
    cost: int = 0
    labels: tuple[Labels, Labels] = (None, None)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled are the masks: the rest is found out again."""
        masks = PackedMask.of(self.left_support), PackedMask.of(self.right_support)
        return _unpacked_report, (*masks, self.labels)

    @property
    def shape(self) -> tuple[int, int]:
        """Shape (m, n) of the matrices that are factored."""
        return self.left_support.shape[0], self.right_support.shape[1]

    @property
    def n_components(self) -> int:
        """Number r of components, dead ones included."""
        return int(self.left_support.shape[1])

    @property
    def is_tractable(self) -> bool:
        """Whether a closed form gives the global optimum."""
        return self.route != ALTERNATING

    @cached_property
    def class_batches(self) -> list[Batch]:
        """The classes in batches of equal size."""
        return batches(self.classes)

    @cached_property
    def piece_batches(self) -> list[Batch]:
        """The pieces in batches of equal size, as the closed form takes them."""
        return self.class_batches if self.pieces is self.classes else batches(self.pieces)

    @property
    def complete_classes(self) -> list[RankOneSupport]:
        """Classes that reach every matrix on their support."""
        return [support for support in self.classes if support.is_complete]

    def __repr__(self) -> str:
        m, n = self.shape
        nnz = int(self.left_support.nnz), int(self.right_support.nnz)
        dead = len(self.dead_components)
        lines = [
            f"SupportReport: ({m} x {n}) ~ ({m} x {self.n_components}) @ "
            f"({self.n_components} x {n}), {nnz[0]:,} + {nnz[1]:,} non-zeros",
            f"  rank-one supports  {len(self.classes):,} distinct{self._sizes()}",
            f"  complete classes   {len(self.complete_classes):,}",
            f"  dead components    {dead:,}"
            + (f": {abbreviated(self.dead_components)}" if dead else ""),
            f"  tractable          {'yes' if self.is_tractable else 'no'}: {self.reason}",
        ]
        if not self.is_tractable:
            lines += [
                f"                     {where_they_meet(self.classes, found)}"
                for found in self._overlaps_to_show()
            ]
        per = "per sweep" if self.route == ALTERNATING else "in all"
        lines += [
            f"  route              {ROUTES[self.route]}",
            f"  cost               about {self.cost:.1e} multiplications {per}",
        ]
        return "\n".join(lines)

    def _overlaps_to_show(self) -> list[Overlap]:
        """A few, but for one that the reason names."""
        return self.overlaps[:3] if self.complete_classes else self.overlaps[1:3]

    def _sizes(self) -> str:
        """The commonest kinds of classes in words."""
        if not self.classes:
            return ""
        kinds: dict[tuple[int, int, int], int] = {}
        for support in self.classes:
            kind = (*support.shape, support.multiplicity)
            kinds[kind] = kinds.get(kind, 0) + 1
        most = sorted(kinds.items(), key=lambda item: -item[1])
        shown = [
            f"{count:,} of {a} x {b} with {p} component{'s' * (p > 1)}"
            for (a, b, p), count in most[:3]
        ]
        return ": " + "; ".join(shown) + ("; ..." if len(most) > 3 else "")


def where_they_meet(classes: list[RankOneSupport], found: Overlap) -> str:
    """An overlap in words."""
    first, second = (abbreviated(classes[k].components) for k in (found.first, found.second))
    return f"components {first} and {second} meet in {in_lines(found.rows, found.columns, ', ')}"


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
    pieces are once the complete classes are taken out [1]_, here in an iterated form: pieces are
    the connected components of what is left of a support, and a piece that its components fill
    counts as complete. Memory is proportional to the non-zeros of the masks. "Not tractable" means
    that neither closed form applies; the general problem is NP-hard.

    References
    ----------
    .. [1] Q.-T. Le, E. Riccietti, R. Gribonval, "Spurious valleys, NP-hardness, and tractability of
       sparse matrix factorization with fixed support", arXiv:2112.00386: the theorem that supports
       are tractable which are disjoint beside the complete classes.

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
    labels = labels_of(left_support)[0], labels_of(right_support)[1]
    return replace(report_on(*check_supports(left_support, right_support)), labels=labels)


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


def _unpacked_report(
    left: PackedMask, right: PackedMask, labels: tuple[Labels, Labels]
) -> SupportReport:
    masks = check_supports(left.unpacked(), right.unpacked())
    return replace(report_on(*masks), labels=labels)


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
