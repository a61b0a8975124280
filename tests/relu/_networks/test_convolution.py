"""Convolutions: as PyTorch computes them, and as the matrix that they are unrolled to."""

import math

import numpy as np
import pytest
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
    path_sums,
    prune,
    quantize,
    rescale,
    rescaling_factors,
    top_paths,
)
from tests.asserts import for_each
from tests.relu.graphs import all_paths


def convolved(signal, kernel, bias, stride, padding):
    """By the definition: (n_in, *sizes) -> (n_out, *positions)."""
    n = kernel.ndim - 2
    padded = np.pad(signal, [(0, 0)] + [(p, p) for p in padding])
    counts = [
        (m - k) // s + 1 for m, k, s in zip(padded.shape[1:], kernel.shape[2:], stride, strict=True)
    ]
    found = np.empty((len(kernel), *counts))
    for at in np.ndindex(*counts):
        window = tuple(slice(s * i, s * i + k) for i, s, k in zip(at, stride, kernel.shape[2:]))
        found[(slice(None), *at)] = np.tensordot(kernel, padded[(slice(None), *window)], n + 1)
    return found + bias.reshape(-1, *[1] * n)


CASES = [
    # n_in, n_out, input, kernel, stride, padding
    (1, 1, (5,), (2,), (1,), (0,)),
    (2, 3, (7,), (3,), (2,), (1,)),
    (3, 2, (4,), (1,), (3,), (0,)),
    (1, 2, (1,), (3,), (1,), (1,)),
    (2, 3, (4, 5), (3, 2), (1, 2), (1, 0)),
    (1, 2, (6, 3), (2, 3), (2, 1), (0, 2)),
    (2, 1, (1, 1), (1, 1), (1, 1), (0, 0)),
]


def numbers(case, seed=0):
    n_in, n_out, _, sizes, _, _ = case
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n_out, n_in, *sizes)), rng.standard_normal(n_out)


@pytest.mark.parametrize("case", CASES)
def test_it_computes_a_convolution(case):
    n_in, n_out, shape, _, stride, padding = case
    kernel, bias = numbers(case)
    graph = NetworkGraph(n_in * math.prod(shape))
    node = graph.convolution(
        graph.input, kernel, bias, input_shape=shape, stride=stride, padding=padding
    )
    X = np.random.default_rng(1).standard_normal((4, graph.input.size))
    expected = np.array(
        [convolved(x.reshape(n_in, *shape), kernel, bias, stride, padding) for x in X]
    )
    assert node.shape == expected.shape[1:] and node.size == math.prod(node.shape)
    assert_allclose(graph.predict(X), expected.reshape(4, -1), atol=1e-13)
    torch = pytest.importorskip("torch")
    function = torch.nn.functional.conv1d if len(shape) == 1 else torch.nn.functional.conv2d
    other = function(
        *(torch.from_numpy(a) for a in (X.reshape(4, n_in, *shape), kernel, bias)),
        stride=stride,
        padding=padding,
    )
    assert_allclose(graph.predict(X), other.numpy().reshape(4, -1), atol=1e-13)
    # the numbers that were given, where they meet more than padding
    seen = prune(graph, 0).coefs[0] != 0
    assert_array_equal(graph.coefs[0][seen], kernel[seen])
    assert_array_equal(graph.intercepts[0], bias)
    again = graph.with_arrays(graph.coefs, graph.intercepts)
    assert_array_equal(again.predict(X), graph.predict(X))


def network(seed=0, convert=np.asarray, unrolled=False):
    """Two convolutions with a pool and a skip connection around the second, then a linear map.

    With `unrolled` the matrices are given as they are.
    """
    rng = np.random.default_rng(seed)
    kernels = rng.standard_normal((2, 1, 2, 2)), rng.standard_normal((2, 2, 3, 3))
    biases, last = rng.standard_normal((2, 2)), rng.standard_normal((8, 2))
    graph = NetworkGraph(9)

    def convolve(h, kernel, bias, shape, padding):
        n = len(graph.nodes)
        options = {"input_shape": shape, "padding": padding}
        if not unrolled:
            return graph.convolution(h, convert(kernel), convert(bias), **options, name=f"c{n}")
        other = NetworkGraph(kernel.shape[1] * math.prod(shape))
        node = other.convolution(other.input, kernel, bias, **options)
        return graph.linear(h, convert(node.weight), convert(node.bias), name=f"c{n}")

    h = graph.relu(convolve(graph.input, kernels[0], biases[0], (3, 3), 0))
    branch = convolve(h, kernels[1], biases[1], (2, 2), 1)
    h = graph.relu(graph.add(h, branch))
    graph.linear(h, convert(last), convert(np.array([0.5, -2.0])))
    return graph


