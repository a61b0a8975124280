"""Tensors of an ONNX graph that are the same for all inputs, and how they come about."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from skfact.export._onnx.graph import onnx_library

READ = ("Identity", "Transpose")  # of a constant, beside Constant itself
QUANTIZED = "its weight is quantized ({}): compress the model before that"
COMPUTED = "its weight is computed from constants by {}: fold them first"


class Constants:
    """Initializers and Constant nodes, through Identity and Transpose."""

    def __init__(self, model: Any) -> None:
        graph = model.graph
        self._tensors = {tensor.name: tensor for tensor in graph.initializer}
        self._nodes = {name: node for node in graph.node for name in node.output}
        given = {value.name for value in graph.input}
        if model.ir_version < 4:  # where all initializers are inputs
            given = set()
        self.replaceable = given & set(self._tensors)  # by callers
        self._fixed = set(self._tensors) - given
        self._uses = Counter(read_names(graph))

    def array(self, name: str) -> np.ndarray | None:
        """The entries of a tensor; None if they are not read from constants."""
        *nodes, source = self.chain(name)
        array = self._source(source)
        for node in map(self._nodes.__getitem__, reversed(nodes)):
            if array is not None and node.op_type == "Transpose":
                array = array.transpose(attributes(node).get("perm"))
        return array

    def chain(self, name: str) -> list[str]:
        """The tensor, and those that it is read from, up to its source."""
        found = [name]
        while (node := self._nodes.get(name)) is not None and is_one_of(node, READ):
            name = node.input[0]
            found.append(name)
        return found

    def is_used_elsewhere(self, name: str) -> bool:
        """Whether not only one node reads it, or what it is read from."""
        return any(self._uses[link] > 1 for link in self.chain(name))

    def why_not(self, name: str) -> str:
        """Why a constant tensor is not read; nothing if it depends on inputs."""
        source = self.chain(name)[-1]
        if source in self.replaceable:
            return "its weight is an input of the network, too, by which callers may replace it"
        node = self._nodes.get(source)
        if node is None or not self.is_constant(source):
            return ""
        return (QUANTIZED if "quant" in node.op_type.lower() else COMPUTED).format(node.op_type)

    def is_constant(self, name: str) -> bool:
        """Whether a tensor is computed from constants alone, in whatever way."""
        stack, seen = [name], set()
        while stack:
            link = stack.pop()
            if not link or link in seen or link in self._fixed:
                continue
            seen.add(link)
            node = self._nodes.get(link)
            if node is None or node.op_type.startswith("Random"):
                return False
            if not node.input and node.op_type != "Constant":
                return False
            stack += node.input
        return True

    def number_of_uses(self, name: str) -> int:
        """How many nodes and outputs read a tensor."""
        return self._uses[name]

    def _source(self, name: str) -> np.ndarray | None:
        tensor = self._tensors.get(name)
        if name in self.replaceable:
            return None
        if tensor is None:
            node = self._nodes.get(name)
            if node is None or not is_one_of(node, ("Constant",)):
                return None
            tensor = attributes(node).get("value")
        if tensor is None:  # a list of numbers, or text
            return None
        array: np.ndarray = onnx_library().numpy_helper.to_array(tensor)
        return array


def n_numbers(graph: Any) -> int:
    """Entries of all constants, those of inner graphs among them."""
    found = sum(math.prod(tensor.dims) for tensor in graph.initializer)
    for node in graph.node:
        if is_one_of(node, ("Constant",)):
            tensor = attributes(node).get("value")
            found += 0 if tensor is None else math.prod(tensor.dims)
        found += sum(map(n_numbers, graphs_of(node)))
    return found


def remove_unused(graph: Any, names: set[str]) -> None:
    """Drop constants, and the nodes that read them, which nobody uses any more.

    Of the names; with initializers the inputs of their name in old files.
    """
    used = set(read_names(graph))
    while dropped := [n for n in graph.node if set(n.output) <= names and not used & {*n.output}]:
        for node in dropped:
            graph.node.remove(node)
        used = set(read_names(graph))
    for some in (graph.initializer, graph.input):
        for i in reversed(range(len(some))):
            if some[i].name in names and some[i].name not in used:
                del some[i]


def read_names(graph: Any) -> Iterator[str]:
    """Each use of a tensor, those in inner graphs among them."""
    for value in graph.output:
        yield value.name
    for node in graph.node:
        yield from node.input
        for inner in graphs_of(node):
            yield from read_names(inner)


def graphs_of(node: Any) -> Iterator[Any]:
    """The graphs inside of a node, such as the branches of an If."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def is_one_of(node: Any, kinds: tuple[str, ...]) -> bool:
    """Whether it is one of these operators of ONNX itself."""
    return node.op_type in kinds and node.domain in ("", "ai.onnx")


def attributes(node: Any) -> dict[str, Any]:
    """The attributes of a node by name."""
    value = onnx_library().helper.get_attribute_value
    return {attribute.name: value(attribute) for attribute in node.attribute}
