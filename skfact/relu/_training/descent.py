"""Descent over the weights that are not held at zero, and the biases."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

from skfact._adam import Adam
from skfact._stopping import Stopping
from skfact.relu._training.objective import Arrays, Objective

FLAT = 1e-5  # part of tol below which an iteration gains nothing, relatively
PATIENCE = 10  # epochs of Adam without progress


class Descent(NamedTuple):
    """Where a descent ended, and the losses on the way there, the first that of the start."""

    weights: list[np.ndarray]
    biases: list[np.ndarray]
    losses: list[float]
    n_iter: int
    end: str  # "converged", "max_iter", or "stuck": no step lowers the loss


def lbfgs(
    objective: Objective, weights: Arrays, biases: Arrays, masks: Arrays, stopping: Stopping
) -> Descent:
    """L-BFGS of SciPy on the free weights and the biases; ends no higher than it began."""
    n, dtype = len(weights), weights[0].dtype
    free = [np.flatnonzero(mask) for mask in masks]

    def vector(weights: Arrays, biases: Arrays) -> np.ndarray:
        parts = [w.ravel()[kept] for w, kept in zip(weights, free)]
        return np.concatenate([*parts, *biases]).astype(np.float64)

    ends = np.cumsum([*map(len, free), *map(len, biases)])[:-1]

    def arrays(x: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
        parts = np.split(x.astype(dtype), ends)
        found = []
        for w, kept, part in zip(weights, free, parts):
            full = np.zeros(w.size, dtype)
            full[kept] = part
            found.append(full.reshape(w.shape))
        return found, parts[n:]

    def evaluate(x: np.ndarray) -> tuple[float, np.ndarray]:
        loss, *gradients = objective(*arrays(x))
        return loss, vector(*gradients)

    first = vector(weights, biases)
    loss, slope = evaluate(first)
    losses = [loss]
    result = minimize(
        evaluate,
        first,
        jac=True,
        method="L-BFGS-B",
        callback=lambda intermediate_result: losses.append(float(intermediate_result.fun)),
        options={
            "maxiter": stopping.max_iter,
            "maxfun": 20 * stopping.max_iter + 20,
            "gtol": stopping.tol,
            "ftol": FLAT * stopping.tol,
        },
    )
    last = evaluate(result.x)[0]
    found = result.x if last <= losses[0] else first
    losses[1:] = [*losses[1:-1], min(last, losses[0])] if len(losses) > 1 else []
    end = "max_iter" if result.status == 1 else "converged"
    # a line search that fails later is at the limit of rounding, or at a kink that is a minimum
    if losses[-1] == losses[0] and np.abs(slope).max(initial=0) > stopping.tol:
        end = "stuck"
    return Descent(*arrays(found), losses, max(1, int(result.nit)), end)


class Batches(NamedTuple):
    """What only mini-batches have."""

    size: int
    learning_rate_init: float
    random: np.random.RandomState


def adam(
    objective: Objective,
    weights: Arrays,
    biases: Arrays,
    masks: Arrays,
    stopping: Stopping,
    batches: Batches,
) -> Descent:
    """Epochs of mini-batches; ends after ten that do not lower the mean loss by the tolerance."""
    n_layers = len(masks)
    values = [array.copy() for array in (*weights, *biases)]
    state, losses = Adam(values, batches.learning_rate_init), [objective(weights, biases)[0]]
    order, best, waited = np.arange(len(objective.X)), math.inf, 0
    for epoch in range(1, stopping.max_iter + 1):
        order = batches.random.permutation(order)
        total = 0.0
        for first in range(0, len(order), batches.size):
            rows = order[first : first + batches.size]
            loss, slopes, of_biases = objective.on(rows)(values[:n_layers], values[n_layers:])
            total += loss * len(rows)
            # no slope, no step: zero stays zero
            slopes = [slope * mask for slope, mask in zip(slopes, masks)]
            values = state.step(values, [*slopes, *of_biases])
        losses.append(total / len(order))
        if not math.isfinite(losses[-1]):
            return Descent(values[:n_layers], values[n_layers:], losses, epoch, "stuck")
        waited = 0 if losses[-1] < best - stopping.tol else waited + 1
        best = min(best, losses[-1])
        if waited >= PATIENCE:
            return Descent(values[:n_layers], values[n_layers:], losses, epoch, "converged")
    return Descent(values[:n_layers], values[n_layers:], losses, stopping.max_iter, "max_iter")
