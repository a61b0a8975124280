"""Supports found from a product that they tile."""

from itertools import combinations

import numpy as np
import pytest
import scipy.fft
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skfact.fixed_support import complete_rank_one, identify_tiling
from skfact.fixed_support._uniqueness.tiling import _unique_perfect_matching


def dft(n):
    return np.fft.fft(np.eye(n))


def dct(n):
    """The sample index on the rows."""
    return scipy.fft.dct(np.eye(n), axis=0).T


def dst(n):
    return scipy.fft.dst(np.eye(n), axis=0).T


def pairs_of(tiling):
    return {tuple(pair) for pair in tiling.row_pairs.tolist()}


@pytest.mark.parametrize("n", [2, 4, 8, 32])
@pytest.mark.parametrize(
    "transform, partner",
    [
        (dft, lambda i, n: (i + n // 2) % n),
        (dct, lambda i, n: n - 1 - i),
        (dst, lambda i, n: n - 1 - i),
    ],
)
def test_transforms(transform, partner, n):
    Z = transform(n)
    tiling = identify_tiling(Z)
    assert pairs_of(tiling) == {(i, partner(i, n)) for i in range(n) if i < partner(i, n)}
    # every pair has the even columns on one side, the odd ones on the other
    assert_array_equal(tiling.column_halves, np.tile([True, False], (n // 2, n // 2)))
    assert_array_equal(tiling.left_support.sum(axis=0), np.full(n, 2))
    assert_array_equal(tiling.right_support.sum(axis=1), np.full(n, n // 2))
    covered = tiling.left_support.astype(int) @ tiling.right_support.astype(int)
    assert_array_equal(covered, np.ones((n, n)))
    completion = complete_rank_one(Z, tiling.left_support, tiling.right_support)
    assert completion.is_complete
    assert completion.is_consistent
    assert_allclose(completion.left @ completion.right, Z, atol=1e-10)


@given(st.sampled_from([dft, dct, dst]), st.permutations(range(8)), st.permutations(range(8)))
def test_shuffled_copies(transform, rows, columns):
    Z = transform(8)
    tiling, shuffled = identify_tiling(Z), identify_tiling(Z[rows][:, columns])
    assert {tuple(sorted((rows[i], rows[k]))) for i, k in pairs_of(shuffled)} == pairs_of(tiling)
    right = shuffled.right_support[:, np.argsort(columns)]
    assert {tuple(row) for row in right} == {tuple(row) for row in tiling.right_support}


@given(st.permutations(range(8)), st.integers(0, 100))
def test_random_factors_give_their_supports_back(rows, seed):
    random = np.random.default_rng(seed)
    left, right = np.zeros((8, 8)), np.zeros((8, 8))
    for p in range(4):
        half = random.permutation(8)[:4]
        right[2 * p, half] = right[2 * p + 1, np.setdiff1d(range(8), half)] = 1
        left[rows[2 * p : 2 * p + 2], 2 * p] = left[rows[2 * p : 2 * p + 2], 2 * p + 1] = 1
    Z = (left * random.uniform(1, 2, (8, 8))) @ (right * random.uniform(1, 2, (8, 8)))
    tiling = identify_tiling(Z)
    found = {(tuple(a), tuple(b)) for a, b in zip(tiling.left_support.T, tiling.right_support)}
    assert found == {(tuple(a), tuple(b)) for a, b in zip(left.T > 0, right > 0)}


@pytest.mark.parametrize("dtype", ["float32", "complex64"])
def test_single_precision_in_every_library(asarray, dtype):
    Z = dct(8) if dtype == "float32" else dft(8)
    tiling = identify_tiling(asarray(Z.astype(dtype)))
    assert pairs_of(tiling) == pairs_of(identify_tiling(Z))


def test_cosine_transform_with_the_frequency_on_the_rows_fails():
    tiling = identify_tiling(dct(8).T)
    assert tiling.left_support is None
    assert tiling.right_support is None
    assert pairs_of(tiling) == {(0, 4), (2, 6)}
    assert "row 1 finds no partner" in repr(tiling)
    assert identify_tiling(dct(4).T).left_support is not None


def test_hadamard_matrices_have_many_tilings():
    tiling = identify_tiling(scipy.linalg.hadamard(8))
    assert tiling.left_support is None
    assert pairs_of(tiling) == set(combinations(range(8), 2))
    assert "more than one" in tiling.reason


def test_no_ratio_without_zeros():
    tiling = identify_tiling(np.eye(4))
    assert tiling.left_support is None
    assert "zero" in tiling.reason
    # a rank-one matrix: the ratio has one value, not two
    assert identify_tiling(np.ones((4, 4))).left_support is None


def test_the_tolerance_decides_what_is_equal():
    noisy = dft(8) * (1 + 1e-5 * np.random.default_rng(0).standard_normal((8, 8)))
    assert identify_tiling(noisy).left_support is None
    assert pairs_of(identify_tiling(noisy, tol=1e-3)) == pairs_of(identify_tiling(dft(8)))


def perfect_matchings(vertices, edges):
    """All of them, by trying every partner of the first vertex."""
    if not vertices:
        return [frozenset()]
    first = min(vertices)
    found = []
    for edge in edges:
        if first in edge and set(edge) <= vertices:
            rest = perfect_matchings(vertices - set(edge), edges)
            found += [matching | {edge} for matching in rest]
    return found


TWO_TRIANGLES = [(0, 1), (0, 2), (1, 2), (0, 3), (3, 4), (3, 5), (4, 5)]


@given(
    st.integers(1, 4).flatmap(
        lambda half: st.tuples(
            st.just(2 * half),
            st.sets(st.sampled_from(list(combinations(range(2 * half), 2)))),
        )
    )
)
def test_unique_perfect_matching(graph):
    check_matching(*graph)


def check_matching(n, edges):
    edges = sorted(edges)
    pairs = np.array(edges, dtype=int).reshape(-1, 2)
    expected = perfect_matchings(set(range(n)), edges)
    matching, _ = _unique_perfect_matching(n, pairs)
    if len(expected) == 1:
        assert {edges[e] for e in matching} == expected[0]
    else:
        assert matching is None


def test_a_unique_matching_without_a_pendant_edge():
    check_matching(6, TWO_TRIANGLES)
    assert len(perfect_matchings(set(range(6)), TWO_TRIANGLES)) == 1
