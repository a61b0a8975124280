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
from skfact.deep_linear._solvers.problem import Problem, Solver, Trained

EXCESS = 10.0  # of the factors over their product that is called divergence
CORRECTIONS = 20  # steps that L-BFGS remembers


def lbfgs(problem: Problem, stopping: Stopping) -> Trained:
    """Minimize with SciPy's L-BFGS on a host vector; only that vector moves between libraries.

    Ends when ten iterations lower the loss, its constant included, by no more than `tol` times it.
    """
    network, X, Y, alpha = problem.network, problem.X, problem.Y, problem.alpha
    xp = array_namespace(X)
    if is_numpy(xp):  # once, not at each evaluation
        X, Y = np.ascontiguousarray(X), np.ascontiguousarray(Y)
    size = 0.5 * norm2(Y) or 1.0
    tiny = (float(xp.finfo(X.dtype).eps) * 10) ** 2 * size
    first = to_vector(problem.start or start_values(problem))
    losses = [network.loss_and_gradient(from_vector(first, network, X), X, Y, alpha)[0]]
    outcome = Outcome.CONVERGED  # where no step lowers the loss any more

    def evaluate(vector: np.ndarray) -> tuple[float, np.ndarray]:
        values = from_vector(vector, network, X)
        loss, gradients, _ = network.loss_and_gradient(values, X, Y, alpha)
        return loss / size, to_vector(gradients) / size

    def callback(intermediate_result: Any) -> None:
        nonlocal outcome
        losses.append(float(intermediate_result.fun) * size)
        stopped = stopping.told(len(losses) - 1, losses[-1])
        if stopping.is_slow(losses, problem.constant) or losses[-1] <= tiny:
            raise StopIteration
        if stopped:
            outcome = Outcome.STOPPED
            raise StopIteration
        if len(losses) > stopping.max_iter:
            outcome = Outcome.CUT_OFF

    result = minimize(
        evaluate,
        first,
        jac=True,
        method="L-BFGS-B",
        callback=callback,
        options={
            "maxiter": stopping.max_iter,
            "maxfun": 20 * stopping.max_iter + 20,
            "maxcor": CORRECTIONS,
            "ftol": 0.0,
            "gtol": 0.0,
        },
    )
    values = from_vector(result.x, network, X)
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
