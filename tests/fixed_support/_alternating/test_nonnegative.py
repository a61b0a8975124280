"""Non-negative least squares: the minimizers of SciPy, many systems at once."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import nnls

from skfact._backend import to_numpy
from skfact.fixed_support import FAMILIES, analyze_supports, fixed_support_factorize
from skfact.fixed_support._alternating import nonnegative
from skfact.fixed_support._alternating.nonnegative import (
    NonnegativeHalfStep,
    nonnegative_solution,
)
from skfact.fixed_support._tractable.flat_factor import dense_factor
from tests.asserts import on_any_matrix
from tests.fixed_support.seeds import over_seeds

ignore_cut_off = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def system(random, kind, m, k, c):
    """Factor (m, k) and right-hand sides (m, c) of a kind."""
    X = random.standard_normal((m, k))
    if kind == "positive":
        X = np.abs(X)
    if kind == "ill-conditioned":
        U, V = (np.linalg.qr(random.standard_normal((size, min(m, k))))[0] for size in (m, k))
        # where all can be fitted, by large numbers, the Gram matrix loses twice as many digits
        X = (U * np.geomspace(1, 1e-6 if m > k else 1e-3, min(m, k))) @ V.T
    if kind == "equal columns":
        X[:, 1::2] = X[:, ::2][:, : k // 2]
    if kind == "a column of zeros":
        X[:, 0] = 0
    noise = random.standard_normal((m, c)) * np.linalg.norm(X) / m
    return X, X @ random.standard_normal((k, c)).clip(0) + noise


KINDS = ["any", "positive", "ill-conditioned", "equal columns", "a column of zeros"]


def check_optimal(X, A, Y, rtol):
    """No residual is larger than that of SciPy, and nothing is negative."""
    assert Y.min() >= 0
    for a, y in zip(A.T, Y.T, strict=True):
        least = nnls(X, a)[1]
        assert np.linalg.norm(a - X @ y) <= least + rtol * np.linalg.norm(a)


@on_any_matrix
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("m", "k"), [(30, 6), (40, 20), (5, 9), (3, 1)])
def test_no_residual_is_larger_than_that_of_scipy(kind, m, k):
    random = np.random.default_rng(k)
    X, A = system(random, kind, m, k, 25)
    gram, target = (X.T @ X)[None], (X.T @ A)[None]
    for start in (np.zeros(target.shape), random.random(target.shape)):
        before = start.copy()
        Y = nonnegative_solution(gram, target, start)[0]
        check_optimal(X, A, Y, 1e-12 if m > k or kind != "ill-conditioned" else 1e-7)
        assert (start == before).all()  # the start is not written to


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_several_matrices_of_any_library(monkeypatch, asarray, dtype):
    """A group of columns for each matrix, in chunks; the dtype stays."""
    monkeypatch.setattr(nonnegative, "CHUNK", 100)
    random = np.random.default_rng(0)
    pairs = [system(random, "any", 20, 4, 7) for _ in range(5)]
    gram = np.stack([X.T @ X for X, _ in pairs]).astype(dtype)
    target = np.stack([X.T @ A for X, A in pairs]).astype(dtype)
    found = nonnegative_solution(asarray(gram), asarray(target), asarray(np.zeros_like(target)))
    for (X, A), Y in zip(pairs, to_numpy(found), strict=True):
        assert Y.dtype == dtype
        check_optimal(X, A, Y, 30 * np.finfo(dtype).eps)


def test_unknowns_that_nothing_sees_stay():
    gram, start = np.diag([1.0, 0, 2])[None], np.array([[[5.0], [7], [1]]])
    found = nonnegative_solution(gram, np.array([[[2.0], [0], [-2]]]), start)
    assert_allclose(found[0, :, 0], [2, 7, 0])


@on_any_matrix
@over_seeds(4)
def test_half_steps_solve_the_problem_of_each_column(seed):
    """On any supports, with weights and a penalty: ridge rows below the weighted factor."""
    random = np.random.default_rng(seed)
    left, right = random.random((12, 5)) < 0.7, random.random((5, 9)) < 0.7
    report, alpha = analyze_supports(left, right), [0.0, 0.3][seed % 2]
    A, X = random.standard_normal((12, 9)) + 0.5, random.standard_normal((12, 5)) * left
    weights = random.uniform(0.1, 2, A.shape) * (random.random(A.shape) < 0.8)
    for w in (np.ones_like(A), weights):
        given = None if w is not weights else weights
        masks = report.left_support, report.right_support
        step = NonnegativeHalfStep(w * A, *masks, report.classes, alpha, given)
        y, part = step(X.T[left.T], np.zeros(report.right_support.nnz))
        Y = dense_factor(report.right_support, y)
        assert Y.min() >= 0 and not Y[~right].any()
        loss = np.sum(w * (A - X @ Y) ** 2) + alpha * np.sum(Y**2)
        assert_allclose(part + np.sum(w * A**2), loss, rtol=1e-12)
        least = 0
        for j in range(9):
            root = np.sqrt(w[:, j])[:, None]
            rows = [X[:, right[:, j]] * root, np.sqrt(alpha) * np.eye(right[:, j].sum())]
            rhs = np.concatenate([A[:, j] * root[:, 0], np.zeros(right[:, j].sum())])
            least += nnls(np.concatenate(rows), rhs)[1] ** 2 if right[:, j].any() else rhs @ rhs
        assert_allclose(loss, least, rtol=1e-12)


@on_any_matrix
@ignore_cut_off
@pytest.mark.parametrize("positive", ["components", "codes", True])
@pytest.mark.parametrize("name", ["dense", "overlapping-groups", "arrow"])
def test_the_loss_never_rises_and_ends_where_no_factor_alone_is_better(positive, name):
    random = np.random.default_rng(0)
    left, right = FAMILIES[name](30, 12, 4)
    left, right = np.asarray(left), np.asarray(right)
    A = random.random((30, 4)) @ random.random((4, 12)) + 0.2 * random.standard_normal((30, 12))
    result = fixed_support_factorize(
        A, left, right, positive=positive, alpha=0.05, tol=1e-10, max_iter=1500
    )
    assert (np.diff(result.loss_curve) <= 1e-12 * result.loss_curve[0]).all()
    X, Y = result.left, result.right
    assert not X[left == 0].any() and not Y[right == 0].any()
    rest = A - X @ Y
    slopes = X.T @ rest - 0.05 * Y, rest @ Y.T - 0.05 * X
    for factor, slope, mask, is_signed in (
        (Y, slopes[0], right, positive in ("components", True)),
        (X, slopes[1], left, positive in ("codes", True)),
    ):
        inside = mask > 0
        if is_signed:
            assert factor.min() >= 0
            assert slope[inside].max() < 1e-3
            inside = inside & (factor > 0)
        assert_allclose(slope[inside], 0, atol=1e-3)


def test_rounds_are_enough_for_large_systems():
    """None is left open: the limit of rounds is far away."""
    random = np.random.default_rng(1)
    for kind in ("positive", "ill-conditioned"):
        X, A = system(random, kind, 60, 30, 40)
        gram, target = (X.T @ X)[None], (X.T @ A)[None]
        Y = nonnegative_solution(gram, target, np.zeros(target.shape))[0]
        rises, is_optimal = nonnegative._slopes(np.repeat(gram, 40, axis=0), target[0].T, Y.T)
        assert is_optimal.all() and not rises.any()
