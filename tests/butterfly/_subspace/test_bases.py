"""Bases of a row space: the same for all of them, and what is found from there, too."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skfact import ButterflyFactorizer
from skfact.butterfly._subspace.bases import canonical_basis
from skfact.supports import Chain
from tests.arrays import DTYPES, gaussian
from tests.asserts import for_each, on_any_matrix
from tests.butterfly.chains import member, seeds


def orthogonal(random, m, dtype="float64"):
    return np.linalg.qr(gaussian(random, (m, m), dtype))[0]


def orthonormal_rows(random, m, n, dtype):
    return np.linalg.qr(gaussian(random, (n, n), dtype))[0][:m]


@given(seeds, st.sampled_from(DTYPES), st.integers(1, 6), st.integers(1, 9), st.booleans())
def test_the_basis_is_that_of_the_row_space(random, dtype, m, n, orthonormal):
    W = gaussian(random, (m, n), dtype)
    if orthonormal and m <= n:
        W = orthonormal_rows(random, m, n, dtype)
    T = canonical_basis(W)
    assert T.dtype == W.dtype
    np.testing.assert_allclose(T @ T.conj().T, np.eye(m), atol=1e-5)


@on_any_matrix
@for_each("orthonormal", [False, True])
@for_each("dtype", ["float64", "complex128"])
@for_each("scale", [1e-300, 1.0, 1e300])
def test_the_basis_is_the_same_in_every_basis(dtype, orthonormal, scale):
    random = np.random.default_rng(0)
    W = gaussian(random, (5, 8), dtype)
    W = scale * (orthonormal_rows(random, 5, 8, dtype) if orthonormal else W / 10)
    Q = orthogonal(random, 5, dtype)
    for A in (W, np.vstack([W, 0 * W[:1]])[:5]):
        here, there = canonical_basis(A) @ A, canonical_basis(Q @ A) @ (Q @ A)
        np.testing.assert_allclose(here / scale, there / scale, atol=1e-10)


def test_zeros_and_single_ones():
    for W in (np.zeros((3, 4)), np.ones((1, 1)), np.zeros((1, 1)), np.ones((4, 2))):
        T = canonical_basis(W)
        np.testing.assert_allclose(T @ T.T, np.eye(len(W)), atol=1e-12)


@on_any_matrix
@for_each("supports", ["monarch", "auto"])
def test_the_error_does_not_depend_on_the_basis_of_the_rows(supports):
    random = np.random.default_rng(0)
    W = gaussian(random, (8, 16))
    density = 0.6 if supports == "auto" else None
    errors = [
        ButterflyFactorizer(supports=supports, max_density=density, criterion="subspace")
        .fit(Q @ W)
        .relative_error_
        for Q in (np.eye(8), orthogonal(random, 8), orthogonal(random, 8))
    ]
    assert errors == pytest.approx(errors[:1] * 3, rel=1e-4)
    if supports == "monarch":
        assert errors[0] < 0.01


@on_any_matrix
def test_rows_that_are_a_product_are_found_as_they_are():
    random = np.random.default_rng(0)
    chain = Chain.monarch(12, 36)
    W = member(random, chain)
    noise = gaussian(random, W.shape)
    noise *= 1e-3 * np.linalg.norm(W) / np.linalg.norm(noise)
    found = ButterflyFactorizer(supports=chain, criterion="subspace").fit(W + noise)
    assert found.relative_error_ < 1e-3
    exact = ButterflyFactorizer(supports=chain, criterion="subspace").fit(W)
    assert exact.relative_error_ < 1e-12
