"""Budgets and explicit masks."""

import copy
import pickle
from dataclasses import FrozenInstanceError
from itertools import combinations

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_array_equal

from skfact._backend import to_numpy
from skfact.supports import FixedMask, KroneckerSparse, KSparse
from tests.asserts import assert_like, for_each

# few distinct values, so that ties are common
matrices = hnp.arrays(
    np.float64, st.tuples(st.integers(1, 4), st.integers(1, 4)), elements=st.integers(-3, 3)
)
masks = hnp.arrays(bool, st.tuples(st.integers(1, 5), st.integers(1, 5)))


def first_largest(values, k):
    """The same projection of a vector, by Python's stable sort."""
    order = sorted(range(len(values)), key=lambda i: -abs(values[i]))
    kept = np.zeros_like(values)
    kept[order[:k]] = values[order[:k]]
    return kept


@given(matrices, st.integers(1, 20), st.sampled_from([None, 0, 1]))
def test_budget_keeps_the_first_largest_entries(matrix, k, axis):
    original = matrix.copy()
    projected = KSparse(k, axis=axis).project(matrix)
    if axis is None:
        expected = first_largest(matrix.ravel(), k).reshape(matrix.shape)
    else:
        expected = np.apply_along_axis(first_largest, axis, matrix, k)
    assert_array_equal(projected, expected)
    assert_array_equal(matrix, original)
    assert not np.shares_memory(projected, matrix)


@given(matrices, st.integers(1, 4))
def test_budget_is_the_nearest_point(matrix, k):
    k = min(k, matrix.size)
    distance = np.sum((matrix - KSparse(k).project(matrix)) ** 2)
    every_support = (
        np.sum(np.delete(matrix.ravel(), kept) ** 2) for kept in combinations(range(matrix.size), k)
    )
    assert distance == min(every_support)


@for_each("axis", [None, 0, 1])
def test_exactly_k_entries_of_a_constant_matrix_stay(asarray, axis):
    projected = to_numpy(KSparse(2, axis=axis).project(asarray(np.ones((3, 4)))))
    expected = np.zeros((3, 4))
    expected[{None: np.s_[:1, :2], 0: np.s_[:2], 1: np.s_[:, :2]}[axis]] = 1
    assert_array_equal(projected, expected)


@for_each("dtype", ["float64", "float32", "complex64", "complex128", "int64"])
@for_each("axis", [None, 0, 1])
def test_budget_in_every_namespace_and_dtype(asarray, dtype, axis):
    host = np.array([[1, 3], [-4, 2]]).astype(dtype)
    if host.dtype.kind == "c":
        host[0, 1] = 3j
    matrix = asarray(host)
    projected = KSparse(1 if axis is not None else 2, axis=axis).project(matrix)
    assert_like(projected, matrix, [[0, host[0, 1]], [-4, 0]])
    assert_array_equal(to_numpy(matrix), host)


def test_smallest_integer_has_the_largest_magnitude():
    matrix = np.array([[-128, 127, 5]], dtype=np.int8)
    assert_array_equal(KSparse(1).project(matrix), [[-128, 0, 0]])


def test_a_budget_beyond_the_size_changes_nothing(asarray):
    matrix = asarray([[1.0, 2.0]])
    for axis in (None, 0, 1):
        assert_array_equal(to_numpy(KSparse(10**30, axis=axis).project(matrix)), [[1, 2]])


def test_infinite_entries_are_the_largest():
    assert_array_equal(KSparse(1).project(np.array([[1e300, -np.inf]])), [[0, -np.inf]])


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_empty_matrix_stays_empty(axis):
    assert KSparse(2, axis=axis).project(np.empty((0, 3))).shape == (0, 3)


