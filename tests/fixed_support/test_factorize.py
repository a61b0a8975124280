"""Closed forms against an independent optimizer, alternating least squares, extreme input."""

import warnings

import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning

from skfact._backend import array_namespace, to_numpy
from skfact._backend import device as device_of
from skfact.exceptions import IllPosedWarning
from skfact.fixed_support import (
    FAMILIES,
    analyze_supports,
    fixed_support_factorize,
)
from skfact.fixed_support._alternating import half_step
from skfact.fixed_support._tractable.grids import dense_factor
from skfact.supports import KroneckerSparse
from tests.fixed_support.independent import descend, random_masks, random_matrix

ignore_cut_off = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
ignore_ill_posed = pytest.mark.filterwarnings("ignore::skfact.exceptions.IllPosedWarning")
LOWER = np.tri(2)
ANTIDIAGONAL = np.array([[0.0, 1.0], [1.0, 0.0]])  # has no LU decomposition


def check_factors(result, A, left, right):
    """Supports are respected, and loss and error are those of the factors."""
    assert not result.left[~np.asarray(left, dtype=bool)].any()
    assert not result.right[~np.asarray(right, dtype=bool)].any()
    error = np.linalg.norm(A - result.left @ result.right)
    scale = np.linalg.norm(A)
    assert_allclose(result.error, error, rtol=1e-9, atol=1e-12 * scale)
    dense = result.operator.toarray()
    assert_allclose(dense, result.left @ result.right, atol=1e-13 * (scale + 1))


# ---- closed forms ------------------------------------------------------------------------------


def test_blockwise_oracle():
    A = np.array([[4.0, 0, 0, 7], [0, 3, 0, 0], [0, 0, 2, 0], [5, 0, 0, 1]])
    left = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1], [0, 0, 1]])
    result = fixed_support_factorize(A, left, left.T)
    assert (result.solver, result.optimal) == ("blockwise", True)
    assert_allclose(result.loss, 75)
    check_factors(result, A, left, left.T)


def test_complete_class_oracle():
    A = np.array([[1.0, 2, 3], [2, 4, 7], [1, 1, 1]])
    left, right = np.array([[1, 0], [1, 0], [1, 1]]), np.ones((2, 3))
    result = fixed_support_factorize(A, left, right)
    assert (result.solver, result.optimal) == ("complete-classes", True)
    assert_allclose(result.loss, np.linalg.svd(A[:2])[1][1] ** 2)
    assert_allclose(result.loss, 0.0602847500, rtol=1e-9)
    check_factors(result, A, left, right)


@pytest.mark.parametrize("kind", ["disjoint", "complete", "anything"])
@pytest.mark.parametrize("seed", range(100))
def test_closed_forms_are_global_optima(seed, kind):
    """The independent optimizer is never better; and it comes close, so that both are right."""
    random = np.random.default_rng([seed, len(kind)])
    left, right = random_masks(random, kind)
    report = analyze_supports(left, right)
    if kind == "disjoint":
        assert report.route == "blockwise"
    A = random_matrix(random, left.shape[0], right.shape[1], is_complex=seed % 3 == 0)
    scale = np.linalg.norm(A) ** 2
    if not report.is_tractable:
        with pytest.raises(ValueError, match=r"solver='exact' has no closed form: .*component"):
            fixed_support_factorize(A, report, solver="exact")
        return
    result = fixed_support_factorize(A, report, solver="exact")
    assert result.optimal and result.solver == report.route
    check_factors(result, A, left, right)
    found = descend(A, left, right, random)
    assert result.loss <= found + 1e-9 * scale
    assert found <= result.loss + 1e-3 * scale


@pytest.mark.parametrize("seed", range(150))
def test_pieces_that_share_components(seed):
    """Iterated closures, whose blocks across pieces lie in what complete classes answer for."""
    random = np.random.default_rng(seed)
    while True:
        m, n, r = random.integers(2, 7, size=3)
        density = random.uniform(0.3, 0.9)
        left, right = random.random((m, r)) < density, random.random((r, n)) < density
        report = analyze_supports(left, right)
        parts = [piece.components for piece in [*report.pieces, *report.absorbed]]
        if report.absorbed and np.bincount(np.concatenate(parts)).max() > 1:
            break
    A = random_matrix(random, m, n, is_complex=bool(seed % 2))
    result = fixed_support_factorize(A, report)
    assert result.optimal
    check_factors(result, A, left, right)


