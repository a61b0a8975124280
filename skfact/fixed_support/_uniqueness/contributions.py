"""The lifting: a pair of factors as the rank-one matrices that their product is a sum of."""

from __future__ import annotations

import math
from typing import Any

from skfact._backend import array_namespace
from skfact._checks import check_matrix, check_number, require_finite
from skfact._inputs import as_floating


def rank_one_contributions(left: Any, right: Any) -> Any:
    r"""Rank-one matrices whose sum is the product of two factors.

    Contribution i is the product of column i of the left factor and row i of the right one,

    .. math:: X Y = \sum_i C_i, \quad C_i = X_{:,i} \, Y_{i,:} .

    A factorization Z = X Y becomes a decomposition of Z in a sum, which knows no scaling of columns
    against rows any more.

    Parameters
    ----------
    left : array-like of shape (m, r)
        Left factor, real or complex, from any array library.
    right : array-like of shape (r, n)
        Right factor, from the same library.

    Returns
    -------
    contributions : array of shape (r, m, n)
        One matrix for each component, in the library of the factors: r m n numbers.

    Raises
    ------
    TypeError
        If a factor is not an array of numbers.
    ValueError
        If a factor is no matrix, or the two do not fit or come from different libraries.

    See Also
    --------
    factors_from_contributions : The way back, up to scaling.
    is_nondegenerate : Whether nothing but the scaling is lost.
    rank_one_supports : Where contributions may be non-zero.
    complete_rank_one : Finds them for a product and its supports.

    References
    ----------
    .. [1] L. Zheng, E. Riccietti, R. Gribonval, "Identifiability in two-layer sparse matrix
       factorization", arXiv:2110.01235.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.fixed_support import rank_one_contributions
    >>> left, right = np.array([[1.0, 0.0], [2.0, 1.0]]), np.array([[1.0, 3.0], [0.0, 5.0]])
    >>> rank_one_contributions(left, right)
    array([[[1., 3.],
            [2., 6.]],
    <BLANKLINE>
           [[0., 0.],
            [0., 5.]]])
    """
    left, right = _factors(left, right)
    xp = array_namespace(left, right)
    return xp.matrix_transpose(left)[:, :, None] * right[:, None, :]


def factors_from_contributions(contributions: Any, *, tol: float | None = None) -> tuple[Any, Any]:
    """Factors whose columns and rows have given rank-one matrices as products.

    They are unique up to the scaling of each column against its row: here the two have equal norms,
    and the entry of the left factor in the row of the largest entry of its matrix is positive. A
    matrix of zeros gives a column and a row of zeros.

    Parameters
    ----------
    contributions : array-like of shape (r, m, n)
        One matrix of rank one, or of zeros, for each component; from any array library.
    tol : float, default=None
        Largest deviation of a matrix from rank one, relative to its largest entry. None is the
        square root of the machine epsilon.

    Returns
    -------
    left : array of shape (m, r)
        Left factor, in the library of `contributions`.
    right : array of shape (r, n)
        Right factor.

    Raises
    ------
    TypeError
        If `contributions` is not an array of numbers.
    ValueError
        If it is not 3-D, is empty, has NaN or infinite entries, or a matrix is not of rank one.

    See Also
    --------
    rank_one_contributions : The way there.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.fixed_support import factors_from_contributions
    >>> left, right = factors_from_contributions([[[1.0, 4.0], [2.0, 8.0]]])
    >>> (left @ right).round(12)
    array([[1., 4.],
           [2., 8.]])
    >>> bool(np.isclose(np.linalg.norm(left), np.linalg.norm(right)))
    True
    """
    C = as_floating(contributions, "contributions")
    xp = array_namespace(C)
    if C.ndim != 3 or 0 in C.shape:
        raise ValueError(
            "contributions must be 3-D, a matrix for each component, (r, m, n), with at least one "
            f"entry; got shape {tuple(C.shape)}."
        )
    require_finite(float(xp.max(xp.abs(C))), "contributions")
    tol = float(xp.finfo(C.dtype).eps) ** 0.5 if tol is None else tol
    check_number(tol, "tol", float, 0.0)
    columns, rows = [], []
    for k in range(C.shape[0]):
        column, row, deviation = rank_one_pair(C[k, ...])
        largest = float(xp.max(xp.abs(C[k, ...])))
        if deviation > tol * largest:
            raise ValueError(
                f"contributions[{k}] is not of rank one: the product of its largest column and row "
                f"deviates by {deviation / largest:.3g} of its largest entry, and tol={tol:.3g}. "
                "Increase tol, or pass matrices of rank one."
            )
        columns.append(column)
        rows.append(row)
    return xp.stack(columns, axis=1), xp.stack(rows, axis=0)


