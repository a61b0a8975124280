"""Path quantities of networks whose weights have any scale.

Rescaling a hidden neuron changes no path, and a rescaling by a power of two is exact. Where plain
sums over paths leave the range of floating point, the network is therefore rescaled first so that
the paths arriving at each neuron sum to about one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np

from skfact._backend import array_namespace
from skfact._exponents import times_power_of_two, unscaled_number
from skfact.relu._networks.network import Network, Step
from skfact.relu._networks.passes import arrive, edgewise, forward

N = TypeVar("N", bound=Network)

# Exponents by which one may multiply one after the other: no ordinary number leaves the range.
SMALL = 60


class Paths(NamedTuple):
    """The steps of a network, the outputs of whose nodes are divided by powers of two."""

    network: Network  # in the dtype of the steps
    steps: list[Step]
    balanced: list[Any] | None = None  # exponents of the nodes, if they are not all zero

    @classmethod
    def of(cls, network: Network) -> Paths:
        """The paths of a network as it is."""
        return cls(network, network.steps())

    def ones(self, *shape: int) -> Any:
        """Ones beside the arrays of the steps: one for each input, unless `shape` says else."""
        network = self.network
        shape = shape or (network.sizes[0],)
        return network.xp.ones(shape, dtype=network.dtype, device=network.device)

    @property
    def exponents(self) -> list[Any]:
        """The powers of two of each node."""
        if self.balanced is not None:
            return self.balanced
        xp, where = self.network.xp, self.network.device
        return [xp.zeros(n, dtype=xp.float64, device=where) for n in self.network.sizes]

    @property
    def output_exponents(self) -> Any:
        """The powers of two of the outputs."""
        return self.exponents[self.network.output]


def on_any_scale(
    run: Callable[..., Sequence[Any]], *networks: Network
) -> tuple[Sequence[Any], list[Paths]]:
    """Run sums over paths, on balanced networks where plain sums leave the range.

    `run` takes the paths of as many networks as are given, all with the same nodes, and returns the
    values that it met. What it returned and what it was given at last are returned.
    """
    with np.errstate(all="ignore"):  # what leaves the range of floating point is found below
        paths = [Paths.of(network) for network in networks]
        values = run(*paths)
        if not are_steady(values):
            paths = [balance(network) for network in networks]
            values = run(*paths)
        return values, paths


def steady(network: Network) -> Paths:
    """Its paths, balanced where the sums of their magnitudes leave the range."""
    _, (paths,) = on_any_scale(
        lambda paths: forward(edgewise(abs, paths.steps), paths.ones()), network
    )
    return paths


def are_steady(states: Sequence[Any]) -> bool:
    """Whether products that underflowed, or sums that overflowed, cannot have spoilt an entry."""
    xp = array_namespace(*states)
    info = xp.finfo(states[0].dtype)
    width = max(max(state.shape) for state in states)
    flat = [state if state.ndim == 1 else xp.reshape(state, (-1,)) for state in states]
    sizes = xp.abs(xp.concat(flat))
    largest, smallest = float(xp.max(sizes)), float(xp.min(sizes))
    # an edge may have lost as much as the smallest number, times what arrives at it
    lost = float(info.smallest_normal) / float(info.eps) * max(1.0, largest) * width
    return smallest >= lost and largest <= float(info.max) / (4 * width)


def balance(network: Network) -> Paths:
    """Paths in float64 such that the absolute ones that arrive at each entry sum to 1 .. 2.

    The outputs are rescaled, too. Where nothing arrives, it is what leaves that stays in range.
    """
    xp = network.xp
    network = network.cast("float64")
    steps, exponents = network.steps(), Paths.of(network).exponents
    arriving = [exponents[0] + 1.0]  # sums of the absolute paths, after rescaling
    for index, step in enumerate(steps[1:], start=1):
        before = [
            xp.where(arriving[i] > 0, exponents[i], xp.full_like(exponents[i], -math.inf))
            for i in step.inputs
        ]
        if step.matrix is None:
            sizes = before
        else:
            sizes = [xp.max(before[0][:, None] + exponent(step.matrix), axis=0)]
        sizes = sizes if step.bias is None else [*sizes, exponent(step.bias)]
        after = xp.max(xp.stack(sizes), axis=0)
        after = xp.where(xp.isfinite(after), after, xp.zeros_like(after))
        # no edge is beyond two now, nor any sum beyond their number
        (absolute,) = edgewise(abs, [_shifted(step, before, after)])
        total = arrive(absolute, [arriving[i] for i in step.inputs])
        shift = xp.where(total > 0, exponent(total), xp.zeros_like(total))
        exponents[index] = after + shift
        arriving.append(times_power_of_two(total, -shift))
    exponents = _with_room(network, steps, exponents, arriving)
    return Paths(network, shifted(steps, exponents), exponents)


def _with_room(
    network: Network, steps: list[Step], exponents: list[Any], arriving: list[Any]
) -> list[Any]:
    """Exponents, where nothing arrives, such that nothing that leaves there overflows."""
    xp = network.xp
    dead = [total == 0 for total in arriving]
    room = [xp.full_like(e, math.inf) for e in exponents]
    found = list(exponents)
    for index in range(len(steps) - 1, 0, -1):
        usable = xp.where(xp.isfinite(room[index]), room[index], xp.zeros_like(room[index]))
        found[index] = xp.where(dead[index], usable, exponents[index])
        step = steps[index]
        for i in step.inputs:
            if bool(xp.any(dead[i])):
                least = found[index]
                if step.matrix is not None:  # infinite beside a zero weight
                    least = xp.min(least[None, :] - exponent(step.matrix), axis=1)
                room[i] = xp.minimum(room[i], least)
    return found


def shifted(steps: Sequence[Step], exponents: Sequence[Any]) -> list[Step]:
    """Steps between nodes whose entry v is divided by 2^exponents[node][v]."""
    return [
        _shifted(step, [exponents[i] for i in step.inputs], after)
        for step, after in zip(steps, exponents)
    ]


def _shifted(step: Step, before: Sequence[Any], after: Any) -> Step:
    if not step.inputs:
        return step
    bias = None if step.bias is None else times_power_of_two(step.bias, -after)
    if step.matrix is not None:
        return Step(step.inputs, between(step.matrix, before[0], after), bias)
    one = 0 * after + 1
    return Step(step.inputs, None, bias, tuple(times_power_of_two(one, e - after) for e in before))


def between(matrix: Any, before: Any, after: Any) -> Any:
    """matrix_ij 2^(before_i - after_j); the matrix itself where all exponents are zero."""
    xp = array_namespace(matrix)
    largest = max(float(xp.max(xp.abs(before))), float(xp.max(xp.abs(after))))
    if largest == 0:
        return matrix
    if largest < SMALL:
        return matrix * 2.0 ** before[:, None] * 2.0**-after
    return times_power_of_two(matrix, before[:, None] - after[None, :])


def rescaled(network: N, exponents: Sequence[Any]) -> N:
    """In float64, of the same function: entry v of a hidden node is divided by 2^exponents[v].

    Entries that meet in a sum or a maximum must have equal exponents; they need not be whole.
    """
    network = network.cast("float64")
    steps = network.steps()
    found = [
        _shifted(steps[index], [exponents[steps[index].inputs[0]]], exponents[index])
        for index in network.linear
    ]
    return network.with_arrays([step.matrix for step in found], [step.bias for step in found])


def exponent(x: Any) -> Any:
    """floor(log2 |x|), -inf for zero."""
    xp = array_namespace(x)
    with np.errstate(divide="ignore"):
        return xp.floor(xp.log2(xp.abs(x)))


def scaled_float(x: Any, power: float) -> float:
    """x 2^power as a Python float, infinite where it is beyond the largest one."""
    whole = math.floor(power)
    return unscaled_number(float(x) * 2.0 ** (power - whole), whole)


def scaled_sum(values: Any, powers: Any) -> tuple[float, float]:
    """Sum of values 2^powers as (number, power of two)."""
    xp = array_namespace(values)
    some = values != 0
    if not bool(xp.any(some)):
        return 0.0, 0.0
    top = float(xp.max((powers + exponent(values))[some]))
    terms = times_power_of_two(xp.astype(values, xp.float64), powers - top)
    return float(xp.sum(terms)), top
