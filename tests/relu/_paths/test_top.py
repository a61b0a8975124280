"""The largest paths are those of the list."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from skfact.relu import top_paths
from tests.relu.networks import all_paths, random_network, scaled, seeds, sizes, wild_factors


@given(sizes, seeds, st.integers(1, 400), st.booleans())
def test_top_paths_are_the_largest(widths, seed, k, bias):
    network = random_network(widths, seed)
    every = all_paths(network, bias)
    paths, weights = top_paths(network, k, include_bias=bias)
    k = min(k, len(every))
    assert paths.shape == (k, len(widths)) and weights.shape == (k,)
    assert len({tuple(path) for path in paths}) == k
    assert_allclose(weights, [every[tuple(path)] for path in paths.tolist()], rtol=1e-13)
    assert_allclose(abs(weights), sorted(map(abs, every.values()), reverse=True)[:k], rtol=1e-13)


@pytest.mark.parametrize("kind", ["normal", "ties", "equal", "zeros", "wild"])
def test_top_paths_of_wide_networks(monkeypatch, kind):
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
    for k in (1, 50, 1000, 5000):
        paths, weights = top_paths((coefs, intercepts), k)
        assert len({tuple(path) for path in paths}) == k
        assert_allclose(weights, [every[tuple(path)] for path in paths.tolist()], rtol=1e-12)
        largest = np.sort(np.abs(list(every.values())))[::-1][:k]
        assert_allclose(abs(weights), largest, rtol=1e-12)


@given(sizes, seeds, st.integers(1, 60))
def test_paths_of_any_size_beside_each_other(widths, seed, k):
    """Weights from 1e-300 to 1e300, whose products are ordered by their logarithms."""
    rng = np.random.default_rng(seed)
    coefs, intercepts = (
        [x * 10.0 ** rng.integers(-299, 300, x.shape) for x in part]
        for part in random_network(widths, seed)
    )
    with np.errstate(divide="ignore"):
        logs = tuple([np.log2(abs(x)) for x in part] for part in (coefs, intercepts))
    sizes = {}  # of each path: its weight is the sum in the place of the product
    for path in all_paths((coefs, intercepts)):
        start = path.count(-1)
        sizes[path] = 0.0 if start == 0 else logs[1][start - 1][path[start]]
        for l, (i, j) in enumerate(pairwise(path)):
            sizes[path] += logs[0][l][i, j] if i >= 0 else 0.0
    paths, _ = top_paths((coefs, intercepts), k)
    found = [sizes[tuple(path)] for path in paths.tolist()]
    assert len({tuple(path) for path in paths}) == len(paths) == min(k, len(sizes))
    assert_allclose(found, sorted(sizes.values(), reverse=True)[:k], rtol=1e-12, atol=1e-9)


def test_sorted_beside_paths_beyond_the_range():
    network = [[[1e200], [1e-150]], [[1e200]]], [[1e-300], [1.0]]
    for k in (1, 2, 3, 4):
        assert_allclose(top_paths(network, k).weights, [np.inf, 1e50, 1, 1e-100][:k], rtol=1e-13)
    paths, weights = top_paths(network, 10)
    assert_allclose(weights, [np.inf, 1e50, 1, 1e-100], rtol=1e-13)
    assert paths.tolist() == [[0, 0, 0], [1, 0, 0], [-1, -1, 0], [-1, 0, 0]]
    network = [[[1e300, -1e-200], [0.0, 1e-210]], [[-1e300], [1e5]]], None
    weights = top_paths(network, 9, include_bias=False).weights
    assert_allclose(weights, [-np.inf, -1e-195, 1e-205, 0], rtol=1e-13)
