"""Limits whose zeros contradict all factors."""

import numpy as np
import pytest
from hypothesis import given

from skfact.fixed_support import closedness
from skfact.fixed_support._existence.open_patterns import Budget
from skfact.fixed_support._existence.zero_patterns import find_by_zeros
from skfact.fixed_support._supports.masks import check_supports
from tests.asserts import at_most
from tests.fixed_support._existence.witnesses import check_witness
from tests.fixed_support.masks import support_pairs

# patterns of three components in three rows and columns that no other proof decides
EXAMPLES = {
    "two and a complete one": (
        [[1, 0, 0], [1, 1, 0], [1, 1, 1]],
        [[1, 0, 1], [1, 1, 1], [0, 1, 1]],
    ),
    "a corner of rank two": (
        [[1, 0, 0], [1, 1, 0], [1, 1, 1]],
        [[1, 1, 1], [1, 1, 1], [0, 1, 1]],
    ),
    "none complete": ([[1, 0, 0], [1, 1, 1], [1, 1, 0]], [[1, 0, 1], [0, 1, 1], [1, 1, 0]]),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_and_where_they_stand(name):
    left, right = (np.array(mask, dtype=bool) for mask in EXAMPLES[name])
    around = np.zeros((5, 4), dtype=bool), np.zeros((4, 6), dtype=bool)
    around[0][np.ix_([0, 2, 4], [0, 1, 3])] = left
    around[1][np.ix_([0, 1, 3], [1, 3, 5])] = right
    around[0][1], around[1][2] = True, True  # reached by more, in other lines
    for masks in ((left, right), (right.T, left.T), around):
        witness = find_by_zeros(*check_supports(*masks), Budget(10_000))
        check_witness(witness, *masks)
    assert closedness(left, right).answer == "not closed"
    assert closedness(left, right, budget=0).answer != "closed"


@at_most(40)
@given(support_pairs(3))
def test_closed_sets_have_no_such_limit(supports):
    found = closedness(*supports)
    witness = find_by_zeros(*check_supports(*supports), Budget(10**6))
    if witness is not None:
        assert found.answer == "not closed"
        check_witness(witness, *supports)


def test_few_of_an_ensemble_stay_undecided():
    """500 patterns of 3 x 3 x 3, each entry with probability 0.6, had 15 % before these limits."""
    random = np.random.default_rng(0)
    answers = [
        closedness(random.random((3, 3)) < 0.6, random.random((3, 3)) < 0.6).answer
        for _ in range(500)
    ]
    assert answers.count("undecided") <= 0.06 * len(answers)
