"""The CUDA kernel for splits of rank one: compiled for devices, and run on the CPU."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skfact._kernels import _cuda
from skfact._kernels.low_rank_blocks import (
    Arranged,
    Classes,
    OutOfScaleError,
    cuda,
    dispatch,
    generic,
    split_product,
)
from tests._kernels.cuda_on_cpu import emulation, nvrtc
from tests._kernels.low_rank_blocks.hard_blocks import (
    KINDS,
    check,
    check_alike,
    spectra,
    with_singular_values,
)
from tests.arrays import DTYPES, gaussian
from tests.asserts import for_each

THREADS = cuda.THREADS
CODE = _cuda.code(cuda.SOURCE)
on_cpu = pytest.mark.skipif(not emulation.usable(), reason="g++ is not installed")


@pytest.fixture(autouse=True)
def few_threads_and_no_loops(monkeypatch):
    """Several rows for each thread, and no other way for NumPy's arrays."""
    emulation.with_few_threads(monkeypatch)
    monkeypatch.setattr(dispatch, "compiled", lambda module: None)


def random_matrix(random, dtype, noise, *, largest=9):
    """A matrix whose class blocks have rank one but for the noise, and their sizes."""
    outer = [int(random.integers(1, most)) for most in (4, 9, 4, 4)]
    classes = Classes(*outer, *(int(random.integers(2, largest)) for _ in range(2)), 1)
    a, t, u, d, b, c, _ = classes
    x, y = gaussian(random, (a, t, u, d, b, 1), dtype), gaussian(random, (a, t, u, d, 1, c), dtype)
    blocks = x @ y + noise * gaussian(random, (a, t, u, d, b, c), dtype)
    matrix = classes.product_from_blocks(blocks.astype(dtype)).reshape(-1, t * c)
    return classes, matrix


def placed(random, matrix):
    """The same in memory of any pitch, at any address."""
    rows, columns = matrix.shape
    start, pitch = int(random.integers(0, 4)), columns + int(random.integers(0, 6))
    memory = np.full(start + rows * pitch, np.nan, matrix.dtype)
    view = memory[start:].reshape(rows, pitch)[:, :columns]
    view[...] = matrix
    return view


def blocks_of(matrix, classes):
    a, t, u, d, b, c, _ = classes
    return classes.blocks_of_product(matrix.reshape(a, d, b * u, t * c))


@pytest.mark.usefixtures("cuda_on_cpu")
@on_cpu
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_block_against_its_svd(dtype):
    random = np.random.default_rng(DTYPES.index(dtype))
    eps = np.finfo(dtype).eps
    certified = {0.0: [], 0.01: [], 0.3: []}
    for number in range(36):
        noise = list(certified)[number % 3]
        classes, matrix = random_matrix(random, dtype, noise)
        leftwards = bool(random.integers(2))
        left, right, missed, norm2 = cuda.split_rank_one(placed(random, matrix), classes, leftwards)
        blocks = blocks_of(matrix, classes)
        x, y = classes.columns_of_left(left), classes.rows_of_right(right)
        a, t, u, d, *_ = classes
        missed = missed.reshape(a, d, u, t).transpose(0, 3, 2, 1)  # as the blocks
        done = missed >= 0
        certified[noise].append(done.mean())
        s = np.linalg.svd(blocks.astype(np.result_type(dtype, "f8")), compute_uv=False)
        norm, tail = np.sqrt(np.sum(s**2, -1)), np.sqrt(np.sum(s[..., 1:] ** 2, -1))
        assert_allclose(np.sum(norm2), np.sum(norm**2), rtol=100 * eps)
        lost = np.linalg.norm(blocks - x @ y, axis=(-1, -2))
        bound = 4000 * eps * tail + 100 * eps * norm
        assert (abs(lost - tail)[done] <= bound[done]).all()
        assert (abs(missed - tail)[done] <= bound[done]).all()
        lengths = np.linalg.norm(y if leftwards else x, axis=(-1, -2))
        assert_allclose(lengths[done], 1, rtol=50 * eps)
        assert_array_equal((abs(x).sum((-1, -2)) + abs(y).sum((-1, -2)))[~done], 0)
    assert np.mean(certified[0.0]) == 1
    assert np.mean(certified[0.01]) > 0.95
    assert np.mean(certified[0.3]) > 0.6