def places(graph):
    """For each kernel, where its numbers stand in its matrix."""
    return [node.convolution.places for node in graph.nodes if node.convolution is not None]


@for_each("seed", range(4))
def test_quantities_are_those_of_the_unrolled_matrices(seed):
    graph, dense = network(seed), network(seed, unrolled=True)
    X = np.random.default_rng(seed).standard_normal((10, 9))
    assert_allclose(graph.predict(X), dense.predict(X), rtol=1e-12)
    for q in (0.5, 1, 2):
        assert_allclose(path_norm(graph, q), path_norm(dense, q), rtol=1e-12)
        assert_allclose(path_sums(graph, q), path_sums(dense, q), rtol=1e-12)
    other, dense_other = network(seed + 1), network(seed + 1, unrolled=True)
    assert_allclose(path_inner(graph, other), path_inner(dense, dense_other), rtol=1e-12)
    one, two = path_metric(graph, other), path_metric(dense, dense_other)
    assert_allclose(one.l2, two.l2, rtol=1e-10)
    change = abs(graph.predict(X) - other.predict(X)).sum(axis=1)
    assert (change <= one.output_bound(X)).all()
    assert_array_equal(activation_patterns(graph, X), activation_patterns(dense, X))
    assert_allclose(top_paths(graph, 20).weights, top_paths(dense, 20).weights, rtol=1e-12)
    for function in (path_saliency, path_sgd_scaling):
        found, of_dense = function(graph), function(dense)
        for l, where in enumerate(places(graph)):
            kernel = np.zeros(where.max() + 1)
            np.add.at(kernel, where.ravel(), of_dense[0][l].ravel())
            n = found[0][l].size
            assert_allclose(found[0][l].ravel(), kernel[:n], rtol=1e-12)
            assert_allclose(found[1][l], of_dense[1][l].reshape(2, -1).sum(axis=1), rtol=1e-12)
        assert_allclose(found[0][-1], of_dense[0][-1], rtol=1e-12)


def test_paths_run_where_the_kernel_is():
    """Counted and summed path by path: entries of the matrix without a number are no edges."""
    graph = network()
    dense = network(unrolled=True)
    paths = [weight for weight, _ in all_paths(dense) if weight != 0]
    assert path_count(graph) == len(paths)
    assert path_count(graph, include_bias=False) < path_count(graph) < path_count(dense)
    assert_allclose(path_norm(graph), np.abs(paths).sum(), rtol=1e-12)


def test_saliency_is_the_change_of_the_norm():
    graph = network()
    for l, (saliency, kernel) in enumerate(zip(path_saliency(graph)[0], graph.coefs)):
        for at in list(np.ndindex(*kernel.shape))[:6]:
            coefs = [w.copy() for w in graph.coefs]
            coefs[l][at] = 0.0
            without = path_norm(graph.with_arrays(coefs, graph.intercepts))
            assert_allclose(path_norm(graph) - without, saliency[at], rtol=1e-9)


def test_path_sgd_scaling_is_the_jacobian_of_the_numbers():
    """Of each number of a kernel, not of each place: sums of squares of finite differences."""
    graph = network()
    kappa = path_sgd_scaling(graph)[0]

    def phi(coefs):
        dense = network(unrolled=True)
        given = graph.with_arrays(coefs, graph.intercepts)
        arrays = [node.weight for node in given.nodes if node.kind == "linear"]
        return np.array([w for w, _ in all_paths(dense.with_arrays(arrays, dense.intercepts))])

    for l, at in ((0, (1, 0, 0, 1)), (1, (0, 1, 1, 2)), (2, (3, 1))):
        ahead, behind = ([w.copy() for w in graph.coefs] for _ in "ab")
        ahead[l][at] += 1e-5
        behind[l][at] -= 1e-5
        slope = (phi(ahead) - phi(behind)) / 2e-5
        assert_allclose((slope**2).sum(), kappa[l][at], rtol=1e-6)


