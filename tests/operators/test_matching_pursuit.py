"""Orthogonal matching pursuit against scikit-learn's of the dense matrix, and its definition."""

import numpy as np
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import orthogonal_mp

from skfact.operators import FactorizedOperator, _matching_pursuit, orthogonal_matching_pursuit
from tests.arrays import gaussian
from tests.asserts import assert_like, for_each


def unit_columns(m, n, dtype="float64", seed=0):
    """A product of two dense factors whose columns have norm one."""
    rng = np.random.default_rng(seed)
    left, right = gaussian(rng, (m, m), dtype), gaussian(rng, (m, n), dtype)
    right = (right / np.linalg.norm(left @ right, axis=0)).astype(dtype)
    return FactorizedOperator([left, right])


@for_each("dtype, atol", [("float64", 1e-12), ("float32", 1e-4)])
def test_it_is_that_of_scikit_learn(dtype, atol, asarray):
    host = unit_columns(12, 30, dtype)
    Y = np.random.default_rng(1).standard_normal((12, 5)).astype(dtype)
    expected = orthogonal_mp(host.toarray().astype("float64"), Y, n_nonzero_coefs=6)
    given = asarray(Y)
    found = orthogonal_matching_pursuit(host.to_device(given), given, 6)
    assert_like(found, given, expected, atol=atol)


@for_each("dtype", ["float64", "complex128"])
def test_each_step_takes_the_column_most_like_the_residual_of_least_squares(dtype):
    op = unit_columns(20, 40, dtype)
    A, y = op.toarray(), gaussian(np.random.default_rng(2), (20,), dtype)
    chosen = []
    for k in range(1, 19):
        residual = y - A[:, chosen] @ np.linalg.lstsq(A[:, chosen], y)[0]
        chosen.append(int(np.argmax(np.abs(A.conj().T @ residual))))
        expected = np.zeros(40, A.dtype)
        expected[chosen] = np.linalg.lstsq(A[:, chosen], y)[0]
        assert_allclose(orthogonal_matching_pursuit(op, y, k), expected, atol=1e-10)


def test_sparse_solutions_are_found_with_no_more_non_zeros():
    op = unit_columns(60, 100)
    X = np.zeros((100, 3))
    X[[5, 17, 80], 0], X[44, 1] = (1.0, -2.0, 3.0), 1e-3  # and a column of zeros
    found = orthogonal_matching_pursuit(op, op @ X, 20)
    assert_allclose(found, X, atol=1e-12)
    assert_array_equal(found != 0, X != 0)


def test_tol_takes_as_few_non_zeros_as_it_needs():
    op = unit_columns(20, 40)
    Y = np.random.default_rng(3).standard_normal((20, 4))
    found = orthogonal_matching_pursuit(op, Y, tol=0.1)
    for x, y in zip(found.T, Y.T, strict=True):
        less = orthogonal_matching_pursuit(op, y, np.count_nonzero(x) - 1)
        errors = np.linalg.norm(np.stack([y - op @ x, y - op @ less]), axis=1) / np.linalg.norm(y)
        assert errors[0] <= 0.1 < errors[1]
    assert not orthogonal_matching_pursuit(op, Y, tol=1.0).any()


def test_columns_do_not_depend_on_each_other(monkeypatch):
    op = unit_columns(20, 40)
    Y = np.random.default_rng(4).standard_normal((20, 7))
    together = orthogonal_matching_pursuit(op, Y, 18)
    monkeypatch.setattr(_matching_pursuit, "BLOCK_BYTES", 2 * 8 * (18 * 20 + 4 * 40))
    assert_allclose(orthogonal_matching_pursuit(op, Y, 18), together, atol=1e-11)
    alone = [orthogonal_matching_pursuit(op, y, 18) for y in Y.T]
    assert_allclose(np.stack(alone, axis=1), together, atol=1e-11)


@for_each("scale", [1e-250, 1e250])
@for_each("of_operator", [False, True])
def test_numbers_of_any_size(scale, of_operator):
    op, y = unit_columns(20, 40), np.random.default_rng(5).standard_normal(20)
    expected = orthogonal_matching_pursuit(op, y, 5)
    if of_operator:
        assert_allclose(orthogonal_matching_pursuit(scale * op, y, 5) * scale, expected, rtol=1e-9)
    else:
        assert_allclose(orthogonal_matching_pursuit(op, scale * y, 5) / scale, expected, rtol=1e-9)


def test_columns_that_depend_on_each_other_end_it():
    """All of rank two, many columns equal: two are taken, and no number is beyond all bounds."""
    rng = np.random.default_rng(6)
    columns = rng.standard_normal((10, 2))
    op = FactorizedOperator([np.repeat(columns / np.linalg.norm(columns, axis=0), 8, axis=1)])
    y = rng.standard_normal(10)
    found = orthogonal_matching_pursuit(op, y, 16)
    assert np.count_nonzero(found) == 2
    assert_allclose(op @ found, columns @ np.linalg.lstsq(columns, y)[0], atol=1e-12)


def test_sparse_right_hand_sides_and_none():
    op = unit_columns(8, 12)
    Y = scipy.sparse.random_array((8, 3), density=0.4, rng=0)
    expected = orthogonal_matching_pursuit(op, Y.toarray(), 3)
    assert_array_equal(orthogonal_matching_pursuit(op, Y, 3), expected)
    assert orthogonal_matching_pursuit(op, np.ones((8, 0)), 3).shape == (12, 0)
