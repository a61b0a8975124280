"""Saliency and the scaling of Path-SGD are what changing a weight changes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from skfact.relu import path_norm, path_saliency, path_sgd_scaling
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


@given(sizes, seeds, st.booleans())
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


@given(sizes, seeds, st.booleans())
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
