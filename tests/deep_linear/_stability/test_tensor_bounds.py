"""Bounds between parameters and their tensors: true for all pairs, and attained."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skfact.deep_linear import (
    factor_distance,
    rank_one_tensor,
    tensor_lipschitz_bound,
    tensor_stability_bound,
)
from skfact.deep_linear._stability.tensor_bounds import _hull
from tests.arrays import DTYPES, FEW
from tests.asserts import for_each
from tests.deep_linear._stability.parameters import draw, rescaled

NORMS = (1, 2, 3, np.inf)
TIMES = 200 if FEW else 1000


def norm(tensor, p):
    return float(np.linalg.norm(np.ravel(tensor), ord=p))


def pairs(seed, kind):
    """Random pairs, near pairs, and pairs of signs and zeros, where the bounds are attained."""
    random = np.random.default_rng(seed)
    for i in range(TIMES):
        sizes = random.integers(1, 5, random.integers(1, 5))
        h, g = draw(random, sizes, kind), draw(random, sizes, kind)
        if i % 3 == 0:
            step = 10 ** random.uniform(-16, 0)
            g = rescaled(random, [x + step * y for x, y in zip(h, g)])
        elif i % 3 == 1:
            h, g = ([np.sign(x.real) * (x.imag < 0.5) * (1 + 0 * x) for x in one] for one in (h, g))
            g = [np.sign(x.real) * random.integers(0, 2, x.shape) + 0 * x for x in g]
        yield h, g, NORMS[random.integers(4)] if kind == "float64" or len(sizes) < 2 else 2


@pytest.mark.parametrize("kind", ["float64", "complex128"])
def test_bounds_are_never_below_what_they_bound(kind):
    constant = 2 if kind == "float64" else 1 + 2**0.5
    ratios = {}
    for h, g, p in pairs(0, kind):
        first, second = rank_one_tensor(h), rank_one_tensor(g)
        gap, largest = first - second, max(norm(first, np.inf), norm(second, np.inf))
        distance, bound = factor_distance(h, g, p), tensor_stability_bound(h, g, p)
        assert distance <= bound
        count = sum(map(len, h)) ** (1 / p)
        level = largest ** (1 / len(h))
        formula = constant * count * level * norm(gap, np.inf) / (largest or 1)
        assert_allclose(bound, formula, rtol=1e-12, atol=1e-12 * level * count)
        assert norm(gap, p) <= tensor_lipschitz_bound(h, g, p) + 1e-15 * norm(first, p)
        if bound > 1e-10 * level:
            ratios[p] = max(ratios.get(p, 0), distance / bound)
    # the largest ratios found among 20 000 pairs: 1.00 for p = inf, and 0.60 for p = 2
    assert ratios[2] < 0.65
    if kind == "float64":
        assert ratios[np.inf] > 0.6


@for_each("p", NORMS)
def test_published_constant_holds_where_its_condition_does(p):
    random = np.random.default_rng(1)
    finite = 0
    for _ in range(100):
        sizes = random.integers(1, 5, random.integers(1, 5))
        h = draw(random, sizes)
        g = [x + 0.2 * y for x, y in zip(h, draw(random, sizes))]
        first, second = rank_one_tensor(h), rank_one_tensor(g)
        close = norm(first - second, np.inf) <= 0.5 * max(norm(x, np.inf) for x in (first, second))
        published = tensor_stability_bound(h, g, p, constant="published")
        if close:
            assert_allclose(published, 3.5 * tensor_stability_bound(h, g, p))
            finite += 1
        else:
            assert published == np.inf
    assert 20 < finite < 90


def test_stability_is_sharp():
    h, g = [[1.0, 1.0], [1.0, 0.0]], [[1.0, -1.0], [0.0, 1.0]]
    assert factor_distance(h, g, np.inf) == 2
    assert_allclose(tensor_stability_bound(h, g, np.inf), 2)
    # complex parameters: any phase is opposite to that of some entry
    turns = np.exp(2j * np.pi * np.arange(60) / 60)
    h, g = [np.ones(60), np.eye(2)[0]], [turns, np.eye(2)[1]]
    assert_allclose(factor_distance(h, g, np.inf), 2 * np.cos(np.pi / 120))
    assert_allclose(tensor_stability_bound(h, g, np.inf), 1 + 2**0.5)
    # close pairs: the ratio 2 - 1/K, half of the constant times that
    for n in (2, 3, 4):
        e = 1e-5
        h = [[1.0, 1.0]] * (n - 1) + [[1.0, 1 - 2 * e]]
        g = [[1.0, 1.0]] * (n - 1) + [[1 - e, 1 - e]]
        ratio = factor_distance(h, g, np.inf) / tensor_stability_bound(h, g, np.inf)
        assert_allclose(2 * ratio, 2 - 1 / n, rtol=1e-4)
    # the number of parameters is needed
    for p in (1, 2, 3):
        h, g = [np.eye(50)[0]] * 3, [np.where(np.arange(50) > 0, 1e-3, 1.0)] * 3
        assert_allclose(factor_distance(h, g, p), 147 ** (1 / p) * 1e-3)
        assert factor_distance(h, g, p) > 0.48 * tensor_stability_bound(h, g, p)


@for_each("p", NORMS)
def test_lipschitz_is_sharp(p):
    for sizes in ((3,), (2, 2), (3, 3, 3)):
        h = [np.ones(size) for size in sizes]
        g = [(1 - 1e-6) * x for x in h]
        gap = norm(rank_one_tensor(h) - rank_one_tensor(g), p)
        assert 1 - 1e-5 < gap / tensor_lipschitz_bound(h, g, p) < 1


@pytest.mark.parametrize("kind", ["float64", "complex128"])
def test_equal_and_zero_classes(kind):
    random = np.random.default_rng(2)
    h = draw(random, (3, 2), kind)
    zero = [0 * h[0], h[1]]
    for p in NORMS:
        for bound in (tensor_stability_bound, tensor_lipschitz_bound):
            assert bound(h, h, p) == 0 == bound(zero, [h[0], 0 * h[1]], p)
            assert 0 <= bound(h, rescaled(random, h), p) < 1e-12
        assert tensor_stability_bound(h, zero, p) >= factor_distance(h, zero, p)
        size = norm(rank_one_tensor(h), p)
        assert size <= tensor_lipschitz_bound(zero, h, p) == tensor_lipschitz_bound(h, zero, p)
        assert tensor_stability_bound(h, zero, p, "published") == np.inf


@for_each("scale", [1e-150, 1e150])
def test_bounds_grow_with_the_scale(scale):
    random = np.random.default_rng(3)
    h, g = (draw(random, (3, 2, 4)) for _ in "hg")
    large = [[scale * x for x in one] for one in (h, g)]
    near = tensor_stability_bound(h, g)
    assert_allclose(tensor_stability_bound(*large), scale * near, rtol=1e-12)
    # the tensor itself is beyond all numbers, or below them, the bound says so
    assert tensor_lipschitz_bound(*large) == (0 if scale < 1 else np.inf)
    one = [[scale * h[0], h[1] / scale, h[2]], g]
    assert_allclose(tensor_stability_bound(*one), near, rtol=1e-12)
    assert_allclose(tensor_lipschitz_bound(*one), tensor_lipschitz_bound(h, g), rtol=1e-12)


def test_the_largest_difference_is_on_the_hull():
    random = np.random.default_rng(8)
    for draw_points in (
        lambda n: random.standard_normal((n, 2)),
        lambda n: random.uniform(-1, 1, (n, 2)),
        lambda n: random.standard_normal((n, 1)) * [1, 0.3],  # on a line
        lambda n: np.round(random.standard_normal((n, 2))),
    ):
        for n in (1, 2, 3, 50, 3000):
            points = draw_points(n)
            points /= np.max(np.abs(points)) or 1
            corners, directions = _hull(points), random.standard_normal((2, 200))
            found, expected = ((x @ directions).max(axis=0) for x in (corners, points))
            assert_allclose(found, expected, atol=1e-14)
            assert len(corners) <= n and {tuple(c) for c in corners} <= {tuple(p) for p in points}


def test_tensors_that_nobody_could_hold():
    random = np.random.default_rng(4)
    h = draw(random, [300] * 10)
    g = [x + 0.1 * y for x, y in zip(h, draw(random, [300] * 10))]
    assert factor_distance(h, g) < tensor_stability_bound(h, g) < np.inf
    assert 0 < tensor_lipschitz_bound(h, g) < np.inf
    with pytest.raises(ValueError, match="entries, and only up to"):
        tensor_stability_bound([x + 0j for x in h], g)


def test_more_complex_vectors_have_a_lipschitz_bound_in_every_norm():
    random = np.random.default_rng(5)
    for p in NORMS:
        for _ in range(20):
            h, g = (draw(random, (3, 2, 2), "complex128") for _ in "hg")
            gap = norm(rank_one_tensor(h) - rank_one_tensor(g), p)
            assert gap <= tensor_lipschitz_bound(h, g, p)


def test_arrays_of_every_library(asarray):
    random = np.random.default_rng(6)
    for kind in DTYPES:
        h, g = (draw(random, (3, 2), kind) for _ in "hg")
        for bound in (tensor_stability_bound, tensor_lipschitz_bound):
            found = bound([asarray(x) for x in h], [asarray(x) for x in g])
            assert type(found) is float
            assert_allclose(found, bound(h, g), rtol=1e-12)
