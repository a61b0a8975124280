"""Units of values, in which the loss bends alike along all of them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skfact.deep_linear import ToeplitzFactor
from skfact.deep_linear._linear_network import resolve_network
from skfact.deep_linear._solvers.curvature import LEAST, units_of_values

RANDOM = np.random.default_rng(0)
X, Y = RANDOM.standard_normal((8, 40)), RANDOM.standard_normal((6, 40))
MASKS = [RANDOM.random((6, 5)) < 0.5, RANDOM.random((5, 8)) < 0.5]


@pytest.mark.parametrize("supports", ["butterfly", "kaleidoscope", MASKS])
def test_units_are_those_of_second_differences(supports):
    network = resolve_network(supports, None, 6, 8, X)
    values, alpha = network.start(np.random.RandomState(0), X), 0.3

    def loss(f, at, step):
        moved = [value.copy() for value in values]
        moved[f].ravel()[at] += step
        return network.loss_and_gradient(moved, X, Y, alpha)[0]

    units = units_of_values(network, values, X, alpha)
    parts = np.split(units, np.cumsum([value.size for value in values])[:-1])
    for f, part in enumerate(parts):  # the loss is a parabola along each value
        bends = [loss(f, k, 1) + loss(f, k, -1) - 2 * loss(f, k, 0) for k in range(part.size)]
        assert_allclose(part**-2.0, bends + LEAST * np.mean(bends), rtol=1e-7)


def test_tied_entries_and_dead_factors_have_no_units():
    tied = resolve_network([ToeplitzFactor(6, 8)], None, 6, 8, X)
    assert units_of_values(tied, tied.start(np.random.RandomState(0), X), X, 0.0) is None
    masks = resolve_network(MASKS, None, 6, 8, X)
    zeros = [np.zeros(shape) for shape in masks.values_shapes]
    assert units_of_values(masks, zeros, X, 0.0) is None
    assert units_of_values(masks, zeros, X, 1.0).shape == (sum(MASKS[0].flat) + sum(MASKS[1].flat),)
