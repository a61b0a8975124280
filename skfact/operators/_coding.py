"""Least-squares codes: the inverse of an operator, or the next best thing, applied to rows."""

from __future__ import annotations

from math import prod
from typing import Any

import scipy.sparse

from skfact.operators._linear_maps.linear_map import LinearMap
from skfact.operators._linear_maps.operand import dense_operand, sparse_operand
from skfact.operators._operator import FactorizedOperator


def least_squares_codes(op: LinearMap, Y: Any) -> Any:
    r"""Codes of minimum norm that an operator takes closest to the given rows.

    Row by row, the `x` of least norm among those that minimize :math:`\|A x - y\|_2`, that is
    ``pinv(A) @ y``.

    Parameters
    ----------
    op : FactorizedOperator or OperatorSum of shape (n_out, n_in)
        The operator A.
    Y : array-like or SciPy sparse matrix of shape (n_samples, n_out)
        One right-hand side per row, in the array library and on the device of the operator.

    Returns
    -------
    array of shape (n_samples, n_in)
        The codes, one per row.

    Raises
    ------
    TypeError
        If op is no operator, or Y not numeric, or in half or extended precision.
    ValueError
        If Y has the wrong shape, or comes from another array library or device.

    See Also
    --------
    FactorizedOperator.solve : The inverse of an invertible operator.

    Notes
    -----
    The inverse is made once and kept inside the operator (never pickled), so that a repeated call
    is only a product with it. If the operator is a product whose factors are all square, with
    condition numbers that multiply up to less than ``eps ** -0.25``, it has the same structure as
    the operator, with every block inverted. Otherwise it is the dense pseudo-inverse, of shape
    (n_in, n_out), from a singular value decomposition that drops singular values below
    ``max(n_out, n_in) * eps`` times the largest. (Neither forms normal equations; the limit on the
    condition numbers keeps the error of the first near that of the second.)

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.operators import FactorizedOperator, least_squares_codes
    >>> op = FactorizedOperator([np.array([[2.0, 0.0], [0.0, 4.0], [0.0, 0.0]])])
    >>> least_squares_codes(op, np.array([[2.0, 2.0, 5.0]]))
    array([[1. , 0.5]])
    """
    if not isinstance(op, LinearMap):
        raise TypeError(
            f"op must be a FactorizedOperator or an OperatorSum, got {type(op).__name__}: "
            "wrap a matrix, FactorizedOperator([matrix])."
        )
    if scipy.sparse.issparse(Y):
        Y = sparse_operand(Y, "Y", op._products, (1, 0))
    else:
        Y = dense_operand(Y, "Y", op._products, (2,), (1, 0))
    return pseudo_inverse(op).apply(Y)


def pseudo_inverse(op: LinearMap) -> Any:
    """The operator of least-squares codes, made once."""
    return op._once("inverse", lambda: inverse(op))


def inverse(op: LinearMap) -> FactorizedOperator:
    """The inverse with the operator's own structure where that is accurate, else dense."""
    eps = float(op._namespace.finfo(op.dtype).eps)
    # the product of the factors' condition numbers bounds that of the operator
    if isinstance(op, FactorizedOperator) and (
        prod(factor._condition() for factor in op.factors) < eps**-0.25
    ):
        return op._of([factor._inverse() for factor in reversed(op.factors)])
    return FactorizedOperator([op._namespace.linalg.pinv(op.toarray(), rtol=max(op.shape) * eps)])
