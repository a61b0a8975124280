"""Random projections: orthogonal components, distances as from Gaussian ones, few bytes."""

import pickle

import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits, load_sample_images
from sklearn.exceptions import DataDimensionalityWarning
from sklearn.feature_extraction.image import extract_patches_2d
from sklearn.metrics import pairwise_distances
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.random_projection import (
    GaussianRandomProjection,
    SparseRandomProjection,
    johnson_lindenstrauss_min_dim,
)

from skfact.transforms import FastRandomProjection
from tests.arrays import FEW
from tests.asserts import assert_like, for_each

RANDOM = np.random.default_rng(0)
SIZES = [(1, 1), (1, 5), (3, 7), (8, 8), (10, 64), (13, 13), (40, 67), (9, 4)]  # k, n


def fitted(k, n, seed=0, **parameters):
    return FastRandomProjection(k, random_state=seed, **parameters).fit(np.ones((2, n)))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataDimensionalityWarning")
@for_each("k, n", SIZES)
def test_rows_are_orthogonal(k, n):
    """And of the same norm; for more components than features it is the columns."""
    C = fitted(k, n).components_
    assert C.shape == (k, n)
    gram = C @ C.T * k / n if k <= n else C.T @ C
    assert_allclose(gram, np.eye(min(k, n)), atol=1e-14)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataDimensionalityWarning")
@for_each("k, n", SIZES)
def test_transform_and_back(k, n):
    """Products with the components and with their pseudo-inverse."""
    projection = fitted(k, n)
    C, X = projection.components_, RANDOM.standard_normal((6, n))
    codes = projection.transform(X)
    assert_allclose(codes, X @ C.T, atol=1e-13)
    assert_allclose(projection.inverse_components_, np.linalg.pinv(C), atol=1e-13)
    back = projection.inverse_transform(codes)
    assert_allclose(back, codes @ np.linalg.pinv(C).T, atol=1e-13)
    assert_allclose(projection.transform(back), codes, atol=1e-13)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataDimensionalityWarning")
def test_as_many_components_as_features_keep_all_distances():
    X = RANDOM.standard_normal((5, 24))
    for k in (24, 40):
        assert_allclose(
            pairwise_distances(fitted(k, 24).transform(X)), pairwise_distances(X), atol=1e-13
        )


def test_mean_and_variance_of_squared_norms():
    """The formula of the docstring, within four standard errors."""
    k, n, n_draws = 16, 64, 100 if FEW else 300
    for n_nonzero in (1, 2, 64):
        x = np.zeros((1, n))
        x[0, :n_nonzero] = n_nonzero**-0.5
        squares = np.array([np.sum(fitted(k, n, s).transform(x) ** 2) for s in range(n_draws)])
        expected = (n - k) / (n - 1) * (2 - 2 * np.sum(x**4)) / k
        deviations = (squares - 1) ** 2
        assert abs(squares.mean() - 1) <= 4 * squares.std() / n_draws**0.5 + 1e-12
        assert abs(deviations.mean() - expected) <= 4 * deviations.std() / n_draws**0.5 + 1e-12


def counts():
    """Word counts like those of news in 8 topics: sparse, with a few frequent words."""
    random = np.random.default_rng(1)
    frequencies = 1 / np.arange(1, 2001) ** 1.1
    topics = frequencies * random.gamma(0.2, size=(8, 2000))
    topics /= topics.sum(axis=1, keepdims=True)
    lengths = random.integers(30, 300, size=60)
    rows = [random.multinomial(m, topics[i % 8]) for i, m in enumerate(lengths)]
    return scipy.sparse.csr_array(np.array(rows, dtype=float))


def patches():
    photograph = load_sample_images().images[0].mean(axis=2)
    found = extract_patches_2d(photograph, (20, 20), max_patches=60, random_state=0)
    return found.reshape(60, -1)


DATA = {
    "counts": (counts, 300),
    "digits": (lambda: load_digits().data[:60], 30),
    "patches": (patches, 100),
}


def distortions(projection, X, n_draws):
    """Changes of the squared distances of all pairs, as shares of them, in several draws."""
    pairs = np.triu_indices(X.shape[0], 1)
    before = pairwise_distances(X)[pairs] ** 2
    found = []
    for seed in range(n_draws):
        after = pairwise_distances(clone(projection).set_params(random_state=seed).fit_transform(X))
        found.append(after[pairs] ** 2 / before - 1)
    return np.array(found)


