"""One pattern: its mask, its products, what it refuses."""

import copy
import pickle
from dataclasses import FrozenInstanceError
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from skfact._backend import to_numpy
from skfact.supports import KroneckerSparse
from tests.asserts import assert_like, for_each

SMALL = list(product((1, 2, 3), repeat=4))

patterns = st.builds(KroneckerSparse, *[st.integers(1, 4)] * 4)


@st.composite
def chainable_pairs(draw):
    """(a, b, c, d) pairs from their block sizes: a1 | a2, d2 | d1 and an integer rank."""
    a, d, b, c, t, u, r = (draw(st.integers(1, 3)) for _ in range(7))
    left = KroneckerSparse(a, b, t * r, u * d)
    right = KroneckerSparse(a * t, u * r, c, d)
    return left, right, r


@for_each("a, b, c, d", SMALL)
def test_mask_is_the_kronecker_product(a, b, c, d):
    pattern = KroneckerSparse(a, b, c, d)
    expected = np.kron(np.eye(a), np.kron(np.ones((b, c)), np.eye(d)))
    mask = pattern.mask()
    assert mask.dtype == bool
    assert_array_equal(mask, expected)
    assert pattern.shape == expected.shape
    assert pattern.nnz == np.count_nonzero(expected)
    assert_array_equal(pattern.T.mask(), expected.T)


@given(patterns)
def test_values_index_the_mask(pattern):
    """Entry (i, j, k, l) sits at row i*b*d + j*d + l and column i*c*d + k*d + l."""
    a, b, c, d = pattern
    i, j, k, l = np.indices((a, b, c, d)).reshape(4, -1)
    mask = np.zeros(pattern.shape, dtype=int)
    np.add.at(mask, (i * b * d + j * d + l, i * c * d + k * d + l), 1)
    assert_array_equal(mask, pattern.mask())


def test_mask_is_a_fresh_array():
    pattern = KroneckerSparse(2, 1, 1, 1)
    pattern.mask()[:] = True
    assert_array_equal(pattern.mask(), np.eye(2))


@given(chainable_pairs())
def test_product_pattern_is_the_support_of_the_product(pair):
    left, right, rank = pair
    assert left.is_chainable_with(right)
    assert left.rank_with(right) == rank
    counts = left.mask().astype(int) @ right.mask().astype(int)
    assert_array_equal(left.product(right).mask(), counts > 0)
    # every entry of the product is a sum of exactly `rank` terms
    assert set(np.unique(counts)) <= {0, rank}


@given(chainable_pairs())
def test_rank_one_supports_are_disjoint_classes_of_rank_identical_ones(pair):
    left, right, rank = pair
    classes: dict[bytes, int] = {}
    rank_one_supports = left.mask().T[:, :, None] & right.mask()[:, None, :]
    for support in rank_one_supports:
        classes[support.tobytes()] = classes.get(support.tobytes(), 0) + 1
    assert set(classes.values()) == {rank}
    assert len(classes) == right.a * left.d
    covered = sum(np.frombuffer(key, dtype=bool).astype(int) for key in classes)
    assert covered.max() == 1
    rows, columns = left.b, right.c
    assert all(np.frombuffer(key, dtype=bool).sum() == rows * columns for key in classes)


@given(chainable_pairs())
def test_redundant_pairs_have_larger_support_than_their_product(pair):
    left, right, rank = pair
    assert left.is_redundant_with(right) == (rank >= min(left.b, right.c))
    if left.is_redundant_with(right):
        assert left.product(right).nnz < left.nnz + right.nnz


def all_small_pairs():
    # pairs with matching inner sizes, chainable and not
    for left, right in product(product((1, 2, 4), repeat=4), repeat=2):
        if left[0] * left[2] * left[3] == right[0] * right[1] * right[3]:
            yield KroneckerSparse(*left), KroneckerSparse(*right)


def test_chainable_is_exactly_the_three_conditions():
    verdicts = set()
    for left, right in all_small_pairs():
        a1, _, c1, d1 = left
        a2, b2, _, d2 = right
        expected = a2 % a1 == 0 and d1 % d2 == 0 and (a1 * c1) % a2 == 0
        assert left.is_chainable_with(right) == expected
        if expected:
            assert left.rank_with(right) * a2 == a1 * c1
            assert left.rank_with(right) * d1 == b2 * d2
        verdicts.add(expected)
    assert verdicts == {True, False}


@pytest.mark.parametrize(
    "left, right, reason",
    [
        ((1, 2, 2, 1), (1, 3, 2, 1), "2 columns, the right one 3 rows"),
        ((2, 2, 3, 1), (3, 2, 2, 1), "a = 2 on the left does not divide a = 3"),
        ((1, 2, 4, 2), (1, 2, 2, 4), "d = 4 on the right does not divide d = 2"),
        ((1, 2, 2, 4), (8, 1, 2, 1), "not an integer"),
    ],
)
def test_pairs_that_are_not_chainable_say_why(left, right, reason):
    left, right = KroneckerSparse(*left), KroneckerSparse(*right)
    assert not left.is_chainable_with(right)
    for method in (left.rank_with, left.product, left.is_redundant_with):
        with pytest.raises(ValueError, match=reason):
            method(right)


