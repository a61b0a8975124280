"""Families of supports: the nearest member, and values that can be copied and compared."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal

from skfact._backend import to_numpy
from skfact.supports import Chain, FixedMask, KroneckerSparse, KSparse, SupportFamily
from tests.asserts import assert_like, for_each

EYE, LOWER = np.eye(2), np.tri(2)
# few distinct values, so that ties are common
matrices = hnp.arrays(np.float64, (3, 4), elements=st.integers(-3, 3))
masks = st.lists(hnp.arrays(bool, (3, 4)), min_size=1, max_size=4)


@given(matrices, masks, st.integers(1, 12))
def test_projection_is_that_on_the_first_of_the_nearest_members(matrix, masks, k):
    members = [*map(FixedMask, masks), KSparse(k), KSparse(k, axis=0)]
    original = matrix.copy()
    found = SupportFamily(members).project(matrix)
    each = [member.project(matrix) for member in members]
    distances = [np.sum((matrix - one) ** 2) for one in each]
    assert_array_equal(found, each[int(np.argmin(distances))])
    assert SupportFamily(members).nearest(matrix) == int(np.argmin(distances))
    assert_array_equal(matrix, original)
    assert not np.shares_memory(found, matrix)


@for_each("dtype", ["float64", "float32", "complex64", "complex128", "int64", "bool"])
def test_every_namespace_and_dtype(asarray, dtype):
    host = np.array([[1, 3], [-4, 0]]).astype(dtype)
    if host.dtype.kind == "c":
        host[0, 1] = 3j
    matrix = asarray(host)
    found = SupportFamily([EYE, LOWER.T, LOWER]).project(matrix)
    expected = LOWER.T * host if dtype == "bool" else LOWER * host  # a tie of True and True
    assert_like(found, matrix, expected)
    assert_array_equal(to_numpy(matrix), host)


@for_each("scale", [1e-300, 1e-160, 1e160, 1e300])
def test_any_magnitude(scale):
    matrix = np.array([[1.0, 2.0], [3.0, 4.0]])
    family = SupportFamily([EYE, LOWER.T, LOWER])
    assert_allclose(family.project(scale * matrix), scale * (LOWER * matrix))


def test_small_differences_count_beside_large_entries_that_no_member_keeps():
    matrix = np.array([[1e200, 2.0], [2.0 + 1e-9, 0.0]])
    upper, lower = LOWER.T - EYE, LOWER - EYE
    assert_array_equal(
        SupportFamily([upper, lower]).project(matrix), lower * [[0, 0], [2 + 1e-9, 0]]
    )
    tiny = np.array([[1.0, 1e-200], [2e-200, 0.0]])
    assert_array_equal(SupportFamily([upper, lower]).project(tiny), [[0, 0], [2e-200, 0]])


def test_integers_of_the_smallest_magnitude_have_one():
    matrix = np.array([[-128, 127]], dtype=np.int8)
    found = SupportFamily([[[0, 1]], [[1, 0]]]).project(matrix)
    assert_array_equal(found, [[-128, 0]])


def test_empty_matrices_stay_empty():
    family = SupportFamily([KSparse(1), KSparse(2)])
    assert family.project(np.empty((0, 3))).shape == (0, 3)


def test_kinds_of_members_and_their_shape():
    family = SupportFamily([EYE.tolist(), LOWER, (1, 2, 2, 1), KSparse(2), FixedMask(EYE)])
    assert family.members == (
        FixedMask(EYE),
        FixedMask(LOWER),
        KroneckerSparse(1, 2, 2, 1),
        KSparse(2),
        FixedMask(EYE),
    )
    assert family.shape == (2, 2) and not family.is_paired
    assert SupportFamily([KSparse(1), KSparse(2, axis=0)]).shape is None
    rows_as_tuples = SupportFamily([((1, 0), (0, 1))])  # a mask, not a pair
    assert rows_as_tuples.members == (FixedMask(EYE),)
    pairs = SupportFamily(
        [(EYE, LOWER), (None, [[1, 1], [0, 0]]), (EYE, KroneckerSparse(1, 2, 2, 1))]
    )
    assert pairs.is_paired and pairs.shape is None and pairs.members[1][0] is None
    assert SupportFamily([(EYE, np.ones((2, 3)))]).members[0][1].shape == (2, 3)


def test_transposes():
    wide = np.array([[1, 1, 0], [0, 0, 1]])
    family = SupportFamily([wide, KSparse(1, axis=0), KSparse(2), KSparse(1, axis=(0, 1))])
    matrix = np.random.default_rng(0).standard_normal((2, 3))
    assert family == family.T.T and family.T.shape == (3, 2)
    for one, turned in zip(family.members, family.T.members, strict=True):
        assert_array_equal(turned.project(matrix.T), one.project(matrix).T)
    assert_array_equal(family.T.project(matrix.T), family.project(matrix).T)
    pairs = SupportFamily([(EYE, wide)])
    assert pairs.T.members == ((FixedMask(wide.T), FixedMask(EYE)),)
    with pytest.raises(ValueError, match="A pair without a left mask has no transpose"):
        _ = SupportFamily([(None, wide)]).T


@for_each("members", [[EYE, LOWER], [KSparse(2), (1, 2, 2, 1)], [(EYE, LOWER), (None, EYE)]])
def test_families_are_values(members):
    family = SupportFamily(members)
    copies = [eval(repr(family)), pickle.loads(pickle.dumps(family)), copy.deepcopy(family)]
    assert all(other == family and hash(other) == hash(family) for other in copies)
    assert family != SupportFamily(members[:1]) and (family == 2) is False
    with pytest.raises(AttributeError):
        family.members = ()


@pytest.mark.parametrize(
    "members, error, message",
    [
        ([], ValueError, "members is empty"),
        (EYE[0], ValueError, r"members\[0\] must be a mask"),
        (5, TypeError, "members must be a list of supports, got int"),
        ("butterfly", TypeError, "members must be a list of supports, got str"),
        ({"a": EYE}, TypeError, "members must be a list of supports, got dict"),
        ([EYE, 2 * EYE], ValueError, r"members\[1\] must be a mask .* only booleans or 0 and 1"),
        ([Chain.butterfly(4)], TypeError, r"members\[0\] must be a mask"),
        ([EYE, np.eye(3)], ValueError, r"members\[1\] has shape \(3, 3\), others have \(2, 2\)"),
        ([EYE, (EYE, EYE)], TypeError, r"members\[1\] is a pair of .* members\[0\] is not"),
        (
            [(EYE, KSparse(2))],
            TypeError,
            r"members\[0\]\[1\] is KSparse\(2\): a pair has two masks",
        ),
        ([(EYE, 2 * EYE)], ValueError, r"members\[0\]\[1\] must be a mask"),
        ([(None, None)], TypeError, r"members\[0\] must be a mask"),
        ([SupportFamily([EYE])], TypeError, r"members\[0\] must be a mask"),
    ],
)
def test_wrong_families_are_refused(members, error, message):
    with pytest.raises(error, match=message):
        SupportFamily(members)


@pytest.mark.parametrize(
    "matrix, error, message",
    [
        (np.array([[1, np.nan], [1, 1]]), ValueError, "matrix has NaN or infinite entries"),
        (np.array([[1, np.inf], [1, 1]]), ValueError, "matrix has NaN or infinite entries"),
        (np.ones((2, 3)), ValueError, "matrix must have the shape of the support"),
        (np.ones(2), ValueError, "matrix must be 2-D"),
        (EYE.tolist(), TypeError, "matrix must be an array"),
    ],
)
def test_matrices_without_a_nearest_member_are_refused(matrix, error, message):
    with pytest.raises(error, match=message):
        SupportFamily([EYE, LOWER]).project(matrix)
    with pytest.raises(error, match=message):
        SupportFamily([EYE, LOWER]).nearest(matrix)
    with pytest.raises(TypeError, match="A family of pairs is for two factors"):
        SupportFamily([(EYE, EYE)]).project(matrix)