@pytest.mark.usefixtures("cuda_on_cpu")
@on_cpu
@pytest.mark.parametrize("dtype", DTYPES)
@for_each("shape", [(1000, 2), (2, 1000), (5000, 2), (3, 2000), (40, 30)])
def test_long_blocks_of_entries_alike_are_as_exact_as_short_ones(dtype, shape):
    if shape == (5000, 2) and dtype == "complex128":
        shape = 2500, 2  # what the memory of a multiprocessor holds
    check_alike(cuda.split_rank_one, shape, dtype)


@pytest.mark.usefixtures("cuda_on_cpu")
@on_cpu
@pytest.mark.parametrize("dtype", DTYPES)
def test_hard_spectra_are_certified_only_where_the_best_is_found(dtype):
    random = np.random.default_rng(1)
    certified = {}
    for kind in KINDS:
        for p, q in [(2, 2), (3, 8), (9, 4), (16, 16)]:
            s = spectra(kind, random, 12, min(p, q), 1)
            blocks = with_singular_values(random, s, p, q, dtype)
            classes = Classes(a=1, t=1, u=1, d=len(blocks), b=p, c=q, r=1)
            split = cuda.split_rank_one(blocks.reshape(-1, q), classes, False)
            done = split.missed[:, 0] >= 0
            x, y = split.left.reshape(-1, p, 1), split.right.reshape(-1, 1, q)
            check(blocks[done], 1, x[done], y[done], split.missed[done, 0])
            certified.setdefault(kind, []).append(done.mean())
    assert np.mean(certified["noisy"]) > 0.8
    assert np.mean(certified["deficient"]) == np.mean(certified["exact, graded"]) == 1
    assert np.mean(certified["tied"][1:]) == 0  # of two tied values either is the largest


@pytest.mark.usefixtures("cuda_on_cpu")
@on_cpu
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_same_product_as_the_generic_loop(dtype, monkeypatch):
    """Blocks without certificate among them; all of it with two transfers at most."""
    transfers = []
    monkeypatch.setattr(cuda, "to_numpy", lambda array: transfers.append(array.shape) or array)
    random, eps = np.random.default_rng(2), np.finfo(dtype).eps
    for noise, at_most in [(0.0, 1), (0.3, 2), (10.0, 2)]:
        for leftwards in (False, True):
            classes, matrix = random_matrix(random, dtype, noise)
            transfers.clear()
            left, right, missed = split_product(Arranged(matrix), classes, leftwards)
            assert 1 <= len(transfers) <= at_most and set(transfers) == {(3,)}
            a, t, _, d, _, c, _ = classes
            values = matrix.reshape(a, d, -1, t * c)
            expected = generic.split_product(values, classes, leftwards)
            assert left.shape == expected[0].shape and right.shape == expected[1].shape
            assert left.dtype == right.dtype == dtype
            bound = 4000 * eps * missed + 100 * eps * np.linalg.norm(matrix)
            assert abs(missed - expected[2]) <= bound
            product = classes.columns_of_left(left) @ classes.rows_of_right(right)
            assert abs(np.linalg.norm(blocks_of(matrix, classes) - product) - missed) <= bound


@pytest.mark.usefixtures("cuda_on_cpu")
@on_cpu
def test_a_matrix_is_read_permuted_and_padded():
    random = np.random.default_rng(3)
    matrix = gaussian(random, (10, 12), "float32")
    classes = Classes(a=1, t=3, u=4, d=1, b=3, c=5, r=1)
    rows, cols = random.permutation(12) - 2, random.permutation(15) - 3
    rows[rows < 0], cols[cols < 0] = -1, -1
    arranged = Arranged(matrix, rows, cols)
    found = split_product(arranged, classes)
    expected = generic.split_product(arranged.values(), classes)
    assert_allclose(found[2], expected[2], rtol=1e-5)


