"""Masks that are data frames: read by their labels, or refused."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skfact.fixed_support import (
    analyze_supports,
    complete_rank_one,
    fixed_support_factorize,
    hardness_instance,
    rank_one_supports,
)
from skfact.supports import FixedMask
from skfact.supports._masks import labels_of, order_by
from tests.asserts import on_any_matrix

pd = pytest.importorskip("pandas")

ROWS, COLUMNS, PARTS = list("uvw"), list("pqrs"), list("ab")
LEFT = pd.DataFrame([[1, 0], [1, 1], [0, 1]], ROWS, PARTS)
RIGHT = pd.DataFrame([[1, 1, 0, 0], [0, 0, 1, 1]], PARTS, COLUMNS)
A = pd.DataFrame(np.outer([1.0, 2, 3], [1, 2, 3, 4]), ROWS, COLUMNS)
SHUFFLED = LEFT.loc[list("wuv"), list("ba")], RIGHT[list("srqp")]


@on_any_matrix
def test_functions_read_masks_in_the_order_of_the_matrix():
    expected = fixed_support_factorize(A, LEFT.to_numpy(), RIGHT.to_numpy())
    for left, right in [(LEFT, RIGHT), SHUFFLED]:
        assert_array_equal(fixed_support_factorize(A, left, right).left, expected.left)
        assert_array_equal(fixed_support_factorize(A, left, right).right, expected.right)
        completion = complete_rank_one(A, left, right)
        assert_array_equal(completion.left != 0, LEFT)
    observed = pd.DataFrame(np.arange(12).reshape(3, 4) != 1, ROWS, COLUMNS)
    for given in (observed, observed.loc[list("vwu"), list("qpsr")]):
        left, right = hardness_instance(A, given)
        assert_array_equal(right, [[1, 1, 1, 1], [0, 1, 0, 0]])


def test_two_masks_have_their_components_in_one_order():
    expected = rank_one_supports(LEFT.to_numpy(), RIGHT.to_numpy())
    for found, support in zip(rank_one_supports(LEFT[list("ba")], RIGHT), expected, strict=True):
        assert repr(found) == repr(support)


@on_any_matrix
def test_a_report_keeps_the_labels():
    report = analyze_supports(LEFT, RIGHT)
    assert fixed_support_factorize(A, report).left.shape == (3, 2)
    with pytest.raises(ValueError, match="order A as they are"):
        fixed_support_factorize(A[list("qprs")], report)
    with pytest.raises(ValueError, match="The report has labels"):
        fixed_support_factorize(A.rename(columns={"p": "x"}), report)


def test_labels_that_are_positions_and_those_that_occur_twice():
    rows, columns = labels_of(LEFT)
    assert (rows, columns) == (ROWS, PARTS)
    assert labels_of(np.ones((2, 2))) == (None, None)
    assert order_by([0, 1], ["a", "b"], "mask", "X") is None
    assert order_by(["a", "b"], [0, 1], "mask", "X") is None
    assert_array_equal(order_by([1, 0], [0, 1], "mask", "X"), [1, 0])
    assert order_by(["a", "a"], ["a", "a"], "mask", "X") is None
    with pytest.raises(ValueError, match="mask has labels that do not match those of X"):
        order_by(["a", "a", "b"], ["a", "b", "a"], "mask", "X")


def test_a_mask_by_itself_keeps_no_labels():
    with pytest.raises(TypeError, match=r"FixedMask does not keep: pass mask.to_numpy\(\)"):
        FixedMask(LEFT)
    assert FixedMask(pd.DataFrame(np.eye(2))) == FixedMask(np.eye(2))
