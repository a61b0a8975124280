"""Batch normalization as an affine map, folded into the linear maps next to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from skfact._backend import array_namespace, device
from skfact._checks import check_number
from skfact.relu._networks.nodes import GraphNode, checked_vector


def affine(
    mean: Any, variance: Any, scale: Any, shift: Any, eps: float, size: int, label: str
) -> tuple[Any, Any]:
    """Vectors s, t with scale * (x - mean) / sqrt(variance + eps) + shift = s x + t.

    A ValueError tells that variance + eps is not positive, or that s or t overflows.
    """
    check_number(eps, f"{label}: eps", float, 0)
    mean = checked_vector(mean, f"{label}: mean", size)
    variance = checked_vector(variance, f"{label}: variance", size, like=mean) + float(eps)
    scale = checked_vector(scale, f"{label}: scale", size, 1.0, mean)
    shift = checked_vector(shift, f"{label}: shift", size, 0.0, mean)
    xp = array_namespace(mean)
    if not bool(xp.all(variance > 0)):
        raise ValueError(
            f"{label}: variance + eps must be positive; the smallest is "
            f"{float(xp.min(variance)):.3g}."
        )
    factor = scale / xp.sqrt(variance)
    bias = shift - factor * mean
    if not bool(xp.all(xp.isfinite(factor) & xp.isfinite(bias))):
        raise ValueError(f"{label}: scale / sqrt(variance + eps) is beyond the largest number.")
    return factor, bias


def fold(nodes: Sequence[GraphNode], output: int) -> tuple[list[GraphNode], int]:
    """Nodes that compute the same function without batch normalization, and the output's index.

    With y = s x + t for a batch norm, where t contains the mean with its sign:

    - after a linear node that feeds nothing else, (W, b) becomes (W s, b s + t); after a
      convolution, if s and t are those of its channels,
    - else, where only linear nodes read it, theirs become (s W, b + t W),
    - else it becomes a linear node (diag(s), t).
    """
    graph = _Editable(nodes, output)
    norms = [node.index for node in nodes if node.kind == "batch_norm"]
    for index in norms:
        graph.fold_back(index)
    for index in reversed(norms):
        graph.fold_forward(index)
    for index in norms:
        # an earlier batch norm may have become a linear node in the meantime
        if not graph.fold_back(index):
            graph.make_diagonal(index)
    return graph.numbered()


class _Editable:
    """Nodes by their old indices, some of them gone."""

    def __init__(self, nodes: Sequence[GraphNode], output: int) -> None:
        self.nodes = {node.index: node for node in nodes}
        self.output = output

    def readers(self, index: int) -> list[GraphNode]:
        return [node for node in self.nodes.values() if index in node.inputs]

    def remove(self, index: int) -> None:
        """Let the readers of a node read its input."""
        (source,) = self.nodes[index].inputs
        for reader in self.readers(index):
            inputs = tuple(source if i == index else i for i in reader.inputs)
            self.nodes[reader.index] = replace(reader, inputs=inputs)
        if self.output == index:
            self.output = source
        del self.nodes[index]

    def fold_back(self, index: int) -> bool:
        norm = self.nodes.get(index)
        if norm is None:
            return True
        source = self.nodes[norm.inputs[0]]
        alone = len(self.readers(source.index)) == 1 and self.output != source.index
        if source.kind != "linear" or not alone:
            return False
        convolution = source.convolution
        if convolution is not None and not all(
            convolution.is_of_channels(vector) for vector in (norm.weight, norm.bias)
        ):
            return False
        self.nodes[source.index] = replace(
            source, weight=source.weight * norm.weight, bias=source.bias * norm.weight + norm.bias
        )
        self.remove(index)
        return True

    def fold_forward(self, index: int) -> None:
        if index not in self.nodes or self.output == index:
            return
        norm, readers = self.nodes[index], self.readers(index)
        # a convolution has no place for what a shift adds at the border
        if not readers or any(r.kind != "linear" or r.convolution for r in readers):
            return
        for reader in readers:
            self.nodes[reader.index] = replace(
                reader,
                weight=norm.weight[:, None] * reader.weight,
                bias=reader.bias + norm.bias @ reader.weight,
            )
        self.remove(index)

    def make_diagonal(self, index: int) -> None:
        norm = self.nodes[index]
        self.nodes[index] = replace(norm, kind="linear", weight=_diagonal(norm.weight))

    def numbered(self) -> tuple[list[GraphNode], int]:
        new = {old: number for number, old in enumerate(self.nodes)}
        nodes = [
            replace(node, index=new[old], inputs=tuple(new[i] for i in node.inputs))
            for old, node in self.nodes.items()
        ]
        return nodes, new[self.output]


def _diagonal(vector: Any) -> Any:
    xp = array_namespace(vector)
    return xp.eye(vector.shape[0], dtype=vector.dtype, device=device(vector)) * vector
