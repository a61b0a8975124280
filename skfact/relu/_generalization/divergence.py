"""The divergence of a rescaled Gaussian posterior from its prior, and the rescaling of the least.

Weights and biases theta_i + sigma z_i, with standard normal z_i, are multiplied by the factors d_i
of a rescaling. That changes no function, but the divergence from the prior N(0, s^2), which is

    sum_i (theta_i^2 + sigma^2) d_i^2 / (2 s^2) - 1/2 - log(sigma d_i / s).

Here log d_i = u_to - u_from for the logarithms u of the factors of neurons, and u = 0 for inputs
and where biases come from. Each summand is convex in log(d_i / s), hence the sum in u and log s.
In terms of v = u - l log s for the nodes of layer l only biases depend on s:

    log(d_i / s) = v_to - v_from  for weights,  v_to + (l - 1) log s  for biases into layer l.
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
    unit = max(sigma, *(float(np.abs(layer).max()) for layer in layers))
    squares = [(layer / unit) ** 2 + (sigma / unit) ** 2 for layer in layers]
    n, total = sum(layer.size for layer in layers), sum(float(square.sum()) for square in squares)
    of_noise = n * (0.5 + math.log(sigma / unit))
    sizes = [len(squares[0]) - 1, *(square.shape[1] for square in squares)]
    log_scale = 0.5 * math.log(total / n)  # of the prior, in these units
    found = []
    with np.errstate(over="ignore", invalid="ignore"):  # far from all priors, and on long steps
        for number in _nearest(log_scale, unit):
            log_s = math.log(PRIOR_SCALES[number] / unit)
            value = 0.5 * total * float(np.exp(-2 * log_s)) + n * log_s - of_noise
            found.append(Divergence(value, PRIOR_SCALES[number], [np.zeros(m) for m in sizes]))
        if rescale:
            start = [np.full(m, -l * log_scale) for l, m in enumerate(sizes)]
            logs, log_scale = _least(squares, start, log_scale, free_scale=True)
            for number in _nearest(log_scale, unit):
                log_s = math.log(PRIOR_SCALES[number] / unit)
                near, _ = _least(squares, logs, log_s, free_scale=False)
                value = divergence(squares, near, log_s)[0] - of_noise
                of_factors = [v + l * log_s for l, v in enumerate(near)]
                found.append(Divergence(value, PRIOR_SCALES[number], of_factors))
    best = min((one for one in found if not math.isnan(one.value)), key=lambda one: one.value)
    return best._replace(value=max(0.0, best.value), prior_scale=float(best.prior_scale))


def _nearest(log_scale: float, unit: float) -> set[int]:
    """The scales of priors on both sides of exp(log_scale) units."""
    above = int(np.searchsorted(np.log(PRIOR_SCALES / unit), log_scale))
    return {max(above - 1, 0), min(above, len(PRIOR_SCALES) - 1)}


def divergence(
    squares: Arrays, logs: Arrays, log_scale: float
) -> tuple[float, list[np.ndarray], float]:
    """Its value but for n / 2 + n log(sigma), and its derivatives by v and by log s.

    `squares` are theta^2 + sigma^2, `logs` are v.
    """
    value, slopes, of_scale = 0.0, [np.zeros_like(v) for v in logs], 0.0
    for l, square in enumerate(squares):
        n_from, n_to = square.shape
        leaving, arriving = np.exp(-2 * logs[l]), np.exp(2 * logs[l + 1])
        weights = (leaving @ square[:-1]) * arriving
        biases = square[-1] * np.exp(2 * (logs[l + 1] + l * log_scale))
        value += 0.5 * float((weights + biases).sum())
        value -= n_from * float(logs[l + 1].sum()) - n_to * float(logs[l].sum())
        value -= l * n_to * log_scale
        slopes[l + 1] += weights + biases - n_from
        slopes[l] -= leaving * (square[:-1] @ arriving) - n_to
        of_scale += l * (float(biases.sum()) - n_to)
    return value, slopes, of_scale


def _least(
    squares: Arrays, logs: Arrays, log_scale: float, *, free_scale: bool
) -> tuple[list[np.ndarray], float]:
    """v of the hidden neurons and of all outputs, and log s if it is free: a convex problem."""
    hidden = [len(v) for v in logs[1:-1]]
    n_outputs, n = len(logs[-1]), sum(square.size for square in squares)

    def unpacked(x: np.ndarray) -> tuple[list[np.ndarray], float]:
        *parts, last = np.split(x, np.cumsum(hidden))
        found = [logs[0], *parts, np.full(n_outputs, last[0])]
        return found, float(last[1]) if free_scale else log_scale

    def packed(arrays: Arrays, of_outputs: float, of_scale: float) -> np.ndarray:
        ends = [of_outputs, of_scale] if free_scale else [of_outputs]
        return np.concatenate([*arrays[1:-1], np.array(ends)])

    def evaluate(x: np.ndarray) -> tuple[float, np.ndarray]:
        value, slopes, of_scale = divergence(squares, *unpacked(x))
        return value / n, packed(slopes, float(slopes[-1].sum()), of_scale) / n

    found = minimize(
        evaluate,
        packed(logs, float(logs[-1][0]), log_scale),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 1000, "ftol": 1e-13, "gtol": 1e-9, "maxcor": 30},
    )
    return unpacked(found.x)
