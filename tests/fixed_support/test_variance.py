"""explained_variance_ratio_, and the order of components."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.decomposition import TruncatedSVD

from skfact import FixedSupportMF
from skfact._backend import to_numpy
from skfact.fixed_support._variance import explained_variance_ratio
from tests.asserts import on_any_matrix

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((40, 9)) * np.arange(1, 10) + 3


@on_any_matrix
def test_of_dense_supports_it_is_that_of_the_truncated_svd():
    svd = TruncatedSVD(4, algorithm="arpack", random_state=0).fit(X)
    model = FixedSupportMF(4).fit(X)
    assert_allclose(model.explained_variance_ratio_, svd.explained_variance_ratio_, rtol=1e-10)


@on_any_matrix
def test_of_disjoint_supports_of_centred_features_it_is_the_energy():
    """Together one minus the squared relative error."""
    centred = X - X.mean(axis=0)
    model = FixedSupportMF(supports=[0, 0, 0, 1, 1, 1, 2, 2, 2]).fit(centred)
    error = model.reconstruction_err_ / np.linalg.norm(centred)
    assert_allclose(model.explained_variance_ratio_.sum(), 1 - error**2)


@pytest.mark.parametrize("scale", [1e-160, 1, 1e160])
@pytest.mark.parametrize("with_weights", [False, True])
def test_definition(asarray, scale, with_weights):
    W, H = RANDOM.standard_normal((40, 3)), RANDOM.standard_normal((3, 9))
    weights = RANDOM.uniform(0, 2, X.shape) * (RANDOM.random(X.shape) < 0.7)
    weights[:, 0] = 0
    given = weights if with_weights else None
    found = explained_variance_ratio(
        asarray(X * scale),
        None if given is None else asarray(given),
        asarray(W * scale**0.5),
        asarray(H * scale**0.5),
    )
    w = weights if with_weights else np.ones_like(X)
    columns = range(1, 9) if with_weights else range(9)
    total = sum(np.cov(X[:, j], aweights=w[:, j], ddof=0) for j in columns)
    assert_allclose(to_numpy(found), W.var(axis=0) * np.sum(H**2, axis=1) / total)


def test_features_that_are_constant_have_no_variance():
    model = FixedSupportMF(1).fit(np.full((5, 3), 2.0))
    assert_array_equal(model.explained_variance_ratio_, [0])


@on_any_matrix
@pytest.mark.parametrize("positive", [False, True])
def test_components_of_a_class_come_by_the_norm_of_their_part(positive):
    """And those of a row of the right factor have a sign, whatever the solver."""
    right = np.repeat([[1] * 6 + [0] * 3, [0] * 3 + [1] * 6], [3, 2], axis=0)
    order = [0, 3, 1, 4, 2]
    model = FixedSupportMF(
        supports=(None, right[order]), alpha=0.5, positive=positive, tol=1e-2, n_init=2,
        random_state=0,
    )  # fmt: skip
    model.fit(np.abs(X))
    W, H = model.left_factor_, model.components_
    sizes = np.linalg.norm(W, axis=0) * np.linalg.norm(H, axis=1)
    for group in (right[order][:, 0] == 1, right[order][:, 8] == 1):
        assert (np.diff(sizes[group]) <= 1e-12).all()
    largest = np.abs(H).argmax(axis=1)
    assert (H[np.arange(5), largest] > 0).all()
    assert not H[right[order] == 0].any()
    product = np.abs(X) - W @ H
    assert_allclose(model.reconstruction_err_, np.linalg.norm(product))
