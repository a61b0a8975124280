"""Masked rank-one approximation as a factorization with fixed supports: why the latter is hard."""

from __future__ import annotations

from typing import Any

import numpy as np

from skfact._backend import to_numpy
from skfact._checks import check_matrix, require_finite
from skfact.fixed_support._supports.masks import as_mask
from skfact.supports._masks import labels_of


def hardness_instance(A: Any, observed: Any) -> tuple[np.ndarray, np.ndarray]:
    r"""Supports whose best factorization of a matrix is a masked rank-one approximation.

    Component 0 is dense, and each column with unobserved entries gets a component of its own that
    reaches exactly these entries. They can be fitted whatever component 0 does there, so that

    .. math:: \inf_{\operatorname{supp} X \subset I, \operatorname{supp} Y \subset J} \|A - XY\|_F^2
       = \inf_{x, y} \sum_{(i, j)\ \text{observed}} (a_{ij} - x_i y_j)^2

    (proved). The right side is NP-hard to compute, and so is the factorization with fixed supports
    in general [1]_. The infimum may not be attained.

    Parameters
    ----------
    A : array-like of shape (m, n)
        Real or complex matrix. Only its shape enters the supports.
    observed : mask of shape (m, n)
        True (or 1) where the approximation counts.

    Returns
    -------
    left_support : ndarray of shape (m, r), dtype bool
        r is 1 plus the number of columns with an unobserved entry.
    right_support : ndarray of shape (r, n), dtype bool
        Row 0 is full, and the others have one entry each.

    Raises
    ------
    TypeError
        If `A` is not an array of numbers or `observed` does not hold truth values or numbers.
    ValueError
        If `A` is not a finite matrix or `observed` is no mask of its shape. Replace missing entries
        of A by any number: the components reach it.

    References
    ----------
    .. [1] Q.-T. Le, E. Riccietti, R. Gribonval, "Spurious valleys, NP-hardness, and tractability of
       sparse matrix factorization with fixed support", arXiv:2112.00386.

    Examples
    --------
    >>> from skfact.fixed_support import hardness_instance
    >>> left, right = hardness_instance([[1, 2], [3, 4]], [[1, 1], [1, 0]])
    >>> left.astype(int)
    array([[1, 0],
           [1, 1]])
    >>> right.astype(int)
    array([[1, 1],
           [0, 1]])
    """
    of_rows, of_columns = labels_of(A)
    A = to_numpy(check_matrix(A, "A"))
    require_finite(float(np.abs(A).max()), "A")
    m, n = A.shape
    seen = as_mask(observed, "observed", (of_rows, "A"), (of_columns, "A")).toarray()
    if seen.shape != (m, n):
        raise ValueError(f"observed must have the shape of A, {(m, n)}, got {seen.shape}.")
    columns = np.flatnonzero(~seen.all(axis=0))
    left = np.concatenate([np.ones((m, 1), dtype=bool), ~seen[:, columns]], axis=1)
    right = np.concatenate([np.ones((1, n), dtype=bool), np.eye(n, dtype=bool)[columns]])
    return left, right
