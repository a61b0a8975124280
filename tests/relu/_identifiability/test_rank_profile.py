"""Ranks of leading columns, from rows in blocks."""

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from skfact.relu._identifiability import rank_profile as module
from skfact.relu._identifiability.rank_profile import compressed, rank_profile, triangle
from tests.asserts import for_each
from tests.relu.networks import seeds


def low_rank(rng, m, n, r):
    A = rng.standard_normal((m, r)) @ rng.standard_normal((r, n))
    A[:, rng.random(n) < 0.2] = 0
    return A


@given(seeds, st.integers(1, 60), st.integers(1, 120))
def test_ranks_and_singular_values(seed, n, m):
    rng = np.random.default_rng(seed)
    A = low_rank(rng, m, n, rng.integers(0, min(m, n) + 1))
    ends = np.sort(rng.integers(0, n + 1, 3))
    blocks = [block.copy() for block in np.array_split(A, rng.integers(1, 6))]
    R = triangle(blocks, n)
    assert len(R) <= min(m, n) and not np.tril(R, -1).any()
    assert_allclose(R.T @ R, A.T @ A, atol=1e-10 * max(1.0, (A**2).sum()))
    profile = rank_profile(R, np.diff([0, *ends, n]).tolist(), 1e-10)
    ranks = [np.linalg.matrix_rank(A[:, :k], rtol=1e-10) if k else 0 for k in (*ends, n)]
    assert profile.ranks == ranks
    values = np.append(scipy.linalg.svdvals(A), 0.0)
    if ranks[-1]:
        kept, dropped = values[ranks[-1] - 1] / values[0], values[ranks[-1]] / values[0]
        # interlacing; the smallest one by inverse iteration, the largest by power iteration
        assert profile.smallest_kept <= 1.5 * kept
        assert dropped <= profile.largest_dropped + 1e-12 and profile.largest_dropped < 1e-12


def kahan_matrix(n, angle):
    s, c = np.sin(angle), np.cos(angle)
    return np.diag(s ** np.arange(n)) @ (np.eye(n) - c * np.triu(np.ones((n, n)), 1))


def test_a_nearly_singular_triangle_without_small_diagonal():
    """Kahan's matrix: no diagonal entry tells that it is nearly singular; singular values do."""
    n = 100
    kahan = kahan_matrix(n, 1.1)
    values = scipy.linalg.svdvals(kahan)
    for tol in (values[-1] / values[0] * 0.5, values[-1] / values[0] * 20):
        R = np.asfortranarray(kahan)
        profile = rank_profile(R.copy(order="F"), [1] * n, tol)
        assert profile.ranks[-1] == n - (tol > values[-1] / values[0])


def test_many_small_values_behind_large_diagonals():
    angles = np.linspace(1.0, 1.3, 20)
    R = np.asfortranarray(scipy.linalg.block_diag(*(kahan_matrix(30, a) for a in angles)))
    values = scipy.linalg.svdvals(R)
    cutoff = 1.02 * np.sort([scipy.linalg.svdvals(kahan_matrix(30, a))[-1] for a in angles])[17]
    assert np.abs(np.diag(R)).min() > cutoff and (values <= cutoff).sum() == 18
    profile = rank_profile(R.copy(order="F"), [1] * 600, cutoff / values[0])
    assert profile.ranks[-1] == 600 - 18
    assert_allclose(profile.smallest_kept * values[0], values[-19], rtol=0.02)
    assert_allclose(
        profile.largest_dropped * values[0], (values[-18:] ** 2).sum() ** 0.5, rtol=0.02
    )


@for_each("seed", range(3))
def test_a_sketch_keeps_ranks(seed, monkeypatch):
    monkeypatch.setattr(module, "COLUMNS_TO_SKETCH", 50)
    monkeypatch.setattr(module, "ROWS_MIXED", 8)
    monkeypatch.setattr(module, "ROWS_REACHED", 40)
    rng = np.random.default_rng(seed)
    A = low_rank(rng, 900, 60, 50)
    A[: 900 - 60 * seed] *= 0.0 if seed else 1.0  # all rank in few of the blocks
    R = compressed([A[:500].copy(), A[500:].copy()], 900, 60)
    assert len(R) == 60
    ranks = rank_profile(R, [20, 40], 1e-10).ranks
    assert ranks == [np.linalg.matrix_rank(A[:, :k], rtol=1e-10) for k in (20, 60)]


@pytest.mark.parametrize("shape", [(1, 1), (5, 1), (1, 5)])
def test_zeros(shape):
    R = triangle([np.zeros(shape)], shape[1])
    assert rank_profile(R, [shape[1]], 1e-10) == module.RankProfile([0], 0.0, 0.0)
    assert rank_profile(np.zeros((0, shape[1]), order="F"), [0, shape[1]], 0.1).ranks == [0, 0]
