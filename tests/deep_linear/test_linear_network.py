"""Gradients of deep linear networks, against finite differences and in every library."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import approx_fprime

from skfact import SparseDeepLinearNet
from skfact.deep_linear import CirculantFactor, ToeplitzFactor
from skfact.deep_linear._linear_network import from_vector, resolve_network, to_vector
from skfact.supports import Chain, FixedMask, KroneckerSparse

THIN = np.random.default_rng(0).random((6, 7)) < 0.2
THIN[0, 0] = True
NETWORKS = {
    "butterfly": ("butterfly", None),
    "padded bottleneck": ("butterfly", (5, 3)),
    "kaleidoscope": ("kaleidoscope", None),
    "one padded pattern": (lambda m, n: Chain([KroneckerSparse(1, 8, 9, 1)]), None),
    "masks": ([FixedMask(THIN), FixedMask(np.ones((7, 8)))], None),
    "mixture": ([(1, 3, 2, 2), FixedMask(np.tri(4, 5)), ToeplitzFactor(5, 8)], None),
    "blocks": ([ToeplitzFactor(3, 4, blocks=(2, 1)), CirculantFactor(2, blocks=(2, 4))], None),
}


def data(n, p, q, seed=0):
    random = np.random.default_rng(seed)
    return random.standard_normal((n, p)), random.standard_normal((n, q))


@pytest.mark.parametrize("name", NETWORKS)
def test_gradient_is_that_of_finite_differences(name):
    X, Y = data(5, 8, 6)
    network = resolve_network(*NETWORKS[name], 6, 8, X)
    start = to_vector(network.start(np.random.RandomState(0), X))

    def loss(vector):
        return network.loss_and_gradient(from_vector(vector, network, X), X.T, Y.T, 0.3)[0]

    values = from_vector(start, network, X)
    found, gradients, residual = network.loss_and_gradient(values, X.T, Y.T, 0.3)
    W = network.operator(values).toarray()
    assert_allclose(residual, W @ X.T - Y.T, atol=1e-12)
    assert_allclose(found, 0.5 * np.sum(residual**2) + 0.15 * np.sum(start**2))
    assert_allclose(to_vector(gradients), approx_fprime(start, loss, 1e-7), rtol=1e-4, atol=1e-4)


def test_gradient_in_every_library(asarray):
    host, target = data(5, 8, 6)
    X, Y = asarray(host), asarray(target)
    for supports, hidden in NETWORKS.values():
        expected = resolve_network(supports, hidden, 6, 8, host)
        vector = to_vector(expected.start(np.random.RandomState(0), host))
        network = resolve_network(supports, hidden, 6, 8, X)
        loss, gradients, _ = network.loss_and_gradient(from_vector(vector, network, X), X.T, Y.T)
        wanted = expected.loss_and_gradient(from_vector(vector, expected, host), host.T, target.T)
        assert_allclose(loss, wanted[0])
        assert_allclose(to_vector(gradients), to_vector(wanted[1]), atol=1e-12)


def test_codes_of_one_padded_pattern_are_the_centred_samples():
    X, Y = data(30, 8, 6)
    net = SparseDeepLinearNet(NETWORKS["one padded pattern"][0], max_iter=500).fit(X, Y)
    assert_allclose(net.transform(X), X - X.mean(axis=0))
    assert len(net.get_feature_names_out()) == 8


def test_the_largest_entry_of_a_product_is_found_in_blocks(monkeypatch):
    random = np.random.default_rng(0)
    network = resolve_network("butterfly", None, 5, 7, np.empty(0))
    values = network.start(np.random.RandomState(0), np.empty(0))
    expected = np.abs(network.operator(values).toarray()).max()
    for columns in (1, 3, 256):
        monkeypatch.setattr("skfact.deep_linear._linear_network.COLUMNS", columns)
        np.testing.assert_allclose(network.largest_entry(values), expected)
    for one, shape in zip(network.sets, network.values_shapes):
        v = random.standard_normal(shape)  # every entry of a cropped factor, once
        np.testing.assert_allclose(one.norm(v), np.linalg.norm(one.dense(v)))
