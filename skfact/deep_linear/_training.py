"""Solvers for networks of fixed supports and structured factors, and for budgets, on data.

Batches are feature-major: X has shape (n_in, batch), Y (n_out, batch).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize

from skfact._backend import array_namespace
from skfact._inputs import is_numpy
from skfact.deep_linear._network import Network, from_vector, to_vector
from skfact.deep_linear._scale_penalty import ScalePenalty
from skfact.deep_linear._sweeps import normalized, sweep_factors

WINDOW = 10  # iterations over which the loss is compared
# excess of the factors over their product that is called divergence
EXCESS = 10.0
CORRECTIONS = 20  # steps that L-BFGS remembers


class Trained(NamedTuple):
    """Values found, and how."""

    values: list[Any]
    losses: list[float]
    n_iter: int
    converged: bool
    diverging: bool
    worse: bool = False  # than no factors at all


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


def data_sweeps(
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
    """PALM on the data: Y ~ S_1 ... S_L X with X as one more factor that stays as it is."""
    norm = array_namespace(X).linalg.vector_norm
    slots: list[Any] = [*network.slots, ConstantSlot(X)]
    values = [slot.project(value) for slot, value in zip(slots, start)]
    unit = float(norm(X)) or 1.0
    scale = unit
    for value in values:
        scale *= float(norm(value))
    found = sweep_factors(
        Y,
        slots,
        [normalized(value) for value in values] + [slots[-1].unit],
        scale,
        feasible=scale > 0,
        penalty=ScalePenalty.ridge(alpha, len(network.slots), unit),
        max_iter=max_iter,
        tol=tol,
        constant=2 * constant,
        on_sweep=lambda sweep, loss: on_sweep(sweep, 0.5 * loss),
    )
    scale = found.scale / unit
    share = abs(scale) ** (1 / len(network.slots))
    values = [value * share for value in found.values[:-1]]
    if scale < 0:
        values[0] = -values[0]
    losses = [0.5 * float(loss) for loss in found.losses]
    return Trained(values, losses, max(1, len(losses) - 1), found.converged, False)


class ConstantSlot:
    """The data in the place of a factor: it never changes."""

    def __init__(self, X: Any) -> None:
        self.unit, self.shape = normalized(X), tuple(X.shape)

    def times(self, values: Any, X: Any) -> Any:
        """The data times a matrix."""
        return values @ X

    def adjoint_times(self, values: Any, X: Any) -> Any:
        """The transposed data times a matrix."""
        return values.T @ X

    def restrict(self, matrix: Any) -> Any:
        """A gradient as it is."""
        return matrix

    def project(self, values: Any) -> Any:
        """The data, whatever is given."""
        return self.unit

    def on_support_of(self, values: Any, kept: Any) -> Any:
        """The data, whatever is given."""
        return self.unit

    def dense(self, values: Any) -> Any:
        """The data, or a change of it, as a matrix."""
        return values
