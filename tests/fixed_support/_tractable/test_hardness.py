"""Masked rank-one approximation as a factorization with fixed supports."""

import numpy as np
import scipy.optimize
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal

from skfact.fixed_support import hardness_instance
from tests.fixed_support.seeds import over_seeds

masks = hnp.arrays(bool, st.tuples(st.integers(1, 5), st.integers(1, 5)))


@given(masks)
def test_all_but_one_component_cover_what_is_not_observed(observed):
    left, right = hardness_instance(np.zeros(observed.shape), observed)
    assert left[:, 0].all()
    assert right[0].all()
    others = left[:, 1:].astype(int) @ right[1:].astype(int)
    assert_array_equal(others, ~observed)
    assert left.shape[1] <= observed.shape[1] + 1


def test_arrays_of_every_library(asarray):
    observed = np.array([[True, False], [True, True], [False, False]])
    left, right = hardness_instance(asarray(np.ones((3, 2))), asarray(observed))
    assert_array_equal(left, [[1, 0, 1], [1, 0, 0], [1, 1, 1]])
    assert_array_equal(right, [[1, 1], [1, 0], [0, 1]])


def minimum(loss, size, random, starts=12):
    """Best of several runs of a quasi-Newton method."""
    return min(
        scipy.optimize.minimize(loss, random.standard_normal(size), jac=True).fun
        for _ in range(starts)
    )


@over_seeds(4)
def test_the_two_problems_have_the_same_minimum(seed):
    random = np.random.default_rng(seed)
    A, observed = random.standard_normal((3, 3)), random.random((3, 3)) < 0.8
    left, right = hardness_instance(A, observed)
    n_left = left.sum()

    def fixed_support(theta):
        X, Y = np.zeros(left.shape), np.zeros(right.shape)
        X[left], Y[right] = theta[:n_left], theta[n_left:]
        R = X @ Y - A
        return np.sum(R**2), 2 * np.concatenate([(R @ Y.T)[left], (X.T @ R)[right]])

    def masked(theta):
        x, y = theta[:3], theta[3:]
        R = observed * (np.outer(x, y) - A)
        return np.sum(R**2), 2 * np.concatenate([R @ y, x @ R])

    assert_allclose(
        minimum(fixed_support, n_left + right.sum(), random), minimum(masked, 6, random), atol=1e-4
    )


@given(masks, st.integers(0, 100))
def test_every_rank_one_candidate_reaches_its_masked_loss(observed, seed):
    """The identity itself: component 0 is any x y^T, and the others cancel what is not observed."""
    random = np.random.default_rng(seed)
    A = random.standard_normal(observed.shape)
    x, y = random.standard_normal(len(A)), random.standard_normal(A.shape[1])
    left, right = hardness_instance(A, observed)
    X, Y = left * np.ones(left.shape), right * np.ones(right.shape)
    X[:, 0], Y[0] = x, y
    columns = np.argmax(right[1:], axis=1)
    X[:, 1:] = left[:, 1:] * (A - np.outer(x, y))[:, columns]
    masked = np.sum((observed * (A - np.outer(x, y))) ** 2)
    assert_allclose(np.sum((A - X @ Y) ** 2), masked, atol=1e-12)
