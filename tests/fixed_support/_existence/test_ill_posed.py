"""Problems without an optimum: what is said of them, and how a penalty helps."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skfact.exceptions import IllPosedWarning, StructureWarning
from skfact.fixed_support import (
    fixed_support_factorize,
)
from tests.asserts import on_any_matrix
from tests.fixed_support.independent import descend
from tests.fixed_support.seeds import over_seeds

LOWER = np.tri(2)


ANTIDIAGONAL = np.array([[0.0, 1.0], [1.0, 0.0]])  # has no LU decomposition


@over_seeds(5)
def test_lu_of_the_antidiagonal_matrix_is_ill_posed(seed):
    with pytest.warns(IllPosedWarning, match=r"components \[0, 1\] grow.*alpha > 0"):
        result = fixed_support_factorize(ANTIDIAGONAL, LOWER, LOWER.T, random_state=seed)
    assert_array_equal(result.diverging_components, [0, 1])
    assert 0 < result.loss < 0.1
    assert np.abs(result.left).max() > 2 and not result.optimal


@pytest.mark.parametrize("epsilon", [1e-1, 1e-2, 1e-3])
def test_infimum_of_the_lu_instance(epsilon):
    X = np.array([[epsilon, 0], [1, 1]])
    Y = np.array([[1, 1 / epsilon], [0, -1 / epsilon]])
    assert_allclose(np.linalg.norm(ANTIDIAGONAL - X @ Y) ** 2, epsilon**2)


def test_ridge_makes_the_lu_instance_well_posed():
    result = fixed_support_factorize(
        ANTIDIAGONAL, LOWER, LOWER.T, alpha=0.01, n_init=5, tol=1e-10, max_iter=5000, random_state=0
    )
    found = descend(ANTIDIAGONAL, LOWER, LOWER.T, np.random.default_rng(0), 0.01, n_starts=20)
    assert_allclose(result.loss, found, rtol=1e-5)
    assert np.abs(result.left).max() < 3 and not len(result.diverging_components)


def test_overlapping_groups_are_not_closed():
    """Columns u, v, u with groups {0, 1} and {1, 2}: the infimum 0 needs factors of any size."""
    u, v = np.random.default_rng(0).standard_normal((2, 20, 1))
    right = np.array([[1, 1, 0], [0, 1, 1]])
    A = np.hstack([u, v, u])
    for epsilon in (1e-2, 1e-4):
        X = np.hstack([u, u + epsilon * v])
        Y = np.array([[1, -1 / epsilon, 0], [0, 1 / epsilon, 1]])
        assert np.linalg.norm(A - X @ Y) < 2 * epsilon * np.linalg.norm(v)
    with pytest.warns(IllPosedWarning):
        fixed_support_factorize(A, np.ones((20, 2)), right, random_state=0)


@on_any_matrix
def test_supports_that_are_not_closed_warn_unless_the_fit_is_exact():
    A = np.random.default_rng(0).standard_normal((3, 3))
    lower = np.tri(3)[:, :2]
    with pytest.warns(
        IllPosedWarning, match=r"components \[0, 1\] in rows .* not closed.*alpha > 0"
    ):
        result = fixed_support_factorize(A, lower, lower.T, n_init=5, random_state=0)
    assert not len(result.diverging_components)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", StructureWarning)
        fixed_support_factorize(
            A, lower, lower.T, alpha=1.0, tol=1e-3, max_iter=1000, random_state=0
        )
        exact = (lower * A[:, :2]) @ (lower * A[:, :2]).T
        fixed_support_factorize(exact, lower, lower.T, tol=0, max_iter=2000, random_state=0)
