"""The rescaling of least divergence: convex, the same as by other methods, better than none."""

import math

import numpy as np
from hypothesis import given
from numpy.testing import assert_allclose
from scipy.optimize import minimize

from skfact.relu._generalization.divergence import PRIOR_SCALES, divergence, least_divergence
from tests.asserts import at_most, for_each
from tests.relu.networks import random_network, seeds, sizes


def layers_of(network):
    return [np.vstack([w, b[None, :]]) for w, b in zip(*network)]


def of_gaussians(layers, logs, sigma, s):
    """KL of N(d theta, (sigma d)^2) from N(0, s^2), number by number."""
    total = 0.0
    for layer, before, after in zip(layers, logs, logs[1:]):
        d = np.exp(after[None, :] - np.append(before, 0.0)[:, None])
        mean, deviation = d * layer, sigma * d
        total += (np.log(s / deviation) + (deviation**2 + mean**2) / (2 * s**2) - 0.5).sum()
    return total


def random_logs(layers, rng):
    logs = [np.zeros(len(layers[0]) - 1)]
    logs += [rng.standard_normal(layer.shape[1]) for layer in layers[:-1]]
    return [*logs, np.full(layers[-1].shape[1], rng.standard_normal())]


@given(sizes, seeds)
def test_value_and_slopes(widths, seed):
    layers, rng = layers_of(random_network(widths, seed)), np.random.default_rng(seed)
    sigma, log_scale = np.exp(rng.standard_normal(2))
    squares = [layer**2 + sigma**2 for layer in layers]
    logs, direction = random_logs(layers, rng), random_logs(layers, rng)

    def value(t):
        moved = [u + t * v for u, v in zip(logs, direction)]
        return divergence(squares, moved, log_scale + t)

    n = sum(layer.size for layer in layers)
    of_factors = [v + l * log_scale for l, v in enumerate(logs)]
    expected = of_gaussians(layers, of_factors, sigma, math.exp(log_scale))
    found, slopes, of_scale = value(0.0)
    assert_allclose(found - n * (0.5 + math.log(sigma)), expected, rtol=1e-10, atol=1e-8)
    slope = sum(g @ v for g, v in zip(slopes, direction)) + of_scale
    ahead, behind = value(1e-5)[0], value(-1e-5)[0]
    size = abs(found) + sum(abs(g).sum() for g in slopes)
    assert_allclose(slope, (ahead - behind) / 2e-5, rtol=1e-5, atol=1e-6 * size)
    # convex along every line
    assert ahead + behind - 2 * found >= -1e-12 * size


@for_each("seed", range(6))
def test_least_is_that_of_bfgs(seed):
    """Without our derivatives, and from another start."""
    rng = np.random.default_rng(seed)
    widths = [3, *rng.integers(1, 5, rng.integers(1, 3)).tolist(), 2]
    layers, sigma = layers_of(random_network(widths, seed)), float(np.exp(rng.normal()))
    found = least_divergence(layers, sigma, rescale=True)
    ends = np.cumsum(widths[1:-1])

    def value(x):
        *hidden, last = np.split(x, ends)
        logs = [np.zeros(3), *hidden, np.full(2, last[0])]
        return of_gaussians(layers, logs, sigma, found.prior_scale)

    other = minimize(value, rng.standard_normal(ends[-1] + 1), method="BFGS")
    assert_allclose(found.value, other.fun, rtol=1e-6)
    assert_allclose(
        found.value, of_gaussians(layers, found.logs, sigma, found.prior_scale), rtol=1e-9
    )
    assert found.prior_scale in PRIOR_SCALES


@given(sizes, seeds)
@at_most(30)
def test_every_scale_of_a_prior_is_worse(widths, seed):
    """Of those on the list, without rescaling and with."""
    layers = layers_of(random_network(widths, seed))
    for rescale in (False, True):
        found = least_divergence(layers, 0.3, rescale=rescale)
        for factor in (2**-0.125, 2**0.125):
            other = of_gaussians(layers, found.logs, 0.3, found.prior_scale * factor)
            assert other >= found.value * (1 - 1e-6)
    plain = least_divergence(layers, 0.3, rescale=False)
    assert found.value <= plain.value * (1 + 1e-9)
    assert all(not log.any() for log in plain.logs)


@for_each("scale", [1e150, 1e-150, 1e12, 1e-12])
def test_scales_that_no_prior_has(scale):
    """Weights far beyond the list: one factor for all outputs, and others, bring them back."""
    layers = layers_of(random_network([2, 3, 2], 0))
    for layer in layers:
        layer[-1] = 0.0  # without biases the scale of the layers is free
    beyond = [scale * layer for layer in layers]
    plain = least_divergence(beyond, 0.1 * scale, rescale=False)
    assert plain.prior_scale in (PRIOR_SCALES[0], PRIOR_SCALES[-1])
    assert plain.value > 5 * least_divergence(layers, 0.1, rescale=False).value
    found = least_divergence(beyond, 0.1 * scale, rescale=True)
    assert found.value <= plain.value and all(np.isfinite(log).all() for log in found.logs)
    if 1e-100 < scale < 1e100:
        for one in (plain, found):
            expected = of_gaussians(beyond, one.logs, 0.1 * scale, one.prior_scale)
            assert_allclose(one.value, expected, rtol=1e-9)


def test_weights_of_zero_cost_nothing():
    """The posterior is the prior, where its noise is on the list."""
    layers = [np.zeros((3, 2)), np.zeros((3, 1))]
    assert least_divergence(layers, 0.25, rescale=False).value < 1e-12
    assert least_divergence(layers, 0.25, rescale=True).value < 1e-9
