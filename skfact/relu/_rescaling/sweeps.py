"""The sweeps of equalization: on powers of weights, and on largest weights."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from skfact._backend import array_namespace
from skfact._stopping import Stopping
from skfact.relu._networks.balance import Paths, rescaled
from skfact.relu._networks.layered import LayeredNetwork

# Sweeps that bring weights of any scale into a range in which they can be powered.
FIRST_SWEEPS = 50

# Logarithms of powers, of about one or more, are known to this part of them.
ROUNDING = 2.0**-48

# Newton's method on the layers converges quadratically, once it is near.
NEWTON_STEPS = 50

Found = tuple[list[Any], int, bool]


def log_factors_of_layers(
    network: LayeredNetwork, p: float, include_bias: bool, stopping: Stopping
) -> Found:
    """Logarithms of the factors of all nodes, number of sweeps, and whether they suffice."""
    zeros = Paths.of(network).exponents
    logs = zeros[1:-1]
    if not logs:
        return zeros, 1, True
    with np.errstate(all="ignore"):  # what leaves the range of floating point is found
        if math.isinf(p):
            logs, n_iter, converged = largest_weight_sweeps(network, logs, include_bias, stopping)
        else:
            logs, n_iter, converged = _least_power(network, zeros, p, include_bias, stopping)
    return [zeros[0], *logs, zeros[-1]], n_iter, converged


def _least_power(
    network: LayeredNetwork, zeros: list[Any], p: float, include_bias: bool, stopping: Stopping
) -> Found:
    """What `power_sweeps` finds, after sweeps on largest weights where powers are out of range."""
    found = power_sweeps(network, p, include_bias, stopping)
    if found is not None:
        return found
    few = stopping._replace(max_iter=FIRST_SWEEPS)
    first, _, _ = largest_weight_sweeps(network, zeros[1:-1], include_bias, few)
    near = rescaled(network, [zeros[0], *(-log / math.log(2) for log in first), zeros[-1]])
    found = power_sweeps(near, p, include_bias, stopping, force=True)
    if found is None:
        return first, 1, False
    more, n_iter, converged = found
    return [log + step for log, step in zip(first, more)], n_iter, converged


def power_sweeps(
    network: LayeredNetwork, p: float, include_bias: bool, stopping: Stopping, force: bool = False
) -> Found | None:
    """Minimize sum |w_ij|^p exp(p (u_j - u_i)) over u, zero at inputs and outputs.

    Each sweep first solves for one common shift of u in each layer, then neuron by neuron. Without
    the first part it converges like cos(pi / (n_hidden_layers + 1))^2. Found are u of the hidden
    layers, zero for neurons without incoming or outgoing weights, the number of sweeps, and whether
    the last one changed u by no more than the tolerance. None if powers of the weights are out of
    range, unless that is overruled by `force`.
    """
    xp, where = network.xp, network.device
    unit = max(float(xp.max(xp.abs(w))) for w in network.weights) or 1.0
    powers, biases = (
        [xp.abs(xp.astype(a, xp.float64) / unit) ** p for a in arrays]
        for arrays in (network.weights, network.biases)
    )
    if not include_bias:
        biases = [0 * b for b in biases]
    live = []
    for l, b in enumerate(biases[:-1]):
        coming = xp.sum(powers[l], axis=0) + b
        going = xp.sum(powers[l + 1], axis=1)
        alive = (coming > 0) & (going > 0)
        in_range = xp.minimum(coming, going) > 1e-290
        if not force and not bool(xp.all(in_range == _is_live(network, l, include_bias))):
            return None
        live.append(alive)
    logs = [xp.zeros(n, dtype=xp.float64, device=where) for n in network.hidden_sizes]
    for n_iter in range(1, stopping.max_iter + 1):
        shifts = _layer_shifts(powers, biases, live, logs, p)
        moved = [
            xp.where(alive, u + t, xp.zeros_like(u)) for alive, u, t in zip(live, logs, shifts)
        ]
        new = _neuron_sweep(powers, biases, live, moved, p)
        change = max(float(xp.max(xp.abs(u - v))) for u, v in zip(new, logs))
        if not np.isfinite(change):
            return None
        logs = new
        largest = max(float(xp.max(xp.abs(u))) for u in logs)
        if change <= max(stopping.tol, ROUNDING * (1 / p + largest)):
            return logs, n_iter, True
    return logs, stopping.max_iter, False


def _is_live(network: LayeredNetwork, l: int, include_bias: bool) -> Any:
    """Whether neurons of hidden layer l + 1 have weights other than zero on both sides."""
    xp = network.xp
    coming = xp.any(network.weights[l] != 0, axis=0)
    if include_bias:
        coming = coming | (network.biases[l] != 0)
    return coming & xp.any(network.weights[l + 1] != 0, axis=1)


def _neuron_sweep(
    powers: list[Any], biases: list[Any], live: list[Any], logs: list[Any], p: float
) -> list[Any]:
    """Each neuron's best u given the others, layer by layer."""
    xp = array_namespace(powers[0])
    logs = list(logs)
    for l, alive in enumerate(live):
        coming = biases[l]
        if l == 0:
            coming = coming + xp.sum(powers[0], axis=0)
        else:
            coming = coming + xp.exp(-p * logs[l - 1]) @ powers[l]
        if l == len(live) - 1:
            going = xp.sum(powers[l + 1], axis=1)
        else:
            going = powers[l + 1] @ xp.exp(p * logs[l + 1])
        one = xp.ones_like(going)
        ratio = xp.where(alive, going, one) / xp.where(alive, coming, one)
        logs[l] = xp.log(ratio) / (2 * p)
    return logs


