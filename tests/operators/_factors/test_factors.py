"""Each kind of factor against the dense matrix that its definition gives."""

import copy
import pickle

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from skfact._backend import to_numpy
from skfact._kernels.apply import apply_factor
from skfact.operators import FactorizedOperator, KroneckerFactor, PartialPermutation, SparseFactor
from skfact.supports import KroneckerSparse
from tests.arrays import DTYPES, gaussian
from tests.asserts import assert_like, for_each

PATTERNS = [(1, 1, 1, 1), (1, 3, 2, 1), (2, 2, 2, 2), (3, 1, 4, 2), (2, 3, 1, 1), (1, 2, 5, 3)]
sides = st.integers(1, 5)


def by_definition(values, pattern):
    """Entry (i, j, k, l) at row i*b*d + j*d + l and column i*c*d + k*d + l."""
    a, b, c, d = pattern
    matrix = np.zeros((a * b * d, a * c * d), values.dtype)
    for i, l, j, k in np.ndindex(values.shape):
        matrix[i * b * d + j * d + l, i * c * d + k * d + l] = values[i, l, j, k]
    return matrix


def tolerance(dtype):
    return 1e-5 if np.dtype(dtype).itemsize in (4,) or dtype == "complex64" else 1e-12


@for_each("dtype", DTYPES)
@for_each("pattern", PATTERNS)
def test_kronecker_factor_is_the_matrix_of_its_definition(asarray, pattern, dtype):
    a, b, c, d = pattern
    rng = np.random.default_rng(1)
    values = gaussian(rng, (a, d, b, c), dtype)
    matrix = by_definition(values, pattern)
    X = gaussian(rng, (a * c * d, 4), dtype)
    factor = KroneckerFactor(asarray(values), pattern)
    given = asarray(X)
    assert_like(factor.apply(given), given, matrix @ X, atol=tolerance(dtype), rtol=1e-5)
    assert_like(factor.toarray(), given, matrix)
    assert_like(factor.T.toarray(), given, matrix.T)
    assert_like(factor.H.toarray(), given, matrix.conj().T)
    np.testing.assert_array_equal(factor.to_csr().toarray(), matrix)
    assert factor.shape == matrix.shape
    assert factor.nnz == matrix.size / (a * d)
    assert factor.T.pattern == KroneckerSparse(a, c, b, d)


@given(a=sides, b=sides, c=sides, d=sides, batch=st.integers(0, 3), seed=st.integers(0, 99))
def test_apply_factor_on_any_pattern_and_layout(a, b, c, d, batch, seed):
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((a, d, b, c))
    X = rng.standard_normal((a * c * d, batch))
    expected = by_definition(values, (a, b, c, d)) @ X
    wide = np.zeros((2 * X.shape[0], 3 * batch))
    wide[::2, ::3] = X
    reverse = np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1]
    for layout in (X, np.asfortranarray(X), wide[::2, ::3], reverse):
        np.testing.assert_allclose(apply_factor(values, layout), expected, atol=1e-12)


def test_kronecker_solve_inverts_the_blocks(asarray):
    rng = np.random.default_rng(2)
    values = gaussian(rng, (2, 3, 4, 4), "complex128")
    factor = KroneckerFactor(asarray(values), (2, 4, 4, 3))
    B = gaussian(rng, (24, 5), "complex128")
    expected = np.linalg.solve(by_definition(values, (2, 4, 4, 3)), B)
    np.testing.assert_allclose(to_numpy(factor.solve(asarray(B))), expected, atol=1e-10)


def test_kronecker_solve_refuses_singular_and_oblong_blocks(asarray):
    singular = KroneckerFactor(asarray(np.ones((1, 2, 2, 2))), (1, 2, 2, 2))
    with pytest.raises(np.linalg.LinAlgError, match="singular"):
        singular.solve(asarray(np.ones((4, 1))))
    oblong = KroneckerFactor(asarray(np.ones((1, 2, 3, 2))), (1, 3, 2, 2))
    with pytest.raises(ValueError, match="3 x 2"):
        oblong.solve(asarray(np.ones((6, 1))))


