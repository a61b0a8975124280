"""make_butterfly: the matrix is the product of the factors, plus noise of the stated size."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skfact.butterfly import butterfly_factorize
from skfact.datasets import make_butterfly
from skfact.operators import KroneckerFactor
from skfact.supports import Chain, resolve_supports
from tests.arrays import DTYPES
from tests.asserts import for_each

SHAPES = [(64, 64), (1, 1), (11, 13), (12, 40), (31, 7)]
FAMILIES = [("butterfly", 1), ("butterfly", 2), ("monarch", 2), ("low-rank", 3), ("dense", None)]


@for_each("shape", SHAPES)
@pytest.mark.parametrize("family, rank", FAMILIES)
def test_factors_have_the_supports_and_are_found_again(shape, family, rank):
    A, operator = make_butterfly(*shape, supports=family, rank=rank, random_state=0)
    assert A.shape == operator.shape == shape
    assert_array_equal(A, operator.toarray())
    chain = resolve_supports(family, *shape, rank=rank)
    patterns = [f.pattern for f in operator.factors if isinstance(f, KroneckerFactor)]
    assert Chain(patterns) == chain
    assert operator.nnz == chain.nnz
    found = butterfly_factorize(A, family, rank=rank)
    assert_allclose(found.toarray(), A, atol=1e-12 * np.abs(A).max())


def test_square_by_default():
    A, operator = make_butterfly(24)
    assert A.shape == operator.shape == (24, 24)


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtype(dtype):
    A, operator = make_butterfly(16, noise=0.1, dtype=dtype, random_state=0)
    assert A.dtype == operator.dtype == np.dtype(dtype)
    assert np.iscomplex(A).all() == dtype.startswith("complex")


@pytest.mark.parametrize("noise", [0.01, 0.5, 2])
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_noise_is_relative_to_the_product(noise, dtype):
    A, operator = make_butterfly(32, noise=noise, dtype=dtype, random_state=0)
    product = operator.toarray()
    assert_allclose(np.linalg.norm(A - product) / np.linalg.norm(product), noise, rtol=1e-12)


@pytest.mark.parametrize("rank", [1, 3])
def test_entries_have_unit_variance(rank):
    squares = [
        np.mean(make_butterfly(16, 81, supports="monarch", rank=rank, random_state=i)[0] ** 2)
        for i in range(200)
    ]
    # three standard errors of the mean
    error = 3 * np.std(squares) / np.sqrt(len(squares))
    assert error < 0.05
    assert abs(np.mean(squares) - 1) < error


def test_own_chain_may_leave_entries_zero():
    chain = Chain([(2, 2, 2, 2), (4, 2, 2, 1)])
    A, _ = make_butterfly(8, supports=chain, random_state=0)
    assert_array_equal(A != 0, chain.product.mask())


def test_seed_decides():
    first, second, other = (
        make_butterfly(8, noise=0.1, random_state=seed)[0] for seed in (0, 0, 1)
    )
    assert_array_equal(first, second)
    assert (first != other).any()


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"n_out": 0}, ValueError, "n_out must be at least 1"),
        ({"n_in": 2.5}, TypeError, "n_in must be an integer"),
        ({"supports": "butterfy"}, ValueError, "Did you mean 'butterfly'"),
        ({"supports": Chain.butterfly(4)}, ValueError, "smaller than the matrix"),
        ({"rank": 0}, ValueError, "rank must be at least 1"),
        ({"noise": -0.1}, ValueError, "noise must be at least 0"),
        ({"noise": float("nan")}, ValueError, "noise must be at least 0"),
        ({"noise": float("inf")}, ValueError, "noise must be finite"),
        ({"noise": "much"}, TypeError, "noise must be float"),
        ({"dtype": "int64"}, TypeError, "dtype must be float32"),
        ({"dtype": "float16"}, TypeError, "dtype must be float32"),
    ],
)
def test_refusals(arguments, error, message):
    with pytest.raises(error, match=message):
        make_butterfly(**arguments)