def _layer_shifts(
    powers: list[Any], biases: list[Any], live: list[Any], logs: list[Any], p: float
) -> list[float]:
    """The best common shift t_l of u for the live neurons of each hidden layer.

    Minimizes sum_l a_l exp(p (t_{l+1} - t_l)) + c_l exp(p t_l) + d_l exp(-p t_l): a from live to
    live neurons, c into live neurons from inputs, biases and dead neurons, d from live neurons to
    outputs and dead ones.
    """
    xp = array_namespace(powers[0])
    n = len(live)
    if n == 1:
        return [0.0]  # the neurons' own step is exact
    inner, coming, going = np.zeros(n - 1), np.zeros(n), np.zeros(n)
    arriving = [xp.exp(p * u) for u in logs]
    leaving = [xp.exp(-p * u) for u in logs]
    for l, alive in enumerate(live):
        zero = xp.zeros_like(logs[l])
        mine_in, mine_out = xp.where(alive, arriving[l], zero), xp.where(alive, leaving[l], zero)
        coming[l] += float(xp.sum(biases[l] * mine_in))
        if l == 0:
            coming[l] += float(xp.sum(xp.sum(powers[0], axis=0) * mine_in))
        if l == n - 1:
            going[l] += float(xp.sum(mine_out * xp.sum(powers[n], axis=1)))
            continue
        ahead = live[l + 1]
        next_live = xp.where(ahead, arriving[l + 1], xp.zeros_like(arriving[l + 1]))
        ways = powers[l + 1] @ xp.stack([next_live, arriving[l + 1] - next_live], axis=1)
        inner[l] = float(xp.sum(mine_out * ways[:, 0]))
        going[l] += float(xp.sum(mine_out * ways[:, 1]))
        coming[l + 1] += float(xp.sum((leaving[l] - mine_out) * ways[:, 0]))
    return (_newton(inner, coming, going) / p).tolist()


def _newton(inner: np.ndarray, coming: np.ndarray, going: np.ndarray) -> np.ndarray:
    """Minimize sum inner exp(t_{l+1} - t_l) + coming exp(t) + going exp(-t): convex in t."""

    def terms(t: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return inner * np.exp(np.diff(t)), coming * np.exp(t), going * np.exp(-t)

    t = np.zeros(len(coming))
    for _ in range(NEWTON_STEPS):
        a, c, d = terms(t)
        gradient = c - d + np.append(0, a) - np.append(a, 0)
        diagonal = c + d + np.append(0, a) + np.append(a, 0)
        diagonal[diagonal == 0] = 1.0  # a layer without live neurons
        hessian = np.diag(diagonal) - np.diag(a, 1) - np.diag(a, -1)
        try:
            step = np.linalg.solve(hessian, -gradient)
        except np.linalg.LinAlgError:  # singular to rounding: the sweep itself goes on
            return t
        value, slope = sum(x.sum() for x in (a, c, d)), float(gradient @ step)
        size = min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-300))
        while sum(x.sum() for x in terms(t + size * step)) > value + 0.25 * size * slope:
            size /= 2
            if size < 1e-8:
                return t
        t = t + size * step
        if np.abs(step).max() < 1e-15:
            break
    return t


def largest_weight_sweeps(
    network: LayeredNetwork, logs: list[Any], include_bias: bool, stopping: Stopping
) -> Found:
    """Equalize the largest incoming and outgoing weight of each hidden neuron, on logarithms.

    Returns what `power_sweeps` returns; `logs` are the first guess.
    """
    xp = network.xp
    sizes = [xp.log(xp.abs(xp.astype(w, xp.float64))) for w in network.weights]  # -inf for zero
    bias_sizes = [xp.log(xp.abs(xp.astype(b, xp.float64))) for b in network.biases]
    logs = list(logs)
    live = [_is_live(network, l, include_bias) for l in range(len(logs))]
    for n_iter in range(1, stopping.max_iter + 1):
        change = 0.0
        for l, alive in enumerate(live):
            coming = xp.max(sizes[l] - logs[l - 1][:, None] if l else sizes[l], axis=0)
            if include_bias:
                coming = xp.maximum(coming, bias_sizes[l])
            last = l == len(live) - 1
            going = xp.max(sizes[l + 1] if last else sizes[l + 1] + logs[l + 1], axis=1)
            new = xp.where(alive, (going - coming) / 2, xp.zeros_like(going))
            change = max(change, float(xp.max(xp.abs(new - logs[l]))))
            logs[l] = new
        if change <= stopping.tol:
            return logs, n_iter, True
    return logs, stopping.max_iter, False
