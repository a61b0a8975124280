"""Alternating least squares: the loss falls, and how far."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning

from skfact.fixed_support import (
    FAMILIES,
    fixed_support_factorize,
)
from tests.asserts import on_any_matrix
from tests.fixed_support.independent import check_factors, descend, random_masks, random_matrix
from tests.fixed_support.seeds import over_seeds

ignore_cut_off = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


ignore_ill_posed = pytest.mark.filterwarnings("ignore::skfact.exceptions.IllPosedWarning")


@on_any_matrix
@ignore_cut_off
@ignore_ill_posed
@pytest.mark.parametrize("is_complex", [False, True])
@over_seeds(20)
def test_loss_never_increases(seed, is_complex):
    random = np.random.default_rng(seed)
    left, right = random_masks(random, "anything")
    A = random_matrix(random, left.shape[0], right.shape[1], is_complex)
    alpha = 0.1 * (seed % 3)
    result = fixed_support_factorize(
        A, left, right, solver="alternating", alpha=alpha, n_init=2, max_iter=30, random_state=seed
    )
    assert not result.optimal and result.solver == "alternating"
    scale = np.linalg.norm(A) ** 2
    assert np.diff(result.loss_curve).max(initial=0) <= 1e-12 * scale
    X, Y = result.left, result.right
    penalty = alpha * (np.linalg.norm(X) ** 2 + np.linalg.norm(Y) ** 2)
    assert_allclose(
        result.loss, np.linalg.norm(A - X @ Y) ** 2 + penalty, rtol=1e-9, atol=1e-12 * scale
    )
    assert_allclose(result.loss_curve[-1], result.loss, rtol=1e-9, atol=1e-9 * scale)
    assert not X[~left].any() and not Y[~right].any()


@on_any_matrix
@ignore_cut_off
@ignore_ill_posed
@over_seeds(6)
def test_loss_never_increases_in_single_precision(seed):
    random = np.random.default_rng(seed)
    left, right = random.random((30, 8)) < 0.5, random.random((8, 20)) < 0.5
    A = random.standard_normal((30, 20)).astype(np.float32)
    result = fixed_support_factorize(A, left, right, max_iter=30, random_state=0)
    assert result.left.dtype == np.float32
    scale = np.linalg.norm(A) ** 2
    assert np.diff(result.loss_curve).max() <= 20 * np.finfo(np.float32).eps * scale


@on_any_matrix
@over_seeds(15)
def test_alternating_reaches_the_optimum_of_tractable_problems(seed):
    """They have no spurious local minima; with several starts none gets stuck at a saddle."""
    random = np.random.default_rng(seed)
    left, right = random_masks(random, "disjoint")
    A = random_matrix(random, left.shape[0], right.shape[1], is_complex=bool(seed % 2))
    exact = fixed_support_factorize(A, left, right)
    found = fixed_support_factorize(
        A, left, right, solver="alternating", n_init=3, tol=1e-10, max_iter=3000, random_state=0
    )
    scale = np.linalg.norm(A) ** 2
    assert exact.loss - 1e-10 * scale <= found.loss <= exact.loss + 1e-5 * scale


def test_classes_of_nearly_equal_size():
    """Padded to one size, in one batch with a class as large as the matrix."""
    A = np.random.default_rng(0).standard_normal((8, 8))
    left, right = np.tri(8, 3) > 0, np.ones((3, 8), dtype=bool)
    result = fixed_support_factorize(
        A, left, right, n_init=5, tol=1e-8, max_iter=5000, random_state=0
    )
    found = descend(A, left, right, np.random.default_rng(0), n_starts=10)
    assert_allclose(result.loss, found, rtol=1e-4)
    check_factors(result, A, left, right)


@on_any_matrix
@ignore_ill_posed
def test_stationary_losses_of_the_spurious_minimum():
    """The starts end at the global minimum 13.5220; 18.7303 is a strict local one."""
    left = np.array([[1, 0], [1, 0], [1, 1]])
    A = np.array([[0.0, 3, -2], [1, 3, 1], [3, 0, 0]])
    result = fixed_support_factorize(
        A, left, left.T, n_init=20, tol=1e-10, max_iter=2000, random_state=0
    )
    assert_allclose(result.loss, 13.5220, atol=1e-4)
    assert not result.optimal


def test_global_minimum_behind_a_spurious_valley():
    """[[a, b], [c, *]] with a, b, c nonzero has loss 0, which one start in the valley misses."""
    left = np.array([[1, 0], [1, 1]])
    A = np.array([[1.0, 10], [10, 0]])
    result = fixed_support_factorize(
        A, left, left.T, n_init=4, tol=1e-6, max_iter=5000, random_state=0
    )
    assert result.loss <= 1e-10


@on_any_matrix
@ignore_ill_posed
@ignore_cut_off
def test_more_starts_are_never_worse():
    random = np.random.default_rng(1)
    left, right = random.random((10, 6)) < 0.5, random.random((6, 10)) < 0.5
    A = random.standard_normal((10, 10))
    losses = [
        fixed_support_factorize(A, left, right, n_init=n, max_iter=50, random_state=0).loss
        for n in (1, 3, 9)
    ]
    assert losses[0] >= losses[1] >= losses[2]


@on_any_matrix
def test_same_seed_same_bits():
    random = np.random.default_rng(1)
    left, right = random.random((10, 6)) < 0.5, random.random((6, 10)) < 0.5
    A = random.standard_normal((10, 10))
    first, second = (
        fixed_support_factorize(A, left, right, alpha=0.1, n_init=3, tol=1e-3, random_state=7)
        for _ in range(2)
    )
    assert_array_equal(first.left, second.left)
    assert_array_equal(first.right, second.right)


@on_any_matrix
def test_running_out_of_sweeps_warns():
    random = np.random.default_rng(0)
    A = random.standard_normal((20, 12))
    with pytest.warns(ConvergenceWarning, match="max_iter=2"):
        result = fixed_support_factorize(
            A, *FAMILIES["overlapping-groups"](20, 12, 3), max_iter=2, random_state=0
        )
    assert result.n_iter == 2 and not result.converged
