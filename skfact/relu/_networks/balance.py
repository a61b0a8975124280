"""Path quantities of networks whose weights have any scale.

Rescaling a hidden neuron changes no path, and a rescaling by a power of two is exact. Where plain
sums over paths leave the range of floating point, the network is therefore rescaled first so that
the paths arriving at each neuron sum to about one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from skfact._backend import array_namespace
from skfact._exponents import times_power_of_two, unscaled
from skfact.relu._networks.layered import Network
from skfact.relu._networks.passes import edges, forward, ones


def on_any_scale(
    states_of: Callable[..., Sequence[Any]], *networks: Network
) -> tuple[Sequence[Any], tuple[list[Any], ...]]:
    """States of a pass through networks, from balanced networks where need be.

    Parameters
    ----------
    states_of : callable
        Called with as many networks as are given; returns the arrays that it met layer by layer.
    *networks : Network
        Of equal sizes.

    Returns
    -------
    states : sequence of arrays
        What `states_of` returned.
    exponents : tuple of lists of arrays
        For each network the powers of two of its neurons, layer by layer: states belong to
        neurons whose outputs are divided by 2^exponent. Zeros if nothing was rescaled.
    """
    with np.errstate(all="ignore"):  # what leaves the range of floating point is found below
        states = states_of(*networks)
        if are_steady(states):
            return states, tuple(_no_exponents(network) for network in networks)
        balanced = [balance(network) for network in networks]
        return states_of(*(network for network, _ in balanced)), tuple(e for _, e in balanced)


def steady(network: Network) -> tuple[Network, list[Any]]:
    """The network if sums over its paths stay in range, otherwise balanced; and its exponents."""
    used: list[Network] = []

    def states(net: Network) -> list[Any]:
        used.append(net)
        return forward(edges(net, abs), ones(net, net.sizes[0]))

    _, (exponents,) = on_any_scale(states, network)
    return used[-1], exponents


def are_steady(states: Sequence[Any]) -> bool:
    """Whether products that underflowed, or sums that overflowed, cannot have spoilt an entry."""
    xp = array_namespace(*states)
    info = xp.finfo(states[0].dtype)
    width = max(max(state.shape) for state in states)
    sizes = xp.abs(xp.concat([xp.reshape(state, (-1,)) for state in states]))
    largest, smallest = float(xp.max(sizes)), float(xp.min(sizes))
    # an edge may have lost as much as the smallest number, times what arrives at it
    lost = float(info.smallest_normal) / float(info.eps) * max(1.0, largest) * width
    return smallest >= lost and largest <= float(info.max) / (4 * width)


def _no_exponents(network: Network) -> list[Any]:
    xp, where = network.xp, network.device
    return [xp.zeros(n, dtype=xp.float64, device=where) for n in network.sizes]


def balance(network: Network) -> tuple[Network, list[Any]]:
    """Rescale by powers of two so that absolute paths arriving at each neuron sum to 1 .. 2.

    Returns
    -------
    balanced : Network
        In float64; its outputs are rescaled, too.
    exponents : list of arrays of shape (n_l,)
        Neuron v of the balanced network has its output divided by 2^exponents[l][v].
    """
    xp, where = network.xp, network.device
    zero = xp.zeros(network.sizes[0], dtype=xp.float64, device=where)
    exponents, living = [zero], [zero == 0]
    arriving = zero + 1.0  # sum of the absolute paths to each neuron, after rescaling
    for w, b in zip(network.weights, network.biases):
        before, alive = exponents[-1], living[-1]
        w = xp.astype(w, xp.float64)
        w = xp.where(alive[:, None], w, xp.zeros_like(w))
        after = xp.maximum(xp.max(before[:, None] + exponent(w), axis=0), exponent(b))
        after = xp.where(xp.isfinite(after), after, xp.zeros_like(after))
        w = times_power_of_two(w, before[:, None] - after[None, :])
        b = times_power_of_two(xp.astype(b, xp.float64), -after)
        arriving = arriving @ xp.abs(w) + xp.abs(b)
        shift = xp.where(arriving > 0, exponent(arriving), xp.zeros_like(arriving))
        living.append(arriving > 0)
        arriving = times_power_of_two(arriving, -shift)
        exponents.append(after + shift)
    # nothing arrives at the others: it is what leaves them that must not overflow
    for l in range(len(network.weights) - 1, 0, -1):
        size = exponent(network.weights[l])
        room = exponents[l + 1][None, :] - size  # inf beside a zero weight
        room = xp.min(room, axis=1)
        room = xp.where(xp.isfinite(room), room, xp.zeros_like(room))
        exponents[l] = xp.where(living[l], exponents[l], room)
    return shifted(network, exponents), exponents


def shifted(network: Network, exponents: Sequence[Any]) -> Network:
    """Rescale in float64: the output of neuron v of layer l is divided by 2^exponents[l][v]."""
    xp = network.xp
    weights = [
        times_power_of_two(xp.astype(w, xp.float64), before[:, None] - after[None, :])
        for w, before, after in zip(network.weights, exponents, exponents[1:])
    ]
    biases = [
        times_power_of_two(xp.astype(b, xp.float64), -after)
        for b, after in zip(network.biases, exponents[1:])
    ]
    return network.with_arrays(weights, biases)


def exponent(x: Any) -> Any:
    """floor(log2 |x|), -inf for zero."""
    xp = array_namespace(x)
    with np.errstate(divide="ignore"):
        return xp.floor(xp.log2(xp.abs(x)))


def scaled_float(x: Any, power: float) -> float:
    """x 2^power as a Python float, infinite where it is beyond the largest one."""
    whole = math.floor(power)
    return float(unscaled(float(x) * 2.0 ** (power - whole), whole))


def scaled_sum(values: Any, powers: Any) -> tuple[float, float]:
    """Sum of values 2^powers as (number, power of two)."""
    xp = array_namespace(values)
    some = values != 0
    if not bool(xp.any(some)):
        return 0.0, 0.0
    top = float(xp.max((powers + exponent(values))[some]))
    terms = times_power_of_two(xp.astype(values, xp.float64), powers - top)
    return float(xp.sum(terms)), top
