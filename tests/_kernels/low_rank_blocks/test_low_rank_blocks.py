"""Batched best rank-r approximation, held against a full SVD of every block."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from skfact._backend import to_numpy
from skfact._kernels.low_rank_blocks import low_rank_blocks
from tests._kernels.low_rank_blocks.hard_blocks import (
    KINDS,
    check,
    gaussian,
    spectra,
    with_singular_values,
)
from tests.arrays import DTYPES
from tests.asserts import assert_like, for_each

SHAPES = [(8, 8), (3, 20), (20, 3), (16, 31), (32, 32), (1, 5), (5, 1), (2, 2), (1, 1)]


@pytest.mark.parametrize("kind", KINDS)
@for_each("dtype", DTYPES)
@for_each("p, q", SHAPES)
def test_best_approximation_of_hard_spectra(kind, dtype, p, q):
    random = np.random.default_rng([p, q, KINDS.index(kind)])
    for rank in {1, 2, 3, min(p, q) - 1, min(p, q)} - {0, -1}:
        s = spectra(kind, random, 60, min(p, q), rank)
        blocks = with_singular_values(random, s, p, q, dtype)
        check(blocks, rank, *low_rank_blocks(blocks, rank))


@pytest.mark.parametrize("dtype", DTYPES)
def test_blocks_of_every_kind_in_one_batch(dtype):
    """Each block takes its own route; the results come back in the order of the blocks."""
    random = np.random.default_rng(0)
    for p, q, rank in [(8, 8, 1), (9, 6, 2), (6, 13, 3)]:
        s = np.concatenate([spectra(kind, random, 40, min(p, q), rank) for kind in KINDS])
        blocks = with_singular_values(random, s, p, q, dtype)
        blocks[::7] = 0
        # exact in floating point, too: integers times a power of two
        integers = random.integers(-4, 5, (len(s), p, rank)) @ random.integers(
            -4, 5, (len(s), rank, q)
        )
        blocks[1::7] = integers[1::7] / 64
        blocks = blocks[random.permutation(len(blocks))]
        left, right, residual = low_rank_blocks(blocks, rank)
        check(blocks, rank, left, right, residual)
        assert_array_equal(residual[np.abs(blocks).max(axis=(1, 2)) == 0], 0)
        # every block alone: as good as in company
        for i in range(0, len(blocks), 17):
            check(blocks[i : i + 1], rank, *low_rank_blocks(blocks[i : i + 1], rank))


@given(
    st.tuples(st.integers(0, 6), st.integers(1, 24), st.integers(1, 24)),
    st.integers(1, 8),
    st.sampled_from(DTYPES),
    st.floats(0, 17),
    st.integers(0, 2**32 - 1),
)
@example((1, 1, 1), 1, "float64", 0.0, 0)
@example((0, 4, 5), 2, "complex64", 0.0, 0)
def test_low_rank_plus_noise_of_any_shape(shape, rank, dtype, noise, seed):
    random = np.random.default_rng(seed)
    n_blocks, p, q = shape
    low = gaussian(random, (n_blocks, p, rank), dtype) @ gaussian(
        random, (n_blocks, rank, q), dtype
    )
    blocks = ((low + 10.0**-noise * gaussian(random, shape, dtype)) / 32).astype(dtype)
    check(blocks, rank, *low_rank_blocks(blocks, rank))


@pytest.mark.parametrize("rank", [1, 2, 5])
@pytest.mark.parametrize(
    "dtype, smallest", [("float64", -300), ("complex128", -290), ("float32", -36)]
)
def test_scales_of_every_size_in_one_batch(dtype, smallest, rank):
    """Squares of the small blocks underflow; beside large ones they still count."""
    random = np.random.default_rng(1)
    blocks = gaussian(random, (60, 6, 7), dtype)
    blocks[::2] = (
        gaussian(random, (30, 6, rank), dtype) @ gaussian(random, (30, rank, 7), dtype) / 8
    )
    scale = np.logspace(smallest, 0, 60)
    scale[::2] = scale[::2][::-1]
    blocks = (blocks * scale[:, None, None] / 8).astype(dtype)
    blocks[5] = 0
    check(blocks, rank, *low_rank_blocks(blocks, rank))


@pytest.mark.parametrize("dtype", DTYPES)
@for_each("p, q", [(3, 5), (5, 3), (4, 4), (1, 3), (3, 1)])
def test_rank_beyond_the_sides_is_padded_exactly(dtype, p, q):
    random = np.random.default_rng(2)
    blocks = gaussian(random, (5, p, q), dtype).astype(dtype)
    blocks[3] = 0
    for rank in range(min(p, q), min(p, q) + 4):
        left, right, residual = low_rank_blocks(blocks, rank)
        check(blocks, rank, left, right, residual)
        assert_array_equal(left[:, :, min(p, q) :], 0)
        assert_array_equal(right[:, min(p, q) :, :], 0)
        assert_array_equal(residual, 0)


def test_a_rounding_error_is_no_column_of_its_own():
    """The left columns of a block of smaller rank are zero: noise there would survive later."""
    random = np.random.default_rng(3)
    blocks = random.standard_normal((20, 8, 1)) @ random.standard_normal((20, 1, 9))
    left, right, _ = low_rank_blocks(blocks, 3)
    largest = np.abs(blocks).max(axis=(1, 2))[:, None, None]
    assert_array_equal(np.abs(right).max(axis=2, keepdims=True)[:, 1:] < 1e-14 * largest, True)
    check(blocks, 3, left, right, np.zeros(20))


@for_each("dtype", DTYPES)
@for_each("rank", [1, 2, 4])
def test_every_array_library(asarray, dtype, rank):
    random = np.random.default_rng(4)
    p, q = 4, 7
    s = np.concatenate([spectra(kind, random, 8, p, min(rank, p)) for kind in KINDS])
    host = with_singular_values(random, s, p, q, dtype)
    host[::9] = 0
    blocks = asarray(host)
    results = low_rank_blocks(blocks, rank)
    for result, precision in zip(results, (dtype, dtype, host.real.dtype.name), strict=True):
        assert_like(result, blocks, dtype=precision)
    check(host, rank, *(to_numpy(result) for result in results))
    assert_array_equal(to_numpy(blocks), host)


def test_the_input_is_left_alone():
    random = np.random.default_rng(5)
    blocks = random.standard_normal((6, 5, 4))
    before = blocks.copy()
    for rank in (1, 2, 4, 5):
        low_rank_blocks(blocks, rank)
        assert_array_equal(blocks, before)
    # strided views give the same approximation
    for view in (blocks[::-1, ::-1], blocks.swapaxes(1, 2), np.asfortranarray(blocks)):
        check(view, 2, *low_rank_blocks(view, 2))
