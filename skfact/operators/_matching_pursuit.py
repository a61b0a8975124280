"""Orthogonal matching pursuit: sparse codes, one entry after the other."""

from __future__ import annotations

from math import sqrt
from typing import Any

from skfact._backend import array_namespace, device
from skfact._checks import check_finite, positive_int, require_finite
from skfact._linalg import abs2, adjoint
from skfact.operators._linear_maps.linear_map import LinearMap
from skfact.operators._linear_maps.operand import right_hand_side

BLOCK_BYTES = 2**26  # of chosen columns, for as many right-hand sides as are pursued together
USUAL = 128  # non-zeros that blocks are sized for where tol alone ends the pursuit


def orthogonal_matching_pursuit(
    op: LinearMap, Y: Any, n_nonzero_coefs: int | None = None, *, tol: float | None = None
) -> Any:
    r"""Sparse solutions of ``op @ X = Y``, greedily, of all columns of Y together.

    For each column y: the column of A that has the largest inner product with the residual
    :math:`r = y - A x`,

    .. math:: \arg\max_j |a_j^H r|,

    joins those that are chosen, and x becomes the least-squares solution on these; and so on.

    Parameters
    ----------
    op : FactorizedOperator or OperatorSum of shape (n_out, n_in)
        The operator A. Its columns should have about the same norm, which decides between them.
    Y : array-like or SciPy sparse matrix of shape (n_out,) or (n_out, batch)
        One right-hand side, or one per column, in the array library and on the device of the
        operator.
    n_nonzero_coefs : int, default=None
        Largest number of non-zeros in each solution. None is as many as `tol` needs.
    tol : float, default=None
        A solution is complete when its residual has at most this norm, relative to that of its
        right-hand side. None is the precision of the dtype.

    Returns
    -------
    array of shape (n_in,) or (n_in, batch)
        The solutions, dense, in the common dtype of operator and right-hand sides.

    Raises
    ------
    TypeError
        If op is no operator, Y not numeric, or in half or extended precision, or if a parameter is
        no number.
    ValueError
        If neither `n_nonzero_coefs` nor `tol` is given; if `n_nonzero_coefs` is less than 1 or more
        than n_in, or `tol` negative or not finite; if Y has the wrong shape, comes from another
        array library or device, or if it or the operator has NaN or infinite entries.

    See Also
    --------
    least_squares_codes : Solutions of least norm, which are not sparse.

    Notes
    -----
    Each step takes one product with the adjoint and one with the operator, for all right-hand sides
    in one batch. The chosen columns are made orthonormal by the Gram-Schmidt process, twice, and
    kept: n_out numbers for each non-zero. Normal equations are not formed, and the Gram matrix of
    the operator is not needed. A solution has fewer non-zeros than were asked for where the
    residual vanishes to rounding, or the next column depends on those that are chosen.

    The columns are those that ``sklearn.linear_model.orthogonal_mp`` takes of the dense matrix.
    Here `tol` is relative and of norms; there it is absolute and of squares.

    Columns with norms that differ are scaled by a diagonal factor,
    ``op @ FactorizedOperator([scipy.sparse.diags_array(1 / norms)])``, and so are the solutions.

    References
    ----------
    .. [1] Y. C. Pati, R. Rezaiifar, P. S. Krishnaprasad, "Orthogonal matching pursuit: recursive
       function approximation with applications to wavelet decomposition", Asilomar Conference on
       Signals, Systems and Computers, 1993.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.linalg import hadamard
    >>> from skfact.butterfly import butterfly_factorize
    >>> from skfact.operators import orthogonal_matching_pursuit
    >>> rows = np.random.default_rng(0).permutation(64)[:32]
    >>> op = butterfly_factorize(hadamard(64))[rows, :]
    >>> x = np.zeros(64)
    >>> x[[3, 20, 41]] = 2.0, -1.0, 3.0
    >>> found = orthogonal_matching_pursuit(op, op @ x, n_nonzero_coefs=3)
    >>> bool(np.allclose(found, x))
    True
    """
    if not isinstance(op, LinearMap):
        raise TypeError(
            f"op must be a FactorizedOperator or an OperatorSum, got {type(op).__name__}: "
            "wrap a matrix, FactorizedOperator([matrix])."
        )
    n_out, n_in = op.shape
    limit = min(n_out, n_in)
    if n_nonzero_coefs is not None:
        if positive_int(n_nonzero_coefs, "n_nonzero_coefs") > n_in:
            raise ValueError(
                f"n_nonzero_coefs must be at most n_in = {n_in}, got {n_nonzero_coefs}."
            )
        limit = min(limit, int(n_nonzero_coefs))
    elif tol is None:
        raise ValueError("Pass n_nonzero_coefs, tol, or both: something has to end the pursuit.")
    tol = 0.0 if tol is None else tol
    check_finite(tol, "tol")
    Y = right_hand_side(Y, op._products, "Y")
    xp = array_namespace(Y)
    dtype = xp.result_type(Y.dtype, op.dtype)
    rows = xp.astype(Y[None, :] if Y.ndim == 1 else xp.permute_dims(Y, (1, 0)), dtype)
    batch = rows.shape[0]
    size = (min(limit, USUAL) * n_out + 4 * n_in) * int(xp.finfo(dtype).bits) // 8
    width = max(1, BLOCK_BYTES // size)
    found = [
        pursue(op, rows[start : min(start + width, batch), :], limit, tol)
        for start in range(0, batch, width)
    ]
    if not found:
        return xp.zeros((n_in, 0), dtype=dtype, device=device(Y))
    X = xp.concat(found, axis=0)
    return X[0, :] if Y.ndim == 1 else xp.permute_dims(X, (1, 0))


def pursue(op: Any, Y: Any, limit: int, tol: float) -> Any:
    """Solutions (batch, n_in) for right-hand sides (batch, n_out) that move in step.

    Right-hand sides and chosen columns have largest entry 1, so that squares are numbers.
    """
    xp, place = array_namespace(Y), device(Y)
    n_out, n_in = op.shape
    batch = Y.shape[0]
    rounding = 4 * sqrt(n_out) * float(xp.finfo(Y.dtype).eps)
    forward, backward = op._products, op.H._products
    scale, residual = scaled(Y)
    require_finite(float(xp.max(scale)), "Y")
    length = row_norms(residual)
    enough = max(tol, rounding) * length
    going = length > enough
    places = xp.arange(n_in, device=place)
    taken = xp.zeros((batch, n_in), dtype=xp.bool, device=place)
    basis = xp.zeros((batch, min(limit, 16), n_out), dtype=Y.dtype, device=place)  # adjoints
    chosen, triangle, coordinates = [], [], []  # of A[:, chosen] = Q triangle; of Q^H y
    for step in range(limit):
        if not bool(xp.any(going)):
            break
        likeness = xp.abs(backward.rows(residual))
        if not step:
            require_finite(float(xp.max(likeness)), "The product of op.H and Y")
        index = xp.argmax(xp.where(taken, -xp.ones_like(likeness), likeness), axis=1)
        here = places == index[:, None]
        taken = taken | here
        peak, column = scaled(forward.rows(xp.astype(here, op.dtype)))
        column = xp.astype(column, Y.dtype)
        before = row_norms(column)
        column, along = orthogonal_part(basis[:, :step, :], column)
        after = row_norms(column)
        going = going & (after > rounding * before)
        column = column / xp.where(after > 0, after, xp.ones_like(after))[:, None]
        if step == basis.shape[1]:
            basis = xp.concat([basis, xp.zeros_like(basis)], axis=1)
        basis[:, step, :] = adjoint(column[:, :, None])[:, 0, :]
        inner = xp.sum(basis[:, step, :] * residual, axis=1)
        inner = xp.where(going, inner, xp.zeros_like(inner))
        residual = residual - inner[:, None] * column
        chosen.append((index, peak))
        triangle.append((along, after))
        coordinates.append(inner)
        going = going & (row_norms(residual) > enough)
    X = xp.zeros((batch, n_in), dtype=Y.dtype, device=place)
    if chosen:
        values = back_substituted(triangle, xp.stack(coordinates, axis=1))
        for step, (index, peak) in enumerate(chosen):
            value = values[:, step] * (scale / peak)
            X = xp.where(places == index[:, None], value[:, None], X)
    return X


def scaled(rows: Any) -> tuple[Any, Any]:
    """The largest magnitude of each row, 1 where that is 0, and the rows divided by it."""
    xp = array_namespace(rows)
    peak = xp.max(xp.abs(rows), axis=1)
    peak = xp.where(peak == 0, xp.ones_like(peak), peak)
    return peak, rows / peak[:, None]


def row_norms(rows: Any) -> Any:
    """Euclidean norm of each row."""
    xp = array_namespace(rows)
    return xp.sqrt(xp.sum(abs2(rows), axis=1))


def orthogonal_part(basis: Any, rows: Any) -> tuple[Any, Any]:
    """Of each row what is orthogonal to its basis (batch, k, n), and the coordinates of the rest.

    The basis holds the adjoints of orthonormal vectors. Twice is enough (Kahan and Parlett).
    """
    columns = rows[:, :, None]
    first = basis @ columns  # (batch, k, 1)
    columns = columns - adjoint(adjoint(first) @ basis)
    second = basis @ columns
    columns = columns - adjoint(adjoint(second) @ basis)
    return columns[:, :, 0], (first + second)[:, :, 0]


def back_substituted(triangle: list[tuple[Any, Any]], right: Any) -> Any:
    """Solve upper triangular systems, given column by column: above the diagonal, and on it."""
    xp = array_namespace(right)
    right = xp.asarray(right, copy=True)
    for step in reversed(range(len(triangle))):
        above, diagonal = triangle[step]
        value = right[:, step] / xp.where(diagonal > 0, diagonal, xp.ones_like(diagonal))
        right[:, step] = value
        right[:, :step] = right[:, :step] - above * value[:, None]
    return right
