"""Sums over all paths of a network graph, by one pass through its nodes.

A path's weight is the product of its edges: entries of the weight matrices, and ones through all
other nodes. In a sum over paths, ReLUs are identities and maxima are sums.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from skfact._backend import NUMPY, array_namespace, device, move
from skfact._exponents import times_power_of_two
from skfact.relu._networks.balance import are_steady, exponent
from skfact.relu._networks.graph import NetworkGraph
from skfact.relu._networks.nodes import GraphNode


@dataclass(frozen=True)
class Step:
    """How the value of a node comes from earlier ones."""

    inputs: tuple[int, ...]
    matrix: Any  # (n_in, n_out), of one input; None where entries are only summed
    bias: Any
    factors: tuple[Any, ...] | None  # of each input where there is no matrix; None is all ones


@dataclass(frozen=True)
class Paths:
    """A folded graph as steps, with the array library, device and dtype of its weights."""

    graph: NetworkGraph
    xp: Any
    device: Any
    dtype: Any

    @classmethod
    def of(cls, graph: NetworkGraph) -> Paths:
        folded = graph.fold_batch_norm()
        if not folded.coefs:
            return cls(folded, NUMPY, device(np.empty(0)), NUMPY.float64)
        first = folded.coefs[0]
        return cls(folded, array_namespace(first), device(first), first.dtype)

    def ones(self, n: int) -> Any:
        return self.xp.ones(n, dtype=self.dtype, device=self.device)

    def zeros(self) -> list[Any]:
        """Exponents of a graph that is not rescaled."""
        return [
            self.xp.zeros(node.size, dtype=self.xp.float64, device=self.device)
            for node in self.graph.nodes
        ]

    def steps(self) -> list[Step]:
        return [
            Step(node.inputs, self._matrix(node, self.dtype), node.bias, None)
            for node in self.graph.nodes
        ]

    def _matrix(self, node: GraphNode, dtype: Any) -> Any:
        """Weights of a linear node, ones and zeros of a max-pooling one."""
        if node.kind == "linear":
            return self.xp.astype(node.weight, dtype, copy=False)
        if node.kind != "max_pool":
            return None
        matrix = np.zeros((self.graph.nodes[node.inputs[0]].size, node.size))
        for number, group in enumerate(node.groups):
            matrix[list(group), number] = 1.0
        return self.xp.astype(move(matrix, self.xp, self.device), dtype, copy=False)

    def balanced(self) -> tuple[list[Step], list[Any]]:
        """Steps of a graph in float64 in which absolute paths arriving at each entry sum to 1 .. 2.

        Returns
        -------
        steps : list of Step
            Rescaled by powers of two, all nodes, the output as well.
        exponents : list of arrays of shape (n,)
            For each node the powers of two that its entries were divided by; zero where nothing
            arrives.
        """
        xp = self.xp
        zero = self.zeros()[0]
        steps, exponents, arriving = [self.steps()[0]], [zero], [zero + 1.0]
        for node in self.graph.nodes[1:]:
            before = [exponents[i] for i in node.inputs]
            below = [arriving[i] for i in node.inputs]
            matrix = self._matrix(node, xp.float64)
            bias = None if node.bias is None else xp.astype(node.bias, xp.float64)
            if matrix is None:
                sizes = [
                    xp.where(a > 0, e, xp.full_like(e, -math.inf)) for a, e in zip(below, before)
                ]
            else:
                matrix = xp.where((below[0] > 0)[:, None], matrix, xp.zeros_like(matrix))
                sizes = [xp.max(before[0][:, None] + exponent(matrix), axis=0)]
            if bias is not None:
                sizes.append(exponent(bias))
            after = xp.max(xp.stack(sizes), axis=0)
            after = xp.where(xp.isfinite(after), after, xp.zeros_like(after))
            # no edge is beyond one now, nor any sum beyond the number of edges
            total = _value(_shifted(node, matrix, bias, before, below, after), below, xp.abs)
            after = after + xp.where(total > 0, exponent(total), xp.zeros_like(total))
            step = _shifted(node, matrix, bias, before, below, after)
            steps.append(step)
            exponents.append(after)
            arriving.append(_value(step, below, xp.abs))
        return steps, exponents


def _shifted(
    node: GraphNode, matrix: Any, bias: Any, before: list[Any], below: list[Any], after: Any
) -> Step:
    """A step between entries divided by powers of two, without edges from where nothing arrives."""
    if bias is not None:
        bias = times_power_of_two(bias, -after)
    if matrix is not None:
        matrix = times_power_of_two(matrix, before[0][:, None] - after[None, :])
        return Step(node.inputs, matrix, bias, None)
    alive = (array_namespace(after).where(h > 0, 0 * h + 1, 0 * h) for h in below)
    factors = (times_power_of_two(one, e - after) for one, e in zip(alive, before))
    return Step(node.inputs, None, None, tuple(factors))


def _value(
    step: Step,
    given: Sequence[Any],
    function: Callable[[Any], Any],
    product: Callable[[Any, Any], Any] | None = None,
) -> Any:
    """The value of a node from those of its inputs, with a function of the edges."""
    if step.matrix is not None:
        matrix = step.matrix
        value = given[0] @ function(matrix) if product is None else product(given[0], matrix)
        return value if step.bias is None else value + function(step.bias)
    value = None
    for number, h in enumerate(given):
        if step.factors is not None:
            h = h * function(step.factors[number])
        value = h if value is None else value + h
    return value


def combined(function: Callable[..., Any], *graphs: list[Step], include_bias: bool) -> list[Step]:
    """Steps whose edges are a function of those of graphs of the same structure; f(1, ...) = 1."""
    return [
        Step(
            steps[0].inputs,
            None if steps[0].matrix is None else function(*(s.matrix for s in steps)),
            None
            if steps[0].bias is None or not include_bias
            else function(*(s.bias for s in steps)),
            None
            if steps[0].factors is None
            else tuple(map(function, *(s.factors for s in steps if s.factors is not None))),
        )
        for steps in zip(*graphs)
    ]


def forward(
    steps: Sequence[Step],
    start: Any,
    function: Callable[[Any], Any] = lambda edge: edge,
    product: Callable[[Any, Any], Any] | None = None,
) -> list[Any]:
    """Sums over the paths that arrive at each node, of products of a function of the edges.

    ``product(h, matrix)`` is ``h @ function(matrix)``, where there is a way that needs less memory.
    """
    found = next((step.matrix for step in steps if step.matrix is not None), start)
    values = [array_namespace(start).astype(start, found.dtype)]
    for step in steps[1:]:
        values.append(_value(step, [values[i] for i in step.inputs], function, product))
    return values


def backward(steps: Sequence[Step], output: int, end: Any, like: Sequence[Any]) -> list[Any]:
    """Sums over the paths that lead from each node to the output; shapes are those of `like`."""
    values = [array_namespace(a).zeros_like(a) for a in like]
    values[output] = end
    for index in range(output, 0, -1):
        step, value = steps[index], values[index]
        for number, i in enumerate(step.inputs):
            if step.matrix is not None:
                more = step.matrix @ value
            else:
                more = value if step.factors is None else value * step.factors[number]
            values[i] = values[i] + more
    return values


def on_any_scale(run: Callable[..., Sequence[Any]], *paths: Paths) -> tuple[Any, Any]:
    """Run sums over paths, on balanced graphs where plain sums leave the range.

    Parameters
    ----------
    run : callable
        Takes ``(steps, exponents)`` of each graph, the steps and the powers of two by which the
        entries of its nodes were divided, and returns the values that it met.
    *paths : Paths
        The graphs.

    Returns
    -------
    values : sequence of arrays
        What `run` returned.
    exponents : list of lists of arrays
        The exponents that it was given.
    """
    with np.errstate(all="ignore"):  # what leaves the range of floating point is found below
        exponents = [p.zeros() for p in paths]
        values = run(*((p.steps(), e) for p, e in zip(paths, exponents)))
        if are_steady(values):
            return values, exponents
        balanced = [p.balanced() for p in paths]
        return run(*balanced), [e for _, e in balanced]