def test_values_are_copied_and_read_only():
    values = np.ones((1, 1, 2, 2))
    factor = KroneckerFactor(values, (1, 2, 2, 1))
    values[:] = 7
    assert (factor.values == 1).all()
    with pytest.raises(ValueError, match="read-only"):
        factor.values[0] = 3
    view = values.view()
    view.flags.writeable = False  # read-only, but the owner of the memory is not
    factor = KroneckerFactor(view, (1, 2, 2, 1))
    values[:] = 8
    assert (factor.values == 7).all()


def test_factors_are_immutable():
    sparse = SparseFactor(scipy.sparse.eye_array(3))
    kronecker = KroneckerFactor(np.ones((1, 1, 2, 2)), (1, 2, 2, 1))
    for factor, name in ((sparse, "csr"), (kronecker, "values"), (kronecker, "anything")):
        with pytest.raises(AttributeError, match="immutable"):
            setattr(factor, name, 1)
    with pytest.raises(AttributeError, match="immutable"):
        del kronecker.values
    with pytest.raises(ValueError, match="read-only"):
        sparse.csr.data[0] = 2


@pytest.mark.parametrize(
    "values, pattern, error, message",
    [
        (np.ones((1, 2, 2, 1)), (1, 2, 2, 1), ValueError, "needs"),
        (np.ones((2, 2)), (1, 2, 2, 1), ValueError, "needs"),
        (np.ones((1, 1, 2, 2), "float16"), (1, 2, 2, 1), TypeError, "astype"),
        (np.ones((1, 1, 2, 2), object), (1, 2, 2, 1), TypeError, "astype"),
        (np.full((1, 1, 2, 2), "a"), (1, 2, 2, 1), TypeError, "astype"),
        (np.ma.ones((1, 1, 2, 2)), (1, 2, 2, 1), TypeError, "masked"),
        (np.ones((1, 1, 2, 2)), (1, 2, 0, 1), ValueError, "pattern"),
        (np.ones((1, 1, 2, 2)), (1, 2, 2.0, 1), TypeError, "pattern"),
    ],
)
def test_kronecker_factor_refuses(values, pattern, error, message):
    with pytest.raises(error, match=message):
        KroneckerFactor(values, pattern)


@pytest.mark.parametrize("dtype", ["int8", "uint64", "bool"])
def test_integer_values_become_float64(dtype):
    factor = KroneckerFactor(np.ones((1, 1, 2, 2), dtype), (1, 2, 2, 1))
    assert factor.dtype == np.float64


def test_foreign_byte_order_becomes_native():
    factor = KroneckerFactor(np.arange(4.0).astype(">f8").reshape(1, 1, 2, 2), (1, 2, 2, 1))
    assert factor.dtype.isnative
    np.testing.assert_array_equal(factor.toarray(), [[0, 1], [2, 3]])


@given(st.data())
def test_partial_permutation_is_its_matrix(data):
    n_out, n_in = data.draw(sides), data.draw(sides)
    inputs = data.draw(st.permutations(range(n_in)))
    kept = data.draw(st.integers(0, min(n_in, n_out)))
    places = data.draw(st.permutations(range(n_out)))[:kept]
    index = np.full(n_out, -1)
    index[places] = inputs[:kept]
    matrix = np.zeros((n_out, n_in))
    matrix[places, inputs[:kept]] = 1
    factor = PartialPermutation(index, n_in)
    X = np.arange(1.0, 1 + 3 * n_in).reshape(n_in, 3)
    np.testing.assert_array_equal(factor.apply(X), matrix @ X)
    np.testing.assert_array_equal(factor.toarray(), matrix)
    np.testing.assert_array_equal(factor.to_csr().toarray(), matrix)
    np.testing.assert_array_equal(factor.T.toarray(), matrix.T)
    np.testing.assert_array_equal(factor.H.toarray(), matrix.T)
    np.testing.assert_array_equal(factor._times(factor.T).toarray(), matrix @ matrix.T)
    assert factor.is_permutation == (n_out == n_in == kept)


