"""The lifting of a factorization to a decomposition, and the way back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal

from skfact._backend import to_numpy
from skfact.fixed_support import (
    complete_rank_one,
    factors_from_contributions,
    fixed_support_factorize,
    is_nondegenerate,
    rank_one_contributions,
)
from tests.arrays import DTYPES, gaussian
from tests.asserts import assert_like, for_each
from tests.fixed_support._uniqueness.test_completion import SEED, SEED_LEFT, SEED_RIGHT

# the three contributions of the worked example, computed by hand
BY_HAND = [
    np.outer([0, 1, 2, 3], [1, 1, 0, 0]),
    np.outer([1, 1, 1, 0], [0, 1, 2, 0]),
    np.outer([0, 0, 3, 2], [0, 1, 1, 2]),
]
LEFT = np.array([[0, 1, 0], [1, 1, 0], [2, 1, 3], [3, 0, 2]])
RIGHT = np.array([[1, 1, 0, 0], [0, 1, 2, 0], [0, 1, 1, 2]])


@st.composite
def pairs(draw):
    """Factors with zeros, whole columns and rows of them too."""
    m, r, n = (draw(st.integers(1, 4)) for _ in range(3))
    left, right = (
        draw(hnp.arrays(np.float64, shape, elements=st.integers(-2, 2)))
        for shape in ((m, r), (r, n))
    )
    return left, right


def test_the_worked_example():
    contributions = rank_one_contributions(LEFT, RIGHT)
    assert_array_equal(contributions, BY_HAND)
    assert_array_equal(contributions.sum(axis=0), SEED)
    completion = complete_rank_one(SEED, SEED_LEFT, SEED_RIGHT)
    found = rank_one_contributions(completion.left, completion.right)
    assert_allclose(found, BY_HAND, atol=1e-14)
    left, right = factors_from_contributions(BY_HAND)
    assert_allclose(left, completion.left)
    assert_allclose(right, completion.right)


@given(pairs())
def test_contributions_sum_to_the_product_and_have_rank_one(pair):
    left, right = pair
    contributions = rank_one_contributions(left, right)
    assert_allclose(contributions.sum(axis=0), left @ right)
    for k, one in enumerate(contributions):
        assert_array_equal(one, np.outer(left[:, k], right[k]))
        assert np.linalg.matrix_rank(one) <= 1


@given(pairs())
def test_contributions_determine_what_is_not_degenerate_up_to_scaling(pair):
    left, right = pair
    back = factors_from_contributions(rank_one_contributions(left, right))
    assert_allclose(rank_one_contributions(*back), rank_one_contributions(left, right), atol=1e-14)
    assert_allclose(np.linalg.norm(back[0], axis=0), np.linalg.norm(back[1], axis=1))
    nondegenerate = all(left.any(axis=0)) and all(right.any(axis=1))
    assert is_nondegenerate(left, right) == nondegenerate
    if nondegenerate:  # one diagonal matrix takes one pair to the other
        scales = np.sum(left * back[0], axis=0) / np.sum(left**2, axis=0)
        assert_allclose(back[0], left * scales, atol=1e-13)
        assert_allclose(back[1], right / scales[:, None], atol=1e-13)
    else:  # another pair, no rescaling of this one, has the same contributions
        k = int(np.argmin(left.any(axis=0) & right.any(axis=1)))
        others = left.copy(), right.copy()
        if not left[:, k].any():
            others[1][k] += 1 + np.abs(right[k])
        else:
            others[0][:, k] += 1 + np.abs(left[:, k])
        assert_array_equal(rank_one_contributions(*others), rank_one_contributions(left, right))
        assert not all(np.array_equal(a, b) for a, b in zip(others, pair, strict=True))


@given(pairs(), st.lists(st.sampled_from([-4.0, -0.5, 0.25, 8.0]), min_size=4, max_size=4))
def test_the_way_back_ignores_scaling_and_follows_the_order(pair, scales):
    left, right = pair
    r = left.shape[1]
    scaled = left * scales[:r], right / np.array(scales[:r])[:, None]
    once, again = (factors_from_contributions(rank_one_contributions(*p)) for p in (pair, scaled))
    for one, other in zip(once, again, strict=True):
        assert_allclose(one, other, atol=1e-14)
    turned = factors_from_contributions(rank_one_contributions(left[:, ::-1], right[::-1]))
    assert_array_equal(turned[0], once[0][:, ::-1])
    assert_array_equal(turned[1], once[1][::-1])


def test_contributions_of_a_factorization_lie_on_its_rank_one_supports():
    masks = SEED_LEFT, SEED_RIGHT
    result = fixed_support_factorize(SEED.astype(float), *masks, n_init=5, random_state=0)
    contributions = rank_one_contributions(result.left, result.right)
    assert not contributions[~(masks[0].T[:, :, None] & masks[1][:, None, :]).astype(bool)].any()


@pytest.mark.parametrize("dtype", ["int64", *DTYPES])
def test_every_library_and_precision(asarray, dtype):
    random = np.random.default_rng(0)
    precision = "float64" if dtype == "int64" else dtype
    host = [(9 * gaussian(random, shape, precision)).astype(dtype) for shape in ((4, 2), (2, 3))]
    left, right = map(asarray, host)
    contributions = rank_one_contributions(left, right)
    expected = host[0].T[:, :, None] * host[1][:, None, :]
    assert_like(contributions, left, expected, dtype=precision, rtol=1e-6)
    back = factors_from_contributions(contributions)
    for part in back:
        assert_like(part, left, dtype=precision)
    product = to_numpy(back[0]) @ to_numpy(back[1])
    atol = 1e3 * np.finfo(precision).eps
    assert_allclose(product, host[0] @ host[1], atol=atol)
    assert is_nondegenerate(left, right) is True
    assert is_nondegenerate(0 * left, right) is False
    for part, given_one in zip(host, (left, right), strict=True):
        assert_array_equal(to_numpy(given_one), part)


@for_each("scale", [1e-300, 1e-150, 1.0, 1e150, 1e300])
def test_any_magnitude(scale):
    matrix = np.outer([1.0, -2.0], [3.0, 0.5, 1.0])
    left, right = factors_from_contributions((scale * matrix)[None])
    assert_allclose((left / scale**0.5) @ (right / scale**0.5), matrix)
    assert_allclose(np.linalg.norm(left / scale**0.5), np.linalg.norm(right / scale**0.5))


def test_what_is_not_of_rank_one_is_named():
    near = np.ones((2, 2, 2))
    near[1, 1, 1] += 1e-9
    left, right = factors_from_contributions(near)
    assert_allclose(left @ right, near.sum(axis=0))
    near[1, 1, 1] += 1
    with pytest.raises(ValueError, match=r"contributions\[1\] is not of rank one: .* by 0.25 of"):
        factors_from_contributions(near)
    left, right = factors_from_contributions(near, tol=1.0)
    assert left.shape == right.shape == (2, 2)


def test_zeros_and_one_entry():
    left, right = factors_from_contributions(np.zeros((2, 3, 4)))
    assert left.shape == (3, 2) and right.shape == (2, 4) and not left.any() and not right.any()
    left, right = factors_from_contributions([[[-9.0]]])
    assert left == 3 and right == -3
    assert is_nondegenerate([[1e-300]], [[1.0]]) and not is_nondegenerate([[0.0]], [[1.0]])