@pytest.mark.parametrize("alpha", [0.1, 1.0, 100.0])
@pytest.mark.parametrize("seed", range(10))
def test_ridge_of_disjoint_supports_is_global(seed, alpha):
    random = np.random.default_rng(seed)
    left, right = random_masks(random, "disjoint")
    A = random_matrix(random, left.shape[0], right.shape[1], is_complex=bool(seed % 2))
    result = fixed_support_factorize(A, left, right, alpha=alpha)
    assert result.optimal
    X, Y = result.left, result.right
    penalty = alpha * (np.linalg.norm(X) ** 2 + np.linalg.norm(Y) ** 2)
    assert_allclose(result.loss, np.linalg.norm(A - X @ Y) ** 2 + penalty)
    found = descend(A, left, right, random, alpha=alpha)
    assert result.loss <= found + 1e-9 * np.linalg.norm(A) ** 2
    assert found <= result.loss + 1e-3 * np.linalg.norm(A) ** 2


@pytest.mark.parametrize("shape", [(9, 5), (5, 9), (6, 6)])
@pytest.mark.parametrize("r", [1, 3, 5, 8])
def test_dense_supports_are_the_truncated_svd(shape, r):
    A = np.random.default_rng(0).standard_normal(shape)
    result = fixed_support_factorize(A, *FAMILIES["dense"](*shape, r))
    U, s, Vh = np.linalg.svd(A, full_matrices=False)
    assert_allclose(result.left @ result.right, (U[:, :r] * s[:r]) @ Vh[:r], atol=1e-13)
    assert_allclose(result.loss, np.sum(s[r:] ** 2), atol=1e-13)
    norms = np.linalg.norm(result.left, axis=0), np.linalg.norm(result.right, axis=1)
    assert_allclose(norms[0], norms[1], atol=1e-7)
    assert_allclose(norms[0][: len(s)] ** 2, s[:r], atol=1e-7)


def test_unused_rank_leaves_no_noise():
    """Zero singular values, raised to 1e-8 by the square root, would be columns of their own."""
    random = np.random.default_rng(0)
    A = np.outer(random.standard_normal(20), random.standard_normal(30))
    result = fixed_support_factorize(A, np.ones((20, 3)), np.ones((3, 30)))
    assert_array_equal(result.left[:, 1:], 0)
    assert result.error <= 1e-14 * np.linalg.norm(A)


@pytest.mark.parametrize("order", ["as they are", "shuffled"])
@pytest.mark.parametrize("memory", ["C", "F", "strided"])
def test_halves_of_a_butterfly_in_any_order(order, memory):
    """A grid of blocks is read in place; the same numbers come out in any order of its entries."""
    left, right = KroneckerSparse(1, 4, 4, 8).mask(), KroneckerSparse(4, 8, 8, 1).mask()
    random = np.random.default_rng(0)
    A = random.standard_normal((32, 32))
    blocks = A.reshape(4, 8, 4, 8).transpose(1, 2, 0, 3)  # A[k, j, i, l] -> (j, i), (k, l)
    tails = np.linalg.svd(blocks, compute_uv=False)[..., 1:]
    if order == "shuffled":
        rows, columns, components = (random.permutation(32) for _ in range(3))
        A, left, right = A[rows][:, columns], left[rows], right[:, columns]
        left, right = left[:, components], right[components]
    if memory == "F":
        A = np.asfortranarray(A)
    elif memory == "strided":
        A = np.repeat(np.repeat(A, 2, axis=0), 3, axis=1)[::2, ::3]
    result = fixed_support_factorize(A, left, right)
    assert_allclose(result.loss, np.sum(tails**2), rtol=1e-12)
    check_factors(result, A, left, right)


