"""solve and least_squares_codes against dense linear algebra."""

import pickle

import numpy as np
import pytest
import scipy.sparse

from skfact._backend import to_numpy
from skfact.operators import (
    FactorizedOperator,
    KroneckerFactor,
    PartialPermutation,
    least_squares_codes,
)
from skfact.supports import Chain
from tests.arrays import DTYPES
from tests.asserts import assert_like, for_each

TOLERANCE = {"float32": 1e-3, "float64": 1e-9, "complex64": 1e-3, "complex128": 1e-9}


def well_conditioned(chain, dtype="float64", seed=0):
    """Operator with random orthogonal blocks, stretched a little."""
    rng = np.random.default_rng(seed)
    factors = []
    for p in chain:
        values = rng.standard_normal((p.a, p.d, p.b, p.c))
        if dtype.startswith("complex"):
            values = values + 1j * rng.standard_normal(values.shape)
        stretch = rng.uniform(0.5, 2, (p.a, p.d, 1, p.c))
        factors.append(KroneckerFactor((np.linalg.qr(values)[0] * stretch).astype(dtype), p))
    return FactorizedOperator(factors)


@for_each("dtype", DTYPES)
@for_each("n", [1, 2, 6, 16, 30])
def test_solve_on_every_library(n, dtype, asarray):
    host = FactorizedOperator(
        [PartialPermutation(np.random.default_rng(1).permutation(n), n)]
    ) @ well_conditioned(Chain.butterfly(n), dtype)
    B = np.random.default_rng(2).standard_normal((n, 3)).astype(dtype)
    op = host.to_device(asarray(B))
    expected = np.linalg.solve(host.toarray(), B)
    for right, solution in ((B, expected), (B[:, 0], expected[:, 0]), (B[:, :0], expected[:, :0])):
        given = asarray(right)
        assert_like(op.solve(given), given, solution, atol=TOLERANCE[dtype])


def test_solve_leaves_the_right_side_alone(asarray):
    """A permutation could hand it back: written into, the solution changes nothing else."""
    B = asarray([[1.0], [2.0]])
    X = FactorizedOperator([PartialPermutation([1, 0], 2)]).to_device(B).solve(B)
    X[:, :] = 0.0
    np.testing.assert_array_equal(to_numpy(B), [[1], [2]])


def test_solve_with_a_sparse_factor():
    matrix = scipy.sparse.csr_array(np.array([[2.0, 1.0], [0.0, 3.0]]))
    op = FactorizedOperator([matrix, np.array([[0.0, 1.0], [1.0, 1.0]])])
    B = np.array([[1.0, 2.0], [3.0, 4.0]])
    np.testing.assert_allclose(op @ op.solve(B), B, atol=1e-14)


@pytest.mark.parametrize("permuted, position", [(False, 1), (True, 0)])
def test_solve_names_the_factor_without_inverse(permuted, position, make_operator):
    op = make_operator(Chain.monarch(6, 4), permuted=permuted)
    assert [f.shape[0] == f.shape[1] for f in op.factors].index(False) == position
    with pytest.raises(ValueError, match=rf"factors\[{position}\].*least_squares_codes"):
        op.solve(np.ones(op.shape[0]))


def test_solve_with_a_singular_block(asarray):
    op = FactorizedOperator([np.eye(4), *well_conditioned(Chain.butterfly(4)).factors])
    values = np.array(op.factors[1].values)
    values[0, 1] = 1
    factors = [op.factors[0], KroneckerFactor(values, op.factors[1].pattern), op.factors[2]]
    op = FactorizedOperator(factors).to_device(asarray(np.ones(1)))
    with pytest.raises(np.linalg.LinAlgError, match="singular"):
        op.solve(asarray(np.ones((4, 2))))


@pytest.mark.parametrize("shape", [(3,), (5, 2), (4, 2, 1), ()])
def test_solve_refuses_shapes(shape):
    with pytest.raises(ValueError, match="B "):
        well_conditioned(Chain.butterfly(4)).solve(np.ones(shape))


