"""Rank-one supports of two factors, and the classes of equal ones.

The product is ``left @ right = sum_k left[:, k] right[k, :]``, and its k-th term lives on the
rectangle S_k of rows supp left[:, k] and columns supp right[k, :]. Only the distinct rectangles and
their multiplicities matter (arXiv 2112.00386).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.sparse

from skfact.fixed_support._supports.masks import check_supports
from skfact.fixed_support._supports.runs import equal_runs, grouped, run_of
from skfact.supports._masks import Labels, is_labelled


@dataclass(frozen=True, slots=True, eq=False)
class RankOneSupport:
    """Rectangle on which some components of a product live.

    Parameters
    ----------
    rows : ndarray of int
        Rows of the rectangle, ascending.
    columns : ndarray of int
        Columns of the rectangle, ascending.
    components : ndarray of int
        The components with this support, ascending.

    See Also
    --------
    rank_one_supports : All of them for two masks.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.fixed_support import RankOneSupport
    >>> support = RankOneSupport(np.array([0, 1]), np.array([0, 2, 5]), np.array([3]))
    >>> support
    RankOneSupport(2 x 3, rows [0, 1], columns [0, 2, 5], component [3])
    >>> support.is_complete
    False
    """

    rows: np.ndarray
    columns: np.ndarray
    components: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return len(self.rows), len(self.columns)

    @property
    def size(self) -> int:
        """Number of entries."""
        return len(self.rows) * len(self.columns)

    @property
    def multiplicity(self) -> int:
        """Number of components with this support."""
        return len(self.components)

    @property
    def is_complete(self) -> bool:
        """Whether the components together reach every matrix on the rectangle."""
        return self.multiplicity >= min(self.shape)

    def __repr__(self) -> str:
        return (
            f"RankOneSupport({len(self.rows)} x {len(self.columns)}, "
            f"{in_lines(self.rows, self.columns, ', ')}, {named(self.components)})"
        )


def rank_one_supports(left_support: Any, right_support: Any) -> list[RankOneSupport]:
    """Distinct rank-one supports of two masks, with the components that have each.

    Parameters
    ----------
    left_support : mask of shape (m, r)
        Where the left factor may be non-zero: booleans or 0/1, an array of any library or a SciPy
        sparse matrix.
    right_support : mask of shape (r, n)
        Where the right factor may be non-zero.

    Returns
    -------
    classes : list of RankOneSupport
        One per class of equal supports, in the order of their first components. Components that
        can hold nothing (an empty column of the left mask or row of the right one) are in none.

    Raises
    ------
    TypeError
        If a mask does not hold truth values or numbers.
    ValueError
        If a mask is not 2-D, is empty, holds other numbers than 0 and 1, or the two do not fit.

    See Also
    --------
    analyze_supports : What they say about the factorization.

    Notes
    -----
    Time and memory are proportional to the non-zeros of the masks.

    References
    ----------
    .. [1] Q.-T. Le, E. Riccietti, R. Gribonval, "Spurious valleys, NP-hardness, and tractability of
       sparse matrix factorization with fixed support", arXiv:2112.00386.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.fixed_support import rank_one_supports
    >>> left = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]])
    >>> for support in rank_one_supports(left, left.T):
    ...     print(support)
    RankOneSupport(2 x 2, rows [0, 1], columns [0, 1], components [0, 1])
    RankOneSupport(1 x 1, rows [2], columns [2], component [2])
    """
    return classes_of(*check_supports(left_support, right_support))


def classes_of(left: scipy.sparse.csc_array, right: scipy.sparse.csr_array) -> list[RankOneSupport]:
    """The classes of equal rank-one supports of two checked masks."""
    n_components = left.shape[1]
    alive = np.setdiff1d(np.arange(n_components), dead_components(left, right))
    if not len(alive):
        return []
    pairs = equal_runs(left) * n_components + equal_runs(right)
    classes = []
    for components in grouped(pairs[alive]):
        members = alive[components]
        rows, columns = run_of(left, members[0]), run_of(right, members[0])
        classes.append(RankOneSupport(rows, columns, members))
    return classes


def dead_components(left: scipy.sparse.csc_array, right: scipy.sparse.csr_array) -> np.ndarray:
    """Components that can hold nothing: an empty column of the left mask or row of the right."""
    return np.flatnonzero((np.diff(left.indptr) == 0) | (np.diff(right.indptr) == 0))


def abbreviated(indices: Any, longest: int = 6, labels: Labels = None) -> str:
    """Indices as a short text: all of a few, a range, or the first and the last ones.

    In place of an index stands its label, if labels are more than positions.
    """
    found = [int(i) for i in indices]
    shown = (
        [repr(labels[i]) for i in found]
        if labels and is_labelled(labels)
        else list(map(str, found))
    )
    if len(found) <= longest and not (len(found) > 3 and found[-1] - found[0] == len(found) - 1):
        return f"[{', '.join(shown)}]"
    if all(b - a == 1 for a, b in pairwise(found)):
        return f"[{shown[0]}..{shown[-1]}]"
    return f"[{', '.join(shown[: longest - 2])}, ..., {shown[-1]}]"


def named(components: Any) -> str:
    """Components by number: "component [1]", "components [0, 2]"."""
    return f"component{'s' * (len(components) != 1)} {abbreviated(components)}"


def in_lines(rows: Any, columns: Any, joint: str = " and ", labels: Labels = None) -> str:
    """Where: "rows [0] and columns [1, 2]", the columns by their labels if there are some."""
    return f"rows {abbreviated(rows)}{joint}columns {abbreviated(columns, labels=labels)}"