@pytest.mark.usefixtures("cuda_on_cpu")
@on_cpu
@pytest.mark.parametrize("dtype", ["float32", "complex128"])
def test_zeros_entries_that_are_not_finite_and_unusual_magnitudes(dtype):
    random = np.random.default_rng(4)
    classes = Classes(a=1, t=2, u=1, d=3, b=4, c=5, r=1)
    matrix = np.ones((12, 10), dtype)
    matrix[:4, :5] = 0
    matrix[4, 0], matrix[8, 9] = np.nan, np.inf
    matrix[4:8, 5:] *= 1e-30 if dtype == "float32" else 1e-300
    split = cuda.split_rank_one(matrix, classes, False)
    assert_array_equal(split.missed < 0, [[False, False], [True, True], [False, True]])
    assert split.missed[0, 0] == 0 and not split.left[0, 0, :, 0].any()
    assert np.isnan(split.norm2[1, 0]) and split.norm2[2, 1] == np.inf
    for scale in (1e-12, 1e12) if dtype == "float32" else (1e-60, 1e60):
        scaled = (gaussian(random, (12, 10), dtype) * scale).astype(dtype)
        with pytest.raises(OutOfScaleError):
            split_product(Arranged(scaled), classes)
        expected = generic.split_product(scaled.reshape(1, 3, 4, 10), classes)[2]
        assert_allclose(split_product(Arranged(scaled, checked=True), classes)[2], expected, 1e-4)
    with pytest.raises(OutOfScaleError):
        split_product(Arranged(matrix), classes)


@pytest.mark.usefixtures("last_block_of_vast_arrays")
@on_cpu
def test_offsets_beyond_two_to_the_31_are_right():
    classes = Classes(a=1, t=2**16, u=1, d=2**15 - 1, b=2, c=2, r=1)
    matrix = emulation.vast((2 * classes.d, 2 * classes.t), "float32")
    block = np.outer([3.0, 4.0], [1.0, 2.0]).astype("f4")
    matrix[-2:, -2:] = block
    split = cuda.split_rank_one(matrix, classes, False)
    assert split.left.size > 2**31 < split.right.size
    x, y = split.left[0, -1, :, -1], split.right[-1, -1, 0, :]
    assert_allclose(x[:, None] * y, block, rtol=1e-6)
    assert_allclose(split.norm2[-1, -1], 125, rtol=1e-6)


def test_sizes_that_no_launch_has_are_left_to_others(recorder):
    for classes in (Classes(1, 2**16, 1, 2**15, 2, 2, 1), Classes(1, 1, 1, 2**31, 2, 2, 1)):
        a, t, u, d, b, c, _ = classes
        matrix = np.broadcast_to(np.float32(1), (a * d * b * u, t * c))
        assert cuda.split_rank_one(matrix, classes, False) is None
    assert recorder.launches == []


def test_thread_blocks_are_as_large_as_memory_and_lines_ask(recorder):
    def launched(t, b, c, dtype="float32"):
        recorder.launches.clear()
        matrix = np.zeros((b, t * c), dtype)
        split = cuda.split_rank_one(matrix, Classes(1, t, 1, 1, b, c, 1), False)
        assert (split is None) == (not recorder.launches)
        return split is not None and np.frombuffer(recorder.launches[0].record, "i8", 3).tolist()

    assert launched(32, 32, 32)[0] == 32  # a block for each: 128 bytes a row
    assert launched(8, 4, 4)[0] == 1  # 32 threads have a row each
    assert launched(7, 4, 4)[0] == 1
    assert launched(9, 4, 4)[0] == 2  # the second of one block
    assert launched(2, 128, 128)[2] < 72 * 1024
    assert launched(2, 220, 220)[2] > 192 * 1024
    assert not launched(2, 300, 300)
    assert not launched(4096, 8192, 2)  # one block fills the memory, and a row has 8 bytes


