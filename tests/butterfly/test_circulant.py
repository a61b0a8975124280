"""Circulant matrices in closed form, against SciPy's matrices and the Fourier transform."""

from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import circulant, toeplitz

from skfact.butterfly import butterfly_factorize, circulant_factorize
from skfact.operators import FactorizedOperator, KroneckerFactor
from skfact.supports import Chain, digit_reversal
from skfact.transforms._fourier.cooley_tukey import fourier_values
from tests.asserts import assert_like


def column(n, is_complex=False):
    c = np.random.default_rng(n).standard_normal((2, n))
    return c[0] + 1j * c[1] if is_complex else c[0]


@given(st.integers(1, 130), st.booleans(), st.sampled_from([1.0, 1e150, 1e-150]))
def test_circulant_matrices_are_exact(n, is_complex, size):
    c = column(n, is_complex) * size
    before = c.copy()
    operator = circulant_factorize(c)
    assert_allclose(operator.toarray(), circulant(c), atol=1e-13 * np.linalg.norm(c))
    assert_array_equal(c, before)
    whole = circulant_factorize(circulant(c)).toarray()
    assert_allclose(whole, operator.toarray(), atol=1e-13 * np.linalg.norm(c))
    radices = Chain.butterfly(n).in_radices
    assert len(operator.factors) == 2 * len(radices) + 1 and prod(radices) == n
    assert operator.nnz == n * (2 * sum(radices) + 1)


@pytest.mark.parametrize("n", [1, 2, 8, 12, 30])
def test_factors_of_the_fourier_transform(n):
    chain = Chain.butterfly(n)
    F = np.fft.fft(np.eye(n))[:, digit_reversal(chain.in_radices)]
    factors = [KroneckerFactor(v, p) for v, p in zip(fourier_values(chain.in_radices), chain)]
    assert_allclose(FactorizedOperator(factors).toarray(), F, atol=1e-13 * n)
    assert_allclose(butterfly_factorize(F, permutation=None).toarray(), F, atol=1e-13 * n)


def test_products_commute_and_are_convolutions():
    c, d, x = column(48), column(48)[::-1], np.random.default_rng(0).standard_normal((3, 48))
    C, D = circulant_factorize(c), circulant_factorize(d)
    convolved = np.fft.ifft(np.fft.fft(c) * np.fft.fft(x))
    assert_allclose(C.apply(x), convolved, atol=1e-12)
    assert_allclose((C @ D).toarray(), (D @ C).toarray(), atol=1e-12)


def test_a_toeplitz_matrix_is_a_corner():
    first, row = column(9), np.append(column(9)[0], column(8))
    operator = circulant_factorize(np.concatenate([first, [0], row[:0:-1]]))
    assert_allclose(operator.toarray()[:9, :9], toeplitz(first, row), atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_namespace_keeps_its_precision(asarray, dtype):
    host = column(12).astype(dtype)
    given = asarray(host)
    for c in (given, asarray(circulant(host))):
        found = circulant_factorize(c).toarray()
        name = "complex64" if dtype == "float32" else "complex128"
        eps = np.finfo(dtype).eps
        assert_like(found, c, circulant(host), dtype=name, atol=100 * eps)


def test_what_is_not_circulant_is_named():
    C = circulant(column(8))
    C[5, 2] += 1e-6
    with pytest.raises(ValueError, match=r"c\[5, 2\] is .* c\[3, 0\] is .* butterfly_factorize"):
        circulant_factorize(C)
    C[5, 2] -= 1e-6  # rounding errors are none
    circulant_factorize(C)
