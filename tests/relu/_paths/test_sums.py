"""Sums over paths equal what listing every path gives, at any scale."""

import math
from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skfact._backend import array_namespace, to_numpy
from skfact.relu import (
    path_count,
    path_inner,
    path_metric,
    path_norm,
    path_saliency,
    path_sgd_scaling,
    path_sketch,
    path_sums,
    top_paths,
)
from tests.relu.networks import (
    ORACLE,
    all_paths,
    path_vector,
    random_factors,
    random_network,
    scaled,
    seeds,
    shuffled,
    sizes,
    wild_factors,
)

exponents = st.sampled_from([0.5, 1, 2, 3.0])


def test_oracle():
    assert path_count(ORACLE) == 7
    assert path_norm(ORACLE) == 12.75
    assert_allclose(path_norm(ORACLE, 2) ** 2, 46.3125, rtol=1e-15)
    assert path_norm(ORACLE, include_bias=False) == 10.5
    assert_array_equal(path_vector(ORACLE), [2, 2, 6, -0.5, 1, 1, 0.25])
    ones = [np.ones((n, m)) for n, m in [(2, 3), (3, 2), (2, 1)]], [np.ones(n) for n in (3, 2, 1)]
    assert path_count(ones) == path_norm(ones) == path_inner(ones, ones) == 21


def test_count_is_exact_where_floats_are_not():
    big = [np.zeros((n, m)) for n, m in [(784, 1024), (1024, 1024), (1024, 10)]], None
    assert path_count(big) == 784 * 1024**2 * 10 + 1024**2 * 10 + 1024 * 10 + 10 == 8_231_331_850
    deep = [np.ones((3, 3))] * 60, None
    assert path_count(deep, include_bias=False) == 3**61


@given(sizes, seeds, exponents, st.booleans())
def test_norm_inner_and_count(widths, seed, q, bias):
    a, b = random_network(widths, seed), random_network(widths, seed + 1)
    phi, psi = path_vector(a, bias), path_vector(b, bias)
    assert path_count(a, include_bias=bias) == len(phi)
    assert_allclose(
        path_norm(a, q, include_bias=bias), (abs(phi) ** q).sum() ** (1 / q), rtol=1e-13
    )
    scale = np.linalg.norm(phi) * np.linalg.norm(psi)
    assert_allclose(path_inner(a, b, include_bias=bias), phi @ psi, rtol=0, atol=1e-13 * scale)


@given(sizes, seeds, st.sampled_from([1, 2]))
def test_norms_of_any_scale(widths, seed, q):
    """Powers of two change nothing at all but the exponent."""
    network = random_network(widths, seed)
    expected = path_norm(network, q)
    wild = scaled(network, wild_factors(widths, seed))
    assert_allclose(path_norm(wild, q), expected, rtol=1e-14)
    assert_allclose(path_inner(wild, network), path_inner(network, network), rtol=1e-13)
    assert_allclose(path_sums(wild, q), path_sums(network, q), rtol=1e-13)
    up = [w * 2.0**400 for w in network[0]], [b * 2.0**-400 for b in network[1]]
    paths = all_paths((network[0], [0 * b for b in network[1]]))
    exact = sum(abs(w) ** q for w in paths.values()) ** (1 / q)
    power = 400 * len(network[0])
    reachable = power + math.log2(exact) < 1023
    assert_allclose(
        path_norm(up, q, include_bias=False),
        math.ldexp(exact, power) if reachable else math.inf,
        rtol=1e-13,
    )


@pytest.mark.parametrize("dtype, scale", [("float64", 1e150), ("float32", 1e30)])
def test_scales_that_cancel(dtype, scale):
    """Plain sums would be 0, infinity or NaN."""
    coefs, intercepts = random_network([4, 5, 3, 5, 2], 0)
    reference = path_norm((coefs, [0 * b for b in intercepts]))
    moved = [w * s for w, s in zip(coefs, (scale, scale, 1 / scale, 1 / scale))]
    network = [w.astype(dtype) for w in moved], None
    assert_allclose(path_norm(network), reference, rtol=1e-6 if dtype == "float32" else 1e-14)
    moved = [w * s for w, s in zip(coefs, (1 / scale, 1 / scale, scale, scale))]
    network = [w.astype(dtype) for w in moved], None
    assert_allclose(path_norm(network, 2), path_norm((coefs, None), 2), rtol=1e-6)