@pytest.mark.usefixtures("cuda_on_cpu")
@on_cpu
@pytest.mark.parametrize("n", [1, 31, 500])
def test_what_the_host_has_to_know(n):
    random = np.random.default_rng(8)
    missed = random.random((n, 1)) * 1e-200  # whose squares are zero
    norm2 = random.random((n, 1))
    missed[:: max(2, n // 5)] = -1
    found = cuda.summarize(cuda.Split(None, None, missed, norm2), np.dtype("float64"))
    certified = missed[missed >= 0]
    assert_allclose(found.missed, 1e-200 * np.linalg.norm(certified * 1e200), rtol=1e-14)
    assert_allclose(found.norm, np.sqrt(norm2.sum()), rtol=1e-14)
    assert found.uncertified == n - certified.size
    norm2[-1] = np.nan
    assert np.isnan(cuda.summarize(cuda.Split(None, None, missed, norm2), missed.dtype).norm)


# Under sanitizers


def recorded(recorder, dtype, count=15):
    random = np.random.default_rng(5)
    for number in range(count):
        classes, matrix = random_matrix(random, dtype, [0.0, 0.1, 10.0][number % 3])
        cuda.split_rank_one(placed(random, matrix), classes, bool(number % 2))
    return recorder.launches


@on_cpu
@pytest.mark.parametrize("dtype", ["float32", "complex128"])
@pytest.mark.parametrize("sanitizer", ["thread", "address"])
def test_sanitizers_have_nothing_to_say(sanitizer, dtype, recorder):
    assert emulation.sanitize(recorded(recorder, dtype), sanitizer) == ""


@on_cpu
def test_barriers_of_the_sums(recorder):
    numbers = np.ones((50, 1), "float32")
    cuda.summarize(cuda.Split(None, None, numbers, numbers), np.dtype("float32"))
    assert emulation.sanitize(recorder.launches, "thread") == ""
    for barrier in range(7):
        said = emulation.sanitize(recorder.launches, "thread", skip=barrier)
        assert "data race" in said, barrier


@on_cpu
def test_every_missing_barrier_is_found(recorder):
    """Up to the end of the first power step; each of them separates what different threads do."""
    random = np.random.default_rng(6)
    classes = Classes(1, 5, 1, 1, 7, 3, 1)
    cuda.split_rank_one(gaussian(random, (7, 15), "float32"), classes, False)
    for barrier in range(9):
        said = emulation.sanitize(recorder.launches, "thread", skip=barrier)
        assert "WARNING: ThreadSanitizer: data race" in said or "SEGV" in said, barrier


@on_cpu
def test_a_missing_guard_is_found(recorder):
    right = "min(p.together, p.t - w)"
    assert CODE.count(right) == 1
    code = CODE.replace(right, "p.together")
    said = emulation.sanitize(recorded(recorder, "float32"), "address", code=code)
    assert "heap-buffer-overflow" in said


@pytest.mark.usefixtures("cuda_on_cpu")
@on_cpu
def test_without_power_steps_little_is_certified():
    """So the shares above say that the steps are taken and their certificate is right."""
    random = np.random.default_rng(7)
    classes = Classes(1, 6, 6, 1, 8, 8, 1)
    x, y = gaussian(random, (1, 6, 6, 1, 8, 1)), gaussian(random, (1, 6, 6, 1, 1, 8))
    blocks = x @ y + 0.1 * gaussian(random, (1, 6, 6, 1, 8, 8))
    matrix = classes.product_from_blocks(blocks).reshape(48, 48)
    shares = [
        np.mean(cuda.split_rank_one(matrix, classes, False, steps).missed >= 0)
        for steps in (0, 1, 3, 8)
    ]
    assert shares[0] == 0 and shares == sorted(shares) and shares[-1] > 0.9


# Compiled for devices


@pytest.mark.skipif(nvrtc.library() is None, reason="nvidia-cuda-nvrtc-cu12 is not installed")
@pytest.mark.parametrize("architecture", nvrtc.ARCHITECTURES)
def test_registers_suffice_on(architecture, monkeypatch):
    monkeypatch.setattr(cuda, "THREADS", THREADS)
    for dtype in map(np.dtype, DTYPES):
        compiled = nvrtc.compile_kernel(CODE, cuda.options(dtype), architecture)
        assert compiled.spilled == compiled.stack == 0
        assert compiled.registers <= 64  # eight thread blocks of 128 on a multiprocessor
        # A is read 16 bytes at a time, but for rows that are not aligned; 12 loads are of the sums
        assert compiled.wide_loads == 7 and compiled.loads - 12 in (0, 7)
