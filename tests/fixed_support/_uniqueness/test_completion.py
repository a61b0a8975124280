"""Iterative completion of the rank-one terms."""

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skfact._backend import to_numpy
from skfact.fixed_support import complete_rank_one, is_closable
from tests.arrays import DTYPES
from tests.fixed_support.masks import band, support_pairs

# the worked example of arXiv 2110.01235, up to the numbers
SEED = np.array([[0, 1, 2, 0], [1, 2, 2, 0], [2, 6, 5, 6], [3, 5, 2, 4]])
SEED_LEFT = np.array([[0, 1, 0], [1, 1, 0], [1, 1, 1], [1, 0, 1]])
SEED_RIGHT = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 1, 1, 1]])


def random_factors(left_support, right_support, seed=0):
    """Entries of magnitude 1 to 2, so that no ratio is large."""
    random = np.random.default_rng(seed)

    def factor(support):
        signs = random.choice([-1.0, 1.0], support.shape)
        return support * signs * random.uniform(1, 2, support.shape)

    return factor(np.asarray(left_support)), factor(np.asarray(right_support))


def closable_by_definition(left, right):
    """The iteration, one entry at a time: read off, or close a rectangle of three known entries."""
    (m, r), n = left.shape, right.shape[1]
    inside = left.T[:, :, None] & right[:, None, :]
    known = ~inside
    while True:
        before = known.copy()
        for k, i, j in np.argwhere(~known):
            others = known[np.arange(r) != k, i, j].all()
            by_ratio = any(
                inside[k, p, j] & inside[k, i, q] & inside[k, p, q]
                and known[k, p, j] & known[k, i, q] & known[k, p, q]
                for p in range(m)
                for q in range(n)
            )
            known[k, i, j] = others or by_ratio
        if (known == before).all():
            return bool(known.all())


@pytest.mark.parametrize("dtype", ["int64", *DTYPES])
def test_seed_example(asarray, dtype):
    completion = complete_rank_one(asarray(SEED.astype(dtype)), SEED_LEFT, SEED_RIGHT)
    assert completion.is_complete
    assert completion.is_consistent
    assert completion.undetermined.shape == completion.skipped_zeros.shape == (0, 3)
    expected = [
        np.outer([0, 1, 2, 3], [1, 1, 0, 0]),
        np.outer([1, 1, 1, 0], [0, 1, 2, 0]),
        np.outer([0, 0, 3, 2], [0, 1, 1, 2]),
    ]
    for k in range(3):
        assert_allclose(completion.component(k), expected[k], atol=1e-5)
    assert type(completion.left) is type(completion.right) is type(asarray(SEED))
    left, right = to_numpy(completion.left), to_numpy(completion.right)
    assert_allclose(left @ right, SEED, atol=1e-5)
    assert_array_equal(left != 0, SEED_LEFT != 0)
    assert_allclose(np.linalg.norm(left, axis=0), np.linalg.norm(right, axis=1), rtol=1e-5)


def test_steps_of_the_seed_example():
    """Each step by hand: what the others leave of Z, and what ratios of known entries give."""
    steps = complete_rank_one(SEED, SEED_LEFT, SEED_RIGHT).steps
    assert [(s.component, s.rule, [*zip(s.rows.tolist(), s.columns.tolist())]) for s in steps] == [
        (0, "read", [(1, 0), (2, 0), (3, 0)]),  # only component 0 reaches column 0
        (1, "read", [(0, 1), (0, 2), (1, 2)]),
        (1, "filled", [(1, 1)]),  # 1 * 2 / 2
        (2, "read", [(2, 3), (3, 2), (3, 3)]),
        (2, "filled", [(2, 2)]),  # 6 * 2 / 4
        (0, "read", [(1, 1)]),  # 2 - 1
        (0, "filled", [(2, 1), (3, 1)]),
        (1, "read", [(2, 2)]),  # 5 - 3
        (1, "filled", [(2, 1)]),
        (2, "read", [(2, 1), (3, 1)]),  # 6 - 2 - 1 and 5 - 3
    ]


