"""Bad and unusual input of products of sparse factors."""

from functools import partial

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from skfact.butterfly import butterfly_factorize
from skfact.operators import (
    FactorizedOperator,
    OperatorSum,
    PartialPermutation,
    least_squares_codes,
    load_operator,
    orthogonal_matching_pursuit,
    recognize_factor,
)
from tests.bad_input.cases import A, changed, refused, works

operator = butterfly_factorize(A, "monarch")
refused("no factors", FactorizedOperator, [], error=ValueError, message="factors is empty")
refused(
    "a factor of text", FactorizedOperator, ["x"], error=(TypeError, ValueError), message="factors"
)
refused(
    "factors that do not fit",
    FactorizedOperator,
    [A, A[:5]],
    error=ValueError,
    message="factors",
)
refused("factors: a set", FactorizedOperator, {1, 2}, error=TypeError, message="factors must be a")
refused("factors: one matrix", FactorizedOperator, A, error=TypeError, message=r"\[factors\]")
refused("factors: ragged", FactorizedOperator, [[[1], [2, 3]]], error=ValueError, message="factors")
refused("to_device: None", operator.to_device, None, error=TypeError, message="where must be")
refused("codes of no operator", least_squares_codes, A, A, error=TypeError, message="op must be")
refused(
    "pursuit with no operator",
    orthogonal_matching_pursuit,
    A,
    A,
    1,
    error=TypeError,
    message="op must be",
)
refused(
    "pursuit without end",
    orthogonal_matching_pursuit,
    operator,
    A,
    error=ValueError,
    message="n_nonzero_coefs, tol",
)
for name, value, error in (
    ("n_nonzero_coefs", 0, ValueError),
    ("n_nonzero_coefs", 10**6, ValueError),
    ("n_nonzero_coefs", 1.5, TypeError),
    ("tol", -1.0, ValueError),
    ("tol", float("nan"), ValueError),
    ("tol", "small", TypeError),
):
    refused(
        f"pursuit: {name}={value!r}",
        partial(orthogonal_matching_pursuit, **{name: value}),
        operator,
        A,
        error=error,
        message=f"{name} must be",
    )
refused(
    "pursuit: length",
    orthogonal_matching_pursuit,
    operator,
    A[:5],
    1,
    error=ValueError,
    message="Y has",
)
refused(
    "pursuit: NaN",
    orthogonal_matching_pursuit,
    operator,
    changed(A, np.nan),
    1,
    error=ValueError,
    message="Y contains NaN",
)
refused(
    "pursuit with an operator of NaN",
    orthogonal_matching_pursuit,
    FactorizedOperator([changed(A, np.nan)]),
    A,
    1,
    error=ValueError,
    message="op.* contains NaN",
)
refused("recognize: a vector", recognize_factor, A[0], error=ValueError, message="matrix must be 2")
refused("recognize: text", recognize_factor, "text", error=TypeError, message="matrix has dtype")
refused("asarray: operator", np.asarray, operator, error=TypeError, message="toarray")
refused("dot: operator", np.dot, A, operator, error=TypeError, message="toarray")
refused("sum of no terms", OperatorSum, [], error=ValueError, message="terms is empty")
refused("sum of two shapes", OperatorSum, [A, A[:5]], error=ValueError, message="one shape")
refused("sum: one matrix", OperatorSum, A, error=TypeError, message=r"\[terms\]")
refused("+: a number", operator.__add__, 1.5, error=TypeError, message="1.5.*identity")
refused("+: text", operator.__add__, "x", error=TypeError, message=r"operand of \+")
refused("-: a vector", operator.__sub__, A[0], error=ValueError, message="operand of - must be")
refused("-: another shape", operator.__sub__, A[:5], error=ValueError, message="one shape")
refused("index out of range", operator.__getitem__, 10**6, error=IndexError, message="1000000")
refused("index of text", operator.__getitem__, "rows", error=IndexError, message="integers")
refused("norm: nuclear", operator.norm, "nuc", error=ValueError, message="ord must be")
refused("load_operator: no path", load_operator, 3, error=TypeError, message="path must be")
refused(
    "index of bools", PartialPermutation, [True, 0], 2, error=TypeError, message="index must be"
)
refused("save: no path", operator.save, None, error=TypeError, message="path must be")
refused("save: a folder", operator.save, "/", error=OSError, message="/")
refused("load: no path", FactorizedOperator.load, 3, error=TypeError, message="path must be")
refused("@: text", operator.__matmul__, ["x"], error=TypeError, message=r"operand of @.*\['x'\]")
refused("matvec: length", operator.matvec, A[0, :5], error=ValueError, message="5")
refused("matvec: 2-D", operator.matvec, A[:, :3], error=ValueError, message="1-D|shape")
refused("matmat: length", operator.matmat, A[:5], error=ValueError, message="5")
refused("apply: length", operator.apply, A[:, :5], error=ValueError, message="5")
refused("apply: text", operator.apply, "X", error=(TypeError, ValueError), message="X")
refused("apply: float16", operator.apply, A.astype("f2"), error=TypeError, message="float16")
refused("apply: objects", operator.apply, A.astype(object), error=TypeError, message="object")
works(
    "apply: a float32 vector batch",
    operator.apply,
    A.astype("f4"),
    check=lambda result, X: assert_allclose(result, X @ operator.toarray().T, rtol=1e-5, atol=1e-5),
)
works(
    "matvec: a float32 vector",
    operator.matvec,
    A[0].astype("f4"),
    check=lambda result, x: assert_allclose(result, operator.toarray() @ x, rtol=1e-5, atol=1e-5),
)
works(
    "apply: NaN goes where it belongs",
    operator.apply,
    changed(A, np.nan),
    check=lambda result, X: assert_array_equal(
        np.isnan(result).any(axis=1), np.isnan(X).any(axis=1)
    ),
)
