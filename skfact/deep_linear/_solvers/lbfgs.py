"""L-BFGS for networks of fixed supports and structured factors, on data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.optimize import minimize

from skfact._backend import array_namespace
from skfact._inputs import is_numpy
from skfact._linalg import norm2
from skfact._stopping import Stopping
from skfact.deep_linear._linear_network import (
    LinearNetwork,
    from_vector,
    largest_magnitude,
    to_vector,
)
from skfact.deep_linear._outcome import Outcome
from skfact.deep_linear._solvers.closed_form import start_values
from skfact.deep_linear._solvers.curvature import units_of_values
from skfact.deep_linear._solvers.problem import Problem, Solver, Trained

EXCESS = 10.0  # of the factors over their product that is called divergence
CORRECTIONS = 20  # steps that L-BFGS remembers
FIRST_STAGE = 10  # iterations in the first units of the values; later stages are twice as long each


def lbfgs(problem: Problem, stopping: Stopping) -> Trained:
    """Minimize with SciPy's L-BFGS on a host vector; only that vector moves between libraries.

    The vector holds the values over their units, in which the loss bends alike along all of them.
    As that changes, new units are taken after 10 iterations, 20 more, 40 more and so on.

    Ends when ten iterations lower the loss, its constant included, by no more than `tol` times it.
    """
    network, X, Y, alpha = problem.network, problem.X, problem.Y, problem.alpha
    xp = array_namespace(X)
    if is_numpy(xp):  # once, not at each evaluation
        X, Y = np.ascontiguousarray(X), np.ascontiguousarray(Y)
    size = 0.5 * norm2(Y) or 1.0
    tiny = (float(xp.finfo(X.dtype).eps) * 10) ** 2 * size
    vector = to_vector(problem.start or start_values(problem))
    losses = [network.loss_and_gradient(from_vector(vector, network, X), X, Y, alpha)[0]]
    outcome, ended, units = Outcome.CONVERGED, False, np.ones(1)  # no step lowers the loss any more

    def evaluate(scaled: np.ndarray) -> tuple[float, np.ndarray]:
        values = from_vector(scaled * units, network, X)
        loss, gradients, _ = network.loss_and_gradient(values, X, Y, alpha)
        return loss / size, to_vector(gradients) / size * units

    def callback(intermediate_result: Any) -> None:
        nonlocal outcome, ended
        losses.append(float(intermediate_result.fun) * size)
        stopped = stopping.told(len(losses) - 1, losses[-1])
        done = stopping.is_slow(losses, problem.constant) or losses[-1] <= tiny
        if stopped and not done:
            outcome = Outcome.STOPPED
        elif not done and len(losses) > stopping.max_iter:
            outcome = Outcome.CUT_OFF
        ended = done or outcome is not Outcome.CONVERGED
        if ended:
            raise StopIteration

    stage = FIRST_STAGE
    while not ended:
        found = units_of_values(network, from_vector(vector, network, X), X, alpha)
        units, left = np.ones(1) if found is None else found, stopping.max_iter + 1 - len(losses)
        wanted = left if found is None else min(stage, left)
        result = minimize(
            evaluate,
            vector / units,
            jac=True,
            method="L-BFGS-B",
            callback=callback,
            options={
                "maxiter": wanted,
                "maxfun": 20 * wanted + 20,
                "maxcor": CORRECTIONS,
                "ftol": 0.0,
                "gtol": 0.0,
            },
        )
        vector, stage = result.x * units, 2 * stage
        ended = ended or result.nit < wanted
    values = from_vector(vector, network, X)
    if is_cancelling(network, values):
        outcome = Outcome.DIVERGING
    return Trained(values, losses, max(1, len(losses) - 1), outcome)


LBFGS = Solver("lbfgs", for_budgets=False, run=lbfgs)


def is_cancelling(network: LinearNetwork, values: Sequence[Any]) -> bool:
    """Whether the factors are so large against their product that large terms must cancel in it.

    That is how factors diverge while the loss falls: the excess, per factor, of the product of
    their largest magnitudes over the largest magnitude of the product.
    """
    product = network.largest_entry(values)
    largest = [largest_magnitude(one.entries(value)) for one, value in zip(network.sets, values)]
    if not product > 0 or min(largest) == 0:
        return False
    return sum(math.log(x) for x in largest) - math.log(product) > len(largest) * math.log(EXCESS)