@for_each("dtype", DTYPES)
@pytest.mark.parametrize(
    "chain",
    [Chain.butterfly(8), Chain.monarch(12, 8), Chain.monarch(8, 12), Chain.low_rank(7, 6, 2)],
    ids=["square", "tall", "wide", "deficient"],
)
def test_codes_are_those_of_the_pseudo_inverse(chain, dtype, asarray):
    host = well_conditioned(chain, dtype) if chain.shape[0] == chain.shape[1] else None
    if host is None:
        rng = np.random.default_rng(3)
        host = FactorizedOperator(
            KroneckerFactor(rng.standard_normal((p.a, p.d, p.b, p.c)).astype(dtype), p)
            for p in chain
        )
    Y = np.random.default_rng(4).standard_normal((5, chain.shape[0])).astype(dtype)
    given = asarray(Y)
    op = host.to_device(given)
    codes = least_squares_codes(op, given)
    matrix = host.astype("complex128").toarray()
    expected = Y @ np.linalg.pinv(matrix, rcond=1e-5).T
    assert_like(codes, given, expected, atol=TOLERANCE[dtype])
    again = least_squares_codes(op, given)  # from what is kept by now
    np.testing.assert_array_equal(to_numpy(again), to_numpy(codes))


def test_codes_of_an_invertible_operator_need_no_pseudo_inverse():
    op = well_conditioned(Chain.butterfly(16))
    Y = np.random.default_rng(0).standard_normal((2, 16))
    np.testing.assert_allclose(op.apply(least_squares_codes(op, Y)), Y, atol=1e-11)
    assert op._cache["inverse"].nnz == op.nnz


def test_inverted_blocks_are_not_trusted_where_they_would_lose_digits():
    """Factors that nearly cancel each other: their product is the identity, and they are steep."""
    steep = np.array([[1.0, 1.0], [1.0, 1.0 + 2.0**-30]])
    op = FactorizedOperator([steep, np.linalg.inv(steep)])
    Y = np.random.default_rng(0).standard_normal((3, 2))
    expected = np.linalg.lstsq(op.toarray(), Y.T)[0].T
    np.testing.assert_allclose(least_squares_codes(op, Y), expected, rtol=1e-12)
    assert len(op._cache["inverse"].factors) == 1


@pytest.mark.parametrize("smallest", [0.0, 1e-18, 1e-15])
def test_codes_where_a_block_is_singular_to_working_precision(smallest):
    """There a solve would fail or return huge codes; the minimum-norm codes stay small."""
    op = FactorizedOperator([np.diag([1.0, smallest]), np.array([[1.0, 0.0], [0.0, 1.0]])])
    codes = least_squares_codes(op, np.ones((1, 2)))
    expected = [[1, 0]] if smallest < 1e-16 else [[1, 1 / smallest]]
    np.testing.assert_allclose(codes, expected, atol=1e-12, rtol=1e-9)


def test_codes_of_a_padded_operator(make_operator):
    op = make_operator(Chain.butterfly(12), permuted=True)
    Y = np.random.default_rng(5).standard_normal((4, op.shape[0]))
    expected = np.linalg.lstsq(op.toarray(), Y.T)[0].T
    np.testing.assert_allclose(least_squares_codes(op, Y), expected, atol=1e-8)


@for_each("dtype", DTYPES)
def test_sparse_right_hand_sides(dtype):
    op = well_conditioned(Chain.butterfly(8)).astype(dtype)
    B = scipy.sparse.random_array((8, 3), density=0.4, rng=0).astype(dtype)
    for got, expected in [
        (op.solve(B), op.solve(B.toarray())),
        (least_squares_codes(op, B.T), least_squares_codes(op, B.T.toarray())),
    ]:
        assert type(got) is np.ndarray
        assert got.dtype == np.dtype(dtype)
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="B has shape"):
        op.solve(scipy.sparse.eye_array(7))
    with pytest.raises(TypeError, match="astype"):
        op.solve(scipy.sparse.eye_array(8, dtype="longdouble"))


def test_codes_are_not_pickled():
    op = FactorizedOperator([np.ones((40, 30))])
    size = len(pickle.dumps(op))
    codes = least_squares_codes(op, np.ones((1, 40)))
    kept = op._cache["inverse"]
    np.testing.assert_array_equal(least_squares_codes(op, np.ones((1, 40))), codes)
    assert op._cache["inverse"] is kept  # made once
    assert len(pickle.dumps(op)) == size


@pytest.mark.parametrize(
    "Y, error", [(np.ones(4), ValueError), (np.ones((2, 3)), ValueError), ([["a"] * 4], TypeError)]
)
def test_codes_refuse(Y, error):
    with pytest.raises(error, match="Y "):
        least_squares_codes(well_conditioned(Chain.butterfly(4)), Y)


def test_empty_batch_of_codes():
    op = well_conditioned(Chain.butterfly(4))
    assert least_squares_codes(op, np.ones((0, 4))).shape == (0, 4)
    assert least_squares_codes(
        op @ op @ FactorizedOperator([np.ones((4, 3))]), np.ones((0, 4))
    ).shape == (0, 3)