@pytest.mark.parametrize("name", DATA)
def test_distances_are_kept_as_well_as_by_gaussian_components(name):
    """At the same size, of data as they are: the mean square of the distortions, and the largest.

    A Gaussian projection has the variance 2 / k on all data.
    """
    make, k = DATA[name]
    X, n_draws = make(), 10 if FEW else 30
    fast = distortions(FastRandomProjection(k), X, n_draws)
    gaussian = distortions(GaussianRandomProjection(k), X, n_draws)
    assert abs(fast.mean()) < 0.05
    assert np.mean(fast**2) <= 1.05 * np.mean(gaussian**2)
    assert np.mean(np.abs(fast).max(axis=1)) <= 1.05 * np.mean(np.abs(gaussian).max(axis=1))


def test_auto_is_the_rule_of_scikit_learn():
    X = RANDOM.standard_normal((20, 1500))
    fast, theirs = (
        kind(eps=0.2, random_state=0).fit(X)
        for kind in (FastRandomProjection, SparseRandomProjection)
    )
    assert fast.n_components_ == theirs.n_components_ == johnson_lindenstrauss_min_dim(20, eps=0.2)
    assert fast.components_.shape == theirs.components_.shape


def test_it_warns_as_scikit_learn_does_of_more_components_than_features():
    X = np.ones((3, 4))
    for kind in (FastRandomProjection, GaussianRandomProjection):
        with pytest.warns(DataDimensionalityWarning, match="will not be reduced"):
            kind(7).fit(X)


def test_sparse_samples_in_parts(monkeypatch):
    """Rows are spread out some at a time, and give what dense ones do."""
    monkeypatch.setattr("skfact.transforms._projection.CHUNK", 150)
    X = scipy.sparse.random_array((17, 40), density=0.2, rng=np.random.default_rng(0))
    for given in (X, X.tocsr().astype("float32"), scipy.sparse.csc_matrix(X)):
        codes = FastRandomProjection(10, random_state=0).fit(given).transform(given)
        assert codes.dtype == given.dtype
        dense = FastRandomProjection(10, random_state=0).fit(given.toarray())
        assert_allclose(codes, dense.transform(given.toarray()), atol=1e-6)


def test_arrays_of_any_library(asarray):
    host = RANDOM.standard_normal((9, 30))
    expected = FastRandomProjection(6, random_state=0).fit(host)
    for dtype, atol in (("float64", 1e-13), ("float32", 1e-5)):
        X = asarray(host.astype(dtype))
        projection = FastRandomProjection(6, random_state=0).fit(X)
        codes = projection.transform(X)
        assert_like(codes, X, expected.transform(host), atol=atol)
        back = projection.inverse_transform(codes)
        assert_like(back, X, expected.inverse_transform(expected.transform(host)), atol=atol)
        assert_like(projection.components_, X, expected.components_, atol=atol)


def test_a_pickle_is_small_and_gives_the_same():
    X = RANDOM.standard_normal((3, 65_536))
    projection = FastRandomProjection(2000, random_state=0).fit(X)
    data = pickle.dumps(projection)
    assert len(data) < 1000
    assert_array_equal(pickle.loads(data).transform(X), projection.transform(X))
    assert not hasattr(pickle.loads(pickle.dumps(FastRandomProjection())), "operator_")


def test_seeds():
    X = np.ones((4, 32))
    first, again, other = (fitted(5, 32, seed).transform(X) for seed in (0, 0, 1))
    assert_array_equal(first, again)
    assert np.any(first != other)
    source = np.random.RandomState(0)
    drawn = [fitted(5, 32, source).transform(X) for _ in range(2)]
    assert np.any(drawn[0] != drawn[1])


def test_names_in_a_pipeline():
    pipeline = make_pipeline(StandardScaler(), FastRandomProjection(2, random_state=0))
    pipeline.set_output(transform="pandas")
    codes = pipeline.fit_transform(RANDOM.standard_normal((5, 4)))
    assert list(codes) == ["fastrandomprojection0", "fastrandomprojection1"]
