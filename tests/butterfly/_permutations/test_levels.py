"""What one level of the search is made of, beside brute force."""

from itertools import permutations

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from skfact.butterfly._permutations.levels import (
    _equal_parts,
    _groups,
    _pair_residuals,
    _stokes,
)
from tests.arrays import gaussian
from tests.asserts import for_each


@for_each("dtype", ["float64", "complex128"])
def test_the_sum_of_stokes_vectors_gives_the_residual_of_a_pair(dtype):
    random = np.random.default_rng(0)
    for n in (1, 2, 7):
        x, y = gaussian(random, (2, n), dtype)
        s = _stokes(x, y)
        lengths = np.linalg.norm(s, axis=-1)
        assert_allclose(lengths, np.abs(x) ** 2 + np.abs(y) ** 2)
        _, *smaller = np.linalg.svd(np.stack([x, y]), compute_uv=False)
        residual = (np.sum(lengths) - np.linalg.norm(np.sum(s, axis=0))) / 2
        assert_allclose(residual, np.sum(np.square(smaller)), atol=1e-14)


@for_each("dtype", ["float64", "complex128"])
def test_residuals_of_all_pairs(dtype):
    X = gaussian(np.random.default_rng(0), (2, 3, 4, 5), dtype)
    found = _pair_residuals(X @ np.conj(np.swapaxes(X, 2, 3)))
    for k in range(4):
        for l in set(range(4)) - {k}:
            values = np.linalg.svd(X[:, :, [k, l]], compute_uv=False)
            assert_allclose(found[k, l], np.sum(values[..., 1] ** 2))


@for_each("q", [2, 3])
def test_groups_that_leave_nothing_are_found(q):
    random = np.random.default_rng(q)
    for _ in range(20):
        truth = random.permutation(12) // q  # the group of each row
        residuals = random.uniform(0.1, 1, (12, 12)) * (truth[:, None] != truth)
        groups = _groups(residuals + residuals.T, q)
        assert groups.shape == (12 // q, q)
        assert_array_equal(np.sort(groups.ravel()), np.arange(12))
        assert np.all(truth[groups] == truth[groups[:, :1]])


def test_rows_that_an_assignment_sends_around_are_paired():
    residuals = np.ones((6, 6))
    for cycle in ((0, 2, 4), (1, 3, 5)):  # the assignment of least sum goes around each
        for i, j in zip(cycle, (*cycle[1:], cycle[0])):
            residuals[i, j] = residuals[j, i] = 0.1
    groups = _groups(residuals, 2)
    assert_array_equal(np.sort(groups.ravel()), np.arange(6))
    assert np.sum(residuals[groups[:, 0], groups[:, 1]]) <= 0.1 + 0.1 + 1


@for_each("w, p", [(4, 2), (6, 2), (6, 3), (4, 4), (3, 1)])
def test_parts_of_equal_size_have_the_largest_score(w, p):
    scores = np.random.default_rng(w * p).normal(size=(5, w, p))
    parts = _equal_parts(scores)
    of_place = np.arange(w) // (w // p)
    for order, score in zip(parts, scores):
        assert_array_equal(np.sort(order), np.arange(w))
        best = max(np.sum(score[list(o), of_place]) for o in permutations(range(w)))
        if p < w:  # parts of one column are any order: the last level, where nothing is lost
            assert_allclose(np.sum(score[order, of_place]), best)


@for_each("r, q", [(8, 2), (9, 3), (10, 5)])
def test_no_exchange_of_two_rows_lessens_the_residuals_of_groups(r, q):
    def within(groups):
        return sum(np.sum(residuals[np.ix_(group, group)]) for group in groups)

    random = np.random.default_rng(r)
    for _ in range(10):
        residuals = random.uniform(size=(r, r))
        residuals = residuals + residuals.T
        np.fill_diagonal(residuals, 0)
        groups = _groups(residuals, q)
        for i in range(r):
            for j in range(i):
                exchanged = np.where(groups == i, j, np.where(groups == j, i, groups))
                assert within(exchanged) >= within(groups) - 1e-12