@for_each("index, n_in", [([2, 0, 1], 3), ([0, 1], 3), ([0, 1, -1], 2), ([1, -1, 0], 2), ([-1], 2)])
def test_partial_permutation_on_every_library(asarray, index, n_in):
    expected = PartialPermutation(index, n_in).toarray()
    factor = PartialPermutation(asarray(np.array(index)), n_in)
    X = np.arange(1.0, 1 + 2 * n_in).reshape(n_in, 2)
    X[0, 0] = np.nan  # an entry that is not taken must not spread
    got = to_numpy(factor.apply(asarray(X)))
    for row, source in zip(got, index):
        np.testing.assert_array_equal(row, 0 if source == -1 else X[source])
    np.testing.assert_array_equal(to_numpy(factor.toarray()), expected)
    np.testing.assert_array_equal(to_numpy(factor.T.toarray()), expected.T)


@pytest.mark.parametrize(
    "index, n_in, error, message",
    [
        ([0, 0], 2, ValueError, "twice"),
        ([0, 2], 2, ValueError, r"0\.\.1"),
        ([-2], 2, ValueError, "-1"),
        ([], 2, ValueError, "1-D"),
        ([[0]], 2, ValueError, "1-D"),
        ([0.0], 2, TypeError, "integers"),
        ([True], 2, TypeError, "integers"),
        ([0], 0, ValueError, "n_in"),
        ([0], 1.0, TypeError, "n_in"),
        ([0], True, TypeError, "n_in"),
    ],
)
def test_partial_permutation_refuses(index, n_in, error, message):
    with pytest.raises(error, match=message):
        PartialPermutation(index, n_in)


def test_partial_permutation_without_inverse():
    with pytest.raises(ValueError, match="added or lost"):
        PartialPermutation([0, -1], 2).solve(np.ones((2, 1)))


