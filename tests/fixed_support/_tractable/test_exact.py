"""Closed forms of tractable supports, against an independent optimizer."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skfact._backend import to_numpy
from skfact.fixed_support import (
    FAMILIES,
    analyze_supports,
    fixed_support_factorize,
)
from skfact.supports import KroneckerSparse
from tests.asserts import on_any_matrix
from tests.fixed_support.independent import check_factors, descend, random_masks, random_matrix
from tests.fixed_support.seeds import over_seeds


@on_any_matrix
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


@on_any_matrix
@pytest.mark.parametrize("kind", ["disjoint", "complete", "anything"])
@over_seeds(100)
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


@on_any_matrix
@over_seeds(40)
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


@on_any_matrix
@pytest.mark.parametrize("alpha", [0.1, 1.0, 100.0])
@over_seeds(10)
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


@on_any_matrix
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


@on_any_matrix
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


@on_any_matrix
@pytest.mark.parametrize("is_complex", [False, True])
@pytest.mark.parametrize(
    "sizes", [(1, 3, 4, 5, 1), (3, 1, 2, 7, 1), (2, 3, 4, 4, 2), (1, 1, 6, 5, 3)]
)
@over_seeds(3)
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


@on_any_matrix
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
