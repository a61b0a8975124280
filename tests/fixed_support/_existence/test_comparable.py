"""Supports that are closed, as rectangles that meet are ordered, or as they reach everything."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from skfact.fixed_support import closedness, fixed_support_factorize, rank_one_supports
from skfact.fixed_support._existence.comparable import incomparable
from skfact.fixed_support._existence.everything import reach_everything
from skfact.fixed_support._supports.masks import check_supports
from skfact.fixed_support._supports.rank_one import classes_of
from skfact.fixed_support._tractable.closure import complete_closure
from tests.asserts import at_most
from tests.fixed_support.masks import support_pairs

ALL = np.arange(9)
FIRST, LAST, MIDDLE = ALL[:6], ALL[3:], ALL[3:6]
ORDERED = {  # rows and columns of classes of components
    "cross": [(ALL, MIDDLE), (FIRST, ALL)],
    "crosses in a row": [(ALL, ALL[:3]), (FIRST, FIRST), (ALL[:3], ALL)],
    "two in one": [(ALL, ALL), (ALL, ALL[:4]), (ALL, ALL[4:])],
    "under two": [(ALL[:4], ALL), (ALL, MIDDLE), (ALL[4:], ALL)],
    "equal rows, then equal columns": [(ALL[:4], ALL), (ALL[:4], FIRST), (ALL, FIRST)],
}
NOT_ORDERED = {
    "corner": [(ALL, ALL), (FIRST, FIRST)],
    "lines": [(FIRST, ALL), (LAST, ALL)],
    "overlap": [(FIRST, FIRST), (LAST, LAST)],
}


def masks_of(classes, p=1):
    left, right = np.zeros((9, p * len(classes)), dtype=bool), np.zeros((p * len(classes), 9), bool)
    for k, (rows, columns) in enumerate(classes):
        left[rows, k * p : (k + 1) * p], right[k * p : (k + 1) * p, columns] = True, True
    return left, right


@pytest.mark.parametrize("name", ORDERED)
@pytest.mark.parametrize("p", [1, 2])
def test_ordered_rectangles_are_closed(name, p):
    masks = masks_of(ORDERED[name], p)
    for left, right in (masks, (masks[1].T, masks[0].T)):
        found = closedness(left, right)
        assert found.answer == "closed" and "no more rows" in found.reason


@pytest.mark.parametrize("name", NOT_ORDERED)
def test_two_rectangles_that_are_not_ordered_are_not_closed(name):
    assert closedness(*masks_of(NOT_ORDERED[name])).answer == "not closed"


@pytest.mark.parametrize("name", ORDERED)
@pytest.mark.parametrize("seed", [0, 1])
def test_limits_of_products_are_products(name, seed):
    """(x / e + s) (y + e t) + (-x / e + u) (y + e v) tends to x (t - v) + (s + u) y."""
    left, right = masks_of(ORDERED[name])
    random = np.random.default_rng(seed)
    X, Y = (random.standard_normal(mask.shape) * mask for mask in (left, right))
    x, y = random.standard_normal((2, 9))
    x, y = x * left[:, :2].all(axis=1), y * right[:2].all(axis=0)  # where the first two meet
    limit = np.outer(x, Y[0] - Y[1]) + np.outer(X[:, 0] + X[:, 1], y) + X[:, 2:] @ Y[2:]
    assert x.any() and y.any()
    result = fixed_support_factorize(limit, left, right, n_init=5, max_iter=2000, random_state=0)
    assert result.error <= 1e-4 * np.linalg.norm(limit)


@given(support_pairs(5))
def test_pairs_by_hand(supports):
    pieces = rank_one_supports(*supports)
    shape = len(supports[0]), supports[1].shape[1]
    found = incomparable(pieces, shape)

    def is_bad(a, b):
        (R, Q), (S, T) = ((set(piece.rows), set(piece.columns)) for piece in (a, b))
        return bool(R & S and Q & T) and not (R <= S and Q >= T) and not (R >= S and Q <= T)

    bad = [(a, b) for k, a in enumerate(pieces) for b in pieces[:k] if is_bad(a, b)]
    assert (found is None) == (not bad)
    assert found is None or is_bad(*found)
    assert incomparable([], shape) is None


@at_most(60)
@given(support_pairs(4), st.integers(0, 99))
def test_generic_constants_reach_everything(supports, seed):
    """Columns by least squares against random left factors, whose rank is what a matching says."""
    left, right = check_supports(*supports)
    closure = complete_closure(classes_of(left, right), (left.shape[0], right.shape[1]))
    X, Y = (np.random.default_rng(seed).standard_normal(mask.shape) * mask for mask in supports)
    reached = supports[0].astype(int) @ supports[1] > 0
    rows, columns = (np.arange(size) for size in reached.shape)
    reached[closure.cover.within(rows, columns)] = False

    def everything(X, support, reached):
        return all(
            np.linalg.matrix_rank(X[wanted][:, of]) == wanted.sum()
            for of, wanted in zip(support.T, reached.T)
            if wanted.any()  # and so there are columns
        )

    expected = everything(X, supports[1], reached) or everything(Y.T, supports[0].T, reached.T)
    assert reach_everything(left, right, closure.cover) == expected
    assert not expected or closedness(*supports).answer == "closed"


def test_three_components_that_reach_everything():
    left = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
    found = closedness(left, np.ones((3, 3)))
    assert found.answer == "closed" and "every matrix" in found.reason
    A = np.random.default_rng(0).standard_normal((3, 3))
    for target in (A, np.eye(3), np.ones((3, 3))):
        X = np.random.default_rng(1).standard_normal((3, 3)) * left
        assert_array_equal(np.linalg.matrix_rank(X), 3)
        np.testing.assert_allclose(X @ np.linalg.solve(X, target), target, atol=1e-12)