def is_nondegenerate(left: Any, right: Any) -> bool:
    r"""Whether no column of the left factor and no row of the right one is zero.

    For such a pair the contributions determine the factors up to scaling: to know whether Z = X Y
    has these factors only, up to the scaling and the order of components, is to know whether it is
    a sum of these rank-one matrices only, up to their order.

    Parameters
    ----------
    left : array-like of shape (m, r)
        Left factor, real or complex, from any array library.
    right : array-like of shape (r, n)
        Right factor, from the same library.

    Returns
    -------
    nondegenerate : bool
        True if the pair has no zero column and no zero row.

    Raises
    ------
    TypeError
        If a factor is not an array of numbers.
    ValueError
        If a factor is no matrix, or the two do not fit or come from different libraries.

    See Also
    --------
    rank_one_contributions : What determines a non-degenerate pair.
    is_locally_identifiable : Whether factors with given supports are unique, near a generic one.

    Notes
    -----
    Of a contribution :math:`x y \neq 0` the column is a multiple of x and the row one of y, with
    inverse factors. Of a contribution that is zero, as x or y is, the other one may be anything: a
    degenerate pair is never unique unless the supports forbid this.

    References
    ----------
    .. [1] L. Zheng, E. Riccietti, R. Gribonval, "Identifiability in two-layer sparse matrix
       factorization", arXiv:2110.01235.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.fixed_support import is_nondegenerate
    >>> is_nondegenerate(np.eye(2), np.ones((2, 3)))
    True
    >>> is_nondegenerate(np.array([[1.0, 0.0], [2.0, 0.0]]), np.ones((2, 3)))
    False
    """
    left, right = _factors(left, right)
    xp = array_namespace(left, right)
    columns, rows = xp.any(left != 0, axis=0), xp.any(right != 0, axis=1)
    return bool(xp.all(columns & rows))


def rank_one_pair(matrix: Any) -> tuple[Any, Any, float]:
    """Column and row of equal norms whose product is a matrix of rank one; the largest deviation.

    They are the column and the row of its largest entry.
    """
    xp = array_namespace(matrix)
    i, j = divmod(int(xp.argmax(xp.reshape(xp.abs(matrix), (-1,)))), matrix.shape[1])
    pivot = matrix[i, j]
    size = float(xp.abs(pivot))
    if not size > 0:
        return matrix[:, 0], matrix[0, :], 0.0
    # divided by the largest entry, so that no square over- or underflows
    a, b = matrix[:, j] / pivot, matrix[i, :] / pivot
    deviation = float(xp.max(xp.abs(matrix - pivot * (a[:, None] * b[None, :]))))
    norms = [float(xp.linalg.vector_norm(part)) for part in (a, b)]
    scale = math.sqrt(size) * math.sqrt(norms[1] / norms[0])
    return a * scale, b * (pivot / scale), deviation


def _factors(left: Any, right: Any) -> tuple[Any, Any]:
    """Two checked factors that fit each other."""
    left, right = check_matrix(left, "left"), check_matrix(right, "right")
    if left.shape[1] != right.shape[0]:
        raise ValueError(
            f"left of shape {tuple(left.shape)} has {left.shape[1]} columns, but right of shape "
            f"{tuple(right.shape)} has {right.shape[0]} rows: there must be one of each per "
            "component, left (m, r) and right (r, n)."
        )
    return left, right
