"""The divergence of a rescaled Gaussian posterior from its prior, and the rescaling of the least.

Weights and biases theta_i + sigma z_i, with standard normal z_i, are multiplied by the factors d_i
of a rescaling. That changes no function, but the divergence from the prior N(0, s^2), which is

    sum_i (theta_i^2 + sigma^2) d_i^2 / (2 s^2) - 1/2 - log(sigma d_i / s).

Here log d_i = u_to - u_from for the logarithms u of the factors of neurons, and u = 0 for inputs
and where biases come from. Each summand is convex in log d_i, hence the sum in u.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

# The scales s of priors, fixed before any data is seen: 2^(-20) .. 2^20, eight to a factor of two.
PRIOR_SCALES = 2.0 ** (np.arange(-160, 161) / 8)

Arrays = Sequence[np.ndarray]


class Divergence(NamedTuple):
    """A divergence, the scale of its prior, and u of all nodes, the inputs first."""

    value: float
    prior_scale: float
    logs: list[np.ndarray]


def least_divergence(layers: Arrays, sigma: float, *, rescale: bool) -> Divergence:
    """The least divergence over the scales of priors and, with `rescale`, over rescalings.

    `layers` are weights with the bias as last row, (n_l + 1, n_{l+1}). All outputs may have one
    factor, too: it changes no prediction of a class. Wherever the search for factors ends, what is
    returned is the divergence there.
    """
    squares = [layer**2 + sigma**2 for layer in layers]
    n = sum(layer.size for layer in layers)
    logs = [np.zeros(len(square) - 1) for square in squares] + [np.zeros(squares[-1].shape[1])]
    log_scale = 0.5 * math.log(sum(float(square.sum()) for square in squares) / n)
    if rescale:
        logs, log_scale = _least(squares, logs, log_scale, free_scale=True)
    above = int(np.searchsorted(PRIOR_SCALES, math.exp(log_scale)))
    found = []
    for number in {max(above - 1, 0), min(above, len(PRIOR_SCALES) - 1)}:
        s, near = float(PRIOR_SCALES[number]), logs
        if rescale:
            near, _ = _least(squares, logs, math.log(s), free_scale=False)
        value, *_ = divergence(squares, near, math.log(s))
        found.append(Divergence(value - n * (0.5 + math.log(sigma)), s, near))
    return min(found, key=lambda one: one.value)


def divergence(
    squares: Arrays, logs: Arrays, log_scale: float
) -> tuple[float, list[np.ndarray], float]:
    """Its value but for n / 2 + n log(sigma), and its derivatives by u and by log s.

    `squares` are theta^2 + sigma^2.
    """
    unit = float(np.exp(-2 * log_scale))
    value, slopes, of_scale = 0.0, [np.zeros_like(u) for u in logs], 0.0
    for l, square in enumerate(squares):
        before, after = logs[l], logs[l + 1]
        leaving = np.append(np.exp(-2 * before), 1.0)  # what the bias comes from has u = 0
        arriving = np.exp(2 * after)
        moments = unit * (leaving @ square) * arriving
        total, (n_from, n_to) = float(moments.sum()), square.shape
        value += 0.5 * total + square.size * log_scale
        value -= n_from * float(after.sum()) - n_to * float(before.sum())
        slopes[l + 1] += moments - n_from
        slopes[l] -= unit * leaving[:-1] * (square[:-1] @ arriving) - n_to
        of_scale += square.size - total
    return value, slopes, of_scale


def _least(
    squares: Arrays, logs: Arrays, log_scale: float, *, free_scale: bool
) -> tuple[list[np.ndarray], float]:
    """u of the hidden neurons and of all outputs, and log s if it is free: a convex problem."""
    hidden = [len(u) for u in logs[1:-1]]
    n_outputs, n = len(logs[-1]), sum(square.size for square in squares)

    def unpacked(x: np.ndarray) -> tuple[list[np.ndarray], float]:
        *parts, last = np.split(x, np.cumsum(hidden))
        found = [logs[0], *parts, np.full(n_outputs, last[0])]
        return found, float(last[1]) if free_scale else log_scale

    def evaluate(x: np.ndarray) -> tuple[float, np.ndarray]:
        value, slopes, of_scale = divergence(squares, *unpacked(x))
        return value / n, packed(slopes, float(slopes[-1].sum()), of_scale) / n

    def packed(arrays: Arrays, of_outputs: float, of_scale: float) -> np.ndarray:
        ends = [of_outputs, of_scale] if free_scale else [of_outputs]
        return np.concatenate([*arrays[1:-1], np.array(ends)])

    with np.errstate(over="ignore", invalid="ignore"):  # long steps, which are taken back
        found = minimize(
            evaluate,
            packed(logs, float(logs[-1][0]), log_scale),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": 1000, "ftol": 1e-13, "gtol": 1e-9, "maxcor": 30},
        )
    return unpacked(found.x)
