"""Sums over paths of weights that have nothing to do with each other's scale, held to fractions."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from skfact._backend import array_namespace, to_numpy
from skfact.relu import ReLUPathEmbedding, path_saliency, path_sgd_scaling, path_sketch, path_sums
from tests.relu.graphs import chain
from tests.relu.networks import random_network, seeds, sizes

LARGEST = Fraction(np.finfo(float).max)


def unrelated(widths, seed):
    """Weights of all magnitudes of float64, and some zeros."""
    rng = np.random.default_rng(seed)
    return tuple(
        [a * 2.0 ** rng.integers(-900, 900, a.shape) * (rng.random(a.shape) < 0.8) for a in arrays]
        for arrays in random_network(widths, seed)
    )


def passes(network, q, include_bias=True):
    """Exact sums of abs(edges)^q to and from each neuron, and the edges."""
    fractions = np.vectorize(lambda x: abs(Fraction(x)) ** q, otypes=[object])
    coefs, intercepts = ([fractions(a) for a in arrays] for arrays in network)
    f = [np.array([Fraction(1)] * coefs[0].shape[0])]
    for w, b in zip(coefs, intercepts):
        f.append(f[-1] @ w + (b if include_bias else 0))
    g = [np.array([Fraction(1)] * coefs[-1].shape[1])]
    for w in coefs[::-1]:
        g.insert(0, w @ g[0])
    return f, g, coefs, intercepts


def assert_close(found, exact):
    rounded = np.vectorize(lambda x: float(x) if x <= LARGEST else np.inf, otypes=[float])(exact)
    assert_allclose(found, rounded, rtol=1e-12, atol=1e-306)


@given(sizes, seeds, st.sampled_from([1, 2]), st.booleans())
@example([1, 3, 3, 1, 1], 1, 2, False)  # nothing leads to the output
def test_sums_from_each_input(widths, seed, q, bias):
    network = unrelated(widths, seed)
    _, _, coefs, intercepts = passes(network, q)
    ways = np.vectorize(Fraction, otypes=[object])(np.eye(widths[-1]))
    from_biases = 0 * ways[:1]
    for w, b in zip(coefs[::-1], intercepts[::-1]):
        from_biases = from_biases + b[None, :] @ ways
        ways = w @ ways
    expected = np.concatenate([ways, from_biases]) if bias else ways
    for kind in (network, chain(network)):
        assert_close(path_sums(kind, q, include_bias=bias), expected)


@given(sizes, seeds, st.booleans())
def test_saliency_and_scaling_of_each_weight(widths, seed, bias):
    network = unrelated(widths, seed)
    for function, q in ((path_saliency, 1), (path_sgd_scaling, 2)):
        f, g, coefs, intercepts = passes(network, q, bias)
        results = [function(n, include_bias=bias) for n in (network, chain(network))]
        for l, (w, b) in enumerate(zip(coefs, intercepts)):
            through, start = f[l][:, None] * g[l + 1], g[l + 1]
            if q == 1:
                through, start = through * w, start * b * bias
            for of_weights, of_biases in results:
                assert_close(of_weights[l], through)
                assert_close(of_biases[l], start)


def test_what_small_neurons_lead_to():
    """Of equal paths, or of paths that are nothing beside others."""
    kappa = path_sgd_scaling(([[[1e-200]], [[1e-200]], [[1e200]]], None))[0]
    assert_allclose(np.ravel(kappa), [1, 1, 0])
    network = [[[1e200, 1e-200]], [[1.0], [1.0]]], None
    assert_allclose(path_sgd_scaling(network)[0][0], [[1, 1]])
    assert_allclose(path_saliency(network)[0][0], [[1e200, 1e-200]], rtol=1e-13)
    network = [[[1e200], [1e-150]], [[1e200]]], [[1.0], [1.0]]
    assert_allclose(path_sums(network), [[np.inf], [1e50], [1e200]], rtol=1e-13)


@pytest.mark.parametrize("function", [path_sums, path_saliency, path_sgd_scaling])
def test_every_array_library(asarray, xp, function):
    network = unrelated([3, 4, 2], 0)
    converted = tuple([asarray(a) for a in arrays] for arrays in network)
    pairs = zip(*(_flat(function(n)) for n in (converted, network)))
    for found, expected in pairs:
        assert array_namespace(found) is xp
        assert_allclose(to_numpy(found), expected, rtol=1e-12)


def _flat(result):
    return [*result[0], *result[1]] if isinstance(result, tuple) else [result]


@pytest.mark.parametrize("dtype, large", [("float64", 1e200), ("float32", 1e30)])
def test_paths_beyond_the_range_are_infinite_without_a_warning(dtype, large):
    network = [np.array([[large]], dtype), np.array([[large]], dtype)], None
    assert np.isinf(path_sketch(network, 2)).all()
    assert np.isinf(path_sums(network)[0, 0]) and np.isinf(path_saliency(network)[0][0])
    embedding = ReLUPathEmbedding(network).fit(np.ones((2, 1)))
    assert np.isinf(embedding.path_weights_).any()
