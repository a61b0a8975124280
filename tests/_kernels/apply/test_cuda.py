"""The CUDA kernel for products of many factors: compiled for devices, and run on the CPU."""

import re
from dataclasses import replace
from functools import reduce
from operator import matmul

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skfact._kernels import _cuda
from skfact._kernels.apply import cuda
from skfact.operators import FactorizedOperator, KroneckerFactor, PartialPermutation
from skfact.supports import Chain
from tests._kernels.apply.chains import (
    assert_close,
    expected,
    factor,
    random_factors,
    random_selection,
    sizes,
)
from tests._kernels.cuda_on_cpu import emulation, nvrtc
from tests.arrays import DTYPES, gaussian

CODE = _cuda.code(cuda.SOURCE)
on_cpu = pytest.mark.skipif(not emulation.usable(), reason="g++ is not installed")
SIZES = [1, 6, 12, 30, 32, 64, 96]


def everything(dtype):
    """One binary for all chains: a device gets what its chain needs."""
    return cuda.options(np.dtype(dtype), (2, 3, 4), True)


def random_case(random, dtype, *, most=30, aligned=False):
    """Factors, rows of any pitch at any address, selections, and a tuning."""
    factors = random_factors(random, dtype, SIZES)
    if random.random() < 0.4:  # squares only: one half of the memory, and the ends direct
        radices = [int(r) for r in random.choice([2, 3, 4], random.integers(1, 5))]
        d = 1
        factors = []
        for r in radices:
            factors.insert(0, factor(random, (int(np.prod(radices)) // (r * d), r, r, d), dtype))
            d *= r
    n_out, n_in = sizes(factors)
    source = result = None
    if random.random() < 0.3:
        n_given = n_in + int(random.integers(-min(n_in - 1, 3), 4))
        source, n_in = random_selection(random, n_in, n_given), n_given
    if random.random() < 0.3:
        n_taken = n_out + int(random.integers(-min(n_out - 1, 3), 4))
        result, n_out = random_selection(random, n_taken, n_out), n_taken
    batch = int(random.integers(1, most))
    pitch = n_in + (0 if aligned else int(random.integers(0, 9)))
    start = 0 if aligned else int(random.integers(0, 4))
    memory = gaussian(random, start + batch * pitch, dtype)
    X = memory[start : start + batch * pitch].reshape(batch, pitch)[:, :n_in]
    tuning = cuda.Tuning(
        threads=int(random.choice([16, 32, 48])),
        samples=int(random.choice([2, 3, 5, 8])),
        swizzle=[None, 0, 7, 13][random.integers(4)],
        direct=bool(random.random() < 0.8),
    )
    return factors, X, n_out, source, result, tuning


def run(case, dtype, onto=None):
    factors, X, n_out, source, result, tuning = case
    program = cuda.lay_out(factors, X.shape[1], n_out, source, result, tuning)
    return cuda.multiply_chain(replace(program, options=everything(dtype)), X, onto)


@pytest.mark.usefixtures("cuda_on_cpu")
@on_cpu
@pytest.mark.parametrize("dtype", DTYPES)
def test_any_product(dtype):
    random = np.random.default_rng(DTYPES.index(dtype))
    direct = 0
    for number in range(100):
        case = random_case(random, dtype)
        factors, X, _, source, result, _ = case
        before = X.copy()
        Y = run(case, dtype)
        try:
            assert Y.flags.c_contiguous and Y.dtype == X.dtype
            assert_close(Y, expected(factors, X, source, result))
            assert_array_equal(X, before)
        except AssertionError as error:
            error.add_note(f"in case {number}")
            raise
        (_, b, c, _), (_, _, _, d) = factors[-1][0], factors[0][0]
        direct += source is None and b == c == 4 and d > 8
    assert direct > 3


@pytest.mark.usefixtures("cuda_on_cpu")
@on_cpu
@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_added_to_an_array(dtype):
    random = np.random.default_rng(11)
    for _ in range(40):
        case = random_case(random, dtype)
        factors, X, n_out, source, result, _ = case
        memory = gaussian(random, 1 + len(X) * n_out, dtype)
        onto = memory[random.integers(2) :][: len(X) * n_out].reshape(len(X), n_out)
        before = onto.copy()
        Y = run(case, dtype, onto)
        assert Y is onto
        assert_close(Y - before, expected(factors, X, source, result))
        assert_array_equal(Y, before + run(case, dtype))


@pytest.mark.usefixtures("cuda_on_cpu")
@on_cpu
@pytest.mark.parametrize("dtype", ["float32", "complex128"])
def test_samples_in_flight(dtype):
    random = np.random.default_rng(1)
    tuning = cuda.Tuning(threads=32, in_flight=2, samples=3)
    patterns = [(1, 8, 8, 8), (2, 4, 4, 8), (64, 1, 1, 1), (8, 8, 8, 1)]
    factors = [factor(random, pattern, dtype) for pattern in patterns]
    for batch in (1, 2, 7):
        X = gaussian(random, (batch, 64), dtype)
        Y = cuda.multiply_chain(cuda.lay_out(factors, 64, 64, tuning=tuning), X)
        assert_close(Y, expected(factors, X))


@pytest.mark.usefixtures("cuda_on_cpu")
@on_cpu
def test_batch_tile_and_threads_change_no_bit():
    random = np.random.default_rng(2)
    factors = [factor(random, p, "float32") for p in [(1, 4, 4, 20), (4, 5, 4, 4), (16, 4, 4, 1)]]
    X = gaussian(random, (23, 64), "float32")
    results = [
        run((factors, X[:rows], 80, None, None, cuda.Tuning(threads=t, samples=s)), "float32")
        for rows, t, s in [(23, 32, 5), (23, 48, 23), (7, 16, 2), (1, 64, 1)]
    ]
    for Y in results[1:]:
        assert_array_equal(Y, results[0][: len(Y)])


@pytest.mark.usefixtures("last_block_of_vast_arrays")
@on_cpu
def test_offsets_beyond_two_to_the_31_are_right():
    random = np.random.default_rng(10)
    factors = [factor(random, p, "float32") for p in [(1, 4, 4, 256), (256, 4, 4, 1)]]
    tuning = cuda.Tuning(threads=32, samples=8)
    X = emulation.vast((2**21 + 5, 1024), "float32")
    X[-5:] = gaussian(random, (5, 1024), "float32")
    case = factors, X, 1024, None, None, tuning
    assert_close(run(case, "float32")[-5:], expected(factors, X[-5:]))


@pytest.mark.usefixtures("cuda_on_cpu")
@on_cpu
def test_rows_that_are_not_in_one_piece_are_copied():
    random = np.random.default_rng(3)
    factors = [factor(random, (4, 4, 4, 1), "complex64")]
    memory = gaussian(random, (16, 40), "complex64")
    bytes_ = np.zeros(memory.nbytes + 4, np.uint8)
    unaligned = bytes_[4:].view("complex64").reshape(memory.shape)[:, :16]  # for reals only
    unaligned[...] = memory[:, :16]
    broadcast = np.broadcast_to(memory[:1, :16], (5, 16))
    for X in (memory[:, ::2][:, :16], memory[:, :16].T, memory[::-1, :16], unaligned, broadcast):
        case = factors, X, 16, None, None, cuda.Tuning(threads=16)
        assert_close(run(case, "complex64"), expected(factors, X))


def test_one_launch_however_many_factors_and_none_for_no_samples(recorder):
    random = np.random.default_rng(4)
    factors = [factor(random, p, "float32") for p in [(1, 4, 4, 16), (4, 4, 4, 4), (16, 4, 4, 1)]]
    program = cuda.lay_out(factors, 64, 64)
    assert cuda.multiply_chain(program, gaussian(random, (0, 64), "float32")).shape == (0, 64)
    assert recorder.launches == []
    cuda.multiply_chain(program, gaussian(random, (1000, 64), "float32"))
    assert len(recorder.launches) == 1


@pytest.mark.usefixtures("recorder")
def test_small_batches_share_out_and_large_ones_fill_the_memory():
    random = np.random.default_rng(5)
    small, large, huge = (
        cuda.lay_out([factor(random, (n // 4, 4, 4, 1), "float32")], n, n)
        for n in (256, 2048, 16384)
    )
    assert [cuda._samples(small, batch) for batch in (1, 132, 133, 10**6)] == [1, 1, 2, 32]
    assert cuda._samples(large, 10**6) == 12  # more than its third of the memory
    assert cuda._samples(huge, 10**6) == 3
    assert cuda.lay_out([factor(random, (16384, 4, 4, 1), "float32")], 65536, 65536) is None


def test_what_the_kernel_is_not_for_costs_infinitely_much():
    for dtype in map(np.dtype, DTYPES):
        assert cuda.cost((1, 80, 90, 1), dtype) == np.inf
        pairs = cuda.cost((1, 2, 2, 512), dtype) + cuda.cost((2, 2, 2, 256), dtype)
        assert cuda.cost((1, 4, 4, 256), dtype) < pairs
        assert cuda.cost((1, 32, 32, 32), dtype) > cuda.cost((1, 4, 4, 256), dtype)


@pytest.mark.usefixtures("cuda_on_cpu")
@on_cpu
@pytest.mark.parametrize("dtype", ["float32", "complex128"])
def test_operators_on_a_device_go_through_the_kernel(dtype, monkeypatch):
    random = np.random.default_rng(6)
    butterfly = FactorizedOperator(
        [
            KroneckerFactor(values, pattern)
            for pattern, values in (
                factor(random, pattern, dtype) for pattern in Chain.butterfly(64)
            )
        ]
    )
    index = [PartialPermutation(random.permutation(64), 64) for _ in range(2)]
    crop = PartialPermutation([3, -1, 5, *range(6, 40)], 64)
    ends = FactorizedOperator([crop, index[0], *butterfly.factors, index[1]])
    between = FactorizedOperator([*butterfly.factors, index[0], *butterfly.factors])
    launches = []
    monkeypatch.setattr(
        cuda, "multiply_chain", lambda *a, f=cuda.multiply_chain: launches.append(a) or f(*a)
    )
    options = everything(dtype)
    monkeypatch.setattr(cuda, "options", lambda *_: options)
    for op, applies in [(butterfly, True), (ends, True), (between, False)]:
        X = gaussian(random, (7, 64), dtype)
        wanted = X @ reduce(matmul, op.to_sparse()).toarray().T  # not by compiled loops
        monkeypatch.setattr(op._products, "on_cuda", True)
        monkeypatch.setattr(op._products, "on_numpy", False)
        op._products._programs.clear()
        launches.clear()
        products = op._products
        found = products.rows(X), products.columns(X.T).T, products.vector(X[0])[None]
        assert len(launches) == 3 * applies
        for Y, Z in zip(found, (wanted, wanted, wanted[:1]), strict=True):
            assert_close(np.asarray(Y), Z)


# Under sanitizers


def recorded(recorder, dtype, count=20, **kinds):
    random = np.random.default_rng(7)
    for _ in range(count):
        run(random_case(random, dtype, most=12, **kinds), dtype)
    return recorder.launches


@on_cpu
@pytest.mark.parametrize("dtype", ["float32", "complex128"])
@pytest.mark.parametrize("sanitizer", ["thread", "address"])
def test_sanitizers_have_nothing_to_say(sanitizer, dtype, recorder):
    assert emulation.sanitize(recorded(recorder, dtype), sanitizer) == ""


def chain_of_three(recorder, direct):
    """Launches of three factors in place, with rest rows in the last tile."""
    random = np.random.default_rng(8)
    patterns = [(1, 4, 4, 16), (4, 4, 4, 4), (16, 4, 4, 1)]
    if not direct:  # threads work on what others have read
        patterns = [(4, 4, 4, 4), (16, 4, 4, 1), (1, 4, 4, 16)]
    factors = [factor(random, pattern, "float32") for pattern in patterns]
    tuning = cuda.Tuning(threads=32, samples=5, direct=direct)
    run((factors, gaussian(random, (7, 64), "float32"), 64, None, None, tuning), "float32")
    return recorder.launches


@on_cpu
def test_samples_in_flight_are_those_that_are_there(recorder):
    random = np.random.default_rng(11)
    factors = [factor(random, pattern, "float32") for pattern in [(1, 4, 4, 16), (16, 4, 4, 1)]]
    tuning = cuda.Tuning(threads=32, in_flight=2, samples=3)  # the last pair has one
    program = cuda.lay_out(factors, 64, 64, tuning=tuning)
    cuda.multiply_chain(program, gaussian(random, (5, 64), "float32"))
    assert emulation.sanitize(recorder.launches, "address") == ""
    right = "if (s + u < live)"
    assert right in CODE
    code = CODE.replace(right, "if (s + u <= live)")
    assert "overflow" in emulation.sanitize(recorder.launches, "address", code=code)


@on_cpu
@pytest.mark.parametrize("barrier", range(4))
def test_a_missing_barrier_is_found(barrier, recorder):
    said = emulation.sanitize(chain_of_three(recorder, False), "thread", skip=barrier)
    assert "data race" in said


PLANTED = {
    "the last tile is not cut": (
        "int(min((long long)p.samples, p.batch - start))",
        "p.samples",
        "heap-buffer-overflow",
    ),
    "16 bytes are read at any address": ("(size_t)X % 16 == 0", "true", "misaligned address"),
}


@on_cpu
@pytest.mark.parametrize("bug", PLANTED)
def test_a_missing_guard_is_found(bug, recorder):
    right, wrong, complaint = PLANTED[bug]
    assert CODE.count(right) == 1
    launches = recorded(recorder, "float32")
    assert complaint in emulation.sanitize(launches, "address", code=CODE.replace(right, wrong))


@pytest.mark.usefixtures("cuda_on_cpu")
@on_cpu
def test_gaps_that_are_not_zeroed_are_found(monkeypatch, tmp_path):
    """Memory that nobody has written holds NaN."""
    wrong = tmp_path / "wrong.cu"
    right = cuda.SOURCE.read_text("utf-8")
    wrong.write_text(right.replace("if (p.fill)", "if (false)"), "utf-8")
    factors = [factor(np.random.default_rng(9), (1, 4, 4, 1), "float32")]
    X, source = np.ones((2, 4), "float32"), np.array([3, -1, 0, 1])
    case = factors, X, 4, source, None, cuda.Tuning(threads=16, samples=2)
    assert_close(run(case, "float32"), expected(factors, X, source))
    monkeypatch.setattr(cuda, "SOURCE", wrong)
    assert np.isnan(run(case, "float32")).all()


@on_cpu
def test_direct_ends_save_barriers(recorder):
    """The first factor reads X and the last writes Y: two barriers are left of four."""
    launches = chain_of_three(recorder, True)
    said = [emulation.sanitize(launches, "thread", skip=barrier) for barrier in range(3)]
    assert ["data race" in each for each in said] == [True, True, False]


# Compiled for devices


@pytest.mark.skipif(nvrtc.library() is None, reason="nvidia-cuda-nvrtc-cu12 is not installed")
@pytest.mark.parametrize("architecture", [nvrtc.ARCHITECTURES[0], nvrtc.ARCHITECTURES[-1]])
def test_registers_suffice_on(architecture):
    for dtype in map(np.dtype, DTYPES):
        options = cuda.options(dtype, cuda.SIDES, True)
        compiled = nvrtc.compile_kernel(CODE, options, architecture)
        resident = int(re.search(r"RESIDENT=(\d)", " ".join(options))[1])
        assert compiled.spilled == compiled.stack == 0
        assert resident == (2 if dtype == "complex128" else 3)
        assert compiled.registers * cuda.USUAL.threads * resident <= cuda.REGISTERS
        # indices, and entries of rows that are not aligned to 16 bytes, read or added to
        assert compiled.loads <= 36 and compiled.wide_loads > 24
