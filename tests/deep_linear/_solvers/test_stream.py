"""Batches that come one by one."""

import numpy as np
from numpy.testing import assert_allclose

from skfact.deep_linear._linear_network import resolve_network
from skfact.deep_linear._solvers.adam import Stream
from skfact.deep_linear._units import Units

RANDOM = np.random.default_rng(0)
X, Y = RANDOM.standard_normal((30, 5)), RANDOM.standard_normal((30, 3))


def stream(rate=0.1):
    network = resolve_network([np.tri(3, 4), np.ones((4, 5))], None, 3, 5, X)
    units = Units(X.mean(axis=0), Y.mean(axis=0), 1, -1, 2)
    return Stream(network, units, network.start(np.random.RandomState(0), X), rate)


def test_the_first_step_follows_the_signs_of_the_gradient():
    one = stream()
    values, shift = [value.copy() for value in one.values], one.shift
    samples, targets = one.units.scaled(X, Y + 1, None)
    _, gradients, residual = one.network.loss_and_gradient(values, samples, targets)
    loss = one.step(X, Y + 1, None, alpha=0.0, centre=True)
    assert_allclose(loss, 0.5 * np.sum(residual**2) / 4)
    for new, old, gradient in zip(one.values, values, gradients):
        assert_allclose(new, old - 0.1 * np.sign(gradient), atol=1e-4)
    assert_allclose(one.shift, shift - 0.1 * np.sign(residual.sum(axis=1)), atol=1e-4)
    assert_allclose(one.offset, Y.mean(axis=0) + one.shift / 2)
    fixed = stream()
    fixed.step(X, Y + 1, None, alpha=0.0, centre=False)
    assert not fixed.shift.any()


def test_a_sample_of_weight_two_is_two_samples():
    weights = np.ones(30)
    weights[:4], weights[4] = 2, 0
    weighted, repeated = stream(), stream()
    again = np.r_[:4, :4, 5:30]
    for _ in range(3):
        losses = (
            weighted.step(X, Y, weights, alpha=0.1, centre=True),
            repeated.step(X[again], Y[again], None, alpha=0.1, centre=True),
        )
        assert_allclose(*losses)
    for found, expected in zip(weighted.values, repeated.values):
        assert_allclose(found, expected)


def test_all_arrays_move(device, asarray):
    one, like = stream(), asarray(X)
    one.step(X, Y, None, alpha=0.1, centre=True)
    one.move_like(like)
    one.step(like, asarray(Y), None, alpha=0.1, centre=True)
    arrays = [*one.values, one.shift, one.offset, *one.adam.first, *one.adam.second]
    assert all(array.device == device for array in arrays)