@pytest.mark.parametrize("is_complex", [False, True])
@pytest.mark.parametrize(
    "sizes", [(1, 3, 4, 5, 1), (3, 1, 2, 7, 1), (2, 3, 4, 4, 2), (1, 1, 6, 5, 3)]
)
@pytest.mark.parametrize("seed", range(3))
def test_grids_of_blocks(asarray, sizes, is_complex, seed):
    """u x t shuffled blocks of a x b entries and rank p, some entries outside of all of them."""
    u, t, a, b, p = sizes
    random = np.random.default_rng(seed)
    m, n = u * a + seed, t * b + seed
    rows, columns = random.permutation(m)[: u * a], random.permutation(n)[: t * b]
    A = random_matrix(random, m, n, is_complex)
    pairs = random.permutation(np.repeat(np.arange(u * t), p))
    left, right = np.zeros((m, len(pairs)), dtype=bool), np.zeros((len(pairs), n), dtype=bool)
    for k, pair in enumerate(pairs):
        left[rows.reshape(u, a)[pair // t], k] = True
        right[k, columns.reshape(t, b)[pair % t]] = True
    blocks = A[rows][:, columns].reshape(u, a, t, b).transpose(0, 2, 1, 3)
    tails = np.linalg.svd(blocks, compute_uv=False)[..., p:]
    outside = np.linalg.norm(A) ** 2 - np.linalg.norm(blocks) ** 2
    result = fixed_support_factorize(asarray(A), left, right)
    assert result.optimal
    assert_allclose(result.loss, np.sum(tails**2) + outside, rtol=1e-12, atol=1e-12)
    product = to_numpy(result.left) @ to_numpy(result.right)
    assert_allclose(np.linalg.norm(A - product) ** 2, result.loss, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("exponent", [-490, -110, 110, 490])
def test_grids_of_extreme_magnitude(exponent):
    left, right = KroneckerSparse(1, 4, 4, 8).mask(), KroneckerSparse(4, 8, 8, 1).mask()
    A = np.random.default_rng(0).standard_normal((32, 32))
    usual = fixed_support_factorize(A, left, right)
    result = fixed_support_factorize(np.ldexp(A, exponent), left, right)
    assert_allclose(result.error, np.ldexp(usual.error, exponent), rtol=1e-12)
    expected = np.ldexp(usual.left_values, exponent // 2)
    assert_allclose(result.left_values, expected, rtol=1e-12, atol=np.ldexp(1e-12, exponent // 2))
    A[5, 7] = np.nan
    with pytest.raises(ValueError, match="A contains NaN"):
        fixed_support_factorize(A, left, right)


# ---- alternating least squares -----------------------------------------------------------------


@ignore_cut_off
@ignore_ill_posed
@pytest.mark.parametrize("is_complex", [False, True])
@pytest.mark.parametrize("seed", range(40))
def test_loss_never_increases(seed, is_complex):
    random = np.random.default_rng(seed)
    left, right = random_masks(random, "anything")
    A = random_matrix(random, left.shape[0], right.shape[1], is_complex)
    alpha = 0.1 * (seed % 3)
    result = fixed_support_factorize(
        A, left, right, solver="alternating", alpha=alpha, n_init=2, max_iter=30, random_state=seed
    )
    assert not result.optimal and result.solver == "alternating"
    scale = np.linalg.norm(A) ** 2
    assert np.diff(result.loss_curve).max(initial=0) <= 1e-12 * scale
    X, Y = result.left, result.right
    penalty = alpha * (np.linalg.norm(X) ** 2 + np.linalg.norm(Y) ** 2)
    assert_allclose(
        result.loss, np.linalg.norm(A - X @ Y) ** 2 + penalty, rtol=1e-9, atol=1e-12 * scale
    )
    assert_allclose(result.loss_curve[-1], result.loss, rtol=1e-9, atol=1e-9 * scale)
    assert not X[~left].any() and not Y[~right].any()


@ignore_cut_off
@ignore_ill_posed
@pytest.mark.parametrize("seed", range(6))
def test_loss_never_increases_in_single_precision(seed):
    random = np.random.default_rng(seed)
    left, right = random.random((30, 8)) < 0.5, random.random((8, 20)) < 0.5
    A = random.standard_normal((30, 20)).astype(np.float32)
    result = fixed_support_factorize(A, left, right, max_iter=30, random_state=0)
    assert result.left.dtype == np.float32
    scale = np.linalg.norm(A) ** 2
    assert np.diff(result.loss_curve).max() <= 20 * np.finfo(np.float32).eps * scale


@pytest.mark.parametrize("seed", range(30))
def test_alternating_reaches_the_optimum_of_tractable_problems(seed):
    """They have no spurious local minima; with several starts none gets stuck at a saddle."""
    random = np.random.default_rng(seed)
    left, right = random_masks(random, "disjoint")
    A = random_matrix(random, left.shape[0], right.shape[1], is_complex=bool(seed % 2))
    exact = fixed_support_factorize(A, left, right)
    found = fixed_support_factorize(
        A, left, right, solver="alternating", n_init=3, tol=1e-10, max_iter=3000, random_state=0
    )
    scale = np.linalg.norm(A) ** 2
    assert exact.loss - 1e-10 * scale <= found.loss <= exact.loss + 1e-5 * scale


@pytest.mark.parametrize("seed", range(10))
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


def test_classes_of_nearly_equal_size():
    """Padded to one size, in one batch with a class as large as the matrix."""
    A = np.random.default_rng(0).standard_normal((8, 8))
    left, right = np.tri(8, 3) > 0, np.ones((3, 8), dtype=bool)
    result = fixed_support_factorize(
        A, left, right, n_init=5, tol=1e-8, max_iter=5000, random_state=0
    )
    found = descend(A, left, right, np.random.default_rng(0), n_starts=10)
    assert_allclose(result.loss, found, rtol=1e-4)
    check_factors(result, A, left, right)


@ignore_ill_posed
def test_stationary_losses_of_the_spurious_minimum():
    """The starts end at the global minimum 13.5220; 18.7303 is a strict local one."""
    left = np.array([[1, 0], [1, 0], [1, 1]])
    A = np.array([[0.0, 3, -2], [1, 3, 1], [3, 0, 0]])
    result = fixed_support_factorize(
        A, left, left.T, n_init=20, tol=1e-10, max_iter=2000, random_state=0
    )
    assert_allclose(result.loss, 13.5220, atol=1e-4)
    assert not result.optimal


def test_global_minimum_behind_a_spurious_valley():
    """[[a, b], [c, *]] with a, b, c nonzero has loss 0, which one start in the valley misses."""
    left = np.array([[1, 0], [1, 1]])
    A = np.array([[1.0, 10], [10, 0]])
    result = fixed_support_factorize(
        A, left, left.T, n_init=4, tol=1e-6, max_iter=5000, random_state=0
    )
    assert result.loss <= 1e-10


@ignore_ill_posed
@ignore_cut_off
def test_more_starts_are_never_worse():
    random = np.random.default_rng(1)
    left, right = random.random((10, 6)) < 0.5, random.random((6, 10)) < 0.5
    A = random.standard_normal((10, 10))
    losses = [
        fixed_support_factorize(A, left, right, n_init=n, max_iter=50, random_state=0).loss
        for n in (1, 3, 9)
    ]
    assert losses[0] >= losses[1] >= losses[2]


def test_same_seed_same_bits():
    random = np.random.default_rng(1)
    left, right = random.random((10, 6)) < 0.5, random.random((6, 10)) < 0.5
    A = random.standard_normal((10, 10))
    first, second = (
        fixed_support_factorize(A, left, right, alpha=0.1, n_init=3, tol=1e-3, random_state=7)
        for _ in range(2)
    )
    assert_array_equal(first.left, second.left)
    assert_array_equal(first.right, second.right)


# ---- ill-posed problems ------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_lu_of_the_antidiagonal_matrix_is_ill_posed(seed):
    with pytest.warns(IllPosedWarning, match=r"components \[0, 1\] grow.*alpha > 0"):
        result = fixed_support_factorize(ANTIDIAGONAL, LOWER, LOWER.T, random_state=seed)
    assert_array_equal(result.diverging_components, [0, 1])
    assert 0 < result.loss < 0.1
    assert np.abs(result.left).max() > 2 and not result.optimal


@pytest.mark.parametrize("epsilon", [1e-1, 1e-2, 1e-3])
def test_infimum_of_the_lu_instance(epsilon):
    X = np.array([[epsilon, 0], [1, 1]])
    Y = np.array([[1, 1 / epsilon], [0, -1 / epsilon]])
    assert_allclose(np.linalg.norm(ANTIDIAGONAL - X @ Y) ** 2, epsilon**2)


def test_ridge_makes_the_lu_instance_well_posed():
    result = fixed_support_factorize(
        ANTIDIAGONAL, LOWER, LOWER.T, alpha=0.01, n_init=5, tol=1e-10, max_iter=5000, random_state=0
    )
    found = descend(ANTIDIAGONAL, LOWER, LOWER.T, np.random.default_rng(0), 0.01, n_starts=20)
    assert_allclose(result.loss, found, rtol=1e-5)
    assert np.abs(result.left).max() < 3 and not len(result.diverging_components)


def test_overlapping_groups_are_not_closed():
    """Columns u, v, u with groups {0, 1} and {1, 2}: the infimum 0 needs factors of any size."""
    u, v = np.random.default_rng(0).standard_normal((2, 20, 1))
    right = np.array([[1, 1, 0], [0, 1, 1]])
    A = np.hstack([u, v, u])
    for epsilon in (1e-2, 1e-4):
        X = np.hstack([u, u + epsilon * v])
        Y = np.array([[1, -1 / epsilon, 0], [0, 1 / epsilon, 1]])
        assert np.linalg.norm(A - X @ Y) < 2 * epsilon * np.linalg.norm(v)
    with pytest.warns(IllPosedWarning):
        fixed_support_factorize(A, np.ones((20, 2)), right, random_state=0)


def test_supports_that_are_not_closed_warn_unless_the_fit_is_exact():
    A = np.random.default_rng(0).standard_normal((3, 3))
    lower = np.tri(3)[:, :2]
    with pytest.warns(
        IllPosedWarning, match=r"components \[0, 1\] in rows .* not closed.*alpha > 0"
    ):
        result = fixed_support_factorize(A, lower, lower.T, n_init=5, random_state=0)
    assert not len(result.diverging_components)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fixed_support_factorize(
            A, lower, lower.T, alpha=1.0, tol=1e-3, max_iter=1000, random_state=0
        )
        exact = (lower * A[:, :2]) @ (lower * A[:, :2]).T
        fixed_support_factorize(exact, lower, lower.T, tol=0, max_iter=2000, random_state=0)


def test_running_out_of_sweeps_warns():
    random = np.random.default_rng(0)
    A = random.standard_normal((20, 12))
    with pytest.warns(ConvergenceWarning, match="max_iter=2"):
        result = fixed_support_factorize(
            A, *FAMILIES["overlapping-groups"](20, 12, 3), max_iter=2, random_state=0
        )
    assert result.n_iter == 2 and not result.converged


# ---- missing entries ---------------------------------------------------------------------------


@pytest.mark.parametrize("missing_values", [np.nan, -99.0])
@pytest.mark.parametrize("name", ["dense", "disjoint-groups", "butterfly"])
def test_exact_products_are_completed(missing_values, name):
    random = np.random.default_rng(0)
    left, right = FAMILIES[name](30, 24, 4 if name == "butterfly" else 2)
    truth = (left * random.standard_normal(left.shape)) @ (
        right * random.standard_normal(right.shape)
    )
    A = np.where(random.random(truth.shape) < 0.2, missing_values, truth)
    result = fixed_support_factorize(
        A, left, right, missing_values=missing_values, n_init=3, tol=1e-8, max_iter=3000,
        random_state=0,
    )  # fmt: skip
    assert not result.optimal and result.solver == "alternating"
    assert_allclose(result.left @ result.right, truth, atol=1e-4)


@ignore_cut_off
@ignore_ill_posed
@pytest.mark.parametrize("seed", range(20))
def test_missing_entries_do_not_count(seed):
    """The loss is that of the observed entries, falls, and what is missing has no influence."""
    random = np.random.default_rng(seed)
    left, right = random_masks(random, "anything")
    A = random_matrix(random, left.shape[0], right.shape[1], is_complex=bool(seed % 2))
    missing = random.random(A.shape) < 0.3
    options = {"missing_values": np.nan, "max_iter": 20, "random_state": 0}
    options["alpha"] = 0.05 * (seed % 2)
    result = fixed_support_factorize(np.where(missing, np.nan, A), left, right, **options)
    if not missing.any():
        return
    rest = np.where(missing, 0, A - result.left @ result.right)
    assert_allclose(result.error, np.linalg.norm(rest), rtol=1e-9, atol=1e-12)
    assert np.diff(result.loss_curve).max(initial=0) <= 1e-12 * np.linalg.norm(A) ** 2


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


def test_nothing_missing_stays_exact():
    A = np.random.default_rng(0).standard_normal((5, 4))
    result = fixed_support_factorize(A, np.ones((5, 2)), np.ones((2, 4)), missing_values=np.nan)
    assert result.optimal


# ---- scales, dtypes, array libraries -----------------------------------------------------------


@ignore_cut_off
@pytest.mark.parametrize("exponent", [-1000, -500, 500, 1000])
@pytest.mark.parametrize("name", ["dense", "disjoint-groups", "overlapping-groups"])
def test_scale_of_the_matrix_does_not_matter(exponent, name):
    A = np.random.default_rng(0).standard_normal((8, 9))
    left, right = FAMILIES[name](8, 9, 3)
    reference = fixed_support_factorize(A, left, right, max_iter=30, random_state=0)
    result = fixed_support_factorize(A * 2.0**exponent, left, right, max_iter=30, random_state=0)
    half = 2.0 ** (exponent // 2)
    assert_allclose(result.left / half, reference.left, rtol=1e-9, atol=1e-12)
    assert_allclose(result.right / half, reference.right, rtol=1e-9, atol=1e-12)
    assert_allclose(result.error / 2.0**exponent, reference.error, rtol=1e-12)


def test_ridge_scales_with_the_matrix():
    A = np.random.default_rng(0).standard_normal((8, 9))
    left, right = FAMILIES["disjoint-groups"](8, 9, 3)
    reference = fixed_support_factorize(A, left, right, alpha=0.5)
    result = fixed_support_factorize(A * 2.0**400, left, right, alpha=0.5 * 2.0**400)
    assert_allclose(result.left / 2.0**200, reference.left, rtol=1e-12, atol=1e-14)
    shrunk = fixed_support_factorize(A * 1e-200, left, right, alpha=0.5)
    assert_array_equal(shrunk.left, 0)


def test_complete_classes_at_extreme_scales():
    A = np.array([[1.0, 2, 3], [2, 4, 7], [1, 1, 1]])
    left, right = np.array([[1, 0], [1, 0], [1, 1]]), np.ones((2, 3))
    reference = fixed_support_factorize(A, left, right)
    for scale in (1e-150, 1e150):
        result = fixed_support_factorize(A * scale, left, right)
        assert_allclose(result.error / scale, reference.error, rtol=1e-12)
        assert_allclose(result.left @ result.right / scale, reference.left @ reference.right)


CASES = {
    "blockwise": FAMILIES["disjoint-groups"](12, 10, 4),
    "complete-classes": (np.array([[1, 0]] * 8 + [[1, 1]] * 4) == 1, np.ones((2, 10), dtype=bool)),
    "shared pieces": (
        np.array([[1, 0], [1, 1], [1, 1]], dtype=bool)[[0, 1, 2, 1] * 3],
        np.ones((2, 10), dtype=bool),
    ),
    "alternating": FAMILIES["overlapping-groups"](12, 10, 3),
}


@ignore_cut_off
@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("name", CASES)
def test_results_are_arrays_of_the_caller(asarray, dtype, name, missing):
    left, right = CASES[name]
    host = random_matrix(np.random.default_rng(0), 12, 10, "complex" in dtype).astype(dtype)
    if missing:
        host[2, 3] = np.nan
    given = asarray(host)
    alpha = 0.0 if name == "complete-classes" else 0.1
    options = {"max_iter": 8, "alpha": alpha, "random_state": 0, "missing_values": np.nan}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IllPosedWarning)
        result = fixed_support_factorize(given, left, right, **options)
        reference = fixed_support_factorize(host, left, right, **options)
    tolerance = 1e5 * np.finfo(dtype).eps
    product = to_numpy(result.left) @ to_numpy(result.right)
    assert_allclose(product, reference.left @ reference.right, atol=tolerance)
    for array in (result.left, result.right):
        assert array_namespace(array) is array_namespace(given)
        assert device_of(array) == device_of(given)
        assert array.dtype == given.dtype
    assert_allclose(result.error, reference.error, rtol=tolerance)
    assert_array_equal(to_numpy(given), host)


def test_report_saves_the_analysis():
    A = np.random.default_rng(0).standard_normal((6, 6))
    report = analyze_supports(np.ones((6, 2)), np.ones((2, 6)))
    first = fixed_support_factorize(A, report)
    second = fixed_support_factorize(A, np.ones((6, 2)), scipy.sparse.csr_array(np.ones((2, 6))))
    assert_array_equal(first.left, second.left)
    assert first.support_report is report
