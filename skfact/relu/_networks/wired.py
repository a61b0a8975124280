"""A network graph as functions see it: arrays apart from wiring, and what nodes compute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from skfact._backend import array_namespace, device, move
from skfact._inputs import namespace_dtype
from skfact.relu._networks.convolution import Convolution
from skfact.relu._networks.network import Network, Step
from skfact.relu._networks.nodes import GraphNode
from skfact.relu._networks.passes import arrive


@dataclass(frozen=True)
class WiredNetwork(Network):
    """Nodes and the arrays of the linear ones; those that the nodes hold are not looked at."""

    nodes: tuple[GraphNode, ...]
    output_index: int

    @property
    def sizes(self) -> tuple[int, ...]:
        """Size of each node."""
        return tuple(node.size for node in self.nodes)

    @property
    def linear(self) -> tuple[int, ...]:
        """Indices of the linear nodes."""
        return tuple(node.index for node in self.nodes if node.kind == "linear")

    @property
    def convolutions(self) -> tuple[Convolution | None, ...]:
        """Of the linear nodes."""
        return tuple(node.convolution for node in self.nodes if node.kind == "linear")

    @property
    def output(self) -> int:
        """Index of the output node."""
        return self.output_index

    def steps(self) -> list[Step]:
        """One step a node; max-pooling has a matrix of ones and zeros."""
        arrays = iter(zip(self.weights, self.biases))
        found = []
        for node in self.nodes:
            matrix = bias = None
            if node.kind == "linear":
                matrix, bias = next(arrays)
            elif node.kind == "max_pool":
                matrix = self._pooling(node)
            found.append(Step(node.inputs, matrix, bias))
        return found

    def _pooling(self, node: GraphNode) -> Any:
        matrix = np.zeros((self.nodes[node.inputs[0]].size, node.size))
        for number, group in enumerate(node.groups):
            matrix[list(group), number] = 1.0
        return self.xp.astype(move(matrix, self.xp, self.device), self.dtype, copy=False)

    def propagate(self, X: Any, steps: Sequence[Step]) -> tuple[list[Any], list[Any]]:
        """Values of the nodes up to the output, and the gates of ReLUs and maxima."""
        return propagate(self.nodes[: self.output + 1], X, steps)

    def require_same_nodes(self, other: Any) -> None:
        """Raise unless the nodes of the other one are the same, names and arrays aside."""
        if len(self.nodes) != len(other.nodes) or self.output != other.output:
            ends = self.nodes[self.output], other.nodes[other.output]
            raise ValueError(
                "Both graphs must have the same nodes (batch norms aside); got "
                f"{len(self.nodes)} and {len(other.nodes)} nodes, the outputs {ends[0].name!r} and "
                f"{ends[1].name!r}."
            )
        for v, w in zip(self.nodes, other.nodes):
            mine, others = ((n.kind, n.size, n.inputs, n.groups, n.convolution) for n in (v, w))
            if mine != others:
                raise ValueError(
                    f"Both graphs must have the same nodes; node {v.name!r} is {v.kind} of size "
                    f"{v.size}, and {w.name!r} in its place is {w.kind} of size {w.size}, or reads "
                    "other nodes, or convolves otherwise."
                )


def outputs(nodes: Sequence[GraphNode], output: int, X: Any) -> Any:
    """Values of node `output` for samples X, in the library of X and the larger of both dtypes."""
    xp, where = array_namespace(X), device(X)
    found = [namespace_dtype(node.weight.dtype, xp) for node in nodes if node.weight is not None]
    dtype = xp.result_type(X.dtype, *found)

    def here(array: Any) -> Any:
        return None if array is None else xp.astype(move(array, xp, where), dtype, copy=False)

    steps = []
    for node in nodes[: output + 1]:
        weight, bias = here(node.weight), here(node.bias)
        is_norm = node.kind == "batch_norm"
        steps.append(
            Step(node.inputs, None, bias, (weight,)) if is_norm else Step(node.inputs, weight, bias)
        )
    return propagate(nodes[: output + 1], here(X), steps)[0][output]


def propagate(
    nodes: Sequence[GraphNode], X: Any, steps: Sequence[Step]
) -> tuple[list[Any], list[Any]]:
    """Values of the nodes for samples X, and the gates of ReLUs and maxima.

    A gate of a ReLU is open where its input is positive; those of a maximum, one for each entry
    that it is taken of, are open where that attains it.
    """
    xp = array_namespace(X)
    values, gates = [X], []
    for node, step in zip(nodes[1:], steps[1:]):
        given = [values[i] for i in node.inputs]
        if node.kind in ("maximum", "max_pool"):
            ways, exists = _ways(node, step, given)
            value = xp.max(ways, axis=2)
            attained = xp.reshape(ways == value[:, :, None], (X.shape[0], -1))
            gates.append(xp.take(attained, exists, axis=1))
        else:
            value = arrive(step, given)
            if node.kind == "relu":
                gates.append(value > 0)
                value = xp.where(value > 0, value, xp.zeros_like(value))
        values.append(value)
    return values, gates


def _ways(node: GraphNode, step: Step, given: Sequence[Any]) -> tuple[Any, Any]:
    """What maxima are taken of, (n_samples, n_maxima, n_ways), and where that is no repetition."""
    xp, where = array_namespace(given[0]), device(given[0])
    if node.kind == "maximum":
        terms = given if step.factors is None else [h * c for h, c in zip(given, step.factors)]
        ways = xp.stack(list(terms), axis=2)
        return ways, xp.arange(node.size * len(given), device=where)
    # groups as rows of equal length, shorter ones filled up with their first coordinate
    longest = max(len(group) for group in node.groups)
    table = np.array([group + group[:1] * (longest - len(group)) for group in node.groups])
    exists = [np.arange(longest) < len(group) for group in node.groups]
    ways = xp.take(given[0], move(table.reshape(-1), xp, where), axis=1)
    if step.matrix is not None:
        entries = table * node.size + np.arange(node.size)[:, None]
        flat = xp.reshape(step.matrix, (-1,))
        ways = ways * xp.take(flat, move(entries.reshape(-1), xp, where))
    chosen = move(np.flatnonzero(np.concatenate(exists)), xp, where)
    return xp.reshape(ways, (-1, *table.shape)), chosen


def in_one_dtype(nodes: Sequence[GraphNode]) -> list[GraphNode]:
    """The nodes with all arrays in the dtype that can hold each of them."""
    arrays = [a for node in nodes if node.weight is not None for a in (node.weight, node.bias)]
    if not arrays:
        return list(nodes)
    xp = array_namespace(*arrays)
    dtype = xp.result_type(*arrays)
    return [
        node
        if node.weight is None
        else replace(
            node,
            weight=xp.astype(node.weight, dtype, copy=False),
            bias=xp.astype(node.bias, dtype, copy=False),
        )
        for node in nodes
    ]
