"""The alternation with rotations, from which the steps start."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from skfact.butterfly._factorize import factorize
from skfact.butterfly._subspace.rotation import factorize_row_space, nearest_rotation, taking


def alternation(W, supports, rank, rounds):
    """Errors of the plain alternation: factors, rotation, factors, ..."""
    rotation, errors = np.eye(len(W)), []
    for _ in range(rounds):
        product = factorize(rotation @ W, supports, rank=rank).product
        errors.append(np.linalg.norm(rotation @ W - product) / np.linalg.norm(W))
        u, _, vh = np.linalg.svd(product @ W.T)
        rotation = u @ vh
    return errors


@pytest.mark.parametrize("supports, rank", [("butterfly", 2), ("monarch", 1), ("monarch", 2)])
@pytest.mark.parametrize("load", [load_digits, load_breast_cancer], ids=["digits", "cancer"])
def test_extrapolation_gets_further_than_the_plain_alternation(load, supports, rank):
    W = PCA(24).fit(StandardScaler().fit_transform(load().data)).components_
    result, rotation, n_iter, converged = factorize_row_space(
        W, lambda rotated: factorize(rotated, supports, rank=rank), 200, lambda *_: False
    )
    assert converged
    plain = alternation(W, supports, rank, n_iter)
    assert result.relative_error < 0.99 * min(plain)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(24), atol=1e-12)
    np.testing.assert_allclose(result.matrix, rotation @ W, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("shape", [(5, 8), (6, 6), (9, 5), (20, 3)])
def test_the_nearest_rotation_solves_the_procrustes_problem(shape, dtype):
    random = np.random.default_rng(0)
    W, B = random.standard_normal((2, *shape)).astype(dtype)
    if dtype == "complex128":
        W, B = W + 1j * B[::-1], B - 2j * W[::-1]
    R = nearest_rotation(W, B)
    np.testing.assert_allclose(R @ R.conj().T, np.eye(shape[0]), atol=1e-12)
    # |R W - B|^2 is least where Re tr(R W B^H) is the sum of the singular values of W B^H
    sizes = np.linalg.svd(W @ B.conj().T)[1]
    np.testing.assert_allclose(np.sum(R @ W * B.conj()), sizes.sum())
    basis = np.linalg.qr(W)[0]
    np.testing.assert_allclose(taking(basis, basis) @ basis, basis, atol=1e-12)


def test_tall_matrices_are_rotated_along_their_columns():
    W = np.random.default_rng(0).standard_normal((32, 8))
    result, rotation, *_ = factorize_row_space(
        W, lambda rotated: factorize(rotated, "low-rank"), 20, lambda *_: False
    )
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(32), atol=1e-12)
    np.testing.assert_allclose(result.matrix, rotation @ W, atol=1e-12)
    # no rotation changes how close rank one comes
    sizes = np.linalg.svd(W)[1]
    np.testing.assert_allclose(result.relative_error, np.sqrt(1 - sizes[0] ** 2 / sum(sizes**2)))
