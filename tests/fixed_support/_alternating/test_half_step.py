"""One half step: least squares, by all ways to compute it, with and without missing entries."""

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skfact._backend import to_numpy
from skfact.fixed_support import (
    analyze_supports,
    fixed_support_factorize,
)
from skfact.fixed_support._alternating import half_step, weighted_grams
from skfact.fixed_support._tractable.flat_factor import dense_factor
from tests.asserts import on_any_matrix
from tests.fixed_support.independent import random_matrix
from tests.fixed_support.seeds import over_seeds

ignore_cut_off = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


ignore_ill_posed = pytest.mark.filterwarnings("ignore::skfact.exceptions.IllPosedWarning")


@on_any_matrix
@over_seeds(5)
def test_each_half_step_is_least_squares(seed):
    """No change of one factor alone lowers the loss of the result."""
    random = np.random.default_rng(seed)
    left, right = random.random((8, 4)) < 0.7, random.random((4, 9)) < 0.7
    A = random.standard_normal((8, 9))
    result = fixed_support_factorize(
        A, left, right, solver="alternating", alpha=0.05, tol=1e-14, max_iter=20000, random_state=0
    )
    X, Y = result.left, result.right
    R = A - X @ Y
    assert_allclose((X.T @ R - 0.05 * Y)[right], 0, atol=1e-4)
    assert_allclose((R @ Y.T - 0.05 * X)[left], 0, atol=1e-4)


ROUTES = {"kept": (np.inf, 0, 0), "gathered": (0, 0, 0), "dense": (0, np.inf, np.inf)}


@on_any_matrix
@ignore_cut_off
@ignore_ill_posed
@pytest.mark.parametrize(
    ("dtype", "alpha", "missing"), [("float32", 0.1, True), ("complex128", 0.0, False)]
)
def test_all_ways_to_correlate_take_the_same_steps(monkeypatch, asarray, dtype, alpha, missing):
    """Blocks kept or gathered anew, and one dense product, are the same numbers up to rounding."""
    random = np.random.default_rng(3)
    left, right = random.random((15, 6)) < 0.5, random.random((6, 12)) < 0.6
    A = random_matrix(random, 15, 12, "complex" in dtype).astype(dtype)
    if missing:
        A[random.random(A.shape) < 0.1] = np.nan
    results = {}
    for name, (copies, kept, gathered) in ROUTES.items():
        monkeypatch.setattr(half_step, "KEPT_COPIES", copies)
        monkeypatch.setattr(half_step, "KEPT", kept)
        monkeypatch.setattr(half_step, "GATHERED", gathered)
        results[name] = fixed_support_factorize(
            asarray(A), left, right, alpha=alpha, missing_values=np.nan, max_iter=4, tol=0,
            random_state=0,
        )  # fmt: skip
    atol = 1e4 * float(np.finfo(dtype).eps)
    for name in ("gathered", "dense"):
        for side in ("left", "right"):
            found, kept = (to_numpy(getattr(results[key], side)) for key in (name, "kept"))
            assert found.dtype == dtype
            assert_allclose(found, kept, atol=atol)
        assert_allclose(results[name].loss_curve, results["kept"].loss_curve, rtol=atol)


