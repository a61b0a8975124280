"""What families of one factor, and of pairs, stand for."""

import numpy as np
import pytest

from skfact.fixed_support._supports.pairs import pairs_of, pairs_of_supports, with_left
from skfact.supports import FixedMask, SupportFamily

EYE, LOWER = FixedMask(np.eye(3)), FixedMask(np.tri(3))
MASKS, PAIRED = SupportFamily([EYE, LOWER]), SupportFamily([(EYE, LOWER), (None, EYE)])


def test_pairs_of_families():
    assert pairs_of(EYE, LOWER) is None
    assert pairs_of(PAIRED, None) == [(EYE, LOWER), (None, EYE)]
    assert pairs_of(MASKS, EYE) == [(EYE, EYE), (LOWER, EYE)]
    assert pairs_of(None, MASKS) == [(None, EYE), (None, LOWER)]
    assert pairs_of(MASKS, MASKS) == [(EYE, EYE), (EYE, LOWER), (LOWER, EYE), (LOWER, LOWER)]


def test_supports_of_an_estimator():
    for supports in ("dense", (None, EYE), (EYE, LOWER), (MASKS, None), len):
        assert pairs_of_supports(supports) is None  # without a right one it is refused elsewhere
    assert pairs_of_supports(PAIRED) == list(PAIRED.members)
    assert pairs_of_supports((None, MASKS)) == [(None, EYE), (None, LOWER)]


def test_families_that_do_not_say_both_masks_are_refused():
    with pytest.raises(TypeError, match="left_support is a family of masks of the left factor"):
        pairs_of(MASKS, None)
    for left, right, name in ((PAIRED, EYE, "left"), (EYE, PAIRED, "right"), (None, PAIRED, "r")):
        with pytest.raises(TypeError, match=f"^{name}.*is a family of pairs"):
            pairs_of(left, right)
    with pytest.raises(TypeError, match="supports is a SupportFamily of one factor"):
        pairs_of_supports(MASKS)


def test_a_left_mask_without_zeros():
    left, right = with_left((None, EYE), 5)
    assert left.shape == (5, 3) and left.all() and right is EYE
    assert with_left((EYE, LOWER), 5) == (EYE, LOWER)
