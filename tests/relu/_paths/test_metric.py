"""Distances of networks, and the bound on their outputs."""

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from skfact.relu import path_metric, path_norm, prune
from tests.relu.networks import (
    output,
    path_vector,
    random_factors,
    random_network,
    scaled,
    seeds,
    sizes,
    wild_factors,
)


@given(sizes, seeds)
def test_distances(widths, seed):
    a, b = random_network(widths, seed), random_network(widths, seed + 1)
    metric = path_metric(a, b)
    difference = path_vector(a) - path_vector(b)
    norm = path_norm(a, 2) + path_norm(b, 2)
    assert_allclose(metric.l2, np.linalg.norm(difference), rtol=1e-10, atol=1e-14 * norm)
    assert metric.l1 >= abs(difference).sum() * (1 - 1e-12)


@given(sizes, seeds)
def test_close_networks_do_not_cancel(widths, seed):
    a = random_network(widths, seed)
    rng = np.random.default_rng(seed)
    b = tuple([x * (1 + 1e-9 * rng.standard_normal(x.shape)) for x in part] for part in a)
    expected = np.linalg.norm(path_vector(a) - path_vector(b))
    found = path_metric(a, scaled(b, random_factors(widths, seed))).l2
    assert_allclose(found, expected, rtol=1e-4)


@given(sizes, seeds, seeds)
def test_the_bound_holds(widths, seed, other):
    """Also where signs differ, where the distance itself does not bound the outputs."""
    a, b = random_network(widths, seed), random_network(widths, other)
    X = np.random.default_rng(seed).standard_normal((50, widths[0])) * 3
    change = abs(output(a, X) - output(b, X)).sum(axis=1)
    assert (change <= path_metric(a, b).output_bound(X) * (1 + 1e-12)).all()


def test_signs_that_differ():
    """Equal paths, other functions: no distance of paths can be the bound."""
    a = [np.array([[1.0]]), np.array([[1.0]])], None
    b = [np.array([[-1.0]]), np.array([[-1.0]])], None
    metric = path_metric(a, b)
    assert metric.l2 == 0
    assert metric.l1 == 2 and not metric.l1_is_exact


@given(sizes, seeds, st.floats(0, 1))
def test_exact_for_pruned_networks(widths, seed, amount):
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
@example([1, 2, 5, 2, 2], 100)
def test_invariant_to_rescaling_either(widths, seed):
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
