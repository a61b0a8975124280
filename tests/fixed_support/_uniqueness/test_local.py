"""Local identifiability: the rank of the Jacobian at a generic point."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from skfact.fixed_support import is_closable, is_locally_identifiable
from skfact.fixed_support._supports.masks import check_supports
from skfact.fixed_support._uniqueness.local import _jacobian
from tests.fixed_support.masks import band, support_pairs


def full_rank_by_definition(left, right):
    """Rank of d(X Y) = dX Y + X dY over all entries, as a matrix of Kronecker products."""
    random = np.random.default_rng(7)
    X, Y = (support * random.uniform(1, 2, support.shape) for support in (left, right))
    m, n = len(X), Y.shape[1]
    by_left = np.kron(np.eye(m), Y.T)[:, left.ravel()]  # vec in row-major order
    by_right = np.kron(X, np.eye(n))[:, right.ravel()]
    jacobian = np.concatenate([by_left, by_right], axis=1)
    return np.linalg.matrix_rank(jacobian) == left.sum() + right.sum() - left.shape[1]


@given(support_pairs(), st.integers(0, 5))
def test_it_is_the_rank_of_the_jacobian(supports, seed):
    assert is_locally_identifiable(*supports, random_state=seed) == full_rank_by_definition(
        *supports
    )


@given(support_pairs())
def test_closable_supports_have_full_rank(supports):
    assert full_rank_by_definition(*supports) or not is_closable(*supports)


@given(support_pairs(4))
def test_jacobian_is_the_derivative(supports):
    """Euler: the Jacobian maps the factors to twice their product, entry by entry."""
    left, right = check_supports(*supports)
    J = _jacobian(left, right, np.random.RandomState(0))
    random, point = np.random.RandomState(0), []
    product = np.zeros((left.shape[0], right.shape[1]))
    for k in range(left.shape[1]):
        a, b = (
            random.uniform(1, 2, size) * random.choice([-1, 1], size)
            for size in (supports[0][:, k].sum(), supports[1][k].sum())
        )
        point += [a, b]
        product[np.ix_(supports[0][:, k], supports[1][k])] += np.outer(a, b)
    covered = (supports[0].astype(int) @ supports[1].astype(int)) > 0
    assert_allclose(J @ np.concatenate(point), 2 * product[covered], atol=1e-12)


@pytest.mark.parametrize(
    "left, right, expected",
    [
        (np.ones((4, 1)), np.ones((1, 3)), True),
        (np.ones((4, 2)), np.ones((2, 3)), False),
        (np.eye(4), np.eye(4), True),
        (np.tri(5), np.tri(5).T, True),
        (np.ones((1, 2)), np.ones((2, 1)), False),
    ],
)
def test_known_patterns(left, right, expected):
    assert is_locally_identifiable(left, right) is expected


def test_closability_is_not_necessary():
    left, right = np.array([[0, 1], [1, 0], [1, 1]]), np.ones((2, 2))
    assert not is_closable(left, right)
    assert is_locally_identifiable(left, right)


def test_dead_components_do_not_count():
    assert is_locally_identifiable([[1, 1]], [[1, 1], [0, 0]])


def test_masks_of_every_library(asarray):
    lower, dense = np.tri(3, dtype=bool), np.ones((3, 3))
    assert is_closable(asarray(lower), asarray(lower.T))
    assert is_locally_identifiable(asarray(lower), asarray(lower.T))
    assert not is_closable(asarray(dense), asarray(dense))
    assert not is_locally_identifiable(asarray(dense), asarray(dense))


def test_a_jacobian_beyond_the_limit_is_refused():
    random = np.random.default_rng(0)
    left, right = random.random((30, 3)) < 0.95, random.random((3, 30)) < 0.95
    assert not is_closable(left, right)
    assert is_locally_identifiable(left, right)
    with pytest.raises(ValueError, match=r"max_size=1000.*is_closable"):
        is_locally_identifiable(left, right, max_size=1000)


def test_many_components_in_sparse_memory():
    n = 5000
    assert is_locally_identifiable(band(n, 3).T, band(n, 3))
    twice = scipy.sparse.hstack([band(n, 3).T] * 2), scipy.sparse.vstack([band(n, 3)] * 2)
    assert not is_locally_identifiable(*twice)