def test_rescaling_is_by_channel():
    graph = network(3)
    X = np.random.default_rng(0).standard_normal((10, 9))
    # the channels of both convolutions meet in a sum
    factors = np.repeat([3.0, 0.25], 4)
    other = rescale(graph, [factors, factors])
    assert_allclose(other.predict(X), graph.predict(X), rtol=1e-12)
    assert_allclose(other.coefs[0], graph.coefs[0] * np.array([3, 0.25])[:, None, None, None])
    ratio = np.array([3, 0.25])[:, None] / np.array([3, 0.25])
    assert_allclose(other.coefs[1], graph.coefs[1] * ratio[:, :, None, None])
    assert is_rescaling_equivalent(graph, other)
    for found in rescaling_factors(graph, other):
        assert_allclose(found, factors)
    with pytest.raises(ValueError, match=r"factors\[0\] change the function"):
        rescale(graph, [np.linspace(1, 2, 8)] * 2)
    for function in (equalize, canonical_form, lambda g: equalize(g, np.inf)):
        one, two = function(graph), function(other)
        assert_allclose(one.predict(X), graph.predict(X), rtol=1e-9)
        for a, b in zip(one.coefs, two.coefs):
            assert_allclose(a, b, rtol=1e-6, atol=1e-9)
    kernel, bias = canonical_form(graph).coefs[0], canonical_form(graph).intercepts[0]
    assert_allclose((kernel**2).sum(axis=(1, 2, 3)) + bias**2, np.ones(2), rtol=1e-12)


def test_pruning_and_rounding_are_of_kernels():
    graph = network()
    total = sum(w.size for w in graph.coefs)
    for criterion in ("magnitude", "saliency"):
        pruned = prune(graph, 10, criterion=criterion)
        assert sum(int((w == 0).sum()) for w in pruned.coefs) == 10
    assert path_norm(prune(graph, total)) > 0  # biases are left
    assert path_norm(prune(graph, total), include_bias=False) == 0
    rounded = quantize(graph, 3, scheme="per_channel").coefs[1]
    for channel in rounded:
        assert len(np.unique(np.round(abs(channel), 12))) <= 4
    assert_allclose(
        abs(rounded).max(axis=(1, 2, 3)), abs(graph.coefs[1]).max(axis=(1, 2, 3)), rtol=1e-12
    )


def test_batch_norms_of_channels_are_folded():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((5, 6))

    def graph(norm):
        made = NetworkGraph(6)
        h = made.convolution(made.input, rng.standard_normal((2, 1, 3)), input_shape=(6,))
        mean, variance, scale, shift = norm
        h = made.relu(made.batch_norm(h, mean, variance, scale, shift))
        h = made.batch_norm(h, *np.abs(rng.standard_normal((2, 8))))
        made.convolution(h, rng.standard_normal((1, 2, 3)), input_shape=(4,), padding=1)
        return made

    channels = graph(np.repeat(np.abs(rng.standard_normal((4, 2))), 4, axis=1))
    entries = graph(np.abs(rng.standard_normal((4, 8))))
    for made, kinds in (
        (channels, "input linear relu linear linear"),  # the second one meets the padding
        (entries, "input linear linear relu linear linear"),
    ):
        folded = made.fold_batch_norm()
        assert [node.kind for node in folded.nodes] == kinds.split()
        assert_allclose(folded.predict(X), made.predict(X), rtol=1e-11, atol=1e-12)
        assert_allclose(equalize(made).predict(X), made.predict(X), rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_array_library(asarray, xp, dtype):
    graph = network(convert=lambda x: asarray(np.asarray(x, dtype=dtype)))
    reference = network()
    tolerance = 1e-4 if dtype == "float32" else 1e-10
    assert_allclose(path_norm(graph), path_norm(reference), rtol=tolerance)
    for made, expected in (
        (graph, reference),
        (canonical_form(graph), canonical_form(reference)),
        (prune(graph, 5), prune(reference, 5)),
    ):
        for a, b in zip((*made.coefs, *made.intercepts), (*expected.coefs, *expected.intercepts)):
            assert array_namespace(a) is xp and str(a.dtype).endswith(dtype)
            assert_allclose(to_numpy(a), b, rtol=tolerance, atol=tolerance)
    for a, b in zip(path_saliency(graph)[0], path_saliency(reference)[0]):
        assert array_namespace(a) is xp
        assert_allclose(to_numpy(a), b, rtol=tolerance)


@pytest.mark.parametrize("scale", [1e150, 1e-150])
def test_any_scale(scale):
    graph = network()
    factors = np.repeat([scale, 1 / scale], 4)
    wild = rescale(graph, [factors, factors])
    assert_allclose(path_norm(wild), path_norm(graph), rtol=1e-12)
    for s, t in zip(path_saliency(wild)[0], path_saliency(graph)[0]):
        assert_allclose(s, t, rtol=1e-11)


def test_different_convolutions_are_different_nodes():
    one, two = NetworkGraph(5), NetworkGraph(5)
    one.convolution(one.input, np.ones((1, 1, 3)), input_shape=(5,), padding=1)
    two.convolution(two.input, np.ones((1, 1, 5)), input_shape=(5,), padding=2)
    with pytest.raises(ValueError, match="or convolves otherwise"):
        path_inner(one, two)