@given(support_pairs(), st.integers(0, 10))
def test_steps_find_each_known_entry_once_and_are_forced(supports, seed):
    left, right = random_factors(*supports, seed)
    completion = complete_rank_one(left @ right, *supports)
    inside = supports[0].T[:, :, None] & supports[1][:, None, :]
    known = ~inside
    for step in completion.steps:
        k, at = step.component, (step.rows, step.columns)
        assert len(step.rows) and not known[k][at].any()
        others = np.delete(known, k, axis=0).all(axis=0)
        if step.rule == "read":
            assert others[at].all()
        else:  # in rows and columns that hold known entries of the rectangle
            before = known[k] & inside[k]
            assert before.any(axis=1)[step.rows].all() and before.any(axis=0)[step.columns].all()
        known[k][at] = True
    assert {tuple(entry) for entry in completion.undetermined} == {*map(tuple, np.argwhere(~known))}


@given(support_pairs(), st.integers(0, 10))
def test_closable_supports_give_the_components_back(supports, seed):
    left, right = random_factors(*supports, seed)
    completion = complete_rank_one(left @ right, *supports)
    assert completion.is_complete == is_closable(*supports)
    assert completion.is_consistent
    for k, (a, b) in enumerate(zip(left.T, right)):
        found, expected = completion.component(k), np.outer(a, b)
        known = ~np.isnan(found)
        assert_allclose(found[known], expected[known], rtol=1e-6, atol=1e-6)
    # what is listed is exactly what is missing
    missing = {tuple(entry) for entry in completion.undetermined}
    listed = {
        (k, i, j)
        for k in range(left.shape[1])
        for i, j in np.argwhere(np.isnan(completion.component(k)))
    }
    assert missing == listed
    assert (completion.left is None) == (len(missing) > 0)
    if not missing:
        assert_allclose(completion.left @ completion.right, left @ right, atol=1e-6)


@given(support_pairs(4))
def test_closability_is_what_its_definition_says(supports):
    assert is_closable(*supports) == closable_by_definition(*supports)


@given(support_pairs(), st.data())
def test_closability_ignores_the_order(supports, data):
    left, right = supports
    rows = data.draw(st.permutations(range(left.shape[0])))
    components = data.draw(st.permutations(range(left.shape[1])))
    columns = data.draw(st.permutations(range(right.shape[1])))
    shuffled = left[rows][:, components], right[components][:, columns]
    assert is_closable(*shuffled) == is_closable(left, right) == is_closable(right.T, left.T)


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=4))
def test_disjoint_rectangles_always_succeed(sizes):
    left = scipy.linalg.block_diag(*[np.ones((p, 1)) for p, _ in sizes])
    right = scipy.linalg.block_diag(*[np.ones((1, q)) for _, q in sizes])
    assert is_closable(left, right)
    Z = left @ right * 3.0
    completion = complete_rank_one(Z, left, right)
    assert completion.is_complete
    assert_allclose(completion.left @ completion.right, Z)


@given(support_pairs())
def test_a_repeated_component_is_never_closable(supports):
    left, right = (
        np.concatenate([supports[0], supports[0][:, :1]], axis=1),
        np.concatenate([supports[1], supports[1][:1]]),
    )
    assert not is_closable(left, right)


def test_dead_components_do_not_count():
    left, right = np.array([[1, 1, 0], [1, 1, 0]]), np.array([[1, 1], [0, 0], [1, 1]])
    assert is_closable(left, right)
    completion = complete_rank_one(np.outer([1, 2], [3, 4]), left, right)
    assert completion.is_complete
    assert_allclose(completion.left @ completion.right, [[3, 4], [6, 8]])
    assert_array_equal(completion.component(1), np.zeros((2, 2)))


