"""The metric on classes of parameters: axioms, and the minimum over signs or phases."""

import math
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize

from skfact.deep_linear import are_rescalings, factor_distance
from skfact.deep_linear._stability._classes.rank_one import normal_form
from tests.arrays import DTYPES, FEW, gaussian
from tests.asserts import for_each
from tests.deep_linear._stability.parameters import draw, rescaled

NORMS = (1, 1.5, 2, 3, 60, np.inf)
TIMES = 60 if FEW else 200


def norm(x, p):
    """The norm, without underflow of powers."""
    largest = np.max(np.abs(x))
    return largest * float(np.linalg.norm(x / (largest or 1), ord=p))


def by_enumeration(h, g, p):
    a, b = (normal_form([np.asarray(x) for x in one]) for one in (h, g))
    return min(
        norm(np.concatenate([x - t * y for x, y, t in zip(a, b, s)]), p)
        for s in product([1, -1], repeat=len(a))
        if math.prod(s) == 1
    )


def some_sizes(random, most=4):
    return random.integers(1, 5, random.integers(1, most + 1))


def test_signs_are_those_of_enumeration():
    random = np.random.default_rng(0)
    for _ in range(TIMES):
        sizes = some_sizes(random)
        h, g = draw(random, sizes), draw(random, sizes)
        for x in g:
            x *= random.choice([1, 1e-3, 0], p=[0.8, 0.15, 0.05])
        near = [x + 1e-3 * gaussian(random, x.shape) for x in rescaled(random, h)]
        for p in NORMS:
            for other in (g, near):
                assert_allclose(
                    factor_distance(h, other, p), by_enumeration(h, other, p), rtol=1e-12
                )


def test_norms_of_any_exponent():
    h, g = [[1.0, 1e-10], [1.0, 1e-10]], [[1.0, 2e-10], [1.0, 1e-10]]
    for p in (1, 50, 1000, 1e6, np.inf):
        assert_allclose(factor_distance(h, g, p), 1e-10)  # no power of an entry underflows
    # the product of the nearer signs is -1: the one that costs least is turned
    h, g = [[1.0, 0.5], [1.0, 1e-9], [1.0, 0.0]], [[-1.0, -0.5], [1.0, 1e-9], [-1e-9, 0.0]]
    for p in (1, 50, 1000, 1e6, np.inf):
        assert_allclose(factor_distance(h, g, p), by_enumeration(h, g, p))


@pytest.mark.parametrize("kind", ["float64", "complex128"])
def test_it_is_a_metric_on_classes(kind):
    random = np.random.default_rng(1)
    for _ in range(TIMES):
        sizes = some_sizes(random)
        one, two, three = (draw(random, sizes, kind) for _ in range(3))
        if random.random() < 0.2:
            three[0] *= 0
        if random.random() < 0.3:
            two = [x + 0.01 * y for x, y in zip(one, two)]
        p = 2 if kind == "complex128" else NORMS[random.integers(len(NORMS))]
        d = factor_distance(one, two, p)
        assert_allclose(factor_distance(two, one, p), d, rtol=1e-10)
        turned = rescaled(random, two, 10)
        assert_allclose(factor_distance(one, turned, p), d, rtol=1e-10)
        assert factor_distance(two, turned, p) <= 1e-14 * factor_distance(two, three, p)
        assert d > 0 and not are_rescalings(one, two)
        around = factor_distance(one, three, p) + factor_distance(three, two, p)
        assert d <= around * (1 + 1e-12)


def test_phases_are_the_best_ones():
    random = np.random.default_rng(2)
    for _ in range(10 if FEW else 30):
        sizes = random.integers(1, 5, random.integers(2, 5))
        h, g = (draw(random, sizes, "complex128") for _ in "hg")
        a, b = normal_form(h), normal_form(g)

        def squares(t, a=a, b=b):
            turns = np.exp(1j * np.append(t, -np.sum(t)))
            return sum(np.sum(np.abs(x - u * y) ** 2) for x, y, u in zip(a, b, turns))

        starts = random.uniform(0, 6.3, (5, len(a) - 1))
        best = min(minimize(squares, start).fun for start in starts) ** 0.5
        assert_allclose(factor_distance(h, g), best, rtol=1e-6)
        assert factor_distance(h, g) <= best * (1 + 1e-12)


def test_phases_that_add_up_to_half_a_turn():
    """Real vectors with an odd number of signs between them, as complex ones."""
    h = [np.array([1.0, 0]), np.array([1.0, 0.5]), np.array([1.0, 0.5])]
    g = [-h[0], *h[1:]]
    assert_allclose(factor_distance([x + 0j for x in h], g), 1.8540496217739157, rtol=1e-12)
    random = np.random.default_rng(5)
    for _ in range(TIMES):
        h = draw(random, random.integers(1, 5, random.integers(3, 6)))
        g = [-h[0], *(x + 0.1 * gaussian(random, x.shape) for x in h[1:])]
        turned = [np.exp(1e-9j) * g[0], *g[1:]]  # the distance is continuous
        found = factor_distance([x + 0j for x in h], [x + 0j for x in g])
        assert_allclose(found, factor_distance(h, turned), atol=1e-7)
        assert found <= factor_distance(h, g) * (1 + 1e-12)


