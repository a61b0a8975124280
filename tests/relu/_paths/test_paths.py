"""Path quantities equal what listing every path gives, at any scale."""

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
    prune,
    top_paths,
)
from tests.relu.networks import (
    ORACLE,
    all_paths,
    output,
    path_vector,
    random_factors,
    random_network,
    scaled,
    seeds,
    shuffled,
    sizes,
)

booleans = st.booleans()
exponents = st.sampled_from([0.5, 1, 2, 3.0])


def wild_factors(widths, seed):
    """Rescaling factors of many orders of magnitude: exact powers of two."""
    rng = np.random.default_rng(seed)
    return [2.0 ** rng.integers(-450, 450, n) for n in widths[1:-1]]


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


@given(sizes, seeds, exponents, booleans)
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


@given(sizes, seeds, booleans)
def test_saliency_is_what_removing_the_weight_changes(widths, seed, bias):
    network = random_network(widths, seed)
    phi = path_vector(network, bias)
    found = path_saliency(network, include_bias=bias)
    for part, (saliencies, arrays) in enumerate(zip(found, network)):
        for l, saliency in enumerate(saliencies):
            assert saliency.shape == arrays[l].shape
            index = np.unravel_index(seed % saliency.size, saliency.shape)
            removed = [w.copy() for w in network[0]], [b.copy() for b in network[1]]
            removed[part][l][index] = 0
            change = abs(phi - path_vector(removed, bias)).sum()
            assert_allclose(saliency[index], change, rtol=1e-12, atol=1e-14)


@given(sizes, seeds, booleans)
def test_path_sgd_scaling_is_the_diagonal_of_the_jacobian(widths, seed, bias):
    """Phi is affine in each weight: its derivative is a difference."""
    network = random_network(widths, seed)
    phi = path_vector(network, bias)
    found = path_sgd_scaling(network, include_bias=bias)
    for part, kappas in enumerate(found):
        if part == 1 and not bias:
            continue
        for l, kappa in enumerate(kappas):
            index = np.unravel_index(seed % kappa.size, kappa.shape)
            moved = [w.copy() for w in network[0]], [b.copy() for b in network[1]]
            moved[part][l][index] += 1.0
            assert_allclose(
                kappa[index], ((path_vector(moved, bias) - phi) ** 2).sum(), rtol=1e-8, atol=1e-10
            )


@given(sizes, seeds)
def test_passes_of_any_scale(widths, seed):
    network, factors = random_network(widths, seed), wild_factors(widths, seed)
    wild = scaled(network, factors)
    for mine, others in zip(path_saliency(wild), path_saliency(network)):
        for s, t in zip(mine, others):
            assert_allclose(s, t, rtol=1e-12)
    factors = [np.where(abs(np.log2(c)) < 200, c, 1.0) for c in factors]  # kappa has their squares
    kappa, other = path_sgd_scaling(network), path_sgd_scaling(scaled(network, factors))
    ends = [np.ones(widths[0]), *factors, np.ones(widths[-1])]
    for k, l, before, after in zip(kappa[0], other[0], ends, ends[1:]):
        assert_allclose(l, k * before[:, None] ** 2 / after**2, rtol=1e-12)


@pytest.mark.parametrize("dead", ["incoming", "outgoing", "both", "chain"])
def test_dead_neurons(dead):
    coefs, intercepts = random_network([3, 4, 4, 2], 0)
    if dead in ("incoming", "both", "chain"):
        coefs[0][:, 1], intercepts[0][1] = 0, 0
    if dead in ("outgoing", "both"):
        coefs[1][1] = 0
    if dead == "chain":  # fed by the dead neuron only
        coefs[1][np.arange(4) != 1, 2], intercepts[1][2] = 0, 0
    network = coefs, intercepts
    phi = path_vector(network)
    assert_allclose(path_norm(network), abs(phi).sum(), rtol=1e-13)
    for l in range(3):
        kappa = path_sgd_scaling(network)[0][l]
        saliency = path_saliency(network)[0][l]
        for index in np.ndindex(*coefs[l].shape):
            moved = [w.copy() for w in coefs], intercepts
            moved[0][l][index] += 1.0
            assert_allclose(kappa[index], ((path_vector(moved) - phi) ** 2).sum(), atol=1e-10)
            moved[0][l][index] = 0.0
            assert_allclose(saliency[index], abs(path_vector(moved) - phi).sum(), atol=1e-12)