def test_the_right_operand_must_be_a_pattern():
    with pytest.raises(TypeError, match="right must be a KroneckerSparse, got tuple"):
        KroneckerSparse(1, 2, 2, 1).is_chainable_with((1, 2, 2, 1))


@for_each("position", range(4))
@pytest.mark.parametrize(
    "value, error, message",
    [
        (0, ValueError, "must be at least 1, got 0"),
        (-3, ValueError, "must be at least 1, got -3"),
        (2.0, TypeError, "must be an integer, got 2.0"),
        (np.float64(2), TypeError, "must be an integer"),
        (True, TypeError, "must be an integer, got True"),
        (np.True_, TypeError, "must be an integer"),
        ("2", TypeError, "must be an integer, got '2'"),
        (None, TypeError, "must be an integer, got None"),
        (np.array([2]), TypeError, "must be an integer"),
    ],
)
def test_wrong_numbers_are_refused_by_name(position, value, error, message):
    numbers = [2, 2, 2, 2]
    numbers[position] = value
    with pytest.raises(error, match=f"^{'abcd'[position]} of the pattern") as caught:
        KroneckerSparse(*numbers)
    assert message in str(caught.value)


@pytest.mark.parametrize("kind", [np.int64, np.int8, np.uint32])
def test_numpy_integers_become_python_integers(kind):
    pattern = KroneckerSparse(*(kind(n) for n in (1, 2, 3, 4)))
    assert all(type(n) is int for n in pattern)
    assert pattern == KroneckerSparse(1, 2, 3, 4)


def test_sizes_do_not_overflow():
    assert KroneckerSparse(*[np.int64(2**40)] * 4).nnz == 2**160


@given(patterns)
def test_round_trips(pattern):
    assert eval(repr(pattern)) == pattern
    assert KroneckerSparse(*pattern) == pattern
    assert tuple(pattern) == (pattern.a, pattern.b, pattern.c, pattern.d)
    assert pattern == pattern.T.T
    for other in (pickle.loads(pickle.dumps(pattern)), copy.copy(pattern), copy.deepcopy(pattern)):
        assert type(other) is KroneckerSparse
        assert other == pattern
        assert hash(other) == hash(pattern)


@given(patterns, patterns)
def test_equality_and_order_are_those_of_the_tuples(p, q):
    assert (p == q) == (tuple(p) == tuple(q))
    assert (p < q) == (tuple(p) < tuple(q))
    assert len({p, q}) == len({tuple(p), tuple(q)})


@pytest.mark.parametrize(
    "other", [3, None, "abcd", (1, 2, 3, 4), [1, 2, 3, 4], np.array([1, 2, 3, 4]), np.eye(2)]
)
def test_comparison_with_anything_else_is_false(other):
    pattern = KroneckerSparse(1, 2, 3, 4)
    assert (pattern == other) is False
    assert (other == pattern) is False
    assert (pattern != other) is True


def test_patterns_are_immutable():
    pattern = KroneckerSparse(1, 2, 3, 4)
    with pytest.raises(FrozenInstanceError):
        pattern.a = 5
    with pytest.raises(FrozenInstanceError):
        del pattern.a
    with pytest.raises((AttributeError, TypeError)):
        pattern.rank = 1
    assert not hasattr(pattern, "__dict__")


@for_each("dtype", ["float64", "float32", "complex128", "int64", "bool"])
def test_project_zeroes_outside_the_support(asarray, dtype):
    pattern = KroneckerSparse(2, 3, 1, 2)
    values = np.arange(1, 49).reshape(12, 4) % 5
    host = values.astype(dtype) * (1j if dtype == "complex128" else 1)
    matrix = asarray(host.astype(dtype))
    assert_like(pattern.project(matrix), matrix, np.where(pattern.mask(), host.astype(dtype), 0))
    assert_array_equal(to_numpy(matrix), host.astype(dtype))


def test_project_is_a_copy_and_a_projection():
    pattern = KroneckerSparse(1, 2, 2, 1)
    matrix = np.ones((2, 2))
    projected = pattern.project(matrix)
    assert not np.shares_memory(projected, matrix)
    assert_array_equal(pattern.project(projected), projected)


def test_project_drops_nan_outside_and_keeps_it_inside():
    projected = KroneckerSparse(2, 1, 1, 1).project(np.full((2, 2), np.nan))
    assert_array_equal(projected, [[np.nan, 0], [0, np.nan]])


@pytest.mark.parametrize(
    "matrix, error, message",
    [
        (np.ones((2, 3)), ValueError, r"shape of the support, \(2, 2\), got \(2, 3\)"),
        (np.ones(4), ValueError, "must be 2-D"),
        (np.ones((1, 2, 2)), ValueError, "must be 2-D"),
        ([[1, 2], [3, 4]], TypeError, "must be an array .* got list"),
        (None, TypeError, "must be an array .* got NoneType"),
        (np.full((2, 2), "a"), TypeError, "must hold numbers"),
        (np.full((2, 2), None), TypeError, "must hold numbers"),
    ],
)
def test_project_refuses_what_is_no_matrix_of_its_shape(matrix, error, message):
    with pytest.raises(error, match=message):
        KroneckerSparse(1, 2, 2, 1).project(matrix)
