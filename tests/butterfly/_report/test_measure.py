"""A report says what factorizations then do, and does not call noise structure."""

import numpy as np
import pytest
import scipy.fft
import scipy.linalg

from skfact.butterfly import butterfly_factorize, structure_report
from tests.arrays import gaussian
from tests.asserts import for_each, on_any_matrix

N = 64
DISTANCE = np.abs(np.subtract.outer(np.arange(float(N)), np.arange(float(N))))
DFT, DCT = np.fft.fft(np.eye(N)), scipy.fft.dct(np.eye(N), norm="ortho")
GAUSSIAN = gaussian(np.random.default_rng(0), (N, N))
pytestmark = pytest.mark.filterwarnings("ignore::skfact.exceptions.StructureWarning")


def relative(A, operator):
    return np.linalg.norm(operator.toarray() - A) / np.linalg.norm(A)


@on_any_matrix
@for_each("A", [DCT, 1 / (1 + DISTANCE), GAUSSIAN[:, :40]])
def test_errors_are_realised(A):
    report = structure_report(A, max_density=0.3)
    (row,) = report.rows
    for option in (row.product, row.low_rank):
        operator = butterfly_factorize(A, **option.arguments)
        assert relative(A, operator) == pytest.approx(option.error, rel=1e-6)
        assert operator.nnz == option.numbers <= row.budget
    both = butterfly_factorize(A, **row.low_rank_sparse.arguments)
    assert relative(A, both) == pytest.approx(row.low_rank_sparse.error, rel=1e-6)
    assert row.low_rank_sparse.numbers <= row.budget
    assert row.product.error <= row.low_rank.error * (1 + 1e-9)
    assert row.option.error == min(row.product.error, row.option.error)


def test_the_verdicts():
    exact = structure_report(DFT, max_density=0.2)
    assert exact.best.verdict == "exact" and exact.best.option.numbers == 768
    smooth = structure_report(np.exp(-((DISTANCE / 40) ** 2)))
    assert smooth.best.verdict == "structure found"
    for A in (GAUSSIAN, GAUSSIAN[:, :40], GAUSSIAN + 1j * GAUSSIAN[::-1].T):
        report = structure_report(A)
        assert report.best is None and "keep it dense" in report.advice
        assert {row.verdict for row in report.rows} == {"no structure of this class found"}


def test_a_tolerance():
    report = structure_report(DCT, tol=0.5)
    assert report.tol == 0.5 and len(report.rows) == 1
    assert report.best.option.error <= 0.5 and report.best.option.kind == "product"
    none = structure_report(GAUSSIAN, tol=0.01)
    assert none.best is None and "tol=0.01" in none.advice


