"""The compiled loops over one factor, held against the batched product."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skfact._kernels._jit import compiled
from skfact._kernels.apply import apply_factor
from skfact.supports import KroneckerSparse
from tests.arrays import gaussian

loops = compiled("skfact._kernels.kronecker.numba")
pytestmark = pytest.mark.skipif(loops is None, reason="numba is missing or switched off")

sides = st.integers(1, 4)
seeds = st.integers(0, 2**32 - 1).map(np.random.default_rng)
dtypes = st.sampled_from(["float64", "complex128"])


@given(sides, sides, sides, sides, st.integers(1, 5), seeds, dtypes)
def test_products_with_a_factor_and_its_adjoint(a, b, c, d, width, random, dtype):
    values = gaussian(random, (a, d, b, c), dtype)
    X = gaussian(random, (a * c * d, width), dtype)
    expected = apply_factor(values, X)
    Y = np.full((a * b * d, width), np.nan, dtype)
    loops.multiply(values.ravel(), a, b, c, d, X, Y, width)
    assert_allclose(Y, expected, atol=1e-12)
    y = np.full(a * b * d, np.nan, dtype)
    loops.multiply_vector(values.ravel(), a, b, c, d, X[:, 0].copy(), y)
    assert_allclose(y, expected[:, 0], atol=1e-12)

    turned = np.empty(values.size, dtype)
    loops.adjoint(values.ravel(), a, b, c, d, turned)
    assert_array_equal(turned.reshape(a, d, c, b), values.conj().swapaxes(2, 3))


@given(sides, sides, sides, sides, st.integers(1, 5), seeds, dtypes)
def test_values_on_the_support_of_a_factor(a, b, c, d, width, random, dtype):
    pattern = KroneckerSparse(a, b, c, d)
    P = gaussian(random, pattern.shape, dtype)
    values, S = np.empty(pattern.nnz, dtype), np.empty_like(P)
    loops.restrict(a, b, c, d, P, values)
    loops.write_dense(values, a, b, c, d, S)
    assert_array_equal(S, P * pattern.mask())

    X, Y = gaussian(random, (len(P), width), dtype), gaussian(random, (P.shape[1], width), dtype)
    found, expected = np.empty_like(values), np.empty_like(values)
    loops.correlate(a, b, c, d, X, Y, found)
    loops.restrict(a, b, c, d, X @ Y.conj().T, expected)
    assert_allclose(found, expected, atol=1e-12)
