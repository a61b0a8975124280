"""Sums over the ways to each node, and from each node to the output, on any scale.

A network that is balanced for what arrives at its neurons may hold what leaves small ones as zero.
Here the sums that leave each neuron have a power of two of their own.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any, NamedTuple

from skfact._backend import array_namespace
from skfact._exponents import times_power_of_two
from skfact._kernels.paths import magnitude_power
from skfact.relu._networks.balance import Paths, are_steady, balance, between, exponent
from skfact.relu._networks.network import Network
from skfact.relu._networks.passes import backward, edgewise, forward


class Scaled(NamedTuple):
    """Sums of q-th powers, values * 2^(q * powers); powers are -inf where values are zero."""

    values: Any
    powers: Any

    @classmethod
    def of(cls, sums: Any, powers: Any, q: float) -> Scaled:
        """Sums * 2^(q * powers), with values of about one."""
        xp = array_namespace(sums)
        shift = xp.floor(xp.log2(sums) / q)
        values = times_power_of_two(sums, -q * _finite(shift))
        return cls(values, _finite(powers) + shift)

    def plain(self, q: float) -> Any:
        """The numbers themselves, zero or infinite where they are out of range."""
        return times_power_of_two(self.values, q * self.powers)


def both_passes(network: Network, q: float) -> tuple[list[Scaled], list[Scaled]]:
    """Sums of abs(edges)^q over the paths to each node, and over those from it to all outputs."""
    paths = Paths.of(network)
    power, end = partial(magnitude_power, q=q), paths.ones(network.sizes[network.output])
    steps = list(edgewise(power, paths.steps))
    f = forward(steps, paths.ones())
    g = backward(steps, network.sizes, network.output, end)
    if are_steady([*f, *g]):
        plain = [Scaled(sums, 0 * sums) for sums in (*f, *g)]
        return plain[: len(f)], plain[len(f) :]
    paths = balance(network)
    f = forward(edgewise(power, paths.steps), paths.ones())
    arriving = [Scaled.of(sums, powers, q) for sums, powers in zip(f, paths.exponents)]
    return arriving, ways_on(network, q, paths.ones(network.sizes[network.output]))[0]


def ways_on(network: Network, q: float, end: Any) -> tuple[list[Scaled], Scaled]:
    """Sums of abs(edges)^q over the ways from each node, and from all biases, to `end`.

    These are the outputs, each times its entry.
    """
    xp, output = network.xp, network.output
    zeros = [xp.zeros(n, dtype=xp.float64, device=network.device) for n in (*network.sizes, 1)]
    *found, biases = (Scaled.of(zero, zero, q) for zero in zeros)
    found[output] = Scaled.of(end, 0 * end, q)
    steps = network.cast("float64").steps()
    for index in range(output, 0, -1):
        step, ahead = steps[index], found[index]
        if step.bias is not None:
            biases = _sum(biases, _through(step.bias[None, :], ahead, q), q)
        more = ahead if step.matrix is None else _through(step.matrix, ahead, q)
        for i in step.inputs:
            found[i] = _sum(found[i], more, q)
    return found, biases


def _through(matrix: Any, ahead: Scaled, q: float) -> Scaled:
    xp = array_namespace(matrix)
    tops = _finite(xp.max(exponent(matrix) + ahead.powers[None, :], axis=1))
    edges = between(matrix, -tops, -ahead.powers)  # none is beyond two
    return Scaled.of(magnitude_power(edges, q) @ ahead.values, tops, q)


def _sum(a: Scaled, b: Scaled, q: float) -> Scaled:
    tops = _finite(array_namespace(a.powers).maximum(a.powers, b.powers))
    terms = (times_power_of_two(x.values, q * (x.powers - tops)) for x in (a, b))
    return Scaled.of(sum(terms), tops, q)


def _finite(powers: Any) -> Any:
    xp = array_namespace(powers)
    return xp.where(powers == -math.inf, xp.zeros_like(powers), powers)