@pytest.mark.parametrize(
    "matrix, error, message",
    [
        (np.array([[1, np.nan]]), ValueError, "matrix has a NaN"),
        (np.array([[1, complex(0, np.nan)]]), ValueError, "matrix has a NaN"),
        (np.ones(3), ValueError, "matrix must be 2-D"),
        (np.ones((2, 2), dtype=bool), TypeError, "signed numbers, got dtype bool"),
        (np.ones((2, 2), dtype=np.uint8), TypeError, "signed numbers, got dtype uint8"),
        (np.full((2, 2), "a"), TypeError, "must hold numbers"),
        ([[1.0]], TypeError, "must be an array"),
        (scipy.sparse.eye_array(2), TypeError, "toarray"),
    ],
)
def test_budget_refuses_what_it_cannot_order(matrix, error, message):
    with pytest.raises(error, match=message):
        KSparse(1).project(matrix)


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ((0,), ValueError, "k must be at least 1"),
        ((-1,), ValueError, "k must be at least 1"),
        ((1.0,), TypeError, "k must be an integer"),
        ((True,), TypeError, "k must be an integer"),
        ((1, 2), ValueError, "axis must be None .*, 0 .*, 1 .* or .*, got 2"),
        ((1, -1), ValueError, "got -1"),
        ((1, True), TypeError, "axis must be None, 0, 1 or .*, got True"),
        ((1, "rows"), TypeError, "axis must be None, 0, 1 or .*, got 'rows'"),
    ],
)
def test_wrong_budgets_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        KSparse(*arguments)


@pytest.mark.parametrize("budget", [KSparse(2), KSparse(3, axis=0), KSparse(3, axis=1)])
def test_budgets_are_values(budget):
    copies = [eval(repr(budget)), pickle.loads(pickle.dumps(budget)), copy.deepcopy(budget)]
    assert all(other == budget and hash(other) == hash(budget) for other in copies)
    assert budget == KSparse(np.int64(budget.k), budget.axis)
    assert budget != KSparse(4)
    assert (budget == 2) is False
    assert (np.eye(2) == budget) is False
    with pytest.raises(FrozenInstanceError):
        budget.k = 5


def test_same_budget_on_another_axis_is_another_budget():
    assert len({KSparse(2), KSparse(2, 0), KSparse(2, 1)}) == 3


@given(masks)
def test_mask_round_trips(mask):
    support = FixedMask(mask)
    assert support.shape == mask.shape
    assert support.nnz == mask.sum()
    assert_array_equal(support.mask(), mask)
    assert support.mask().dtype == bool
    for other in (
        eval(repr(support)),
        pickle.loads(pickle.dumps(support)),
        copy.deepcopy(support),
        FixedMask(mask.astype(float)),
        FixedMask(mask.astype(np.uint8)),
        FixedMask(mask.tolist()),
        FixedMask(np.asfortranarray(mask)),
    ):
        assert other == support
        assert hash(other) == hash(support)
    different = mask.copy()
    different[0, 0] ^= True
    assert FixedMask(different) != support


def test_masks_of_equal_bytes_and_different_shape_differ():
    assert len({FixedMask(np.ones(shape)) for shape in [(1, 4), (2, 2), (4, 1)]}) == 3


def test_mask_belongs_to_the_support():
    given_mask = np.eye(2, dtype=bool)
    support = FixedMask(given_mask)
    given_mask[:] = True
    support.mask()[:] = True
    assert_array_equal(support.mask(), np.eye(2))
    assert given_mask.flags.writeable
    with pytest.raises(FrozenInstanceError):
        support._mask = given_mask
    with pytest.raises(ValueError, match="read-only"):
        support._mask[0, 1] = True
    with pytest.raises(ValueError, match="read-only"):
        pickle.loads(pickle.dumps(support))._mask[0, 1] = True


def test_mask_from_any_namespace(asarray):
    assert FixedMask(asarray(np.eye(3, dtype=bool))) == FixedMask(np.eye(3))


@for_each("dtype", ["float32", "complex128", "int64"])
def test_mask_projects_in_every_namespace(asarray, dtype):
    mask = np.tri(3, 4)
    host = np.arange(1, 13).reshape(3, 4).astype(dtype)
    matrix = asarray(host)
    assert_like(FixedMask(mask).project(matrix), matrix, np.where(mask, host, 0))
    assert_array_equal(to_numpy(matrix), host)


def test_large_masks_have_a_short_repr():
    assert repr(FixedMask(np.eye(100))) == "<FixedMask of shape (100, 100) with 100 non-zeros>"