def test_what_stays_undetermined_is_listed():
    completion = complete_rank_one(np.ones((2, 2)), np.ones((2, 2)), np.ones((2, 2)))
    assert not completion.is_complete
    assert completion.left is None
    assert completion.right is None
    assert len(completion.undetermined) == 8
    assert np.isnan(completion.component(1)).all()
    assert "8 entries of 2 of 2 components are undetermined" in repr(completion)


LOWER, UPPER = np.tri(2, dtype=bool), np.tri(2, dtype=bool).T


def test_a_zero_pivot_breaks_the_ratio_and_is_reported():
    completion = complete_rank_one([[0.0, 1.0], [1.0, 5.0]], LOWER, UPPER)
    assert_array_equal(completion.undetermined, [[0, 1, 1], [1, 1, 1]])
    assert_array_equal(completion.skipped_zeros, [[0, 0, 0]])
    assert "1 known zeros in them carry no ratio" in completion.reason
    regular = complete_rank_one([[1.0, 1.0], [1.0, 5.0]], LOWER, UPPER)
    assert regular.is_complete
    assert_allclose(regular.component(1), [[0, 0], [0, 4]])


def test_a_zero_opposite_a_non_zero_makes_a_zero_row_and_column():
    left, right = np.array([[1, 1], [1, 0]]), np.array([[1, 1, 1], [0, 0, 1]])
    Z = np.array([[0.0, 0.0, 7.0], [1.0, 2.0, 3.0]])
    for completion in (complete_rank_one(Z, left, right), complete_rank_one(Z.T, right.T, left.T)):
        assert completion.is_complete
        assert completion.is_consistent
        assert np.abs(completion.component(1)).sum() == 7


def test_the_tolerance_says_what_is_zero():
    Z = np.array([[1e-6, 1.0], [1.0, 5.0]])
    assert complete_rank_one(Z, LOWER, UPPER).is_complete
    assert not complete_rank_one(Z, LOWER, UPPER, tol=1e-5).is_complete


def test_no_product_with_these_supports():
    # complete, but an entry outside all rectangles, or a rectangle that is not of rank one
    outside = complete_rank_one(np.ones((2, 2)), np.eye(2), np.eye(2))
    assert outside.is_complete
    assert not outside.is_consistent
    assert outside.residual == 1
    assert "no product with these supports" in outside.reason
    rank_two = complete_rank_one([[1.0, 2.0], [2.0, 8.0]], np.ones((2, 1)), np.ones((1, 2)))
    assert not rank_two.is_consistent
    assert rank_two.rank_one_error == 0.0625  # (1 - 2 * 2 / 8) / 8
    # known twice over by ratios: the remainder does not vanish
    random = np.random.default_rng(0)
    assert not complete_rank_one(random.random((4, 4)), SEED_LEFT, SEED_RIGHT).is_consistent


def test_a_zero_matrix():
    completion = complete_rank_one(np.zeros((2, 2)), np.eye(2), np.eye(2))
    assert completion.is_complete
    assert_array_equal(completion.left @ completion.right, np.zeros((2, 2)))


def test_long_chains_of_ratios():
    n, width = 300, 4
    support = band(n, width)
    left, right = random_factors(support.T.toarray(), support.toarray())
    assert is_closable(support.T, support)
    completion = complete_rank_one(left @ right, support.T, support, tol=1e-6)
    assert completion.is_complete
    assert completion.is_consistent


def test_many_components_in_sparse_memory():
    n = 5000
    assert is_closable(band(n, 3).T, band(n, 3))
    left, right = (
        scipy.sparse.random_array((n, n), density=2e-3, rng=seed).astype(bool) for seed in (0, 1)
    )
    assert is_closable(left, right)
    twice = scipy.sparse.hstack([left, left]), scipy.sparse.vstack([right, right])
    assert not is_closable(*twice)
