"""The alternation with rotations, from which the steps start."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from skfact.butterfly._factorize import factorize
from skfact.butterfly._subspace.rotation import factorize_row_space


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
