"""Gates and the path kernel."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits
from sklearn.decomposition import KernelPCA
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.svm import SVC

from skfact._backend import array_namespace, to_numpy
from skfact.relu import activation_patterns, path_kernel, rescale
from tests.relu.networks import output, random_factors, random_network, scaled, seeds, sizes


@given(sizes, seeds)
def test_a_region_is_where_the_network_is_affine(widths, seed):
    """Along a line, the output between samples of one pattern is the straight line."""
    network = random_network(widths, seed)
    rng = np.random.default_rng(seed)
    start, step = rng.standard_normal((2, widths[0]))
    t = np.linspace(-3, 3, 201)
    X = start + t[:, None] * step
    patterns = activation_patterns(network, X)
    assert patterns.shape == (201, sum(widths[1:-1])) and patterns.dtype == bool
    same = (patterns[:-2] == patterns[2:]).all(axis=1)  # regions are convex
    f = output(network, X)
    bends = abs(f[:-2] - 2 * f[1:-1] + f[2:]).max(axis=1)
    assert (bends[same] < 1e-11 * (1 + abs(f).max())).all()
    other = scaled(network, random_factors(widths, seed))
    assert (activation_patterns(other, X) != patterns).sum() <= 1e-3 * patterns.size


def test_regions_of_any_scale():
    coefs, intercepts = random_network([3, 5, 5, 5, 2], 0)
    X = np.random.default_rng(0).standard_normal((50, 3))
    expected = activation_patterns((coefs, None), X)
    for scale in (1e150, 1e-150):
        assert_array_equal(activation_patterns(([w * scale for w in coefs], None), X), expected)


def test_identity_activation():
    X, y = np.random.default_rng(0).standard_normal((2, 20, 3))
    mlp = MLPRegressor(activation="identity", hidden_layer_sizes=(4,), solver="lbfgs").fit(X, y)
    assert activation_patterns(mlp, X).all()


@given(sizes, seeds)
def test_kernel_is_the_inner_product_of_path_activations(widths, seed):
    network = random_network(widths, seed)
    X, Y = np.random.default_rng(seed).standard_normal((2, 7, widths[0]))
    kernel = path_kernel(network, X, Y)
    gates = [activation_patterns(network, Z) for Z in (X, Y)]
    bounds = np.cumsum([0, *widths[1:-1]])
    features = []
    for Z, g in zip((X, Y), gates):
        blocks, chain = [np.ones((len(Z), 1))], np.ones((len(Z), 1))
        for l in range(len(widths) - 2, 0, -1):  # from the end: partial paths
            gate = g[:, bounds[l - 1] : bounds[l]]
            chain = (gate[:, :, None] * chain[:, None, :]).reshape(len(Z), -1)
            blocks.append(chain)
        blocks.append((Z[:, :, None] * chain[:, None, :]).reshape(len(Z), -1))
        features.append(np.concatenate(blocks, axis=1))
    assert_allclose(kernel, features[0] @ features[1].T, rtol=1e-10, atol=1e-10)
    assert_array_equal(path_kernel(network, X), path_kernel(network, X, X))
    eigenvalues = np.linalg.eigvalsh(path_kernel(network, X))
    assert eigenvalues.min() > -1e-10 * eigenvalues.max()


def test_kernel_machines():
    X, y = load_digits(n_class=4, return_X_y=True)
    X = X[:200] / 16
    y = y[:200]
    mlp = MLPClassifier((16,), solver="lbfgs", max_iter=300, random_state=0).fit(X, y)
    svc = SVC(kernel=partial(path_kernel, mlp)).fit(X[:150], y[:150])
    assert svc.score(X[150:], y[150:]) > 0.9
    few = X[:20]
    called = KernelPCA(2, kernel=partial(path_kernel, mlp)).fit_transform(few)
    precomputed = KernelPCA(2, kernel="precomputed").fit_transform(path_kernel(mlp, few))
    assert_allclose(abs(called), abs(precomputed), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_array_library(asarray, xp, dtype):
    network = random_network([4, 5, 3, 2], 0)
    X, Y = (z.astype(dtype) for z in np.random.default_rng(0).standard_normal((2, 6, 4)))
    patterns = activation_patterns(network, asarray(X))
    assert array_namespace(patterns) is xp
    assert_array_equal(to_numpy(patterns), activation_patterns(network, X))
    kernel = path_kernel(network, asarray(X), asarray(Y))
    assert array_namespace(kernel) is xp and kernel.dtype == asarray(X).dtype
    assert_allclose(to_numpy(kernel), path_kernel(network, X, Y), rtol=1e-5)
    same = rescale(network, [np.full(5, 2.0), np.full(3, 0.5)])
    assert_allclose(to_numpy(path_kernel(same, asarray(X))), path_kernel(network, X), rtol=1e-5)


def test_samples_of_two_libraries():
    strict = pytest.importorskip("array_api_strict")
    network, X = random_network([3, 4, 2]), np.eye(3)
    with pytest.raises(ValueError, match="Y belongs to array_api_strict, but"):
        path_kernel(network, X, strict.asarray(X))
