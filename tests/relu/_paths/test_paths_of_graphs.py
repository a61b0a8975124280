"""Paths of graphs are those of an explicit list; a graph that is a chain is the layered network."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skfact.relu import (
    NetworkGraph,
    activation_patterns,
    canonical_form,
    equalize,
    is_rescaling_equivalent,
    path_count,
    path_inner,
    path_metric,
    path_norm,
    path_saliency,
    path_sgd_scaling,
    path_sketch,
    path_sums,
    prune,
    quantize,
    rescale,
    rescaling_factors,
    top_paths,
)
from skfact.relu._paths.metric import PathMetric
from tests.asserts import at_most
from tests.relu.graphs import all_paths, chain, path_vector, random_graph, rescaled, samples
from tests.relu.networks import random_factors, random_network, seeds, sizes

# functions of a network, of another one, of samples, and of rescaling factors
OF_BOTH_KINDS = {
    "canonical_form": lambda n, m, X, c: canonical_form(n),
    "equalize": lambda n, m, X, c: equalize(n),
    "patterns": lambda n, m, X, c: activation_patterns(n, X),
    "count": lambda n, m, X, c: [path_count(n), path_count(n, include_bias=False)],
    "inner": lambda n, m, X, c: path_inner(n, m),
    "metric": lambda n, m, X, c: path_metric(n, m),
    "metric of pruned": lambda n, m, X, c: path_metric(n, prune(n, 0.4)),
    "norm": lambda n, m, X, c: [path_norm(n, q, include_bias=q < 2) for q in (0.5, 1, 2, 3.5)],
    "saliency": lambda n, m, X, c: path_saliency(n),
    "path_sgd": lambda n, m, X, c: path_sgd_scaling(n),
    "path_sgd, no bias": lambda n, m, X, c: path_sgd_scaling(n, include_bias=False),
    "sketch": lambda n, m, X, c: path_sketch(n, 5),
    "sketch by edges": lambda n, m, X, c: path_sketch(n, 5, signs="edge", include_bias=False),
    "sums": lambda n, m, X, c: [path_sums(n, q).ravel() for q in (0.5, 1, 2)],
    "prune": lambda n, m, X, c: prune(n, 0.3),
    "prune by saliency": lambda n, m, X, c: prune(n, 0.3, criterion="saliency"),
    "quantize": lambda n, m, X, c: quantize(n, 5, scheme="per_channel"),
    "rescale": lambda n, m, X, c: rescale(n, c),
    "factors": lambda n, m, X, c: rescaling_factors(n, rescale(n, c)),
    "equivalent": lambda n, m, X, c: [
        is_rescaling_equivalent(n, m),
        is_rescaling_equivalent(n, rescale(n, c)),
    ],
    "top": lambda n, m, X, c: top_paths(n, 12).weights,
}


def numbers_of(result):
    """All numbers of a result, graphs as (coefs, intercepts)."""
    if isinstance(result, NetworkGraph):
        result = result.coefs, result.intercepts
    if isinstance(result, PathMetric):
        result = result.l1, result.l1_is_exact, result.l2
    if isinstance(result, (tuple, list)):
        return np.concatenate([numbers_of(part) for part in result]) if len(result) else np.zeros(0)
    return np.ravel(np.asarray(result, dtype=np.float64))


@given(sizes, seeds)
@at_most(30)
def test_a_chain_is_the_layered_network(widths, seed):
    a, b = random_network(widths, seed), random_network(widths, seed + 1)
    X = np.random.default_rng(seed).standard_normal((9, widths[0]))
    factors = random_factors(widths, seed)
    for name, function in OF_BOTH_KINDS.items():
        found = numbers_of(function(chain(a), chain(b), X, factors))
        expected = numbers_of(function(a, b, X, factors))
        atol = 1e-11 * abs(expected).max(initial=0)
        assert_allclose(found, expected, rtol=1e-7, atol=atol, err_msg=name)
    inputs_and_linear = [n.index for n in chain(a).nodes if n.kind != "relu"]
    assert_array_equal(top_paths(chain(a), 12).paths[:, inputs_and_linear], top_paths(a, 12).paths)


@given(seeds, st.booleans())
@at_most(25)
def test_paths_are_those_of_the_list(seed, bias):
    a, b = random_graph(seed), random_graph(seed, seed + 1)
    options = {"include_bias": bias}
    paths, phi, psi = all_paths(a, bias), path_vector(a, bias), path_vector(b, bias)
    assert path_count(a, **options) == len(phi)
    for q in (0.5, 1, 2, 3.0):
        expected = (abs(phi) ** q).sum() ** (1 / q)
        assert_allclose(path_norm(a, q, **options), expected, rtol=1e-12)
        expected = (abs(phi) ** q).sum()
        assert_allclose(path_sums(a, q, **options).sum(), expected, rtol=1e-12)
    scale = np.linalg.norm(phi) * np.linalg.norm(psi)
    assert_allclose(path_inner(a, b, **options), phi @ psi, rtol=0, atol=1e-12 * scale)
    metric = path_metric(a, b)
    difference = path_vector(a) - path_vector(b)
    atol = 1e-12 * (path_norm(a, 2) + path_norm(b, 2))
    assert_allclose(metric.l2, np.linalg.norm(difference), rtol=1e-10, atol=atol)
    assert metric.l1 >= abs(difference).sum() * (1 - 1e-12)
    saliency, kappa = path_saliency(a, **options), path_sgd_scaling(a, **options)
    linear = [node for node in a.nodes if node.kind == "linear"]
    for number, node in enumerate(linear):
        through = np.zeros((node.weight.shape[0] + 1, node.size))
        squares = np.zeros_like(through)
        weights = np.vstack([node.weight, node.bias])
        for weight, keys in paths:
            for index, i, j in keys:
                if index == node.index:
                    row = -1 if i is None else i
                    through[row, j] += abs(weight)
                    squares[row, j] += (weight / weights[row, j]) ** 2
        assert_allclose(saliency[0][number], through[:-1], rtol=1e-11, atol=1e-13)
        assert_allclose(saliency[1][number], through[-1], rtol=1e-11, atol=1e-13)
        assert_allclose(kappa[0][number], squares[:-1], rtol=1e-10, atol=1e-13)
        if bias:
            assert_allclose(kappa[1][number], squares[-1], rtol=1e-10, atol=1e-13)


@given(seeds, st.integers(1, 200), st.booleans())
@at_most(25)
def test_top_paths_are_the_largest(seed, k, bias):
    graph = random_graph(seed)
    every = np.sort(abs(path_vector(graph, bias)))[::-1][:k]
    paths, weights = top_paths(graph, k, include_bias=bias)
    assert paths.shape == (len(every), len(graph.nodes))
    assert_allclose(abs(weights), every, rtol=1e-12, atol=1e-300)
    for path, weight in zip(paths.tolist(), weights):
        product = 1.0
        for node in graph.nodes:
            if node.kind == "linear" and path[node.index] >= 0:
                before, after = path[node.inputs[0]], path[node.index]
                product *= node.bias[after] if before < 0 else node.weight[before, after]
        assert_allclose(weight, product, rtol=1e-12)


@given(seeds, seeds)
@at_most(25)
def test_the_metric_bounds_the_functions(seed, other):
    a, b = random_graph(seed), random_graph(seed, other)
    X = 3 * samples(a, seed)
    for c in (b, prune(a, 0.3)):
        metric = path_metric(a, c)
        change = abs(a.predict(X) - c.predict(X)).sum(axis=1)
        assert (change <= metric.output_bound(X) * (1 + 1e-12) + 1e-12 * path_norm(a)).all()
    expected = abs(path_vector(a) - path_vector(c)).sum()
    assert_allclose(metric.l1, expected, rtol=1e-11, atol=1e-13 * path_norm(a))
    assert metric.l1_is_exact


@pytest.mark.parametrize("signs", ["node", "edge"])
def test_sketches_are_unbiased(signs):
    """Also where ways differ only in the nodes that are added."""
    graph, other = (NetworkGraph(2) for _ in range(2))
    for seed, g in enumerate((graph, other)):
        rng = np.random.default_rng(seed)
        h = g.linear(g.input, rng.normal(size=(2, 3)), rng.normal(size=3))
        h = g.add(h, g.relu(h))
        h = g.max_pool(h, [[0, 1], [1, 2], [0, 2]])
        h = g.maximum(h, g.linear(h, rng.normal(size=(3, 3))))
        g.add(h, g.relu(h))
    m = 20_000 if signs == "node" else 3_000
    one, two = (path_sketch(g, m, signs=signs, random_state=3) for g in (graph, other))
    products = m * (one * two).sum(axis=1)
    assert abs(products.mean() - path_inner(graph, other)) < 4 * products.std() / m**0.5


@given(seeds)
@at_most(25)
def test_rescaling_changes_no_path_quantity(seed):
    graph = random_graph(seed, n_nodes=12)
    for draw in (
        lambda rng: np.exp(2 * rng.standard_normal()),
        lambda rng: 2.0 ** rng.integers(-300, 300),
    ):
        other = rescaled(graph, seed, draw)
        assert is_rescaling_equivalent(graph, other)
        for name in ("sums", "sketch", "sketch by edges", "saliency", "top"):
            found, expected = (
                numbers_of(OF_BOTH_KINDS[name](g, None, None, None)) for g in (other, graph)
            )
            atol = 1e-11 * abs(expected).max()
            assert_allclose(found, expected, rtol=1e-9, atol=atol, err_msg=name)
        metric = path_metric(graph, other)
        assert max(metric.l1, metric.l2) <= 1e-11 * path_norm(graph)
        X = samples(graph, seed)
        assert (activation_patterns(graph, X) != activation_patterns(other, X)).mean() < 1e-2
        factors = rescaling_factors(graph, other)
        for w, v in zip(rescale(graph, factors).coefs, other.coefs):
            assert_allclose(w, v, rtol=1e-9)


@given(seeds)
@at_most(25)
def test_the_canonical_form(seed):
    graph = random_graph(seed, n_nodes=12)
    form = canonical_form(graph)
    X = samples(graph, seed)
    atol = 1e-12 * path_norm(graph) * max(1, abs(X).max())
    assert_allclose(form.predict(X), graph.predict(X), rtol=0, atol=atol)
    assert is_rescaling_equivalent(graph, form)
    for spread in (1.0, 100.0):
        other = canonical_form(
            rescaled(graph, seed, lambda rng, s=spread: np.exp(s * rng.standard_normal()))
        )
        for w, v in zip(other.coefs, form.coefs):
            assert_allclose(w, v, rtol=1e-9, atol=1e-12 * abs(v).max())


@given(seeds)
@at_most(25)
def test_equal_patterns_mean_one_affine_map(seed):
    """Along a line, between samples of one pattern, maxima and all."""
    graph = random_graph(seed, n_nodes=12)
    start, step = np.random.default_rng(seed).standard_normal((2, graph.input.size))
    X = start + np.linspace(-3, 3, 301)[:, None] * step
    patterns, f = activation_patterns(graph, X), graph.predict(X)
    alike = (patterns[:-2] == patterns[2:]).all(axis=1) & (patterns[:-2] == patterns[1:-1]).all(
        axis=1
    )
    bends = abs(f[:-2] - 2 * f[1:-1] + f[2:]).max(axis=1)
    assert (bends[alike] < 1e-10 * (1 + abs(f).max())).all()


def test_counts_are_exact_where_floats_are_not():
    graph = NetworkGraph(3)
    h = graph.input
    for _ in range(60):
        h = graph.add(h, graph.linear(graph.relu(h), np.ones((3, 3))))
    assert path_count(graph, include_bias=False) == 3 * 4**60
    assert math.isclose(path_norm(graph, include_bias=False), 3 * 4.0**60)


def test_nodes_that_lead_nowhere_change_nothing():
    """Before the output and behind it."""
    rng = np.random.default_rng(0)
    first, second, last = (rng.normal(size=size) for size in [(3, 4), (4, 4), (4, 2)])
    graphs = NetworkGraph(3), NetworkGraph(3)
    for graph in graphs:
        h = graph.linear(graph.input, first)
        if graph is graphs[0]:
            graph.add(graph.linear(h, np.full((4, 2), 1e300)), graph.linear(h, np.ones((4, 2))))
            graph.max_pool(h, [[0, 1, 2]])
        end = graph.linear(graph.add(h, graph.linear(graph.relu(h), second)), last)
        if graph is graphs[0]:
            graph.maximum(end, graph.linear(graph.relu(end), 1e300 * np.eye(2)))
            graph.output = end
    other = graphs[0].with_arrays([2 * w for w in graphs[0].coefs], graphs[0].intercepts)
    for name in ("count", "norm", "sums", "top"):
        found, expected = (numbers_of(OF_BOTH_KINDS[name](g, None, None, None)) for g in graphs)
        assert_allclose(found, expected, rtol=1e-12, err_msg=name)
    for function in (path_saliency, path_sgd_scaling):
        found, expected = (function(g)[0] for g in graphs)
        assert not any(w.any() for w in (found[1], found[2], found[-1]))
        for x, y in zip([found[0], *found[3:5]], expected):
            assert_allclose(x, y, rtol=1e-12)
    assert_allclose(
        path_sketch(graphs[0], 20_000).var(), path_sketch(graphs[1], 20_000).var(), rtol=0.1
    )
    metric = path_metric(graphs[0], other)
    expected = np.linalg.norm(path_vector(graphs[0]) - path_vector(other))
    assert_allclose(metric.l2, expected, rtol=1e-9)
    assert is_rescaling_equivalent(graphs[0], canonical_form(graphs[0]))