@pytest.mark.parametrize("signs", ["node", "edge"])
@pytest.mark.parametrize("bias", [True, False])
def test_sketches_are_unbiased(signs, bias):
    a, b = random_network([3, 4, 2, 2], 1), random_network([3, 4, 2, 2], 2)
    m = 20_000 if signs == "node" else 4_000
    one, two = (path_sketch(n, m, signs=signs, include_bias=bias, random_state=3) for n in (a, b))
    assert one.shape == (m, 2)
    products = m * (one * two).sum(axis=1)
    error = products.std() / m**0.5
    assert abs(products.mean() - path_inner(a, b, include_bias=bias)) < 4 * error
    norm = path_norm(a, 2, include_bias=bias) * path_norm(b, 2, include_bias=bias)
    assert 0.1 * norm < products.std() < 3 * norm


@given(sizes, seeds, st.sampled_from(["node", "edge"]))
def test_sketches_are_invariant_to_rescaling(widths, seed, signs):
    network = random_network(widths, seed)
    sketch = path_sketch(network, 5, signs=signs, random_state=seed % 7)
    other = scaled(network, random_factors(widths, seed))
    assert_allclose(
        path_sketch(other, 5, signs=signs, random_state=seed % 7),
        sketch,
        rtol=0,
        atol=1e-12 * path_norm(network),
    )


@pytest.mark.parametrize("signs", ["node", "edge"])
@pytest.mark.parametrize("dtype, scale", [("float64", 1e150), ("float32", 1e30)])
def test_sketches_of_any_scale(signs, dtype, scale):
    """Weights whose plain products are 0, infinity or NaN on the way."""
    coefs, _ = random_network([4, 5, 3, 5, 2], 0)
    expected = path_sketch((coefs, None), 6, signs=signs)
    for scales in [(scale, scale, 1 / scale, 1 / scale), (1 / scale, 1 / scale, scale, scale)]:
        moved = [(w * s).astype(dtype) for w, s in zip(coefs, scales)], None
        found = path_sketch(moved, 6, signs=signs)
        assert found.dtype == dtype
        tolerance = 1e-5 if dtype == "float32" else 1e-13
        assert_allclose(found, expected, rtol=0, atol=tolerance * abs(expected).max())


@given(sizes, seeds, st.integers(1, 400), booleans)
def test_top_paths_are_the_largest(widths, seed, k, bias):
    network = random_network(widths, seed)
    every = all_paths(network, bias)
    paths, weights = top_paths(network, k, include_bias=bias)
    k = min(k, len(every))
    assert paths.shape == (k, len(widths)) and weights.shape == (k,)
    assert len({tuple(path) for path in paths}) == k
    assert_allclose(weights, [every[tuple(path)] for path in paths.tolist()], rtol=1e-13)
    assert_allclose(abs(weights), sorted(map(abs, every.values()), reverse=True)[:k], rtol=1e-13)


@pytest.mark.parametrize("k", [1, 50, 1000, 5000])
@pytest.mark.parametrize("kind", ["normal", "ties", "equal", "zeros", "wild"])
def test_top_paths_of_wide_networks(monkeypatch, k, kind):
    """The search by thresholds: more extensions than are ever listed."""
    from skfact.relu._paths import top as _top_paths

    monkeypatch.setattr(_top_paths, "LISTED", 0)
    widths = [20, 15, 12, 3]
    coefs, intercepts = random_network(widths, 5)
    if kind == "ties":
        coefs, intercepts = ([np.sign(x) * np.ceil(abs(x)) for x in p] for p in (coefs, intercepts))
    if kind == "equal":
        coefs, intercepts = ([np.ones_like(x) for x in p] for p in (coefs, intercepts))
    if kind == "zeros":
        coefs = [w * (np.random.default_rng(0).random(w.shape) < 0.1) for w in coefs]
    if kind == "wild":
        coefs, intercepts = scaled((coefs, intercepts), wild_factors(widths, 0))
    every = all_paths((coefs, intercepts))
    paths, weights = top_paths((coefs, intercepts), k)
    assert len({tuple(path) for path in paths}) == k
    assert_allclose(weights, [every[tuple(path)] for path in paths.tolist()], rtol=1e-12)
    largest = np.sort(np.abs(list(every.values())))[::-1][:k]
    assert_allclose(abs(weights), largest, rtol=1e-12)


