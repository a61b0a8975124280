"""Network graphs: paths are those of an explicit list, and rescaling keeps the function."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning

from skfact._backend import array_namespace, to_numpy
from skfact.relu import NetworkGraph, equalize, path_inner, path_norm, path_saliency
from tests.relu.networks import output, random_network, seeds, sizes

KINDS = ["linear", "linear", "relu", "add", "maximum", "max_pool"]


def random_graph(seed, weights_seed=None, convert=np.asarray, scale=1.0, n_nodes=9):
    """A random graph, always ending in a linear node; weights from a seed of their own."""
    rng = np.random.default_rng(seed)
    weights = np.random.default_rng(seed if weights_seed is None else weights_seed)
    graph = NetworkGraph(int(rng.integers(1, 4)))
    for number in range(n_nodes):
        # mostly a node that nothing reads yet, so that few nodes lead nowhere
        read = {i for other in graph.nodes for i in other.inputs}
        idle = [other for other in graph.nodes if other.index not in read]
        node = idle[0] if rng.random() < 0.7 else graph.nodes[-1]
        kind = "linear" if number in (0, n_nodes - 1) else KINDS[rng.integers(len(KINDS))]
        if kind == "linear":
            size = int(rng.integers(1, 4))
            w, b = weights.standard_normal((node.size, size)), weights.standard_normal(size)
            factor = scale ** float(weights.choice([-1, 1]))
            graph.linear(node, convert(w * factor), convert(b))
        elif kind == "relu":
            graph.relu(node)
        elif kind == "max_pool":
            groups = [
                rng.permutation(node.size)[: rng.integers(1, node.size + 1)].tolist()
                for _ in range(rng.integers(1, 4))
            ]
            graph.max_pool(node, groups)
        else:
            alike = [other for other in graph.nodes if other.size == node.size]
            getattr(graph, kind)(node, alike[rng.integers(len(alike))])
    return graph


def edges_into(graph, node):
    """(entry of an earlier node, own entry, weight, key of the weight)."""
    for source in node.inputs:
        size = graph.nodes[source].size
        if node.kind == "linear":
            for i in range(size):
                for j in range(node.size):
                    key = node.index, i, j
                    yield (source, i), (node.index, j), float(node.weight[i, j]), key
        elif node.kind == "max_pool":
            for j, group in enumerate(node.groups):
                for i in group:
                    yield (source, i), (node.index, j), 1.0, None
        else:
            for i in range(size):
                yield (source, i), (node.index, i), 1.0, None


def all_paths(graph, include_bias=True):
    """Weight of every path, and the weights and biases that it goes through."""
    arriving = {(0, i): [(1.0, ())] for i in range(graph.input.size)}
    for node in graph.nodes[1:]:
        for j in range(node.size):
            arriving[node.index, j] = []
        for start, end, weight, key in edges_into(graph, node):
            keys = () if key is None else (key,)
            arriving[end] += [(phi * weight, used + keys) for phi, used in arriving[start]]
        if node.kind == "linear" and include_bias:
            for j in range(node.size):
                arriving[node.index, j].append((float(node.bias[j]), ((node.index, None, j),)))
    end = graph.output.index
    return [path for j in range(graph.output.size) for path in arriving[end, j]]


def path_vector(graph, include_bias=True):
    return np.array([weight for weight, _ in all_paths(graph, include_bias)])


def chain(network):
    coefs, intercepts = network
    graph = NetworkGraph(coefs[0].shape[0])
    h = graph.input
    for l, (w, b) in enumerate(zip(coefs, intercepts)):
        h = graph.linear(graph.relu(h) if l else h, w, b)
    return graph


def samples(graph, seed=0, n=20):
    return np.random.default_rng(seed).standard_normal((n, graph.input.size))


def classes_of(graph):
    """Entries that share a scale, by merging sets; the first set is the fixed one."""
    sets = [{(0, i) for i in range(graph.input.size)}]
    sets[0] |= {(graph.output.index, j) for j in range(graph.output.size)}
    for node in graph.nodes[1:]:
        linked = [] if node.kind == "linear" else list(edges_into(graph, node))
        new = [{(node.index, j)} for j in range(node.size)]
        new += [{start, end} for start, end, _, _ in linked]
        for entries in new:
            apart = [s for s in sets if not s & entries]
            merged = entries.union(*(s for s in sets if s & entries))
            sets = [merged, *apart]
    return sorted(sets, key=lambda s: (0, 0) not in s)


@given(sizes, seeds, st.sampled_from([0.5, 1, 2]), st.booleans())
@settings(max_examples=25)
def test_a_chain_is_the_layered_network(widths, seed, q, bias):
    a, b = random_network(widths, seed), random_network(widths, seed + 1)
    one, two = chain(a), chain(b)
    X = samples(one)
    assert_allclose(one.predict(X), output(a, X), rtol=1e-12, atol=1e-12)
    assert_allclose(
        path_norm(one, q, include_bias=bias), path_norm(a, q, include_bias=bias), rtol=1e-13
    )
    scale = path_norm(a, 2) * path_norm(b, 2)
    inner = path_inner(a, b, include_bias=bias)
    assert_allclose(path_inner(one, two, include_bias=bias), inner, atol=1e-13 * scale)
    found, expected = (path_saliency(n, include_bias=bias) for n in (one, a))
    for s, t in zip(found[0] + found[1], expected[0] + expected[1]):
        assert_allclose(s, t, rtol=1e-12)


@given(sizes, seeds, st.sampled_from([1, 2, 3.5, np.inf]), st.booleans())
@settings(max_examples=25)
def test_a_chain_is_equalized_as_the_layered_network(widths, seed, p, bias):
    network = random_network(widths, seed)
    expected = equalize(network, p, include_bias=bias, max_iter=20_000)
    found = equalize(chain(network), p, include_bias=bias, max_iter=20_000)
    for x, y in zip(found.coefs + found.intercepts, expected[0] + expected[1]):
        assert_allclose(x, y, rtol=1e-7)


@given(seeds, st.sampled_from([1, 2, 3.0]), st.booleans())
@settings(max_examples=40)
def test_paths_are_those_of_the_list(seed, q, bias):
    a, b = random_graph(seed), random_graph(seed, seed + 1)
    phi, psi = path_vector(a, bias), path_vector(b, bias)
    expected = (abs(phi) ** q).sum() ** (1 / q)
    assert_allclose(path_norm(a, q, include_bias=bias), expected, rtol=1e-12)
    scale = np.linalg.norm(phi) * np.linalg.norm(psi)
    assert_allclose(path_inner(a, b, include_bias=bias), phi @ psi, rtol=0, atol=1e-12 * scale)
    coefs, intercepts = path_saliency(a, include_bias=bias)
    linear = [node for node in a.nodes if node.kind == "linear"]
    paths = all_paths(a, bias)
    for node, coef, intercept in zip(linear, coefs, intercepts):
        expected = np.zeros((node.size, node.weight.shape[0] + 1))
        for weight, keys in paths:
            for index, i, j in keys:
                if index == node.index:
                    expected[j, -1 if i is None else i] += abs(weight)
        assert_allclose(coef, expected[:, :-1].T, rtol=1e-11, atol=1e-13)
        assert_allclose(intercept, expected[:, -1], rtol=1e-11, atol=1e-13)


@given(seeds)
@settings(max_examples=40)
def test_the_norm_bounds_the_function(seed):
    graph = random_graph(seed)
    X, Y = 3 * samples(graph, seed), samples(graph, seed + 1)
    f, g = graph.predict(X), graph.predict(Y)
    distance = abs(X - Y).max(axis=1)
    norm = path_norm(graph, include_bias=False)
    assert (abs(f - g).sum(axis=1) <= distance * norm * (1 + 1e-12)).all()
    size = np.maximum(abs(X).max(axis=1), 1)
    assert (abs(f).sum(axis=1) <= size * path_norm(graph) * (1 + 1e-12)).all()


@pytest.mark.parametrize("scale", [1e150, 1e-150])
@pytest.mark.parametrize("seed", range(4))
def test_any_scale(seed, scale):
    """Classes rescaled by powers of two far out of the range of products: nothing changes."""
    graph = random_graph(seed, n_nodes=12)
    wild = rescaled(graph, seed, lambda rng: scale ** rng.choice([-1.0, 0.0, 1.0]))
    assert_allclose(path_norm(wild), path_norm(graph), rtol=1e-12)
    assert_allclose(path_norm(wild, 3), path_norm(graph, 3), rtol=1e-12)
    assert_allclose(path_inner(wild, graph), path_inner(graph, graph), rtol=1e-12)
    for s, t in zip(path_saliency(wild)[0], path_saliency(graph)[0]):
        assert_allclose(s, t, rtol=1e-11)
    if all(leads_to_output(graph)):  # else it is not determined
        for s, t in zip(equalize(wild).coefs, equalize(graph).coefs):
            assert_allclose(s, t, rtol=1e-7, atol=1e-12)


def rescaled(graph, seed, draw):
    """All classes multiplied by random factors, by the definition."""
    rng = np.random.default_rng(seed)
    factor = {}
    for number, entries in enumerate(classes_of(graph)):
        c = draw(rng) if number else 1.0
        factor |= dict.fromkeys(entries, c)
    coefs, intercepts = [], []
    for node in graph.nodes:
        if node.kind == "linear":
            before = np.array([factor[node.inputs[0], i] for i in range(node.weight.shape[0])])
            after = np.array([factor[node.index, j] for j in range(node.size)])
            coefs.append(node.weight / before[:, None] * after)
            intercepts.append(node.bias * after)
    return graph.with_arrays(coefs, intercepts)


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


@given(seeds, st.sampled_from([1, 2, np.inf]), st.booleans())
@settings(max_examples=40)
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


def leads_to_output(graph):
    """Whether each entry leads to the output: else nothing determines its scale."""
    leads = {(graph.output.index, j) for j in range(graph.output.size)}
    for node in graph.nodes[:0:-1]:
        leads |= {start for start, end, _, _ in edges_into(graph, node) if end in leads}
    return [(node.index, j) in leads for node in graph.nodes for j in range(node.size)]


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


class TestBatchNorm:
    """With the mean in the bias, sign and all."""

    def test_the_mean_enters_the_bias(self):
        """relu(3 x - 3): a pass that subtracts the mean from absolute values would give 0."""
        graph = NetworkGraph(1)
        h = graph.batch_norm(graph.linear(graph.input, [[3.0]]), [3.0], [1.0], eps=0)
        graph.linear(graph.relu(h), [[1.0]])
        assert path_norm(graph) == 6
        before = NetworkGraph(1)
        h = before.batch_norm(before.input, [1.0], [1.0], eps=0)
        before.linear(before.relu(before.linear(h, [[3.0]])), [[1.0]])
        assert path_norm(before) == 6
        assert_array_equal(before.fold_batch_norm().intercepts[0], [-3.0])

    @pytest.mark.parametrize(
        "where, kinds",
        [
            ("after", "input linear relu linear"),
            ("before", "input linear relu linear"),
            ("both", "input linear relu linear"),
            ("twice", "input linear relu linear"),
            ("between", "input linear relu linear relu linear"),
            ("fan-out", "input linear relu linear relu linear add"),
            ("end", "input linear relu linear"),
        ],
    )
    def test_folding_keeps_the_function(self, where, kinds):
        rng = np.random.default_rng(0)

        def norm(h):
            mean, scale, shift = rng.normal(size=(3, h.size))  # negative scales as well
            return graph.batch_norm(h, mean, rng.random(h.size), scale, shift)

        graph = NetworkGraph(3)
        h = graph.input
        if where in ("before", "both"):
            h = norm(h)
        h = graph.linear(h, rng.normal(size=(3, 4)), rng.normal(size=4))
        if where in ("after", "both", "twice"):
            h = norm(h)
        if where == "twice":
            h = norm(h)
        h = graph.relu(h)
        if where == "between":
            h = graph.relu(norm(h))
        if where == "fan-out":
            h = norm(h)
            h = graph.add(
                graph.linear(graph.relu(h), rng.normal(size=(4, 2))),
                graph.max_pool(h, [[0, 1], [2, 3]]),
            )
        else:
            h = graph.linear(h, rng.normal(size=(4, 2)), rng.normal(size=2))
        if where == "end":
            norm(h)
        folded = graph.fold_batch_norm()
        X = samples(graph)
        assert_allclose(folded.predict(X), graph.predict(X), rtol=1e-12, atol=1e-13)
        assert [node.kind for node in folded.nodes if node.kind != "max_pool"] == kinds.split()
        assert_allclose(path_norm(graph), abs(path_vector(folded)).sum(), rtol=1e-12)
        assert_allclose(equalize(graph).predict(X), graph.predict(X), rtol=1e-11, atol=1e-12)

    def test_what_others_read_is_not_folded(self):
        """The linear node also feeds a skip connection."""
        graph = NetworkGraph(2)
        h = graph.linear(graph.input, [[1.0, -2.0], [0.5, 1.0]])
        graph.add(h, graph.batch_norm(h, [1.0, 2.0], [0.25, 4.0], [-1.0, 1.0], eps=0))
        folded = graph.fold_batch_norm()
        assert_array_equal(folded.coefs[0], graph.coefs[0])
        assert_array_equal(folded.coefs[1], np.diag([-2.0, 0.5]))
        assert_array_equal(folded.predict(samples(graph)), graph.predict(samples(graph)))


def test_output_can_be_an_earlier_node():
    graph = NetworkGraph(2)
    h = graph.linear(graph.input, np.eye(2), name="first")
    graph.linear(h, [[1e300, 1.0], [1.0, 1e300]])
    graph.output = h
    assert graph.output is h and path_norm(graph) == 2
    assert_array_equal(graph.predict([[1, 2]]), [[1, 2]])
    coefs, _ = path_saliency(graph)
    assert_array_equal(coefs[1], np.zeros((2, 2)))
    assert_array_equal(equalize(graph).coefs[1], graph.coefs[1])
    assert path_norm(NetworkGraph(3)) == 3


def test_float32_and_dtypes_that_differ():
    graph = NetworkGraph(2)
    h = graph.linear(graph.input, np.ones((2, 2), "float32"))
    assert equalize(graph).coefs[0].dtype == np.float32
    assert graph.predict(np.ones((1, 2), "float32")).dtype == np.float32
    graph.linear(h, np.ones((2, 1)))
    assert {w.dtype for w in path_saliency(graph)[0]} == {np.dtype("float64")}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_array_library(asarray, xp, dtype):
    tolerance = 1e-4 if dtype == "float32" else 1e-10
    for seed in (1, 5, 6):
        convert = lambda x: asarray(x.astype(dtype))  # noqa: E731
        graph, reference = random_graph(seed, convert=convert), random_graph(seed)
        X = samples(reference).astype(dtype)
        found = graph.predict(asarray(X))
        assert array_namespace(found) is xp and found.dtype == asarray(X).dtype
        scale = path_norm(reference)
        assert_allclose(to_numpy(found), reference.predict(X), atol=tolerance * scale)
        assert_allclose(path_norm(graph, 2), path_norm(reference, 2), rtol=tolerance)
        assert_allclose(path_inner(graph, graph), path_inner(reference, reference), rtol=tolerance)
        pairs = [
            *zip(path_saliency(graph)[0], path_saliency(reference)[0]),
            *zip(equalize(graph, tol=1e-6).coefs, equalize(reference, tol=1e-6).coefs),
        ]
        for x, y in pairs:
            assert array_namespace(x) is xp and x.dtype == graph.coefs[0].dtype
            assert_allclose(to_numpy(x), y, rtol=10 * tolerance, atol=tolerance * scale)
