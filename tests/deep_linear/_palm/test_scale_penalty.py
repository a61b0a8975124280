"""The scale of PALM under a penalty, and spectral norms."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skfact.deep_linear._palm.scale_penalty import ScalePenalty
from skfact.deep_linear._palm.sweeps import squared_norm

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("n_factors", [1, 2, 3, 5])
def test_best_scale_of_a_penalty_is_the_minimum_on_a_grid(n_factors):
    grid = np.linspace(-3, 3, 60001)
    for inner, size, alpha in RANDOM.uniform(0.1, 2, (20, 3)) * [1.5, 1, 0.7]:
        inner *= RANDOM.choice([-1, 1])
        penalty = ScalePenalty.ridge(alpha, n_factors, 1.5)
        found = penalty.best_scale(inner, size)
        objective = size * grid**2 - 2 * inner * grid + [penalty(t) for t in grid]
        assert size * found**2 - 2 * inner * found + penalty(found) <= objective.min() + 1e-12


@pytest.mark.parametrize("n_factors", [2, 3, 4])
def test_penalties_of_any_size_have_a_best_scale(n_factors):
    for weight in 10.0 ** np.arange(-300, 301, 60):
        for inner, size in ((1.0, 1.0), (-3e60, 1e-60), (1e-200, 2e-9), (1e150, 1e120)):
            found = ScalePenalty(weight, n_factors).best_scale(inner, size)
            free = inner / size
            assert 0 <= found / free <= 1
            if np.log10(weight) < np.log10(size) + (2 - 2 / n_factors) * np.log10(abs(free)) - 17:
                assert_allclose(found, free)  # the penalty is rounded away


def test_power_steps_approach_the_squared_spectral_norm_from_below():
    A = RANDOM.standard_normal((6, 4))
    exact = np.linalg.norm(A, 2) ** 2
    vector, values = RANDOM.standard_normal((4, 1)), []
    for _ in range(30):
        value, vector = squared_norm(lambda v: A.T @ (A @ v), vector, 3)
        values.append(value)
        assert_allclose(np.linalg.norm(vector), 1.0)
    assert max(values) <= exact * (1 + 1e-12)
    assert_allclose(values[-1], exact, rtol=1e-3)
    assert squared_norm(lambda v: 0 * v, vector, 3)[0] == 0
