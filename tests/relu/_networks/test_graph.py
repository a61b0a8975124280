"""Network graphs: what they compute, batch norms, bounds, any scale and every array library."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skfact._backend import array_namespace, to_numpy
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
from tests.asserts import at_most
from tests.relu.graphs import leads_to_output, path_vector, random_graph, rescaled, samples
from tests.relu.networks import seeds


@given(seeds)
@at_most(40)
def test_the_norm_bounds_the_function(seed):
    graph = random_graph(seed)
    X, Y = 3 * samples(graph, seed), samples(graph, seed + 1)
    f, g = graph.predict(X), graph.predict(Y)
    distance = abs(X - Y).max(axis=1)
    norm = path_norm(graph, include_bias=False)
    assert (abs(f - g).sum(axis=1) <= distance * norm * (1 + 1e-12)).all()
    size = np.maximum(abs(X).max(axis=1), 1)
    assert (abs(f).sum(axis=1) <= size * path_norm(graph) * (1 + 1e-12)).all()


@given(seeds, st.sampled_from([1e150, 1e-150]))
@at_most(20)
def test_any_scale(seed, scale):
    """Classes rescaled far out of the range of products: nothing changes."""
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
        assert_allclose(
            path_metric(graph, prune(graph, 3)).l1,
            path_metric(reference, prune(reference, 3)).l1,
            rtol=tolerance,
        )
        assert_array_equal(top_paths(graph, 5).paths, top_paths(reference, 5).paths)
        assert is_rescaling_equivalent(graph, canonical_form(graph))
        patterns = activation_patterns(graph, asarray(X))
        assert_array_equal(to_numpy(patterns), activation_patterns(reference, X))
        pairs = [
            *zip(path_saliency(graph)[0], path_saliency(reference)[0]),
            *zip(path_sgd_scaling(graph)[1], path_sgd_scaling(reference)[1]),
            *zip(equalize(graph, tol=1e-6).coefs, equalize(reference, tol=1e-6).coefs),
            *zip(canonical_form(graph).coefs, canonical_form(reference).coefs),
            *zip(quantize(graph, 20).coefs, quantize(reference, 20).coefs),
            (path_sums(graph), path_sums(reference)),
            (path_sketch(graph, 4), path_sketch(reference, 4)),
            (path_sketch(graph, 4, signs="edge"), path_sketch(reference, 4, signs="edge")),
        ]
        for x, y in pairs:
            assert array_namespace(x) is xp and x.dtype == graph.coefs[0].dtype
            assert_allclose(to_numpy(x), y, rtol=10 * tolerance, atol=tolerance * scale)


def without_weights():
    """Graphs without linear nodes, and which gates (2, 3) and (3, 2) open."""
    graphs = [NetworkGraph(2) for _ in range(4)]
    graphs[1].max_pool(graphs[1].input, [[0, 1]])
    graphs[2].relu(graphs[2].add(graphs[2].input, graphs[2].input))
    pooled = graphs[3].max_pool(graphs[3].input, [[0, 1], [1]])
    graphs[3].maximum(graphs[3].relu(pooled), pooled)
    open_gates = [], [[False, True], [True, False]], [[True, True]] * 2
    more = [[False, True] + [True] * 7, [True, False] + [True] * 7]
    return zip(graphs, (*open_gates, more))


@pytest.mark.parametrize("scale", [1.0, 1e-300])
def test_gates_without_weights(asarray, xp, scale):
    for graph, expected in without_weights():
        X = asarray(scale * np.array([[2.0, 3.0], [3.0, 2.0]]))
        found = activation_patterns(graph, X)
        assert array_namespace(found) is xp and found.dtype == xp.bool
        assert_array_equal(to_numpy(found), np.reshape(np.array(expected, dtype=bool), (2, -1)))


def test_paths_without_weights():
    for graph, _ in without_weights():
        total = path_count(graph)
        assert path_norm(graph) == path_inner(graph, graph) == path_sums(graph).sum() == total
        assert_array_equal(top_paths(graph, 99).weights, np.ones(total))
        assert path_metric(graph, graph).l2 == 0 and is_rescaling_equivalent(graph, graph)
        assert path_saliency(graph) == path_sgd_scaling(graph) == ([], [])
        assert rescaling_factors(graph, rescale(graph, [])) == []
        X = [[1.0, -2.0], [0.5, 3.0]]
        for function in (canonical_form, equalize, quantize, lambda g: prune(g, 0.5)):
            assert_array_equal(function(graph).predict(X), graph.predict(X))
        assert path_sketch(graph, 3).shape == (3, graph.output.size)


def test_a_graph_stays_what_it_is():
    """Arrays that it was built from, and those it was given anew, belong to the caller."""
    rng = np.random.default_rng(0)
    arrays = rng.normal(size=(3, 4)), rng.normal(size=4), rng.normal(size=(4, 2)), np.zeros(2)
    mean, variance, scale, shift = rng.random((4, 4))
    graph = NetworkGraph(3)
    h = graph.linear(graph.input, arrays[0], arrays[1])
    h = graph.relu(graph.batch_norm(h, mean, variance, scale, shift))
    graph.linear(h, arrays[2], arrays[3])
    other = graph.with_arrays([arrays[0], arrays[2]], [arrays[1], arrays[3]])
    X = samples(graph)
    before = graph.predict(X), other.predict(X), equalize(graph).predict(X)
    for array in (*arrays, mean, variance, scale, shift):
        array += 1.0
    for one, two in zip((graph.predict(X), other.predict(X), equalize(graph).predict(X)), before):
        assert_array_equal(one, two)
