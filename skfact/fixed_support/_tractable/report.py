"""What two supports say about a factorization: the report of `analyze_supports`."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import scipy.sparse

from skfact.fixed_support._supports.rank_one import RankOneSupport
from skfact.fixed_support._supports.words import abbreviated, in_lines
from skfact.fixed_support._tractable.closure import Overlap
from skfact.fixed_support._tractable.grids import Batch, batches

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
