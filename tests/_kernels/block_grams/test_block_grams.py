"""Gram matrices of blocks: of all blocks, or of the same draws in compiled loops and without."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skfact._backend import to_numpy
from skfact._kernels.block_grams import Look, block_grams, block_view, dispatch, generic
from tests.arrays import DTYPES, gaussian
from tests.butterfly.chains import seeds

WAYS = [(False, False), (False, True), (True, False), (True, True)]


def energies_of(A, Q):
    squares, (m, n) = abs(A.astype(complex)) ** 2, A.shape
    return np.stack(
        [squares.reshape(m // Q, Q, n).sum(axis=0), squares.reshape(Q, m // Q, n).sum(axis=1)]
    )


@pytest.mark.parametrize("dtype", DTYPES)
@given(st.sampled_from([(24, 16, 6, 4), (12, 30, 3, 6), (16, 16, 1, 4)]), seeds)
def test_compiled_loops_are_the_specification(dtype, shape, random):
    m, n, Q, P = shape
    A = gaussian(random, (m, n), dtype) * np.linspace(0, 2, n, dtype=dtype)
    A.flags.writeable = False
    looks = [Look(Q, P, *way, 3, True) for way in WAYS] + [Look(Q, P, True, False, Q * P, False)]
    arguments = A, looks, {Q: energies_of(A, Q)}, random.random(12)
    (ours, weights), (theirs, expected) = block_grams(*arguments), generic.block_grams(*arguments)
    assert ours.dtype == theirs.dtype
    np.testing.assert_allclose(np.tril(ours), np.tril(theirs), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(weights, expected, rtol=1e-10)


@pytest.mark.parametrize("way", WAYS)
def test_blocks_are_those_of_index_sets(way, asarray):
    A = np.arange(24.0).reshape(4, 6)
    blocks = block_view(asarray(A), (2, 3), *way)
    assert blocks.shape == (2, 3, 2, 2)
    for q in range(2):
        rows = [2 * q, 2 * q + 1] if way[0] else [q, q + 2]
        for p in range(3):
            cols = [p, p + 3] if way[1] else [2 * p, 2 * p + 1]
            assert np.array_equal(to_numpy(blocks[q, p, ...]), A[np.ix_(rows, cols)])


def test_without_numba(monkeypatch):
    A = gaussian(np.random.default_rng(0), (8, 6))
    looks = [Look(2, 3, True, True, 6, False)]
    expected, _ = block_grams(A, looks, {}, np.zeros(0))
    monkeypatch.setattr(dispatch, "compiled", lambda module: None)
    found, weights = block_grams(A, looks, {}, np.zeros(0))
    np.testing.assert_allclose(np.tril(found), np.tril(expected))
    np.testing.assert_array_equal(weights, 1)
