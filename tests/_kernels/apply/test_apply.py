"""The compiled products of many factors, held against the batched products of one factor each."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from skfact._kernels import _threads
from skfact._kernels.apply import (
    LANES,
    TILES,
    dispatch,
    lay_out,
    loops,
    multiply_lanes,
    multiply_tiles,
    vectors_per_row,
)
from tests._kernels.apply.chains import assert_close, expected, factor
from tests.arrays import DTYPES, gaussian
from tests.asserts import for_each

pytestmark = pytest.mark.skipif(loops() is None, reason="numba is not installed")


def check_tiles(factors, X, source=None, result=None):
    n_out = factors[0][0][0] * factors[0][0][1] * factors[0][0][3]
    n_out = n_out if result is None else len(result)
    program = lay_out(TILES, factors, X.shape[1], n_out, source, result)
    wanted = expected(factors, X, source, result)
    for order in "CF":
        argument = np.array(X, order=order)
        argument.flags.writeable = False
        for rows in (True, False):
            Y = multiply_tiles(program, argument, rows=rows)
            assert Y.flags.c_contiguous if rows else Y.flags.f_contiguous
            assert Y.dtype == X.dtype
            assert_close(Y, wanted)
        assert_array_equal(argument, X)


@pytest.mark.parametrize("dtype", DTYPES)
@for_each("b, c", [(b, c) for b in range(1, 11) for c in range(1, 11)])
def test_blocks_of_every_shape(b, c, dtype):
    random = np.random.default_rng([b, c])
    for a, d in [(1, 1), (2, 3), (3, 1), (1, 5)]:
        factors = [factor(random, (a, b, c, d), dtype)]
        check_tiles(factors, gaussian(random, (vectors_per_row(np.dtype(dtype)), a * c * d), dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@for_each("batch", [0, 1, 2, 7, 8, 15, 16, 17, 31, 33, 64, 150])
def test_batches_of_every_size(batch, dtype):
    """In-place and other blocks one after the other, and sides that do not fill the lanes."""
    random = np.random.default_rng(batch)
    patterns = [(1, 3, 2, 14), (2, 2, 2, 7), (4, 7, 9, 1)]
    factors = [factor(random, pattern, dtype) for pattern in patterns]
    check_tiles(factors, gaussian(random, (batch, 36), dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_selections_at_both_ends(dtype):
    random = np.random.default_rng(0)
    factors = [factor(random, p, dtype) for p in [(1, 4, 4, 16), (4, 4, 4, 4), (16, 4, 4, 1)]]
    source, result = np.full(64, -1), np.full(70, -1)
    source[random.permutation(64)[:50]] = random.permutation(53)[:50]  # 3 of 53 are not read
    result[random.permutation(70)[:60]] = random.permutation(64)[:60]
    for batch in (3, 40):
        check_tiles(factors, gaussian(random, (batch, 53), dtype), source, result)
    if all(LANES.cost(p, np.dtype(dtype)) < np.inf for p, _ in factors):
        X = gaussian(random, (5, 53), dtype)
        program = lay_out(LANES, factors, 53, 70, source, result)
        assert_close(multiply_lanes(program, X), expected(factors, X, source, result))


@st.composite
def products(draw):
    """Factors that fit together, with no further structure."""
    seed, dtype = draw(st.integers(0, 2**32 - 1)), draw(st.sampled_from(DTYPES))
    random = np.random.default_rng(seed)
    size = draw(st.sampled_from([1, 6, 12, 30, 32, 64, 96]))
    factors = []
    for _ in range(draw(st.integers(1, 4))):
        divisors = [k for k in range(1, size + 1) if size % k == 0]
        c = int(random.choice(divisors))
        a = int(random.choice([k for k in divisors if (size // c) % k == 0]))
        b = int(random.integers(1, 9))
        pattern = (a, b, c, size // (a * c))
        factors.insert(0, factor(random, pattern, dtype))
        size = a * b * (size // (a * c))
        if size > 600:
            break
    return factors, gaussian(random, (draw(st.integers(0, 40)), _inputs(factors)), dtype)


def _inputs(factors):
    a, _, c, d = factors[-1][0]
    return a * c * d


@given(products())
def test_any_product(case):
    check_tiles(*case)


@pytest.mark.parametrize("dtype", DTYPES)
def test_columns_too_many_to_be_read_where_they_lie(dtype, monkeypatch):
    """They are copied to several tiles at once; the last group of tiles is not full."""
    monkeypatch.setattr(dispatch, "DIRECT_BYTES", 0)
    random = np.random.default_rng(4)
    factors = [factor(random, p, dtype) for p in [(1, 4, 4, 4), (4, 4, 4, 1)]]
    for n_tiles in (1, 7, 8, 9, 21):
        batch = n_tiles * vectors_per_row(np.dtype(dtype)) + 1
        check_tiles(factors, gaussian(random, (batch, 16), dtype))


@st.composite
def lane_products(draw):
    """Factors whose entries fill the lanes."""
    seed, dtype = draw(st.integers(0, 2**32 - 1)), draw(st.sampled_from(DTYPES))
    random = np.random.default_rng(seed)
    lanes = vectors_per_row(np.dtype(dtype))
    rows = draw(st.integers(1, 6))  # of `lanes` entries
    factors = []
    for _ in range(draw(st.integers(1, 4))):
        if draw(st.booleans()):
            factors.insert(0, factor(random, (rows, lanes, lanes, 1), dtype))
            continue
        divisors = [k for k in range(1, rows + 1) if rows % k == 0]
        c = int(random.choice(divisors))
        a = int(random.choice([k for k in divisors if (rows // c) % k == 0]))
        b = int(random.integers(1, 8))
        factors.insert(0, factor(random, (a, b, c, rows // (a * c) * lanes), dtype))
        rows = a * b * (rows // (a * c))
    return factors, gaussian(random, (draw(st.integers(0, 5)), _inputs(factors)), dtype)


@given(lane_products())
def test_any_product_in_lanes(case):
    factors, X = case
    assert all(LANES.cost(pattern, X.dtype) < np.inf for pattern, _ in factors)
    (a, b, _, d), _ = factors[0]
    program = lay_out(LANES, factors, X.shape[1], a * b * d)
    wanted = expected(factors, X)
    X.flags.writeable = False
    assert_close(multiply_lanes(program, X), wanted)
    for x, y in zip(X, wanted, strict=True):
        image = multiply_lanes(program, x)
        assert image.ndim == 1
        assert_close(image, y)


def test_lanes_that_cannot_be_filled_cost_infinitely_much():
    dtype = np.dtype("float64")
    assert LANES.cost((1, 2, 2, 16), dtype) < np.inf
    assert LANES.cost((4, 16, 16, 1), dtype) < np.inf
    assert LANES.cost((4, 2, 2, 8), dtype) == np.inf
    assert LANES.cost((4, 8, 8, 1), dtype) == np.inf
    assert TILES.cost((1, 1000, 1000, 1), dtype) == np.inf


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_sample_that_is_not_finite_spoils_no_other(dtype):
    random = np.random.default_rng(1)
    factors = [factor(random, p, dtype) for p in [(1, 4, 4, 4), (4, 4, 4, 1)]]
    X = gaussian(random, (21, 16), dtype)
    wanted = expected(factors, X)
    X[3, 5], X[20, 0] = np.nan, np.inf
    program = lay_out(TILES, factors, 16, 16)
    for order in "CF":
        Y = multiply_tiles(program, np.array(X, order=order), rows=True)
        finite = np.isfinite(Y).all(axis=1)
        assert_array_equal(np.nonzero(~finite)[0], [3, 20])
        assert_close(Y[finite], wanted[finite])


def test_the_number_of_threads_changes_no_bit(monkeypatch):
    random = np.random.default_rng(2)
    factors = [factor(random, p, "float64") for p in [(1, 8, 8, 8), (8, 8, 8, 1)]]
    X = random.standard_normal((500, 64))
    program = lay_out(TILES, factors, 64, 64)
    monkeypatch.setattr(_threads, "WORTH_A_THREAD", 0.0)
    results = []
    for n_threads in ("1", "2", "5"):
        monkeypatch.setattr(_threads, "thread_limit", lambda n=n_threads: int(n))
        results += [multiply_tiles(program, np.array(X, order=o), rows=True) for o in "CF"]
    for Y in results[1:]:
        assert_array_equal(Y, results[0])


def test_threads_of_the_caller_do_not_share_working_memory():
    random = np.random.default_rng(3)
    cases = []
    for size in (32, 64, 96, 128):
        factors = [factor(random, p, "float64") for p in [(1, 4, 4, size // 4), (size, 1, 1, 1)]]
        X = random.standard_normal((33, size))
        cases.append((lay_out(TILES, factors, size, size), X, expected(factors, X)))
    failures = []

    def work(program, X, wanted):
        try:
            for _ in range(200):
                assert_close(multiply_tiles(program, X, rows=True), wanted)
        except AssertionError as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=case) for case in cases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_values_at_the_ends_of_the_number_range():
    """Nothing is multiplied out on the way: each product is formed as written."""
    for scale in (1e-300, 1e300):
        factors = [
            ((1, 2, 2, 2), np.full((1, 2, 2, 2), scale)),
            ((2, 2, 2, 1), np.full((2, 1, 2, 2), 1 / scale)),
        ]
        X = np.arange(8.0).reshape(2, 4)
        check_tiles(factors, X)
