"""Starts by elimination: exact where a decomposition without pivoting is, and never a dead end."""

import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_allclose, assert_array_equal

from skfact._backend import to_numpy
from skfact.fixed_support import FAMILIES, analyze_supports, fixed_support_factorize
from skfact.fixed_support._alternating.elimination import (
    eliminated_start,
    elimination_order,
    rank_one,
)
from tests.fixed_support.independent import random_matrix
from tests.fixed_support.masks import support_pairs

SMALL = {"lu": (7, 7, None), "lu in steps": (9, 7, 4), "arrow": (12, 10, 4)}


@pytest.mark.parametrize("dtype", ["float32", "complex128"])
@pytest.mark.parametrize("name", SMALL)
def test_exact_products_in_one_start(asarray, name, dtype):
    """No sweep is needed: the first component owns what determines it, then the next one does."""
    random = np.random.default_rng(0)
    left, right = FAMILIES[name.split()[0]](*SMALL[name])
    X = left * random_matrix(random, *left.shape, "complex" in dtype)
    Y = right * random_matrix(random, *right.shape, "complex" in dtype)
    A = (X @ Y).astype(dtype)
    result = fixed_support_factorize(asarray(A), left, right, random_state=0)
    found = to_numpy(result.left) @ to_numpy(result.right)
    assert found.dtype == dtype and result.n_iter <= 2
    assert np.linalg.norm(found - A) <= 1e4 * np.finfo(dtype).eps * np.linalg.norm(A)


@pytest.mark.parametrize("n", [1, 2, 10, 30])
def test_lu_decomposition_is_found(n):
    A = np.random.default_rng(n).standard_normal((n, n)) + n * np.eye(n)
    result = fixed_support_factorize(A, *FAMILIES["lu"](n, n, n), random_state=0)
    assert result.error <= 1e-13 * np.linalg.norm(A)


def test_missing_entries_are_not_read():
    """The LU decomposition from all entries but two, which no pivot row or column needs."""
    A = np.random.default_rng(0).standard_normal((5, 5)) + 5 * np.eye(5)
    left, right = FAMILIES["lu"](5, 5, 2)
    exact = (left * A[:, :2]) @ (right * A[:2])
    holes = exact.copy()
    holes[3, 4], holes[4, 3] = np.nan, np.nan
    result = fixed_support_factorize(holes, left, right, missing_values=np.nan, random_state=0)
    assert result.n_iter <= 2
    assert_allclose(result.left @ result.right, exact, atol=1e-12)


@given(support_pairs(6))
def test_each_entry_is_owned_once(supports):
    """By the last class that reaches it; classes that own nothing end the elimination."""
    report = analyze_supports(*supports)
    left, right = (np.asarray(mask, dtype=int) for mask in supports)
    firsts = [s.components[0] for s in report.classes]
    order = list(elimination_order(report.classes, report.left_support, report.right_support))
    waiting = left[:, firsts] @ right[firsts]
    for support, owned in order:
        place = np.ix_(support.rows, support.columns)
        assert_array_equal(owned, waiting[place] == 1)
        assert owned.any()
        waiting[place] -= 1
    if len(order) < len(firsts):
        assert not (waiting == 1).any()
    else:
        assert not waiting.any()


@pytest.mark.parametrize("A", [np.zeros((3, 3)), np.eye(3)[::-1], np.diag([0.0, 1, 0])])
def test_zero_pivots(A):
    """Components that find nothing are filled by noise, lest they stay zero for ever."""
    left, right = FAMILIES["lu"](3, 3, 3)
    result = fixed_support_factorize(A, left, right, alpha=1e-3, max_iter=2000, random_state=0)
    assert np.isfinite(result.left).all() and np.isfinite(result.right).all()
    assert result.loss <= np.linalg.norm(A) ** 2
    x = eliminated_start(A, analyze_supports(left, right))
    assert np.isfinite(x).all()


def test_no_class_owns_anything():
    """Each entry is reached by two classes: there is nothing to begin with."""
    left = np.array([[1, 1, 1, 1], [1, 0, 1, 1], [0, 1, 1, 1]])
    right = np.array([[1, 1, 1], [1, 1, 1], [1, 0, 1], [0, 1, 1]])
    reach = left @ right
    assert reach.min() >= 2
    assert eliminated_start(np.ones((3, 3)), analyze_supports(left, right)) is None


def test_rank_one_of_a_row_and_a_column():
    """What a row and a column with a common pivot determine; other entries do not count."""
    B = np.array([[2.0, 4, 6], [1, 50, 60], [3, 70, 80]])
    weights = np.zeros((3, 3))
    weights[0], weights[:, 0] = 1, 1
    u, v = rank_one(B, weights)
    assert_allclose(np.outer(u, v), np.outer(B[:, 0], B[0]) / 2)
    assert_allclose(np.linalg.norm(u), np.linalg.norm(v))
