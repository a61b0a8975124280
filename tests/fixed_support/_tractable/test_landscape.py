"""A spurious valley and a spurious local minimum of fixed-support factorization."""

import numpy as np
import pytest
import scipy.optimize

from skfact.fixed_support import closedness, hardness_instance

VALLEY = np.array([[1.0, 10.0], [10.0, 0.0]]), np.array([[1, 1], [1, 0]])
MINIMUM = (
    np.array([[0.0, 3.0, -2.0], [1.0, 3.0, 1.0], [3.0, 0.0, 0.0]]),
    np.ones((3, 3)) - np.diag([0, 0, 1]),
)


def loss_and_gradient(theta, A, observed):
    x, y = np.split(theta, 2)
    R = observed * (A - np.outer(x, y))
    return np.sum(R**2), -2 * np.concatenate([R @ y, x @ R])


def hessian(theta, A, observed):
    """Central differences of the gradient."""
    h = 1e-5
    return np.array(
        [
            loss_and_gradient(theta + h * e, A, observed)[1]
            - loss_and_gradient(theta - h * e, A, observed)[1]
            for e in np.eye(len(theta))
        ]
    ) / (2 * h)


def test_the_supports_are_those_of_an_lu_factorization():
    left, right = hardness_instance(*VALLEY)
    assert left.tolist() == right.T.tolist() == [[1, 0], [1, 1]]
    assert closedness(left, right).answer == "not closed"


def test_gradient_descent_stays_in_the_valley():
    """Its infimum is a^2 = 1; to leave it the loss would have to exceed a^2 + min(b^2, c^2)."""
    theta = np.array([-0.1, 100.0, 0.1, -100.0])
    losses = []
    for _ in range(20_000):
        loss, gradient = loss_and_gradient(theta, *VALLEY)
        losses.append(loss)
        theta = theta - 1e-5 * gradient
    assert losses[0] == pytest.approx(1.0201)
    assert np.all(np.diff(losses) < 0)
    assert losses[-1] > 1.020
    assert theta[0] * theta[2] < 0


def test_no_path_leaves_the_valley_below_the_exit_level():
    """A path to the other sign of x_0 y_0 passes x_0 y_0 = 0, where the loss is at least this."""
    (a, b), (c, _) = VALLEY[0]
    exit_level = a**2 + min(b**2, c**2)
    random = np.random.default_rng(0)
    for zero in (0, 2):
        for theta in random.normal(0, 100, (1000, 4)):
            theta[zero] = 0
            assert loss_and_gradient(theta, *VALLEY)[0] >= exit_level
    assert loss_and_gradient(np.array([0.0, c, 1.0, 7.0]), *VALLEY)[0] == exit_level


def test_a_strict_local_minimum_that_is_not_the_best():
    random = np.random.default_rng(0)
    runs = [
        scipy.optimize.minimize(
            loss_and_gradient, random.standard_normal(6), MINIMUM, jac=True, options={"gtol": 1e-9}
        )
        for _ in range(60)
    ]
    found = {}
    for run in runs:
        if np.abs(run.x).max() < 20:
            found.setdefault(round(run.fun, 3), run.x)
    assert min(found) == pytest.approx(13.5220, abs=1e-3)
    local = next(theta for loss, theta in found.items() if abs(loss - 18.7303) < 1e-3)
    # strict up to the scaling of x against y: one eigenvalue is zero, the others are positive
    for theta in (found[min(found)], local):
        eigenvalues = np.linalg.eigvalsh(hessian(theta, *MINIMUM))
        assert abs(eigenvalues[0]) < 1e-3
        assert eigenvalues[1] > 1e-2