@pytest.mark.parametrize("dtype", DTYPES)
@for_each("form", ["csr", "csc", "coo", "bsr", "dia"])
def test_sparse_factor(form, dtype):
    rng = np.random.default_rng(3)
    matrix = gaussian(rng, (5, 5), dtype) * (rng.random((5, 5)) < 0.6) + 2 * np.eye(5)
    matrix = matrix.astype(dtype)
    factor = SparseFactor(scipy.sparse.csr_matrix(matrix).asformat(form))
    X = gaussian(rng, (5, 3), dtype)
    np.testing.assert_allclose(factor.apply(X), matrix @ X, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(factor.T.toarray(), matrix.T)
    np.testing.assert_array_equal(factor.H.toarray(), matrix.conj().T)
    np.testing.assert_allclose(factor.solve(X), np.linalg.solve(matrix, X), rtol=1e-3, atol=1e-4)
    assert factor.dtype == np.dtype(dtype)
    assert factor.astype("complex128").dtype == np.complex128


def test_sparse_factor_refuses():
    with pytest.raises(TypeError, match="csr_array"):
        SparseFactor(np.eye(2))
    with pytest.raises(TypeError, match="astype"):
        SparseFactor(scipy.sparse.csr_array(np.eye(2, dtype="longdouble")))
    with pytest.raises(ValueError, match="at least one"):
        SparseFactor(scipy.sparse.csr_array((0, 3)))
    with pytest.raises(ValueError, match="not square"):
        SparseFactor(scipy.sparse.csr_array(np.ones((2, 3)))).solve(np.ones((2, 1)))
    with pytest.raises(np.linalg.LinAlgError, match="singular"):
        SparseFactor(scipy.sparse.csr_array(np.diag([1.0, 0.0]))).solve(np.ones((2, 1)))


def test_sparse_factor_does_not_follow_the_callers_matrix():
    matrix = scipy.sparse.csr_array(np.eye(3))
    factor = SparseFactor(matrix)
    matrix.data[:] = 5
    np.testing.assert_array_equal(factor.toarray(), np.eye(3))


@pytest.mark.parametrize(
    "factor",
    [
        KroneckerFactor(np.arange(8.0).reshape(1, 2, 2, 2), (1, 2, 2, 2)),
        SparseFactor(scipy.sparse.csr_array(np.diag([1.0, 2.0]))),
        PartialPermutation([1, -1, 0], 2),
    ],
    ids=repr,
)
def test_copies_and_pickles(factor):
    for again in (copy.copy(factor), copy.deepcopy(factor), pickle.loads(pickle.dumps(factor))):
        np.testing.assert_array_equal(again.toarray(), factor.toarray())
        assert repr(again) == repr(factor)


@pytest.mark.parametrize("short, long", [(1, 1), (1, 4), (3, 4), (4, 4)])
def test_crop_and_pad(short, long):
    crop, pad = PartialPermutation.crop(short, long), PartialPermutation.pad(long, short)
    np.testing.assert_array_equal(crop.toarray(), np.eye(short, long))
    np.testing.assert_array_equal(pad.toarray(), np.eye(long, short))
    with pytest.raises(ValueError, match="n must be at most m"):
        PartialPermutation.crop(long + 1, long)
    with pytest.raises(ValueError, match="n must be at least m"):
        PartialPermutation.pad(long, long + 1)
    with pytest.raises(TypeError, match="n must be an integer"):
        PartialPermutation.crop(1.5, long)


@for_each("index", [[True, False], [True, 0], {0, 1}, {0: 1}, [0.0, 1.0], "01", [None], [10**30]])
def test_an_index_of_other_things_than_integers(index):
    with pytest.raises(TypeError, match="index must be of integers, got"):
        PartialPermutation(index, 2)


def test_an_index_of_an_odd_shape():
    with pytest.raises(ValueError, match="index is no rectangular"):
        PartialPermutation([[1], [2, 3]], 2)
    for index in ([], np.int64(1), 1, [[0, 1]]):
        with pytest.raises(ValueError, match="index must be 1-D with at least one entry"):
            PartialPermutation(index, 2)


# each factor and what it is made of, which stays the caller's
OWNED = {
    "values": lambda a: KroneckerFactor(a.reshape(1, 1, *a.shape), (1, *a.shape, 1)),
    "dense": lambda a: FactorizedOperator([a]).factors[0],
    "sparse": lambda a: SparseFactor(scipy.sparse.csr_array(a)),
    "index": lambda a: PartialPermutation(a[0], 4),
}


@for_each("kind", OWNED)
def test_factors_do_not_follow_what_they_were_made_of(kind):
    """Whatever the owner does later: read-only arrays can be made writeable again."""
    for locked in (False, True):
        for view in (lambda a: a, lambda a: a[:], lambda a: a.T.copy().T, lambda a: a[::-1, ::-1]):
            owner = np.arange(4.0).reshape(1, 4) + np.zeros((2, 1))
            owner = owner.astype("i8" if kind == "index" else "f8")
            owner.flags.writeable = not locked
            factor = OWNED[kind](view(owner))
            before = factor.toarray()
            owner.flags.writeable = True
            owner[:] = 5
            np.testing.assert_array_equal(factor.toarray(), before)


def test_a_sparse_factor_shares_no_part_of_the_matrix():
    matrix = scipy.sparse.csr_array(np.eye(3))
    factor = SparseFactor(matrix)
    for part in (matrix.data, matrix.indices, matrix.indptr):
        part[:] = 0
    np.testing.assert_array_equal(factor.toarray(), np.eye(3))


@pytest.mark.skip_namespace("numpy-read-only", reason="the test writes to the arrays")
def test_arrays_of_other_libraries_stay_the_callers(asarray):
    array, index = asarray(np.eye(3)), asarray(np.arange(3))
    kept = KroneckerFactor(array[None, None, ...], (1, 3, 3, 1)), PartialPermutation(index, 3)
    array[...], index[...] = 5, 0
    for factor in kept:
        np.testing.assert_array_equal(to_numpy(factor.toarray()), np.eye(3))
