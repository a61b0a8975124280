"""Equalized graphs compute the same function, and their classes are balanced."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning

from skfact.relu import NetworkGraph, equalize, path_norm
from tests.asserts import at_most, for_each
from tests.relu.graphs import (
    chain,
    classes_of,
    edges_into,
    leads_to_output,
    path_vector,
    random_graph,
    rescaled,
    samples,
)
from tests.relu.networks import random_network, seeds, sizes


@given(sizes, seeds, st.sampled_from([0.4, 1, 2, 3.5, np.inf]), st.booleans())
@at_most(25)
def test_a_chain_is_equalized_as_the_layered_network(widths, seed, p, bias):
    network = random_network(widths, seed)
    expected = equalize(network, p, include_bias=bias, max_iter=20_000)
    found = equalize(chain(network), p, include_bias=bias, max_iter=20_000)
    for x, y in zip(found.coefs + found.intercepts, expected[0] + expected[1]):
        assert_allclose(x, y, rtol=1e-7)


def class_norms(graph, p, bias):
    """Incoming and outgoing norm of each class that is not fixed, without edges inside it."""
    found = []
    for entries in classes_of(graph)[1:]:
        coming, going = [], []
        for node in graph.nodes:
            if node.kind != "linear":
                continue
            for start, end, weight, _ in edges_into(graph, node):
                if (start in entries) != (end in entries):
                    (coming if end in entries else going).append(weight)
            if bias:
                ends = range(node.size)
                coming += [float(node.bias[j]) for j in ends if (node.index, j) in entries]
        if any(coming) and any(going):
            found.append((np.linalg.norm(coming, p), np.linalg.norm(going, p)))
    return np.array(found).reshape(-1, 2)


@given(seeds, st.sampled_from([0.4, 1, 2, np.inf]), st.booleans())
@at_most(40)
def test_equalized_graphs_compute_the_same_and_are_balanced(seed, p, bias):
    graph = random_graph(seed, n_nodes=12)
    before = [w.copy() for w in graph.coefs]
    result = equalize(graph, p, include_bias=bias, max_iter=20_000)
    X = samples(graph, seed)
    tolerance = 1e-12 * path_norm(graph) * max(1, abs(X).max())
    assert_allclose(result.predict(X), graph.predict(X), rtol=0, atol=tolerance)
    assert_allclose(path_norm(result), path_norm(graph), rtol=1e-10)
    for w, v in zip(before, graph.coefs):
        assert_array_equal(w, v)
    if not all(leads_to_output(graph)):
        return  # some scales are not determined
    assert_allclose(*class_norms(result, p, bias).T, rtol=1e-7)
    if p == 2:
        other = equalize(rescaled(graph, seed, lambda rng: np.exp(3 * rng.standard_normal())))
        for w, v in zip(other.coefs, equalize(graph).coefs):
            assert_allclose(w, v, rtol=1e-6, atol=1e-9)


@for_each("p, bias", [(0.1, False), (0.1, True), (0.2, True), (0.5, False), (0.5, True), (1, True)])
def test_the_least_sum_of_powers(p, bias):
    """Against a general minimizer over the logarithms of the factors of all classes."""
    rng = np.random.default_rng(0)
    graph = NetworkGraph(3)
    h = graph.linear(graph.input, rng.normal(size=(3, 4)), rng.normal(size=4))
    branch = graph.relu(graph.linear(h, rng.normal(size=(4, 5)), rng.normal(size=5)))
    h = graph.add(h, graph.linear(branch, rng.normal(size=(5, 4)), rng.normal(size=4)))
    h = graph.max_pool(h, [[0, 1], [2, 3]])
    graph.linear(h, rng.normal(size=(2, 2)))
    # pairs that are pooled, in both nodes that are added; neurons of the branch
    assert len(classes_of(graph)) == 1 + 2 + 5

    def total(graph):
        arrays = [*graph.coefs, *graph.intercepts[:-1]] if bias else graph.coefs
        return sum((abs(a) ** p).sum() for a in arrays)

    def of_logarithms(u):
        logs = iter(u)
        return np.log(total(rescaled(graph, 0, lambda rng: np.exp(next(logs)))))

    best = np.exp(minimize(of_logarithms, np.zeros(7), options={"gtol": 1e-8}).fun)
    found = equalize(rescaled(graph, 1, lambda rng: np.exp(rng.normal())), p, include_bias=bias)
    assert_allclose(total(found), best, rtol=1e-8)
    assert_allclose(found.predict(samples(graph)), graph.predict(samples(graph)), rtol=1e-10)


def test_residual_networks_converge_quadratically():
    """Ten residual blocks on one stream: scales of 16 + 10 * 16 classes."""
    rng = np.random.default_rng(0)
    graph = NetworkGraph(8)
    h = graph.linear(graph.input, rng.normal(size=(8, 16)))
    for _ in range(10):
        branch = graph.relu(graph.linear(h, rng.normal(size=(16, 16)), rng.normal(size=16)))
        h = graph.add(h, graph.linear(branch, rng.normal(size=(16, 16))))
    graph.linear(h, rng.normal(size=(16, 3)))
    wild = rescaled(graph, 1, lambda rng: np.exp(4 * rng.standard_normal()))
    result, n_iter = equalize(wild, return_n_iter=True)
    assert 1 < n_iter < 20
    assert_allclose(*class_norms(result, 2, False).T, rtol=1e-8)
    with pytest.warns(ConvergenceWarning, match="max_iter=1"):
        equalize(wild, max_iter=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert equalize(NetworkGraph(3), return_n_iter=True)[1] == 1


def test_dead_entries_keep_their_scale():
    graph = NetworkGraph(2)
    dead = graph.linear(graph.input, [[1.0, 0.0], [2.0, 0.0]])
    h = graph.add(graph.relu(dead), graph.linear(dead, [[1.0, 0.0], [0.0, 3.0]]))
    graph.linear(h, [[4.0], [5.0]])
    result = equalize(graph)
    assert all(np.isfinite(w).all() for w in result.coefs)
    assert_allclose(result.predict(samples(graph)), graph.predict(samples(graph)), rtol=1e-13)
    assert result.coefs[-1][1] == 5.0
    assert path_norm(graph) == sum(abs(path_vector(graph)))


@pytest.mark.parametrize("p", [1, 2, 5.0])
@pytest.mark.parametrize("scale", [1e200, 1e-200, 1e100])
def test_any_scale(p, scale):
    """Beside it a part of usual weights, which the sum of all powers would not show."""
    small = random_network([2, 3, 2, 1], 0)[0]
    large = [scale * w for w in random_network([2, 3, 2, 1], 1)[0]]
    for parts in ([large], [small, large]):
        graph = NetworkGraph(2)
        for weights in parts:
            h = graph.input
            for number, w in enumerate(weights):
                h = graph.linear(graph.relu(h) if number else h, w)
        graph.add(*(node for node in graph.nodes if node.size == 1))
        result, n_iter = equalize(graph, p, return_n_iter=True)
        expected = [w for part in parts for w in equalize((part, None), p)[0]]
        assert n_iter > 1
        for w, v in zip(result.coefs, expected, strict=True):
            assert_allclose(w, v, rtol=1e-8)


def test_one_neuron_of_any_scale():
    for scale in (1e200, 1e-200, 3e-308):
        graph = NetworkGraph(1)
        graph.linear(graph.relu(graph.linear(graph.input, [[scale]])), [[scale]])
        assert_allclose(equalize(graph).coefs, [[[scale]]] * 2, rtol=1e-9)


def test_scales_in_one_part_that_no_power_holds():
    graph = NetworkGraph(1)
    h = graph.relu(graph.linear(graph.input, [[1e200, 1.0]]))
    h = graph.relu(graph.linear(h, [[1e200, 1e-300], [0.0, 1e-300]]))
    graph.linear(h, [[1e200], [1e-300]])
    result = equalize(graph)
    assert all(np.isfinite(w).all() and w.any() for w in result.coefs)