def test_phases_of_orthogonal_and_opposite_vectors():
    one = np.array([1.0 + 0j, 0.0])
    orthogonal = [one, one, one], [one[::-1], one, -one]  # the first takes up any phase
    assert_allclose(factor_distance(*orthogonal), 2**0.5)
    opposite = [one, one, one], [one, one, -one]  # by sixty degrees each
    assert_allclose(factor_distance(*opposite), 3**0.5)
    small = [one, 0.1 * one + one[::-1]], [-one, 0.1 * one - 1j * one[::-1]]
    angles = np.linspace(0, 2 * np.pi, 100001)
    a, b = normal_form(small[0]), normal_form(small[1])
    squares = sum(
        np.sum(np.abs(x - np.exp(1j * s * angles)[:, None] * y) ** 2, axis=1)
        for x, y, s in zip(a, b, (1, -1))
    )
    assert_allclose(factor_distance(*small), np.min(squares) ** 0.5, rtol=1e-8)


@for_each("p", [1, 1.5, 3, np.inf])
def test_two_complex_vectors_have_one_angle(p):
    random = np.random.default_rng(3)
    for _ in range(10):
        sizes = random.integers(1, 6, 2)
        h, g = (draw(random, sizes, "complex128") for _ in "hg")
        a, b = normal_form(h), normal_form(g)
        turns = np.exp(2j * np.pi * np.arange(4000) / 4000)
        rows = [x - u[:, None] * y for x, y, u in zip(a, b, (turns, turns.conj()))]
        best = np.min(np.linalg.norm(np.concatenate(rows, axis=1), ord=p, axis=1))
        found = factor_distance(h, g, p)
        # how far the norm can fall between two of the angles
        assert best - 3e-3 * np.linalg.norm(np.concatenate(b), ord=p) <= found
        assert found <= best * (1 + 1e-12)
        assert factor_distance(h, rescaled(random, h, 3), p) <= 1e-14


def test_a_norm_that_hardly_depends_on_the_angle():
    one, two = np.eye(2, dtype=complex)
    for p in (1, 3, np.inf):
        assert_allclose(
            factor_distance([one, one], [two, two], p), np.linalg.norm(np.ones(4), ord=p)
        )


def test_a_single_vector():
    random = np.random.default_rng(4)
    for kind in DTYPES:
        h, g = gaussian(random, 4, kind), gaussian(random, 4, kind)
        for p in NORMS:
            expected = norm(h.astype("complex128") - g, p)
            assert_allclose(factor_distance([h], [g], p), expected, rtol=1e-12)


def test_distance_to_zero_is_the_norm_of_the_normal_form():
    h = [np.array([3.0, 4.0]), np.array([1e10, 0.0, 1e9])]
    zero = [np.zeros(2), np.ones(3)]
    form = np.concatenate(normal_form(h))
    for p in NORMS:
        for pair in ((h, zero), (zero, h)):
            assert_allclose(factor_distance(*pair, p), norm(form, p), rtol=1e-12)
    assert factor_distance(zero, [[1.0, 1.0], [0.0, 0.0, 0.0]]) == 0


@for_each("scale", [1e-150, 1e-10, 1e150, 1e300])
def test_it_grows_with_the_scale(scale):
    random = np.random.default_rng(5)
    for kind in ("float64", "complex128"):
        h, g = (draw(random, (3, 2, 4), kind) for _ in "hg")
        large = [[scale * x for x in one] for one in (h, g)]
        assert_allclose(factor_distance(*large), scale * factor_distance(h, g), rtol=1e-12)
        one = [g[0] * scale, g[1] / scale, g[2]]
        assert_allclose(factor_distance(h, one), factor_distance(h, g), rtol=1e-12)


def test_arrays_of_every_library(asarray):
    random = np.random.default_rng(6)
    for kind in DTYPES:
        h, g = (draw(random, (3, 2), kind) for _ in "hg")
        found = factor_distance([asarray(x) for x in h], [asarray(x) for x in g])
        assert type(found) is float
        assert_allclose(found, factor_distance(h, g), rtol=1e-12)


def test_blocks_of_a_pattern_are_vectors_in_c_order():
    random = np.random.default_rng(8)
    h, g = ([random.standard_normal((2, 1, 3, 2)), random.standard_normal((4, 3))] for _ in "hg")
    flat = [[x.ravel() for x in one] for one in (h, g)]
    for p in NORMS:
        assert factor_distance(h, g, p) == factor_distance(*flat, p)
        assert factor_distance(flat[0], g, p) == factor_distance(*flat, p)


def test_more_complex_vectors_and_another_norm_are_refused():
    h = draw(np.random.default_rng(7), (2, 2, 2), "complex64")
    with pytest.raises(ValueError, match=r"3 complex vectors is known for p=2 only, got p=1"):
        factor_distance(h, h, 1)
