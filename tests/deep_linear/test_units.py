"""Samples in units of their own: losses, penalties and factors are those of the data."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skfact.deep_linear._units import checked_weights, prepared


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("centre", [False, True])
@pytest.mark.parametrize("units", [(1.0, 1.0), (2.0**40, 2.0**-30), (2.0**-300, 2.0**300)])
def test_penalized_loss_of_the_units_is_that_of_the_data(units, centre, weighted):
    random = np.random.default_rng(0)
    X = units[0] * (random.standard_normal((20, 4)) + 1)
    Y = units[1] * (random.standard_normal((20, 3)) - 1)
    weights = checked_weights(np.arange(20.0), X) if weighted else None
    found, samples, targets = prepared(X, Y, weights, centre=centre, n_factors=3)
    for array in (samples, targets):
        count = np.sum(weights) if weighted else 20
        assert 0.4 <= np.sqrt(np.sum(array**2) / (array.shape[0] * count)) <= 1.1
    values = [random.standard_normal(shape) for shape in ((3, 2), (2, 2), (2, 4))]
    factors = found.factors(values)
    for value, again in zip(values, found.factors(factors, back=True)):
        assert_allclose(again, value)
    share = np.ones(20) if weights is None else weights
    means = [np.average(A, axis=0, weights=share) if centre else 0.0 for A in (X, Y)]
    W = factors[0] @ factors[1] @ factors[2]
    rest = (Y - means[1] - (X - means[0]) @ W.T) / units[1]  # whose squares are numbers
    alpha = 0.3 * units[0] * units[1]
    penalty = sum(np.sum((factor / units[1]) ** 2) for factor in factors) * alpha
    expected = 0.5 * (share @ np.sum(rest**2, axis=1) + penalty)
    product = values[0] @ values[1] @ values[2]
    loss = 0.5 * np.sum((product @ samples - targets) ** 2)
    loss += 0.5 * found.penalty(alpha) * sum(np.sum(value**2) for value in values)
    assert_allclose(np.ldexp(loss, 2 * found.y_exponent - 2 * int(np.log2(units[1]))), expected)