class TestMetric:
    @given(sizes, seeds)
    def test_distances(self, widths, seed):
        a, b = random_network(widths, seed), random_network(widths, seed + 1)
        metric = path_metric(a, b)
        difference = path_vector(a) - path_vector(b)
        norm = path_norm(a, 2) + path_norm(b, 2)
        assert_allclose(metric.l2, np.linalg.norm(difference), rtol=1e-10, atol=1e-14 * norm)
        assert metric.l1 >= abs(difference).sum() * (1 - 1e-12)

    @given(sizes, seeds)
    def test_close_networks_do_not_cancel(self, widths, seed):
        a = random_network(widths, seed)
        rng = np.random.default_rng(seed)
        b = tuple([x * (1 + 1e-9 * rng.standard_normal(x.shape)) for x in part] for part in a)
        expected = np.linalg.norm(path_vector(a) - path_vector(b))
        found = path_metric(a, scaled(b, random_factors(widths, seed))).l2
        assert_allclose(found, expected, rtol=1e-4)

    @given(sizes, seeds, seeds)
    def test_the_bound_holds(self, widths, seed, other):
        """Also where signs differ, where the distance itself does not bound the outputs."""
        a, b = random_network(widths, seed), random_network(widths, other)
        X = np.random.default_rng(seed).standard_normal((50, widths[0])) * 3
        change = abs(output(a, X) - output(b, X)).sum(axis=1)
        assert (change <= path_metric(a, b).output_bound(X) * (1 + 1e-12)).all()

    def test_signs_that_differ(self):
        """Equal paths, other functions: no distance of paths can be the bound."""
        a = [np.array([[1.0]]), np.array([[1.0]])], None
        b = [np.array([[-1.0]]), np.array([[-1.0]])], None
        metric = path_metric(a, b)
        assert metric.l2 == 0
        assert metric.l1 == 2 and not metric.l1_is_exact

    @given(sizes, seeds, st.floats(0, 1))
    def test_exact_for_pruned_networks(self, widths, seed, amount):
        network = random_network(widths, seed)
        pruned = prune(network, amount)
        metric = path_metric(network, pruned)
        expected = abs(path_vector(network) - path_vector(pruned)).sum()
        assert_allclose(metric.l1, expected, rtol=1e-12, atol=1e-14 * path_norm(network))
        assert metric.l1_is_exact
        X = np.random.default_rng(seed).standard_normal((20, widths[0]))
        change = abs(output(network, X) - output(pruned, X)).sum(axis=1)
        assert (change <= metric.output_bound(X) * (1 + 1e-12)).all()

    @given(sizes, seeds)
    def test_invariant_to_rescaling_either(self, widths, seed):
        a, b = random_network(widths, seed), random_network(widths, seed + 1)
        metric = path_metric(a, b)
        scale = path_norm(a) + path_norm(b)
        for one, two in [
            (scaled(a, random_factors(widths, seed)), b),
            (a, scaled(b, random_factors(widths, seed))),
            (scaled(a, wild_factors(widths, seed)), b),
        ]:
            other = path_metric(one, two)
            assert_allclose(other.l1, metric.l1, rtol=1e-9, atol=1e-11 * scale)
            assert_allclose(other.l2, metric.l2, rtol=1e-9, atol=1e-12 * scale)


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
    metric = path_metric(*given)
    assert_allclose(metric[:1] + metric[2:], np.array(path_metric(a, b))[[0, 2]], rtol=tolerance)
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


def test_path_sgd_keeps_rescaled_twins_together():
    """Steps divided by kappa commute with rescaling; plain gradient steps do not."""
    widths = [3, 5, 4, 1]
    X = np.random.default_rng(0).standard_normal((40, 3))
    y = np.sin(X.sum(axis=1, keepdims=True))

    def gradient(network):
        coefs, intercepts = network
        inputs, h = [], X
        for w, b in zip(coefs, intercepts):
            inputs.append(h)
            z = h @ w + b
            h = np.maximum(z, 0)
        back, found = (z - y) / len(X), ([], [])
        for l in range(len(coefs) - 1, -1, -1):
            found[0].insert(0, inputs[l].T @ back)
            found[1].insert(0, back.sum(axis=0))
            back = (back @ coefs[l].T) * (inputs[l] > 0)
        return found

    def step(network, eta, divide):
        kappa = path_sgd_scaling(network) if divide else ([1.0] * 3, [1.0] * 3)
        return tuple(
            [x - eta * g / k for x, g, k in zip(*parts)]
            for parts in zip(network, gradient(network), kappa)
        )

    start = random_network(widths, 0)
    apart = {}
    for divide, eta in ((True, 1e-2), (False, 1e-3)):
        twins = [start, scaled(start, random_factors(widths, 1))]
        apart[divide] = []
        for _ in range(20):
            twins = [step(network, eta, divide) for network in twins]
            apart[divide].append(abs(output(twins[0], X) - output(twins[1], X)).max())
        assert abs(output(twins[0], X) - output(start, X)).max() > 1e-3  # it did learn
    assert max(apart[True]) < 1e-12 < 1e-3 < min(apart[False])
