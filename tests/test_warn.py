"""What warnings say, in every array library."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skfact._warn import low_rank_error
from tests.arrays import DTYPES, gaussian
from tests.asserts import for_each


@for_each("size", [1e-30, 1.0, 1e30])
@for_each("dtype", DTYPES)
def test_low_rank_error(asarray, dtype, size):
    A = gaussian(np.random.default_rng(0), (20, 12), dtype) * np.asarray(size, dtype)
    s = np.linalg.svdvals(A.astype(complex))
    for rank in (1, 5, 11, 12):
        expected = np.linalg.norm(s[rank:]) / np.linalg.norm(s)
        assert_allclose(low_rank_error(asarray(A), rank), expected, rtol=0.05)


def test_low_rank_error_of_almost_low_rank():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((40, 3)) @ rng.standard_normal((3, 30))
    B = A + 1e-12 * rng.standard_normal(A.shape)
    expected = np.linalg.norm(np.linalg.svdvals(B)[3:]) / np.linalg.norm(B)
    assert_allclose(low_rank_error(B, 3), expected, rtol=0.05)


@pytest.mark.parametrize("A", [np.zeros((4, 3)), 5e-324 * (1 + 1j) * np.eye(3)], ids=["0", "tiny"])
def test_low_rank_error_of_next_to_nothing(A):
    assert_allclose(low_rank_error(A, 2), 0 if not A.any() else 3**-0.5, rtol=0.05)