@given(sizes, seeds)
def test_sums_are_invariant_to_rescaling_and_permutation(widths, seed):
    network = random_network(widths, seed)
    sums = path_sums(network)
    assert sums.shape == (widths[0] + 1, widths[-1])
    expected = np.zeros_like(sums)
    for path, weight in all_paths(network).items():
        expected[path[0], path[-1]] += abs(weight)  # -1, a bias, is the last row
    assert_allclose(sums, expected, rtol=1e-12)
    assert_allclose(path_sums(network, include_bias=False), expected[:-1], rtol=1e-12)
    other = shuffled(scaled(network, random_factors(widths, seed)), seed)
    assert_allclose(path_sums(other), sums, rtol=1e-11)
    assert_allclose(sums.sum(), path_norm(network), rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_array_library(asarray, xp, dtype):
    a, b = random_network([4, 5, 3, 2], 0, dtype), random_network([4, 5, 3, 2], 1, dtype)
    given = [([asarray(w) for w in n[0]], [asarray(c) for c in n[1]]) for n in (a, b)]
    one = given[0]
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    assert path_count(one) == path_count(a)
    for q in (1, 2, 3):
        assert_allclose(path_norm(one, q), path_norm(a, q), rtol=tolerance)
    assert_allclose(path_inner(*given), path_inner(a, b), rtol=10 * tolerance)
    metric, expected = path_metric(*given), path_metric(a, b)
    assert_allclose([metric.l1, metric.l2], [expected.l1, expected.l2], rtol=tolerance)
    X = np.random.default_rng(0).standard_normal((6, 4)).astype(dtype)
    assert array_namespace(metric.output_bound(asarray(X))) is xp
    paths, weights = top_paths(one, 7)
    assert_array_equal(paths, top_paths(a, 7)[0])
    assert type(weights) is np.ndarray and weights.dtype == dtype
    arrays = [
        (path_sketch(one, 9), path_sketch(a, 9)),
        (path_sketch(one, 9, signs="edge"), path_sketch(a, 9, signs="edge")),
        (path_sums(one), path_sums(a)),
        *zip(chain(*path_saliency(one)), chain(*path_saliency(a))),
        *zip(chain(*path_sgd_scaling(one)), chain(*path_sgd_scaling(a))),
    ]
    for found, expected in arrays:
        assert array_namespace(found) is xp and found.dtype == one[0][0].dtype
        assert_allclose(to_numpy(found), expected, rtol=tolerance, atol=tolerance)


BIASES_BESIDE_SMALL_WEIGHTS = [
    ([[[1e-200, 0.0]], [[1e200], [1e200]]], [[1e200, 1.0], [1.0]], 1, 1.0),
    ([[[1e-170]]], [[1.0]], 2, 1e-170),
    ([[[2.0**-600], [0.0]], [[2.0**-400]]], [[2.0**900], [1.0]], 1, 2.0**-1000),
]


@pytest.mark.parametrize("coefs, intercepts, q, norm", BIASES_BESIDE_SMALL_WEIGHTS)
def test_biases_that_are_left_out_hide_nothing(coefs, intercepts, q, norm):
    network = coefs, intercepts
    without = {"include_bias": False}
    assert_allclose(path_norm(network, q, **without), norm, rtol=1e-13)
    assert_allclose(path_sums(network, q, **without).sum(), norm**q, rtol=1e-13, atol=0)
    assert_allclose(path_inner(network, network, **without), path_norm(network, 2, **without) ** 2)
    assert_allclose(abs(top_paths(network, 1, **without).weights), norm, rtol=1e-13)
    assert_allclose(path_sketch(network, 1, **without) ** 2, norm**2, rtol=1e-13)
    saliency, of_biases = path_saliency(network, **without)
    assert_allclose(saliency[0].max(), norm, rtol=1e-13)
    assert not any(b.any() for b in of_biases)
