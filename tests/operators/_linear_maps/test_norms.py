"""Norms of operators are those of their matrices, at any magnitude."""

import math

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import hadamard

from skfact._backend import to_numpy
from skfact.butterfly import butterfly_factorize
from skfact.operators import FactorizedOperator, PartialPermutation
from skfact.supports import Chain
from tests.arrays import DTYPES
from tests.asserts import for_each

RTOL = {"float32": 1e-5, "float64": 1e-12, "complex64": 1e-5, "complex128": 1e-12}


@for_each("dtype", DTYPES)
@for_each("small", [2**16, 1])
@for_each("block", [2**23, 1])
def test_norms_on_every_library(asarray, dtype, small, block, make_operator, monkeypatch):
    monkeypatch.setattr("skfact.operators._linear_maps.norms.SMALL", small)
    monkeypatch.setattr("skfact.operators._linear_maps.norms.BLOCK_BYTES", block)
    for chain in (Chain.monarch(12, 20), Chain.monarch(20, 12)):
        op = make_operator(chain, dtype, permuted=True).to_device(asarray(np.ones(1, dtype)))
        for operator in (op, op + 2 * op[::-1, :]):
            matrix = to_numpy(operator.toarray())
            for norm, expected in (
                (operator.norm(), np.linalg.norm(matrix)),
                (operator.norm("fro"), np.linalg.norm(matrix)),
                (operator.norm(2), np.linalg.norm(matrix, 2)),
            ):
                assert type(norm) is float
                assert math.isclose(norm, expected, rel_tol=RTOL[dtype])


@pytest.mark.parametrize("small", [2**16, 1])
@given(
    shape=st.tuples(st.integers(2, 9), st.integers(2, 9)),
    scale=st.sampled_from([1e-300, 1e-150, 1.0, 1e150, 1e300]),
    rank=st.integers(0, 9),
    seed=st.integers(0, 2**32 - 1),
)
def test_norms_at_any_magnitude(small, shape, scale, rank, seed):
    rng = np.random.default_rng(seed)
    left, right = rng.standard_normal((shape[0], rank)), rng.standard_normal((rank, shape[1]))
    matrix = left @ right
    op = FactorizedOperator([scale * matrix])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("skfact.operators._linear_maps.norms.SMALL", small)
        for ord in ("fro", 2):
            expected = np.linalg.norm(matrix, ord)
            assert math.isclose(op.norm(ord) / scale, expected, rel_tol=1e-11, abs_tol=1e-13)


@for_each("small", [2**16, 1])
@for_each("dtype", ["float32", "complex64"])
def test_single_precision_at_the_ends_of_its_range(small, dtype, monkeypatch):
    monkeypatch.setattr("skfact.operators._linear_maps.norms.SMALL", small)
    for scale in (1e-36, 1e-20, 1e20, 1e36):
        matrix = (np.arange(1, 13).reshape(3, 4) * scale).astype(dtype)
        op = FactorizedOperator([matrix])
        for ord in ("fro", 2):
            expected = np.linalg.norm(matrix.astype("complex128"), ord)
            assert math.isclose(op.norm(ord), expected, rel_tol=1e-6)


def test_known_norms_of_large_operators():
    n = 512
    op = butterfly_factorize(hadamard(n).astype(float))  # all singular values are equal
    assert math.isclose(op.norm(2), math.sqrt(n), rel_tol=1e-12)
    assert math.isclose(op.norm(), n, rel_tol=1e-12)
    permutation = FactorizedOperator([PartialPermutation(np.arange(n)[::-1], n)])
    assert math.isclose(permutation.norm(2), 1.0, rel_tol=1e-12)
    assert math.isclose(permutation.norm(), math.sqrt(n), rel_tol=1e-12)
    values = np.ones(n)
    values[7] = -1.0 - 1e-3  # near to many others
    diagonal = FactorizedOperator([scipy.sparse.diags_array(values)])
    assert math.isclose(diagonal.norm(2), 1.001, rel_tol=1e-12)
    one = np.zeros(n)
    one[5] = 3.0
    assert math.isclose(FactorizedOperator([scipy.sparse.diags_array(one)]).norm(2), 3.0)


@for_each("small", [2**16, 1])
def test_zero_and_what_is_not_finite(small, monkeypatch):
    monkeypatch.setattr("skfact.operators._linear_maps.norms.SMALL", small)
    zero = FactorizedOperator([np.zeros((3, 4))])
    assert zero.norm() == zero.norm(2) == 0.0
    nothing = FactorizedOperator([np.full((3, 3), np.nan)])
    assert math.isnan(nothing.norm())
    assert math.isnan(nothing.norm(2))
    infinite = FactorizedOperator([scipy.sparse.diags_array([1.0, np.inf])])
    with np.errstate(invalid="ignore"):
        assert not math.isfinite(infinite.norm())
        assert not math.isfinite(infinite.norm(2))
    assert FactorizedOperator([np.full((1, 1), -2.0)]).norm(2) == 2.0


def test_long_and_narrow_operators_are_not_made_dense(monkeypatch):
    rng = np.random.default_rng(0)
    for width in (1, 2, 5):
        matrix = rng.standard_normal((2**16, width))
        op = FactorizedOperator([matrix])
        with monkeypatch.context() as patch:
            patch.setattr(FactorizedOperator, "toarray", None)
            norms = op.norm(2), op.T.norm(2)
        np.testing.assert_allclose(norms, np.linalg.norm(matrix, 2), rtol=1e-12)


def test_the_same_bits_again(make_operator, monkeypatch):
    monkeypatch.setattr("skfact.operators._linear_maps.norms.SMALL", 1)
    op = make_operator(Chain.butterfly(64))
    assert op.norm(2) == op.norm(2)
    assert op.norm(2) == op.T.norm(2) or math.isclose(op.norm(2), op.T.norm(2), rel_tol=1e-12)


@pytest.mark.parametrize("ord", [1, np.inf, "nuc", None, True, -2, [2], "2"])
def test_other_norms_are_refused(ord, make_operator):
    with pytest.raises(ValueError, match="ord must be 'fro' or 2"):
        make_operator(Chain.butterfly(4)).norm(ord)


def test_an_iteration_that_does_not_converge(make_operator, monkeypatch):
    from scipy.sparse.linalg import ArpackNoConvergence

    def fail(*_, **__):
        raise ArpackNoConvergence("no convergence", [], [])

    monkeypatch.setattr("skfact.operators._linear_maps.norms.SMALL", 1)
    monkeypatch.setattr("scipy.sparse.linalg.svds", fail)
    with pytest.raises(RuntimeError, match="toarray"):
        make_operator(Chain.butterfly(4)).norm(2)
