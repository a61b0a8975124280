"""Compiled splits of rank one, held against full decompositions and the generic loop."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skfact._kernels._jit import compiled
from skfact._kernels.low_rank_blocks import (
    Arranged,
    Classes,
    OutOfScaleError,
    generic,
    low_rank_blocks,
    move_magnitudes,
    split_product,
)
from skfact.butterfly import butterfly_factorize
from skfact.supports import digit_reversal
from tests._kernels.low_rank_blocks.hard_blocks import (
    KINDS,
    check,
    check_alike,
    gaussian,
    spectra,
    with_singular_values,
)
from tests.arrays import DTYPES
from tests.asserts import for_each, on_any_matrix

loops = compiled("skfact._kernels.low_rank_blocks.numba")
pytestmark = pytest.mark.skipif(loops is None, reason="numba is missing or switched off")

SHAPES = [(2, 2), (2, 9), (9, 2), (3, 3), (4, 8), (8, 4), (3, 20), (20, 3), (16, 31), (64, 64)]


def transpose(x):
    return x.conj().swapaxes(-1, -2)


def check_split(blocks, leftwards):
    """Blocks of shape (n, p, q), as the classes of one product, against their SVD."""
    n, p, q = blocks.shape
    classes = Classes(a=1, t=1, u=1, d=n, b=p, c=q, r=1)
    matrix = blocks.reshape(n * p, q)
    left, right, missed, norm2 = loops.split_rank_one(matrix, classes, leftwards)
    x, y = left.reshape(n, p, 1), right.reshape(n, 1, q)
    missed = missed.ravel().astype(blocks.real.dtype)
    if leftwards:
        check(transpose(blocks), 1, transpose(y), transpose(x), missed)
    else:
        check(blocks, 1, x, y, missed)
    wide = blocks.astype(np.complex128)
    assert_allclose(norm2.ravel(), np.linalg.norm(wide, axis=(1, 2)) ** 2, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@for_each("dtype", DTYPES)
@for_each("p, q", SHAPES)
@for_each("leftwards", [False, True])
def test_best_approximation_of_hard_spectra(kind, dtype, p, q, leftwards):
    random = np.random.default_rng([p, q, KINDS.index(kind)])
    for rank in (1, 2):  # one or two leading values
        s = spectra(kind, random, 30, min(p, q), rank)
        check_split(with_singular_values(random, s, p, q, dtype), leftwards)


@pytest.mark.parametrize("leftwards", [False, True])
def test_the_largest_row_may_be_orthogonal_to_the_leading_vector(leftwards):
    """And then even an invariant subspace of its own: the certificate must not believe it."""
    blocks = np.zeros((3, 5, 5))
    blocks[:, 0, 0], blocks[:, 1:3, 1:3] = 3, 2
    blocks[1, 3:, 3:] = np.eye(2)
    blocks[2] = blocks[2].T[::-1]
    check_split(blocks, leftwards)


@for_each("gap", [0.0, 1e-15, 1e-12, 1e-9, 1e-6, 1e-3])
def test_two_leading_values_close_to_each_other_and_far_from_the_others(gap):
    random = np.random.default_rng(0)
    s = np.tile([1 + gap, 1, *np.linspace(0.3, 0.1, 14)], (40, 1))
    check_split(with_singular_values(random, s, 16, 16), False)


@pytest.mark.parametrize("dtype", DTYPES)
@for_each("shape", [(1000, 2), (2, 1000), (5000, 2), (1000, 40), (40, 30), (300, 300)])
def test_long_blocks_of_entries_alike_are_as_exact_as_short_ones(dtype, shape):
    check_alike(loops.split_rank_one, shape, dtype)


@pytest.mark.parametrize("dtype, smallest", [("f8", -320), ("c16", -310), ("f4", -44)])
@for_each("p, q", [(2, 3), (6, 7), (7, 6)])
def test_scales_of_every_size(dtype, smallest, p, q):
    random = np.random.default_rng(1)
    low = gaussian(random, (60, p, 1), dtype) @ gaussian(random, (60, 1, q), dtype)
    for blocks in (low, gaussian(random, (60, p, q), dtype)):
        scale = 10.0 ** np.linspace(0.8 * smallest, -1, 60)[:, None, None]
        blocks = (blocks * scale).astype(dtype)
        blocks[5] = 0
        n = len(blocks)
        classes = Classes(a=1, t=1, u=1, d=n, b=p, c=q, r=1)
        left, right, missed, _ = loops.split_rank_one(blocks.reshape(n * p, q), classes, False)
        check(
            blocks,
            1,
            left.reshape(n, p, 1),
            right.reshape(n, 1, q),
            missed.ravel().astype(blocks.real.dtype),
        )


@st.composite
def classes_of_rank_one(draw):
    outer = [draw(st.integers(1, 3)) for _ in range(4)]
    return Classes(*outer, draw(st.integers(2, 6)), draw(st.integers(2, 6)), 1)


@given(
    classes_of_rank_one(),
    st.booleans(),
    st.sampled_from(DTYPES),
    st.sampled_from([0.0, 1e-9, 0.1, 10.0]),
    st.integers(0, 2**32 - 1),
)
def test_the_same_product_as_the_generic_loop(classes, leftwards, dtype, noise, seed):
    """In every layout; one side is orthonormal, the other what it keeps."""
    random = np.random.default_rng(seed)
    a, t, u, d, b, c, _ = classes
    blocks = gaussian(random, (a, t, u, d, b, 1), dtype) @ gaussian(
        random, (a, t, u, d, 1, c), dtype
    )
    blocks = (blocks + noise * gaussian(random, blocks.shape, dtype)).astype(dtype)
    values = classes.product_from_blocks(blocks)
    before = values.copy()
    left, right, missed = split_product(values, classes, leftwards)
    assert_array_equal(values, before)
    expected = generic.split_product(values, classes, leftwards)
    assert left.shape == expected[0].shape and left.dtype == expected[0].dtype
    assert right.shape == expected[1].shape and right.dtype == expected[1].dtype
    eps, norm = np.finfo(dtype).eps, np.linalg.norm(values)
    assert abs(missed - expected[2]) <= 4000 * eps * missed + 100 * eps * norm
    x, y = classes.columns_of_left(left), classes.rows_of_right(right)
    assert abs(np.linalg.norm(blocks - x @ y) - missed) <= 4000 * eps * missed + 100 * eps * norm
    unit = y if leftwards else x
    assert_allclose(np.linalg.norm(unit, axis=(-1, -2)), 1, rtol=50 * eps)


@given(classes_of_rank_one(), st.booleans(), st.sampled_from(DTYPES), st.integers(0, 2**32 - 1))
def test_moving_magnitudes_keeps_the_product(classes, rightwards, dtype, seed):
    random = np.random.default_rng(seed)
    a, t, u, d, b, c, _ = classes
    left, right = (
        gaussian(random, (a, u * d, b, t), dtype),
        gaussian(random, (a * t, d, u, c), dtype),
    )
    left, right = left.astype(dtype), right.astype(dtype)
    left[0, 0] = 0
    before = classes.columns_of_left(left.copy()) @ classes.rows_of_right(right.copy())
    left, right = move_magnitudes(left, right, classes, rightwards)
    x, y = classes.columns_of_left(left), classes.rows_of_right(right)
    eps = np.finfo(dtype).eps
    assert_allclose(x @ y, before, rtol=0, atol=50 * eps * np.abs(before).max())
    lengths = np.linalg.norm(x if rightwards else y, axis=(-1, -2))
    assert (np.minimum(abs(lengths - 1), lengths) <= 50 * eps).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_a_matrix_is_read_permuted_and_padded(dtype, noise):
    random = np.random.default_rng(2)
    classes = Classes(a=1, t=3, u=4, d=1, b=3, c=5, r=1)
    x, y = gaussian(random, (1, 3, 4, 1, 3, 1), dtype), gaussian(random, (1, 3, 4, 1, 1, 5), dtype)
    whole = classes.product_from_blocks(x @ y).reshape(12, 15)
    whole = (whole + noise * gaussian(random, whole.shape, dtype)).astype(dtype)
    rows, cols = random.permutation(12) - 2, random.permutation(15) - 3
    rows[rows < 0], cols[cols < 0] = -1, -1
    matrix = whole[:10, :12]
    for index in [(rows, cols), (rows, None), (None, cols), (None, None)]:
        shaped = matrix if index[0] is not None else np.vstack([matrix, matrix[:2]])
        shaped = shaped if index[1] is not None else np.hstack([shaped, shaped[:, :3]])
        arranged = Arranged(shaped, *index)
        for leftwards in (False, True):
            found = split_product(arranged, classes, leftwards)
            expected = split_product(arranged.values().copy(), classes, leftwards)
            for one, other in zip(found, expected, strict=True):
                assert_array_equal(one, other)


@for_each("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", DTYPES)
@for_each("permutation", [None, "digit-reversal"])
def test_no_entry_that_is_not_finite_gets_through(value, dtype, permutation):
    A = gaussian(np.random.default_rng(3), (15, 16), dtype).astype(dtype)
    for place in [(0, 0), (14, 15), (7, 3)]:
        for base in (A, np.outer(A[:, 0], A[0])):  # approximate, and exact but for one entry
            bad = base.copy()
            bad[place] = value
            with pytest.raises(ValueError, match=r"A contains (NaN|infinity)"):
                butterfly_factorize(bad, permutation=permutation)


@for_each("scale", [1e-200, 1e-60, 1e60, 1e200, 0.0])
def test_unusual_magnitudes_are_left_to_the_caller(scale):
    matrix = scale * np.ones((4, 4))
    classes = Classes(a=1, t=2, u=2, d=1, b=2, c=2, r=1)
    with pytest.raises(OutOfScaleError):
        split_product(Arranged(matrix), classes)
    left, right, missed = split_product(Arranged(matrix, checked=True), classes)
    product = classes.columns_of_left(left) @ classes.rows_of_right(right)
    assert_allclose(product, scale, rtol=1e-14)
    assert missed <= 4e-15 * scale


@on_any_matrix
@pytest.mark.parametrize("permutation", [None, "digit-reversal"])
def test_any_memory_layout(permutation):
    random = np.random.default_rng(4)
    A = gaussian(random, (16, 16), "c16")
    expected = butterfly_factorize(A, permutation=permutation).toarray()
    read_only = A.copy()
    read_only.flags.writeable = False
    wide = np.empty((32, 48), complex)[::2, ::3]
    wide[...] = A
    unaligned = np.frombuffer(b"x" + A.tobytes(), np.uint8)[1:].view(complex).reshape(16, 16)
    for view in (
        read_only,
        np.asfortranarray(A),
        A[::-1, ::-1].copy()[::-1, ::-1],
        wide,
        unaligned,
    ):
        found = butterfly_factorize(view, permutation=permutation).toarray()
        assert_array_equal(found, expected)


@on_any_matrix
@pytest.mark.parametrize("kind", ["exact", "noise"])
def test_the_same_bits_on_any_number_of_threads(monkeypatch, kind):
    random = np.random.default_rng(5)
    A = np.fft.fft(np.eye(512))
    A = A + (kind == "noise") * gaussian(random, A.shape, "c16")
    results = []
    for limit in ("1", "2", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", limit)
        operator, errors = butterfly_factorize(A, permutation="digit-reversal", return_errors=True)
        results.append([errors, *(factor._array for factor in operator.factors)])
    for other in results[1:]:
        for one, two in zip(results[0], other, strict=True):
            assert_array_equal(one, two)


@pytest.mark.parametrize("permutation", [None, "digit-reversal"])
def test_no_copy_of_the_matrix_is_made(permutation):
    A = np.fft.fft(np.eye(1024))
    if permutation is None:  # its columns are in the order that factors need already
        A = np.ascontiguousarray(A[:, digit_reversal([2] * 10)])
    butterfly_factorize(np.fft.fft(np.eye(64)), permutation="digit-reversal")
    tracemalloc.start()
    try:
        operator = butterfly_factorize(A, permutation=permutation)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert operator.nnz < A.size
    assert peak <= 0.5 * A.nbytes


def test_blocks_without_a_certificate_are_decomposed():
    """The way out: left, right and residual of the generic loop stand in their place."""
    random = np.random.default_rng(6)
    classes = Classes(a=2, t=3, u=2, d=2, b=3, c=4, r=1)
    values = gaussian(random, (2, 2, 6, 12), "c16")
    for leftwards in (False, True):
        left, right, missed = split_product(values, classes, leftwards)
        blocks = classes.blocks_of_product(values).reshape(-1, 3, 4)
        again = np.full((8, 3), -1.0)
        others = np.zeros_like(left), np.zeros_like(right)
        source = Arranged(values.reshape(-1, 12))
        generic.replace_uncertified(source, classes, leftwards, *others, again)
        expected = low_rank_blocks(blocks, 1)[2]
        assert_allclose(np.sort(again.ravel()), np.sort(expected), rtol=1e-12)
        product = classes.columns_of_left(left) @ classes.rows_of_right(right)
        found = classes.columns_of_left(others[0]) @ classes.rows_of_right(others[1])
        assert_allclose(found, product, atol=1e-12)
