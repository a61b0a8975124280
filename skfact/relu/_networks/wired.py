"""A network graph as functions on paths see it: batch norms folded, arrays apart from wiring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from skfact._backend import move
from skfact.relu._networks.forward import propagate
from skfact.relu._networks.network import Network, Step
from skfact.relu._networks.nodes import GraphNode


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
        """Raise unless the nodes are the same, names and arrays aside.

        Raises
        ------
        ValueError
            If they are not, or `other` is no graph.
        """
        if not isinstance(other, WiredNetwork):
            raise ValueError("Both networks must be a NetworkGraph, or neither: got one of each.")
        if len(self.nodes) != len(other.nodes) or self.output != other.output:
            ends = self.nodes[self.output], other.nodes[other.output]
            raise ValueError(
                "Both graphs must have the same nodes (batch norms aside); got "
                f"{len(self.nodes)} and {len(other.nodes)} nodes, the outputs {ends[0].name!r} and "
                f"{ends[1].name!r}."
            )
        for v, w in zip(self.nodes, other.nodes):
            if (v.kind, v.size, v.inputs, v.groups) != (w.kind, w.size, w.inputs, w.groups):
                raise ValueError(
                    f"Both graphs must have the same nodes; node {v.name!r} is {v.kind} of size "
                    f"{v.size}, and {w.name!r} in its place is {w.kind} of size {w.size}, or reads "
                    "other nodes."
                )
