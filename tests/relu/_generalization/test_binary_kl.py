"""The divergence of coins: against brute force, and the identity that bounds rest on."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.special import logsumexp
from scipy.stats import binom, entropy

from skfact.relu._generalization.binary_kl import binary_kl, binary_kl_inverse, log_moment

probabilities = st.floats(0, 1)


@given(probabilities, st.floats(1e-6, 1 - 1e-6))
def test_divergence(q, p):
    assert_allclose(binary_kl(q, p), entropy([q, 1 - q], [p, 1 - p]), rtol=1e-9, atol=1e-12)


def test_sure_coins():
    assert binary_kl(0.5, 0.0) == binary_kl(0.5, 1.0) == math.inf
    assert binary_kl(0.0, 0.0) == binary_kl(1.0, 1.0) == 0


@given(probabilities, st.floats(0, 20))
def test_inverse_against_brute_force(q, budget):
    found = binary_kl_inverse(q, budget)
    grid = np.linspace(q, 1, 20_001)
    inside = [p for p in grid if binary_kl(q, p) <= budget]
    step = grid[1] - grid[0]
    assert inside[-1] - 1e-12 <= found <= inside[-1] + step + 1e-12
    # rounded up: what is larger is out of budget
    assert q <= found <= 1
    assert found == 1 or binary_kl(q, found) >= budget


@given(probabilities, probabilities, st.floats(0, 5))
def test_inverse_grows(q, r, budget):
    q, r = sorted((q, r))
    assert binary_kl_inverse(q, budget) <= binary_kl_inverse(r, budget) + 1e-12
    assert binary_kl_inverse(q, budget) <= binary_kl_inverse(q, 2 * budget + 0.1)


def test_inverse_without_errors_is_known():
    for budget in (1e-9, 0.01, 3.0):
        assert_allclose(binary_kl_inverse(0.0, budget), -math.expm1(-budget), rtol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 7, 50, 1000])
def test_moment(n):
    """E exp(n kl(k/n || p)) of a binomial k does not depend on p, and is at most 2 sqrt(n)."""
    for p in (0.01, 0.4, 0.9):
        k = np.arange(n + 1)
        exponents = binom.logpmf(k, n, p) + [n * binary_kl(i / n, p) for i in k]
        assert_allclose(log_moment(n), logsumexp(exponents), rtol=1e-8)
    assert 0 <= log_moment(n) <= math.log(2 * math.sqrt(n)) + 1e-12
