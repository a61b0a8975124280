"""Rank-one completion on supports alone: which components it determines."""

from __future__ import annotations

from typing import Any

import numpy as np

from skfact.fixed_support._supports.masks import check_supports
from skfact.fixed_support._supports.rank_one import dead_components
from skfact.fixed_support._supports.runs import equal_runs, run_of, run_of_place
from skfact.fixed_support._supports.shared_entries import SharedEntries, distinct_lines
from skfact.fixed_support._tractable.closure import Worklist, component_labels


def is_closable(left_support: Any, right_support: Any) -> bool:
    """Whether iterative completion finds all components of a product with these supports.

    This runs :func:`complete_rank_one` on the supports alone, taking every known entry as
    non-zero. True proves that a product of factors without zeros on their supports determines
    them up to scaling (proved: each step is forced). False proves nothing: the test is sufficient,
    not necessary. Two components with the same rectangle are never closable.

    Parameters
    ----------
    left_support : mask of shape (m, r)
        Support of the left factor, of booleans or of 0 and 1.
    right_support : mask of shape (r, n)
        Support of the right factor.

    Returns
    -------
    closable : bool
        Components with an empty column or row of a support are left out.

    Raises
    ------
    TypeError
        If a support holds no truth values or numbers.
    ValueError
        If a support is no non-empty mask or the two do not fit.

    See Also
    --------
    complete_rank_one : The same with numbers.
    is_locally_identifiable : A weaker property, decided for almost all products.

    Notes
    -----
    Components that have a row and a column of their own, once the ones found before are taken out,
    are found in time and memory proportional to the non-zeros of the supports: triangular ones, for
    instance. Among the others they are about proportional to their non-zeros and the entries that
    at least two of them reach. There equal rows of the left support count once, and equal columns
    of the right one; where components are disjoint in rows of many different kinds, all but the
    largest one of each kind are read.

    References
    ----------
    .. [1] L. Zheng, E. Riccietti, R. Gribonval, "Identifiability in two-layer sparse matrix
       factorization", arXiv:2110.01235.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.fixed_support import is_closable
    >>> lower = np.tri(3, dtype=bool)
    >>> is_closable(lower, lower.T)
    True
    >>> is_closable(np.ones((3, 2)), np.ones((2, 3)))
    False
    """
    left, right = check_supports(left_support, right_support)
    if has_equal_rectangles(left, right):
        return False
    return bool(determined_components(left, right).all())


def has_equal_rectangles(left: Any, right: Any) -> bool:
    """Whether two components reach the same entries, and at least one."""
    pairs = equal_runs(left) * left.shape[1] + equal_runs(right)
    pairs = np.delete(pairs, dead_components(left, right))
    return len(np.unique(pairs)) < len(pairs)


def determined_components(left: Any, right: Any) -> np.ndarray:
    """Which components the completion finds; those that reach no entry count as found."""
    found = peeled_components(left, right)
    rest = np.flatnonzero(~found)
    if len(rest):
        found[rest] = _completed(left[:, rest], right[rest])
    return found


def peeled_components(left: Any, right: Any) -> np.ndarray:
    """Those that have a row and a column of their own, once the ones found before are taken out.

    Such a row holds a whole row of the component, and the column a whole column: their ratios give
    all of it. Those that reach no entry count as found.
    """
    found = np.zeros(left.shape[1], dtype=bool)
    dead = dead_components(left, right)
    sides = [_Lines(left, left.shape[0]), _Lines(right, right.shape[1])]
    queue = Worklist(dead.tolist())
    queue.add(np.flatnonzero(sides[0].own & sides[1].own).tolist())
    for k in queue:
        found[k] = True
        now = [side.without(k) for side in sides]
        queue.add(k for k in np.concatenate(now).tolist() if all(side.own[k] for side in sides))
    return found


class _Lines:
    """The rows, or the columns, that components reach, while one after the other is taken out."""

    def __init__(self, mask: Any, size: int) -> None:
        self.mask = mask
        self.count = np.bincount(mask.indices, minlength=size)
        self.id_sum = np.zeros(size, dtype=np.int64)  # of indices of the components
        np.add.at(self.id_sum, mask.indices, run_of_place(mask))
        # components with a line of their own
        self.own = np.zeros(len(mask.indptr) - 1, dtype=bool)
        self.own[self.id_sum[self.count == 1]] = True

    def without(self, k: int) -> np.ndarray:
        """Take out a component; the others that have a line of their own by that."""
        at = run_of(self.mask, k)
        self.count[at] -= 1
        self.id_sum[at] -= k
        owners = self.id_sum[at[self.count[at] == 1]]
        self.own[owners] = True
        return owners


def _completed(left: Any, right: Any) -> np.ndarray:
    """The same for components that all reach entries, whatever their overlaps.

    Within its rectangle, a component is known between rows and columns that known entries connect.
    So its unknown entries are all among the shared ones, the holes of a complete bipartite graph.
    """
    left, right = distinct_lines(left, right)
    shared = SharedEntries(left, right)
    count, id_sum = shared.count.copy(), shared.id_sum.copy()  # components that do not know it yet
    known: dict[int, np.ndarray] = {}  # of the holes, where there are some
    solved = np.zeros(left.shape[1], dtype=bool)
    queue = Worklist(range(left.shape[1]))
    for k in queue:
        rows, columns = run_of(left, k), run_of(right, k)
        at, i, j = shared.within(rows, columns)
        before = known.get(k, np.zeros(len(at), dtype=bool))
        now = before | (count[at] == 1)
        holes = np.flatnonzero(~now)
        if 0 < len(holes) < len(rows) * len(columns):
            now[holes] = joined(len(rows), len(columns), i[holes], j[holes])
        solved[k] = now.all()
        if now.any() and not solved[k]:
            known[k] = now
        new = at[now & ~before]
        count[new] -= 1
        id_sum[new] -= k + 1
        queue.add((np.unique(id_sum[new[count[new] == 1]]) - 1).tolist())
    return solved


def joined(n_rows: int, n_columns: int, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Which holes (i, j) of a complete bipartite graph have both ends in one connected part."""
    labels = component_labels(n_rows, n_columns, i, j, np.bincount(i, minlength=n_rows))
    return labels[0][i] == labels[1][j]
