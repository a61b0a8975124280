"""Rotations: orthogonal for every size, and no entry is large."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skfact.operators import FactorizedOperator
from skfact.transforms import random_rotation
from skfact.transforms._flat_blocks import flat_block, flatness, hadamard_matrix, is_hadamard_order
from skfact.transforms._flat_radices import exact_radices, flat_radices
from tests.arrays import DTYPES
from tests.asserts import at_most, for_each

# hidden layers of language models, which are no powers of two, then odd and prime sizes
LARGE = [29_568, 13_696, 14_336, 3_584, 18_944, 65_537, 2_197, 3_613]


def is_orthogonal(Q, atol=1e-13):
    assert_allclose(Q @ Q.T, np.eye(len(Q)), atol=atol)


@for_each("b", range(1, 150))
def test_blocks_are_orthogonal_and_as_flat_as_they_say(b):
    block = flat_block(b)
    is_orthogonal(block)
    assert_allclose(np.abs(block).max() * math.sqrt(b), flatness(b), rtol=1e-12)
    assert 1 <= flatness(b) <= math.sqrt(2) * (1 + 1e-15)


def test_hadamard_matrices():
    """All orders up to 88; products of signs are exact."""
    orders = [n for n in range(1, 92) if is_hadamard_order(n)]
    assert orders == [1, 2, *range(4, 92, 4)]
    for n in orders:
        H = hadamard_matrix(n)
        assert set(np.unique(H)) <= {-1.0, 1.0}
        assert_array_equal(H @ H.T, n * np.eye(n))


@given(st.integers(1, 500) | st.sampled_from([845, 1009]))
@at_most(30)
def test_rotations_are_orthogonal_and_as_flat_as_their_radices_say(n):
    Q = random_rotation(n, random_state=n).toarray()
    is_orthogonal(Q)
    bound = flat_radices(n).flatness if n > 1 else 1.0
    assert np.abs(Q).max() * math.sqrt(n) <= bound + 1e-8


def test_no_entry_exceeds_the_root_of_two_over_n():
    """All sizes up to 4,096, by the bound that the test above sees to."""
    assert max(flat_radices(n).flatness for n in range(2, 4097)) <= math.sqrt(2)
    assert max(flat_radices(n).flatness for n in range(4097, 150_000, 7919)) <= 2


@for_each("n", [2, 12, 36, 240, 896, 3584, 14_336, 29_568, 2**20])
def test_sizes_with_entries_of_one_magnitude(n):
    radices = flat_radices(n)
    assert radices.flatness == 1
    assert math.prod(radices.radices) == n


def test_radices_are_the_best_of_all():
    """Against a search through all ways to write a number as a product."""

    def products(n, largest):
        if n == 1:
            yield ()
        for b in range(2, min(n, largest) + 1):
            if n % b == 0:
                yield from ((b, *rest) for rest in products(n // b, b))

    for n in (64, 90, 360, 845, 1001, 2310):
        best = min(math.prod(map(flatness, found)) for found in products(n, 64))
        assert_allclose(exact_radices(n).flatness, best, rtol=1e-8)


@pytest.mark.parametrize("n", LARGE)
def test_large_sizes(n):
    """A unit vector is spread flat, norms stay, and the transpose undoes it."""
    rotation = random_rotation(n, random_state=0)
    assert isinstance(rotation, FactorizedOperator)
    random = np.random.default_rng(0)
    places = random.integers(n, size=4)
    units = np.zeros((4, n))
    units[np.arange(4), places] = 1
    bound = flat_radices(n).flatness / math.sqrt(n) + 1e-9
    for operator in (rotation, rotation.T):
        assert np.abs(operator.apply(units)).max() <= bound <= 2 / math.sqrt(n)
    x = random.standard_normal(n)
    y = rotation @ x
    assert_allclose(np.linalg.norm(y), np.linalg.norm(x), rtol=1e-13)
    assert_allclose(rotation.T @ y, x, atol=1e-12)


def test_a_million():
    """A power of two in one pass, and few numbers: blocks are kept once."""
    rotation = random_rotation(2**20, random_state=0, dtype="float32")
    x = np.zeros(2**20, dtype="float32")
    x[12345] = 1
    y = rotation @ x
    assert y.dtype == np.float32
    assert_allclose(np.abs(y), 2.0**-10, rtol=1e-5)
    for factor in rotation.factors[:-1]:
        assert factor.values.strides[:2] == (0, 0)


def test_outliers_are_spread_as_by_a_hadamard_matrix():
    """Peak over root mean square of noise with outliers: from 40 to less than 3, for all sizes."""
    random = np.random.default_rng(0)
    peaks = {}
    for n in (4096, 3584, 2879, 3613):
        X = random.standard_normal((50, n))
        X[:, random.integers(n, size=3)] *= 100
        Y = random_rotation(n, random_state=0).apply(X)
        before, after = (
            np.mean(np.abs(Z).max(axis=1) / np.sqrt(np.mean(Z**2, axis=1))) for Z in (X, Y)
        )
        assert before > 30
        peaks[n] = after
    assert max(peaks.values()) < 1.1 * peaks[4096]


@for_each("dtype", DTYPES)
def test_dtype(dtype):
    Q = random_rotation(21, random_state=0, dtype=dtype)
    assert Q.dtype == np.dtype(dtype)
    assert_allclose(Q.toarray(), random_rotation(21, random_state=0).toarray(), atol=1e-6)


def test_the_seed_draws_the_signs():
    first, again, other = (random_rotation(30, random_state=i).toarray() for i in (0, 0, 1))
    assert_array_equal(first, again)
    assert np.any(first != other)
    assert_array_equal(np.abs(first), np.abs(other))


def test_it_is_an_operator_like_others(tmp_path):
    """Saved, loaded, composed and solved."""
    rotation = random_rotation(24, random_state=0)
    rotation.save(tmp_path / "rotation.npz")
    loaded = FactorizedOperator.load(tmp_path / "rotation.npz")
    assert_array_equal(loaded.toarray(), rotation.toarray())
    x = np.random.default_rng(0).standard_normal(24)
    assert_allclose(rotation.solve(rotation @ x), x, atol=1e-14)
    for n in (24, 67):
        Q = random_rotation(n, random_state=0)
        assert_allclose((Q.T @ Q).toarray(), np.eye(n), atol=1e-14)