@for_each("A", [DCT, 1 / (1 + DISTANCE), np.exp(-((DISTANCE / 20) ** 2))])
def test_half_the_error(A):
    rows = structure_report(A).rows
    for i, row in enumerate(rows):
        half = [other for other in rows[i + 1 :] if other.option.error <= row.option.error / 2]
        if row.half_at is None:
            assert not half or row.verdict == "exact"
            continue
        assert row.half_at <= min([other.option.numbers for other in half], default=A.size)
        tails = np.linalg.svd(A, compute_uv=False)[row.half_at // sum(A.shape) :]
        by_low_rank = np.linalg.norm(tails) <= row.option.error / 2 * np.linalg.norm(A) * 1.000001
        assert by_low_rank or row.half_at in [other.option.numbers for other in half]


def test_entries_alone():
    random = np.random.default_rng(0)
    A = np.where(random.random((64, 64)) < 0.02, gaussian(random, (64, 64)), 0)
    for report in structure_report(A), structure_report(A, tol=1e-9):
        assert report.best.option.numbers == 2 * np.count_nonzero(A)
        assert report.best.verdict == "exact" and "entries" in report.advice
    kernel = np.exp(-((DISTANCE[:, ::-1] / 2) ** 2)) + random.normal(size=(64, 64)) / 1e4
    (row,) = structure_report(kernel, tol=0.05).rows
    found = butterfly_factorize(kernel, "auto", tol=0.05)
    assert row.option.error <= 0.05 and relative(kernel, found) <= 0.05
    assert row.option.numbers == row.budget < 0.5 * kernel.size


SHUFFLED = "no better than for the same entries shuffled"


@for_each(
    "draw",
    [
        lambda random: random.standard_cauchy((48, 64)),
        lambda random: random.standard_t(3, (48, 64)),
        lambda random: random.random((48, 64)),
        lambda random: (random.random((48, 64)) < 0.3) * 1.0,
    ],
)
def test_independent_entries_are_no_structure(draw):
    for seed in range(2):
        report = structure_report(draw(np.random.default_rng(seed)), max_density=0.25)
        assert report.rows[0].verdict in (SHUFFLED, "no structure of this class found")
        order = structure_report(in_another_order(draw, seed), max_density=0.25).rows[0]
        assert order.verdict == report.rows[0].verdict


def in_another_order(draw, seed):
    """The same entries in another order."""
    A = draw(np.random.default_rng(seed))
    return np.random.default_rng(9).permutation(A.ravel()).reshape(A.shape)


def test_independent_entries_are_no_structure_on_inputs():
    for draw in (np.random.default_rng(0).standard_cauchy, np.random.default_rng(0).random):
        report = structure_report(draw((32, 40)), max_density=0.3, inputs=np.eye(40))
        assert report.rows[0].verdict in (SHUFFLED, "no structure of this class found")


def test_structure_in_heavy_tails_is_found():
    random = np.random.default_rng(0)
    noise = random.standard_t(3, (64, 64))
    (row,) = structure_report(
        3 * gaussian(random, (64, 2)) @ gaussian(random, (2, 64)) + noise, max_density=0.25
    ).rows
    assert row.verdict == "structure found" and row.option.error < 0.5 * row.shuffled_error
    assert structure_report(GAUSSIAN, max_density=0.25).rows[0].shuffled_error is None


def test_a_high_effort_is_no_worse():
    A = 1 / (1 + DISTANCE[:48])
    normal, high = (structure_report(A, max_density=0.2, effort=e) for e in ("normal", "high"))
    assert high.rows[0].product.error <= 1.02 * normal.rows[0].product.error


@for_each("shape", [(1, 1), (1, 9), (3, 4), (2, 2), (12, 5)])
def test_small_ones(shape):
    report = structure_report(gaussian(np.random.default_rng(0), shape))
    assert report.shape == shape and 1 <= len(report.rows) <= 4
    assert structure_report(np.zeros(shape)).rows[0].verdict in ("exact", "dense")


@for_each("scale", [1e-150, 1e150])
def test_every_scale(scale):
    ordinary, scaled = (structure_report(s * DCT, max_density=0.3) for s in (1.0, scale))
    error = ordinary.rows[0].product.error
    assert scaled.rows[0].product.error == pytest.approx(error, rel=1e-6)


def correlated(n_samples, n, dtype="float64"):
    random = np.random.default_rng(1)
    mixing = gaussian(random, (n, n), dtype) * 0.7 ** np.arange(n)[:, None]
    return gaussian(random, (n_samples, n), dtype) @ mixing


def missed_outputs(A, operator, X):
    return np.linalg.norm((operator.toarray() - A) @ X.T) / np.linalg.norm(A @ X.T)


@for_each("A", [DCT, GAUSSIAN[:, :40], (DFT + DCT)[:24]])
def test_errors_on_inputs_are_realised(A):
    X = correlated(100, A.shape[1])
    report = structure_report(A, max_density=0.3, inputs=X)
    (row,), plain = report.rows, structure_report(A, max_density=0.3).rows[0]
    assert report.n_inputs == 100 and "errors of its outputs for 100 inputs" in str(report)
    assert "inputs=" not in report.advice
    entries = row.low_rank_sparse
    operator = butterfly_factorize(A, **entries.arguments)
    assert missed_outputs(A, operator, X) == pytest.approx(entries.error, rel=1e-6, abs=1e-12)
    for option, before in ((row.product, plain.product), (row.low_rank, plain.low_rank)):
        operator = butterfly_factorize(A, **option.arguments)
        assert missed_outputs(A, operator, X) == pytest.approx(option.error, rel=1e-6, abs=1e-12)
        assert operator.nnz == option.numbers <= row.budget
        unaware = butterfly_factorize(A, **before.arguments)
        assert option.error <= missed_outputs(A, unaware, X) * (1 + 1e-9) + 1e-12
    assert row.product.error <= row.low_rank.error * (1 + 1e-9) + 1e-12


def test_noise_on_inputs_is_no_structure():
    noise = gaussian(np.random.default_rng(5), (N, N))
    row = structure_report(noise, max_density=0.25, inputs=np.eye(N)).rows[0]
    assert row.verdict == "no structure of this class found"
    report = structure_report(noise, max_density=0.25, inputs=correlated(2, N))
    assert report.rows[0].option.error < 0.1  # two directions are all that there is to keep


def test_inputs_that_do_not_fit():
    with pytest.raises(ValueError, match="inputs must have one column per column of A"):
        structure_report(DCT, inputs=np.ones((3, 4)))
    with pytest.raises(ValueError, match="pass that in place of tol"):
        structure_report(DCT, inputs=np.ones((3, N)), tol=0.1)


def test_arrays_of_any_library(asarray):
    found = structure_report(asarray(DCT), max_density=0.3)
    assert str(found) == str(structure_report(DCT, max_density=0.3))
