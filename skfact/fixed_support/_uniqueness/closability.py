"""Rank-one completion on supports alone: which components it determines."""

from __future__ import annotations

from typing import Any

import numpy as np

from skfact.fixed_support._supports.masks import check_supports
from skfact.fixed_support._supports.rank_one import classes_of, dead_components
from skfact.fixed_support._supports.runs import run_of
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
    Time and memory are about proportional to the non-zeros of the supports and the entries that at
    least two components reach. Equal rows of the left support count once, and equal columns of the
    right one; where components are disjoint in rows of many different kinds, all but the largest
    one of each kind are read.

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
    return any(support.multiplicity > 1 for support in classes_of(left, right))


def determined_components(left: Any, right: Any) -> np.ndarray:
    """Which components the completion finds; those that reach no entry count as found.

    Within its rectangle, a component is known between rows and columns that known entries connect.
    So its unknown entries are all among the shared ones, the holes of a complete bipartite graph.
    """
    left, right = distinct_lines(left, right)
    shared = SharedEntries(left, right)
    count, id_sum = shared.count.copy(), shared.id_sum.copy()  # components that do not know it yet
    known: dict[int, np.ndarray] = {}  # of the holes, where there are some
    solved = np.zeros(left.shape[1], dtype=bool)
    solved[dead_components(left, right)] = True
    queue = Worklist(np.flatnonzero(~solved).tolist())
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