@on_any_matrix
@ignore_cut_off
@ignore_ill_posed
@pytest.mark.parametrize("dtype", ["float32", "complex128"])
def test_sparse_gram_matrices_take_the_same_steps(monkeypatch, dtype):
    """As for many components; of a component that is zero nothing is stored."""
    random = np.random.default_rng(4)
    left, right = random.random((15, 8)) < 0.3, random.random((8, 12)) < 0.4
    A = random_matrix(random, 15, 12, "complex" in dtype).astype(dtype)
    for target in (A, 0 * A):
        options = {"max_iter": 4, "tol": 0, "random_state": 0}
        dense = fixed_support_factorize(target, left, right, **options)
        with monkeypatch.context() as patch:
            patch.setattr(half_step, "DENSE_GRAM", 0)
            found = fixed_support_factorize(target, left, right, **options)
        assert found.right.dtype == dtype
        assert_allclose(found.left, dense.left, atol=1e4 * np.finfo(dtype).eps)
        assert_allclose(found.right, dense.right, atol=1e4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("route", ROUTES)
def test_half_step_on_ill_conditioned_factors(monkeypatch, route):
    """It forms a Gram matrix, but two of them fit as well as an orthogonal factorization does."""
    monkeypatch.setattr(half_step, "KEPT_COPIES", ROUTES[route][0])
    monkeypatch.setattr(half_step, "GATHERED", ROUTES[route][2])
    random = np.random.default_rng(0)
    m, r, n = 40, 6, 9
    report = analyze_supports(np.ones((m, r)), random.random((r, n)) < 0.7)
    U, V = (np.linalg.qr(random.standard_normal(shape))[0] for shape in ((m, r), (r, r)))
    mask = report.right_support.toarray()
    for condition in (1e3, 1e5, 1e7):
        X = (U * np.geomspace(1, 1 / condition, r)) @ V
        A = X @ random.standard_normal((r, n)) + 0.1 * random.standard_normal((m, n))
        step = half_step.HalfStep(A, report.left_support, report.right_support, report.classes, 0)
        x, y = X.T.ravel(), np.zeros(report.right_support.nnz)
        for _ in range(2):
            y, _ = step(x, y)
        Y = dense_factor(report.right_support, y)
        for j in range(n):
            own = X[:, mask[:, j]]
            best = np.linalg.norm(A[:, j] - own @ np.linalg.lstsq(own, A[:, j])[0])
            rounding = condition * np.finfo(float).eps * np.linalg.norm(A[:, j])
            assert np.linalg.norm(A[:, j] - X @ Y[:, j]) <= best + 100 * rounding


@on_any_matrix
@ignore_cut_off
def test_weighted_steps_agree_with_plain_ones():
    """One missing entry of value 0 in a row and column that no component covers changes nothing."""
    random = np.random.default_rng(0)
    left, right = random.random((9, 4)) < 0.6, random.random((4, 8)) < 0.6
    left[0], right[:, 0] = False, False
    A = random.standard_normal((9, 8))
    A[0, 0] = 0
    options = {"max_iter": 5, "alpha": 0.01, "solver": "alternating", "random_state": 0}
    plain = fixed_support_factorize(A, left, right, **options)
    A[0, 0] = np.nan
    weighted = fixed_support_factorize(A, left, right, missing_values=np.nan, **options)
    assert_allclose(weighted.left, plain.left, atol=1e-10)
    assert_allclose(weighted.right, plain.right, atol=1e-10)


@pytest.mark.parametrize("dtype", ["float32", "complex128"])
@pytest.mark.parametrize("chunk", [1, 40, 2**22])
def test_gram_matrices_of_the_observed_rows(monkeypatch, asarray, dtype, chunk):
    random = np.random.default_rng(0)
    monkeypatch.setattr(weighted_grams, "CHUNK", chunk)
    X = random_matrix(random, 11, 4, "complex" in dtype).astype(dtype)
    observed = random.random((11, 6)) < 0.5
    grams = weighted_grams.weighted_grams(asarray(X), asarray(observed.astype(dtype)))
    for gram, rows in zip(to_numpy(grams), observed.T, strict=True):
        assert_allclose(gram, X[rows].conj().T @ X[rows], atol=20 * np.finfo(dtype).eps)


def test_memory_of_a_sweep_over_missing_entries():
    """A few copies of the matrix and of some Gram matrices, not all of these at once."""
    random = np.random.default_rng(0)
    m, n, r = 20_000, 40, 40
    A = random.standard_normal((m, n))
    observed = (random.random((m, n)) < 0.9).astype(float)
    report = analyze_supports(np.ones((m, r)), np.ones((r, n)))
    flipped = [half_step.RankOneSupport(s.columns, s.rows, s.components) for s in report.classes]
    masks = report.right_support.T, report.left_support.T
    step = half_step.HalfStep((A * observed).T, *masks, flipped, 0.1, observed.T)
    y, x = random.standard_normal(r * n), np.zeros(m * r)
    tracemalloc.start()
    step(y, x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * (6 * 2**22 + 8 * m * r)  # all Gram matrices have 3.2e7 entries
