"""The compiled loops over one Kronecker-sparse factor, held against its dense matrix."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skfact._kernels._jit import compiled
from skfact.operators import KroneckerFactor
from skfact.supports import KroneckerSparse
from tests.arrays import gaussian
from tests.asserts import for_each

loops = compiled("skfact._kernels.kronecker.numba")
pytestmark = pytest.mark.skipif(loops is None, reason="numba is missing or switched off")

PATTERNS = [(1, 1, 1, 1), (2, 2, 2, 3), (3, 1, 4, 2), (1, 5, 3, 1), (2, 3, 2, 1), (1, 2, 5, 4)]


@pytest.mark.parametrize("pattern", PATTERNS, ids=str)
@for_each("dtype", ["float64", "complex128"])
def test_they_are_products_with_the_matrix(pattern, dtype):
    (a, b, c, d), random = pattern, np.random.default_rng(0)
    values = gaussian(random, (a, d, b, c), dtype)
    flat, S = values.ravel(), KroneckerFactor(values, pattern).toarray()
    m, n = S.shape
    X, Y = gaussian(random, (n, 4), dtype), np.zeros((m, 4), dtype)
    loops.multiply(flat, a, b, c, d, X, Y, 3)
    assert_allclose(Y[:, :3], S @ X[:, :3], atol=1e-13)
    assert not Y[:, 3].any()
    y = np.empty(m, dtype)
    loops.multiply_vector(flat, a, b, c, d, X[:, 0].copy(), y)
    assert_allclose(y, S @ X[:, 0], atol=1e-13)
    turned = np.empty_like(flat)
    loops.adjoint(flat, a, b, c, d, turned)
    blocks = turned.reshape(a, d, c, b)
    assert_allclose(KroneckerFactor(blocks, (a, c, b, d)).toarray(), S.conj().T)


@pytest.mark.parametrize("pattern", PATTERNS, ids=str)
@for_each("dtype", ["float64", "complex128"])
def test_they_read_and_write_the_support(pattern, dtype):
    (a, b, c, d), random = pattern, np.random.default_rng(0)
    support = KroneckerSparse(*pattern)
    m, n = support.shape
    dense, found = np.ones((m, n), dtype), np.empty(a * b * c * d, dtype)
    P, R = gaussian(random, (m, 3), dtype), gaussian(random, (n, 3), dtype)
    loops.correlate(a, b, c, d, P, R, found)
    loops.write_dense(found, a, b, c, d, dense)
    assert_allclose(dense, support.project(P @ R.conj().T), atol=1e-13)
    again = np.empty_like(found)
    loops.restrict(a, b, c, d, dense, again)
    assert_allclose(again, found)
