"""L-BFGS for networks of fixed supports and structured factors, on data.

Batches are feature-major: X has shape (n_in, batch), Y (n_out, batch).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.optimize import minimize

from skfact._backend import array_namespace
from skfact._inputs import is_numpy
from skfact.deep_linear._linear_network import Network, from_vector, to_vector
from skfact.deep_linear._solvers.trained import Trained

WINDOW = 10  # iterations over which the loss is compared


# excess of the factors over their product that is called divergence
EXCESS = 10.0


CORRECTIONS = 20  # steps that L-BFGS remembers


def lbfgs(
    network: Network,
    X: Any,
    Y: Any,
    start: Sequence[Any],
    *,
    alpha: float,
    max_iter: int,
    tol: float,
    on_sweep: Callable[[int, float], Any],
    constant: float = 0.0,
) -> Trained:
    """Minimize with SciPy's L-BFGS on a host vector; only that vector moves between libraries.

    Ends when ten iterations lower the loss, `constant` included, by no more than `tol` times it.
    """
    xp = array_namespace(X)
    if is_numpy(xp):  # once, not at each evaluation
        X, Y = np.ascontiguousarray(X), np.ascontiguousarray(Y)
    size = 0.5 * float(xp.sum(Y * Y)) or 1.0
    first = to_vector(start)
    losses = [network.loss_and_gradient(from_vector(first, network, X), X, Y, alpha)[0]]
    stopped = False

    def evaluate(vector: np.ndarray) -> tuple[float, np.ndarray]:
        values = from_vector(vector, network, X)
        loss, gradients, _ = network.loss_and_gradient(values, X, Y, alpha)
        return loss / size, to_vector(gradients) / size

    def callback(intermediate_result: Any) -> None:
        nonlocal stopped
        losses.append(float(intermediate_result.fun) * size)
        done = bool(on_sweep(len(losses) - 1, losses[-1]))
        before = losses[max(len(losses) - 1 - WINDOW, 0)]
        slow = len(losses) > WINDOW and before - losses[-1] <= tol * (before + constant)
        tiny = losses[-1] <= (float(xp.finfo(X.dtype).eps) * 10) ** 2 * size
        if done or slow or tiny:
            stopped = True
            raise StopIteration

    result = minimize(
        evaluate,
        first,
        jac=True,
        method="L-BFGS-B",
        callback=callback,
        options={
            "maxiter": max_iter,
            "maxfun": 20 * max_iter + 20,
            "maxcor": CORRECTIONS,
            "ftol": 0.0,
            "gtol": 0.0,
        },
    )
    values = from_vector(result.x, network, X)
    finished = stopped or len(losses) - 1 < max_iter
    return Trained(
        values, losses, max(1, len(losses) - 1), finished, is_cancelling(network, values)
    )


def is_cancelling(network: Network, values: Sequence[Any]) -> bool:
    """Whether the factors are so large against their product that large terms must cancel in it.

    That is how factors diverge while the loss falls: the excess, per factor, of the product of
    their largest magnitudes over the largest magnitude of the product.
    """
    xp = array_namespace(values[0])
    operator = network.operator(values)
    product = float(xp.max(xp.abs(operator.toarray())))
    largest = [float(xp.max(xp.abs(f._array))) for f in operator.factors if f.dtype is not None]
    if not product > 0 or min(largest) == 0:
        return False
    return sum(math.log(x) for x in largest) - math.log(product) > len(largest) * math.log(EXCESS)