@pytest.mark.parametrize("other", [3, None, np.eye(2, dtype=bool), [[1, 0], [0, 1]]])
def test_masks_compare_with_anything(other):
    support = FixedMask(np.eye(2))
    assert (support == other) is False
    assert (other == support) is False


@pytest.mark.parametrize(
    "mask, error, message",
    [
        ([[0, 2]], ValueError, "only booleans or 0 and 1"),
        ([[0.5, 1]], ValueError, "only booleans or 0 and 1"),
        ([[np.nan, 1]], ValueError, "only booleans or 0 and 1"),
        ([[-1, 1]], ValueError, "only booleans or 0 and 1"),
        ([0, 1], ValueError, r"2-D with at least one entry, got shape \(2,\)"),
        (np.ones((2, 0)), ValueError, r"got shape \(2, 0\)"),
        ([[1, 0], [1]], ValueError, "rectangular"),
        ([["a"]], TypeError, "booleans or of 0 and 1"),
        ([[None]], TypeError, "booleans or of 0 and 1"),
        (np.ones((2, 2), dtype=complex), TypeError, "complex"),
        (scipy.sparse.eye_array(2), TypeError, "toarray"),
    ],
)
def test_wrong_masks_are_refused(mask, error, message):
    with pytest.raises(error, match=message):
        FixedMask(mask)


def test_mask_refuses_a_matrix_of_another_shape():
    with pytest.raises(ValueError, match=r"shape of the support, \(2, 2\), got \(2, 3\)"):
        FixedMask(np.eye(2)).project(np.ones((2, 3)))


@given(matrices, st.integers(1, 4))
def test_budget_of_rows_and_columns_is_the_union_of_both(matrix, k):
    both = KSparse(k, axis=(0, 1)).project(matrix)
    parts = [KSparse(k, axis=axis).project(matrix) for axis in (0, 1)]
    assert_array_equal(both, np.where((parts[0] != 0) | (parts[1] != 0), matrix, 0))
    assert_array_equal(KSparse(k, axis=(0, 1)).project(both), both)
    assert_array_equal(KSparse(k, axis=(0, 1)).project(matrix.T), both.T)


def test_budget_of_rows_and_columns_in_every_namespace(asarray):
    projected = KSparse(1, axis=[1, 0]).project(asarray([[1.0, 3.0], [4.0, 3.0]]))
    assert_array_equal(to_numpy(projected), [[0, 3], [4, 0]])
    assert eval(repr(KSparse(1, axis=(0, 1)))) == KSparse(1, axis=(1, 0))


@pytest.mark.parametrize("axis", [(0, 0), (0,), (0, 1, 1), (None, 1)])
def test_other_pairs_of_axes_are_refused(axis):
    with pytest.raises(ValueError, match=r"must be \(0, 1\)"):
        KSparse(1, axis=axis)


@for_each("mask", [1, 1.0, True, np.float64(1), np.bool_(True), np.array(1)])
def test_a_number_is_no_mask(mask):
    with pytest.raises(ValueError, match="mask must be 2-D with at least one entry"):
        FixedMask(mask)


def test_masks_of_a_kind_that_hides_entries_are_refused():
    with pytest.raises(TypeError, match=r"mask is a masked array: pass its \.filled"):
        FixedMask(np.ma.masked_equal(np.eye(2), 0))
    with pytest.raises(TypeError, match=r"mask is a sparse matrix.*\.toarray\(\)"):
        FixedMask(scipy.sparse.eye_array(2))
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match=r"mask is a sparse matrix.*\.to_dense\(\)"):
        FixedMask(torch.eye(2).to_sparse())
    for support in (FixedMask(np.eye(2)), KSparse(1), KroneckerSparse(1, 2, 2, 1)):
        with pytest.raises(TypeError, match=r"matrix is a sparse matrix.*\.to_dense\(\)"):
            support.project(torch.eye(2).to_sparse())


def test_a_mask_does_not_follow_the_callers_array():
    owner = np.eye(2, dtype=bool)
    owner.flags.writeable = False
    mask = FixedMask(owner)
    owner.flags.writeable = True
    owner[:] = True
    assert mask == FixedMask(np.eye(2))
