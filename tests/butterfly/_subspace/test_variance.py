"""Variance along components, beside PCA and for components that are not orthogonal."""

import numpy as np
from numpy.testing import assert_allclose
from sklearn.decomposition import PCA

from skfact.butterfly._subspace.variance import variances_of
from tests.arrays import gaussian
from tests.asserts import assert_like, for_each

SAMPLES = gaussian(np.random.default_rng(0), (30, 7)) @ np.diag(np.geomspace(1, 0.1, 7))
CENTRED = SAMPLES - SAMPLES.mean(axis=0)


def test_along_principal_components():
    pca = PCA(4).fit(SAMPLES)
    found = variances_of(CENTRED, 3 * pca.components_)
    assert_allclose(found.shares, pca.explained_variance_ratio_)
    assert_allclose(found.variances, pca.explained_variance_)
    assert_allclose(found.singular_values, pca.singular_values_)


def test_shares_of_a_span_add_up():
    components = gaussian(np.random.default_rng(1), (3, 7))
    found = variances_of(CENTRED, np.vstack([components, components[0] + components[1]]))
    codes, *_ = np.linalg.lstsq(components.T, CENTRED.T, rcond=None)
    kept = np.sum((codes.T @ components) ** 2)
    assert_allclose(np.sum(found.shares), kept / np.sum(CENTRED**2))
    assert_allclose(np.sum(found.variances), kept / 29)
    assert_allclose(np.sum(found.singular_values**2), kept)
    assert found.shares[3] == found.variances[3] == found.singular_values[3] == 0


@for_each("exponent", [-490, 490])
def test_scale(exponent):
    components = gaussian(np.random.default_rng(2), (3, 7))
    plain, found = (variances_of(x, components) for x in (CENTRED, np.ldexp(CENTRED, exponent)))
    assert_allclose(found.shares, plain.shares)
    assert_allclose(np.ldexp(found.variances, -2 * exponent), plain.variances)
    assert_allclose(np.ldexp(found.singular_values, -exponent), plain.singular_values)


def test_libraries_precision_and_one_sample(asarray):
    components = gaussian(np.random.default_rng(3), (3, 7))
    plain = variances_of(CENTRED, components)
    for dtype, rtol in (("float64", 1e-12), ("float32", 1e-5)):
        centred = asarray(CENTRED.astype(dtype))
        found = variances_of(centred, asarray(components.astype(dtype)))
        for one, other in zip(found, plain, strict=True):
            assert_like(one, centred, other, rtol=rtol)
    nothing = variances_of(asarray(np.zeros((1, 7))), asarray(components))
    for one in nothing:
        assert_like(one, asarray(np.zeros(1)), np.zeros(3))
