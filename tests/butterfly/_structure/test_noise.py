"""The level of noise against Gaussian matrices."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skfact.butterfly._structure.noise import (
    block_error,
    is_far_from_noise,
    noise_entries_error,
    noise_error,
    shuffled,
)
from skfact.butterfly._structure.search import StructureSearch
from tests.arrays import gaussian
from tests.asserts import for_each


@for_each("dtype", ["float64", "complex128"])
@for_each("shape", [(300, 300), (300, 100), (60, 600)])
def test_the_law_of_singular_values(dtype, shape):
    s = np.linalg.svd(gaussian(np.random.default_rng(0), shape, dtype), compute_uv=False)
    for share in (0.0, 0.1, 0.3, 0.7, 0.95):
        rank = int(share * len(s))
        left = np.linalg.norm(s[rank:]) / np.linalg.norm(s)
        assert block_error(shape, rank) == pytest.approx(left, abs=0.01)
    assert block_error(shape, min(shape)) == 0


@for_each("shape", [(64, 64), (160, 40)])
def test_structures_find_no_more_in_noise(shape):
    A = gaussian(np.random.default_rng(1), shape)
    search = StructureSearch(A, A.size // 2)
    for share in (16, 8, 4, 2):
        found = search.best(A.size // share)
        assert found[0].estimate == pytest.approx(noise_error(shape, A.size // share), abs=0.025)


@given(st.integers(1, 200), st.integers(1, 200))
def test_more_numbers_leave_less(m, n):
    errors = [noise_error((m, n), int(share * m * n)) for share in (0.1, 0.3, 0.6, 0.9, 1.0)]
    assert errors == sorted(errors, reverse=True) and errors[0] <= 1 and errors[-1] == 0


@for_each("dtype", ["float64", "complex128"])
def test_the_largest_entries(dtype):
    A = np.sort(np.abs(gaussian(np.random.default_rng(0), (300, 300), dtype)).ravel())
    for share in (0.01, 0.1, 0.3, 0.8):
        left = np.linalg.norm(A[: -int(share * A.size)]) / np.linalg.norm(A)
        found = noise_entries_error(share, is_complex=dtype == "complex128")
        assert found == pytest.approx(left, abs=0.005)
    assert (noise_entries_error(0.0), noise_entries_error(1.0)) == (1.0, 0.0)


def test_which_entries_are_far_from_noise():
    random = np.random.default_rng(0)
    noise = random.standard_normal((2, 64, 64))
    assert not any(map(is_far_from_noise, (noise[0], noise[0] + 1j * noise[1], 0 * noise[0])))
    heavy = random.standard_t(3, (2, 64, 64))
    for A in (heavy[0], heavy[0] + 1j * heavy[1], random.random((64, 64)), noise[0] + 0.5):
        assert is_far_from_noise(A)
    assert sorted(shuffled(noise[0]).ravel()) == sorted(noise[0].ravel())
    assert not np.array_equal(shuffled(noise[0]), noise[0])
