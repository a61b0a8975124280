"""The canonical form whose path kernel is closest to a multiple of the identity."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning

from skfact._backend import array_namespace, to_numpy
from skfact._stopping import Stopping
from skfact.relu import (
    NetworkGraph,
    canonical_form,
    equalize,
    is_rescaling_equivalent,
    path_sgd_scaling,
    rescale,
    rescaling_factors,
)
from skfact.relu._rescaling import path_kernel
from tests.asserts import at_most, for_each
from tests.relu.graphs import chain, classes_of, random_graph, rescaled, samples
from tests.relu.networks import (
    all_paths,
    output,
    random_factors,
    random_network,
    scaled,
    seeds,
    shuffled,
    sizes,
    total_magnitude,
)


def by_kernel(network, **options):
    return canonical_form(network, criterion="path-kernel", **options)


def kernel_of_paths(network):
    """G = J^T J with the derivative J of the path weights, from the list of paths."""
    coefs, intercepts = network
    ends = np.cumsum([w.size for w in coefs] + [b.size for b in intercepts])
    rows = []
    for path in all_paths(network):
        start = next(l for l, v in enumerate(path) if v >= 0)
        edges = [
            (ends[l] - coefs[l].size + path[l] * coefs[l].shape[1] + path[l + 1], coefs[l])
            for l in range(start, len(coefs))
        ]
        numbers = [(k, w[path[l], path[l + 1]]) for l, (k, w) in enumerate(edges, start=start)]
        if start > 0:
            offset = ends[len(coefs) + start - 1] - intercepts[start - 1].size
            numbers.append((offset + path[start], intercepts[start - 1][path[start]]))
        row = np.zeros(ends[-1])
        for k, _ in numbers:
            row[k] = np.prod([value for other, value in numbers if other != k])
        rows.append(row)
    return np.array(rows).T @ np.array(rows)


def divergence(network, delta):
    """min over a of the log-determinant divergence of G + delta diag(G) from a I."""
    G = kernel_of_paths(network)
    G = G + delta * np.diag(np.diag(G))
    return len(G) * np.log(np.trace(G) / len(G)) - np.linalg.slogdet(G)[1]


@for_each("widths, delta", [([3, 4, 2], 1e-3), ([3, 4, 2], 10.0), ([2, 3, 4, 2], 0.1)])
def test_the_least_divergence_from_the_identity(widths, delta):
    """By a general minimizer, on determinants of the whole kernel, whatever the regularization."""
    network = random_network(widths, 1)
    found = by_kernel(network)
    logs = np.log(np.concatenate(rescaling_factors(network, found)))

    def of_logarithms(u):
        factors = np.split(np.exp(u), np.cumsum(widths[1:-1])[:-1])
        return divergence(scaled(network, factors), delta)

    best = minimize(of_logarithms, np.zeros(len(logs)), options={"gtol": 1e-6})
    assert_allclose(divergence(found, delta), best.fun, atol=1e-8)
    assert_allclose(logs, best.x, atol=1e-5)
    assert_allclose(kernel_of_paths(found).diagonal(), kappas(found), rtol=1e-10)
    others = [network, canonical_form(network), *(equalize(network, p) for p in (0.5, 1, 2))]
    for other in others:
        assert divergence(found, delta) < divergence(other, delta) - 1e-4


def kappas(network):
    weights, biases = path_sgd_scaling(network)
    return np.concatenate([to_numpy(x).ravel() for x in (*weights, *biases)])


@given(sizes, seeds, st.floats(0, 5))
@at_most(30)
def test_the_sums_of_kappa_balance(widths, seed, spread):
    network = random_network(widths, seed)
    found = by_kernel(scaled(network, random_factors(widths, seed, spread)))
    for x, y in zip(found[0] + found[1], [*by_kernel(network)[0], *by_kernel(network)[1]]):
        assert_allclose(x, y, rtol=1e-9)
    coefs, intercepts = path_sgd_scaling(found)
    mean = kappas(found).mean()
    for l in range(len(coefs) - 1):
        balance = coefs[l].sum(axis=0) + intercepts[l] - coefs[l + 1].sum(axis=1)
        n_in, n_out = coefs[l].shape[0] + 1, coefs[l + 1].shape[1]
        assert_allclose(balance / mean, n_in - n_out, atol=1e-7 * (n_in + n_out))
    X = np.random.default_rng(seed).standard_normal((5, widths[0]))
    size = total_magnitude(network, X).max()
    assert_allclose(output(found, X), output(network, X), rtol=0, atol=1e-12 * size)
    again = by_kernel(shuffled(network, seed), permutations=True)
    for x, y in zip(again[0], by_kernel(network, permutations=True)[0]):
        assert_allclose(x, y, rtol=1e-8)


@given(sizes, seeds)
@at_most(20)
def test_a_chain_is_rescaled_as_the_layered_network(widths, seed):
    network = random_network(widths, seed)
    expected, found = by_kernel(network), by_kernel(chain(network))
    for x, y in zip(found.coefs + found.intercepts, expected[0] + expected[1]):
        assert_allclose(x, y, rtol=1e-9)


def criterion(network):
    """n log tr G - log det diag(G), without parameters on no path."""
    kappa = kappas(network)
    kappa = kappa[kappa > 0]
    return len(kappa) * np.log(kappa.sum()) - np.log(kappa).sum()


@given(seeds)
@at_most(30)
def test_graphs(seed):
    """The function stays, scalings are forgotten, and no class can be rescaled with profit."""
    graph = random_graph(seed, n_nodes=12)
    found = by_kernel(graph)
    X = samples(graph, seed)
    assert_allclose(found.predict(X), graph.predict(X), rtol=1e-7, atol=1e-9)
    other = by_kernel(rescaled(graph, seed, lambda rng: np.exp(3 * rng.standard_normal())))
    assert_allclose(kappas(other).sum(), kappas(found).sum(), rtol=1e-6)
    for number in range(1, len(classes_of(graph))):
        for factor in (0.9, 1.1):
            factors = iter(np.where(np.arange(1, 99) == number, factor, 1.0))
            moved = rescaled(found, 0, lambda rng, factors=factors: next(factors))
            assert criterion(moved) >= criterion(found) - 1e-8


def test_convolutions():
    """Each number of a kernel counts once, wherever it stands: by a general minimizer."""
    rng = np.random.default_rng(0)
    graph = NetworkGraph(2 * 9)
    options = {"input_shape": (9,), "padding": 1}
    h = graph.convolution(
        graph.input, rng.normal(size=(3, 2, 3)), rng.normal(size=3), **options
    )  # (3, 9)
    kernel = rng.normal(size=(2, 3, 2))
    h = graph.convolution(graph.relu(h), kernel, input_shape=(9,), stride=2)  # (2, 4)
    graph.linear(graph.relu(h), rng.normal(size=(8, 2)), rng.normal(size=2))

    def by_channels(u):
        return rescale(graph, [np.repeat(np.exp(u[:3]), 9), np.repeat(np.exp(u[3:]), 4)])

    best = minimize(lambda u: criterion(by_channels(u)), np.zeros(5), options={"gtol": 1e-7})
    found = by_kernel(by_channels(rng.normal(size=5)))
    assert_allclose(criterion(found), best.fun, atol=1e-8)
    assert criterion(graph) > best.fun + 0.1
    assert_allclose(found.predict(samples(graph)), graph.predict(samples(graph)), rtol=1e-10)


@pytest.mark.parametrize("scale", [1e-150, 1e-30, 1e30, 1e150])
def test_any_scale(scale):
    network = random_network([3, 4, 4, 2], 0)
    expected = by_kernel(network)
    wild = scaled(network, [np.full(4, scale), np.full(4, scale) ** -0.5])
    for x, y in zip(by_kernel(wild)[0], expected[0]):
        assert_allclose(x, y, rtol=1e-8)
    small = [w * scale**0.3 for w in network[0]], [0 * b for b in network[1]]
    found = by_kernel(small)
    assert all(np.isfinite(w).all() for w in found[0]) and is_rescaling_equivalent(small, found)


@pytest.mark.parametrize("where", ["incoming", "outgoing", "layer", "all", "affine"])
def test_dead_neurons_survive(where):
    coefs, intercepts = random_network([3, 4, 4, 2], 0)
    if where == "incoming":
        coefs[0][:, 1], intercepts[0][1] = 0, 0
    if where == "outgoing":
        coefs[1][0] = 0
    if where == "layer":
        coefs[1][:] = 0
    if where == "all":
        coefs, intercepts = ([0 * x for x in part] for part in (coefs, intercepts))
    if where == "affine":
        coefs, intercepts = coefs[:1], intercepts[:1]
    network = coefs, intercepts
    found = by_kernel(network)
    X = np.random.default_rng(0).standard_normal((9, 3))
    assert all(np.isfinite(x).all() for x in found[0] + found[1])
    assert_allclose(output(found, X), output(network, X), atol=1e-12)
    again = by_kernel(scaled(network, random_factors([3, 4, 4, 2][: len(coefs) + 1], 0)))
    assert_allclose(kappas(again).sum(), kappas(found).sum(), rtol=1e-9)


def test_no_convergence_is_said(monkeypatch):
    monkeypatch.setattr(path_kernel, "STOPPING", Stopping(1, 1e-11))
    with pytest.warns(ConvergenceWarning, match="path kernel still change") as caught:
        by_kernel(random_network([3, 4, 4, 2], 0))
    assert caught[0].filename == __file__


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_array_library(asarray, xp, dtype):
    network = random_network([4, 5, 3, 2], 0, dtype)
    found = by_kernel(tuple([asarray(x) for x in part] for part in network))
    for x, y in zip(by_kernel(network)[0], found[0]):
        assert array_namespace(y) is xp and y.dtype == asarray(network[0][0]).dtype
        assert_allclose(to_numpy(y), x, rtol=1e-4 if dtype == "float32" else 1e-10)
