"""Least-squares codes: the inverse of an operator, or the next best thing, applied to rows."""

from __future__ import annotations

from typing import Any

from skfact._backend import array_namespace
from skfact.operators._apply import check_operand
from skfact.operators._factors import KroneckerFactor
from skfact.operators._operator import FactorizedOperator
from skfact.operators._partial_permutation import PartialPermutation


def least_squares_codes(op: FactorizedOperator, Y: Any) -> Any:
    r"""Codes of minimum norm that an operator takes closest to the given rows.

    Row by row, the `x` of least norm among those that minimize :math:`\|A x - y\|_2`, that is
    ``pinv(A) @ y``.

    Parameters
    ----------
    op : FactorizedOperator of shape (n_out, n_in)
        The operator A.
    Y : array-like of shape (n_samples, n_out)
        One right-hand side per row, in the array library and on the device of the operator.

    Returns
    -------
    array of shape (n_samples, n_in)
        The codes, one per row.

    Raises
    ------
    TypeError
        If Y is not numeric, or in half or extended precision.
    ValueError
        If Y has the wrong shape, or comes from another array library or device.

    See Also
    --------
    FactorizedOperator.solve : The inverse of an invertible operator.

    Notes
    -----
    If all factors are square, with blocks so well conditioned that the operator has full rank to
    working precision, every call is one solve, block by block. Otherwise the pseudo-inverse
    is computed once, from a singular value decomposition of the dense matrix that drops singular
    values below ``max(n_out, n_in) * eps`` times the largest, and kept inside the operator (never
    pickled); every call is then one product with this (n_in, n_out) matrix.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.operators import FactorizedOperator, least_squares_codes
    >>> op = FactorizedOperator([np.array([[2.0, 0.0], [0.0, 4.0], [0.0, 0.0]])])
    >>> least_squares_codes(op, np.array([[2.0, 2.0, 5.0]]))
    array([[1. , 0.5]])
    """
    xp = op._xp
    Y = check_operand(op, Y, "Y", (2,), 1, adjoint=True)
    dtype = xp.result_type(Y.dtype, op.dtype)
    if op._cached("invertible", lambda: is_safely_invertible(op)):
        return xp.permute_dims(op.solve(xp.permute_dims(Y, (1, 0))), (1, 0))
    inverse = op._cached("pinv", lambda: pseudo_inverse(op))
    return xp.matmul(
        xp.astype(Y, dtype, copy=False),
        xp.astype(xp.permute_dims(inverse, (1, 0)), dtype, copy=False),
    )


def cutoff(op: FactorizedOperator) -> float:
    """Singular values below this part of the largest count as zero."""
    return max(op.shape) * float(op._xp.finfo(op.dtype).eps)


def pseudo_inverse(op: FactorizedOperator) -> Any:
    """Dense pseudo-inverse, of shape (n_in, n_out)."""
    return op._xp.linalg.pinv(op.toarray(), rtol=cutoff(op))


def is_safely_invertible(op: FactorizedOperator) -> bool:
    """Whether the product of the factors' condition numbers proves full rank to working precision.

    It bounds the condition number of the operator, so the pseudo-inverse would drop nothing.
    """
    bound = 1.0
    for factor in op.factors:
        if isinstance(factor, PartialPermutation):
            if not factor.is_permutation:
                return False
        elif isinstance(factor, KroneckerFactor) and factor.pattern.b == factor.pattern.c:
            xp = array_namespace(factor.values)
            singular = xp.linalg.svdvals(factor.values)
            smallest = float(xp.min(singular))
            if not smallest > 0:
                return False
            bound *= float(xp.max(singular)) / smallest
        else:
            return False
    return bound < 1 / cutoff(op)
