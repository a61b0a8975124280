"""Which components the completion finds on supports alone."""

import numpy as np
from hypothesis import given
from numpy.testing import assert_array_equal

from skfact.fixed_support import is_closable
from skfact.fixed_support._supports.masks import check_supports
from skfact.fixed_support._uniqueness.closability import determined_components, peeled_components
from tests.fixed_support.masks import support_pairs


def found_by_definition(left, right):
    """Entries are known where all other components are, and as the fourth corner of three."""
    rectangles = left.T[:, :, None] & right[:, None, :]  # (r, m, n)
    known = np.zeros_like(rectangles)
    while True:
        unknown = rectangles & ~known
        read = unknown & (unknown.sum(axis=0) == 1)
        corners = np.einsum("kil,khl,khj->kij", *[known.astype(int)] * 3) > 0
        now = known | read | (corners & rectangles)
        if (now == known).all():
            return (known == rectangles).all(axis=(1, 2))
        known = now


@given(support_pairs())
def test_components_are_those_of_the_definition(supports):
    expected = found_by_definition(*supports)
    masks = check_supports(*supports)
    assert_array_equal(determined_components(*masks), expected)
    assert not (peeled_components(*masks) & ~expected).any()
    rectangles = [outer.tobytes() for outer in map(np.outer, supports[0].T, supports[1])]
    reached = [k for k, (a, b) in enumerate(zip(supports[0].T, supports[1])) if a.any() and b.any()]
    different = len({rectangles[k] for k in reached}) == len(reached)
    assert is_closable(*supports) == (different and bool(expected.all()))


def test_components_with_lines_of_their_own_are_peeled():
    lower, arrow = np.tri(9, dtype=bool), np.eye(9, dtype=bool)
    arrow[0] = True
    for left, right in ((lower, lower.T), (lower.T, lower), (arrow, arrow.T)):
        assert peeled_components(*check_supports(left, right)).all()
    ring = np.eye(9, dtype=bool) | np.roll(np.eye(9, dtype=bool), 1, axis=0)
    assert not peeled_components(*check_supports(ring, ring.T)).any()
