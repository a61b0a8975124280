"""The nodes that a network graph is made of, and the checks of what they are made from."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from skfact._backend import array_namespace, device, is_array_api_obj, to_numpy
from skfact.relu._networks.convolution import Convolution
from skfact.relu._networks.layered import real_array, require_same_library
from skfact.relu._networks.network import copied


@dataclass(frozen=True, eq=False, repr=False)
class GraphNode:
    """A vector of `size` coordinates, computed from earlier nodes of the same graph."""

    index: int  # in the order of construction
    kind: str  # input, linear, batch_norm, relu, max_pool, maximum or add
    name: str
    size: int
    inputs: tuple[int, ...] = ()  # indices of earlier nodes
    weight: Any = None  # linear: (n_in, size); batch_norm: (size,), the factor of each coordinate
    bias: Any = None  # (size,)
    groups: tuple[tuple[int, ...], ...] = ()  # max_pool: coordinates of the input, one per output
    convolution: Convolution | None = None  # linear: how its weight comes from a kernel

    @property
    def shape(self) -> tuple[int, ...]:
        """(n_channels, *positions) of a convolution, otherwise (size,)."""
        if self.convolution is None:
            return (self.size,)
        return (self.convolution.n_channels[1], *self.convolution.output_shape)

    def __repr__(self) -> str:
        return f"<{self.kind} node {self.name!r} of size {self.size}>"


def indices_of(nodes: Sequence[Any], known: Sequence[GraphNode]) -> list[int]:
    """Where nodes stand in a graph.

    A TypeError tells of what is no node, a ValueError of a node of another graph.
    """
    for node in nodes:
        if not isinstance(node, GraphNode):
            raise TypeError(
                f"a node of the graph is needed, as graph.input or what graph.linear(...) "
                f"returns; got {type(node).__name__}."
            )
        if node.index >= len(known) or known[node.index] is not node:
            raise ValueError(f"node {node.name!r} belongs to another graph.")
    return [node.index for node in nodes]


def checked_name(name: Any, kind: str, known: Sequence[GraphNode]) -> str:
    """The name of a new node; None is its kind and number.

    A TypeError tells that it is no text, a ValueError that another node has it.
    """
    if name is None:
        name = f"{kind}_{len(known)}"
    if not isinstance(name, str) or not name:
        raise TypeError(f"name must be a non-empty str or None, got {name!r}.")
    if any(node.name == name for node in known):
        raise ValueError(f"name {name!r} is taken by another node of the graph.")
    return name


def checked_vector(
    vector: Any, label: str, size: int, default: float | None = None, like: Any = None
) -> Any:
    """A real, finite vector of a size, in the library of `like`; None is one of defaults."""
    if vector is None and default is not None:
        xp = array_namespace(like)
        return xp.full((size,), default, dtype=like.dtype, device=device(like))
    vector = real_array(vector, label, 1)
    if tuple(vector.shape) != (size,):
        raise ValueError(f"{label} has shape {tuple(vector.shape)}; ({size},) is needed.")
    if like is not None:
        require_same_library(vector, [like], label)
    return vector


def checked_linear(weight: Any, bias: Any, source: GraphNode, label: str) -> tuple[Any, Any]:
    """Real, finite weights (n_in, n_out) and biases (n_out,) of a node that reads `source`."""
    weight = real_array(weight, f"{label}: weight", 2)
    if weight.shape[0] != source.size or weight.shape[1] == 0:
        raise ValueError(
            f"{label}: weight has shape {tuple(weight.shape)}, but its input {source.name!r} has "
            f"size {source.size}: ({source.size}, n_out) with n_out >= 1 is needed."
        )
    bias = checked_vector(bias, f"{label}: bias", int(weight.shape[1]), 0.0, weight)
    weight, bias = copied([weight, bias])  # the graph stays what it is
    return weight, bias


def checked_kernel(
    kernel: Any, bias: Any, convolution: Convolution, source: GraphNode, label: str
) -> tuple[Any, Any]:
    """The matrix and the biases of a node that convolves `source`, from a kernel's."""
    n_in, n_out = convolution.n_channels
    if source.size != n_in * math.prod(convolution.input_shape):
        raise ValueError(
            f"{label}: {n_in} channels of shape {convolution.input_shape} are "
            f"{n_in * math.prod(convolution.input_shape)} entries, but its input {source.name!r} "
            f"has size {source.size}."
        )
    bias = checked_vector(bias, f"{label}: bias", n_out, 0.0, kernel)
    return convolution.matrix(kernel), convolution.biases(bias)


def real_kernel(kernel: Any, n_axes: int, label: str) -> Any:
    """A real, finite kernel (n_out, n_in, *sizes) of one or two axes."""
    kernel = real_array(kernel, f"{label}: kernel", 2 + n_axes)
    if 0 in kernel.shape:
        raise ValueError(f"{label}: kernel has shape {tuple(kernel.shape)}: it is empty.")
    return kernel


def replaced(
    nodes: Sequence[GraphNode], coefs: Sequence[Any], intercepts: Sequence[Any]
) -> list[GraphNode]:
    """New nodes with other weights and biases of the linear ones, in their order.

    A ValueError tells that there is not one array for each linear node, or that one does not fit.
    """
    for name, given in (("coefs", coefs), ("intercepts", intercepts)):
        if not isinstance(given, (list, tuple)):
            raise TypeError(
                f"{name} must be a list with one array per linear node; got {type(given).__name__}."
            )
    expected = sum(node.kind == "linear" for node in nodes)
    if len(coefs) != expected or len(intercepts) != expected:
        raise ValueError(
            f"coefs and intercepts must have one array for each of the {expected} linear "
            f"nodes; got {len(coefs)} and {len(intercepts)}."
        )
    arrays = iter(zip(coefs, intercepts))
    made: list[GraphNode] = []
    for node in nodes:
        weight, bias = node.weight, node.bias
        label, source = f"node {node.name!r}", made[node.inputs[0]] if node.inputs else node
        if node.convolution is not None:
            kernel, of_channels = next(arrays)
            convolution = node.convolution
            kernel = real_kernel(kernel, len(convolution.input_shape), label)
            if tuple(kernel.shape) != convolution.kernel_shape:
                raise ValueError(
                    f"{label}: kernel has shape {tuple(kernel.shape)}; "
                    f"{convolution.kernel_shape} is needed."
                )
            weight, bias = checked_kernel(kernel, of_channels, convolution, source, label)
        elif node.kind == "linear":
            weight, bias = checked_linear(*next(arrays), source, label)
            if weight.shape[1] != node.size:
                raise ValueError(
                    f"{label}: weight has {weight.shape[1]} columns; {node.size} are needed."
                )
        if weight is not None:
            others = [other.weight for other in made if other.weight is not None]
            require_same_library(weight, others[:1], f"node {node.name!r}")
        made.append(replace(node, weight=weight, bias=bias))
    return made


def _on_host(indices: Any) -> np.ndarray:
    """As a NumPy array; what is none, such as a ragged list, as an object without dimensions."""
    try:
        if is_array_api_obj(indices) and not isinstance(indices, np.ndarray | np.generic):
            return to_numpy(indices)
        return np.asarray(indices)
    except (TypeError, ValueError, RuntimeError):
        return np.array(None)


def checked_groups(groups: Any, size: int, label: str) -> tuple[tuple[int, ...], ...]:
    """Groups of coordinates of a vector of `size` entries, as tuples of Python ints.

    A TypeError tells that they are no sequence of sequences of integers, a ValueError that there is
    none, that one is empty, or that an index is out of range or twice in a group.
    """
    listed = groups if isinstance(groups, Sequence) else _on_host(groups)
    if isinstance(listed, np.ndarray) and not listed.ndim:
        raise TypeError(
            f"{label}: groups must be a list of lists of coordinates (or an integer array with one "
            f"group per row); got {type(groups).__name__}."
        )
    found = []
    for number, group in enumerate(listed):
        members = _on_host(group)
        if members.ndim != 1 or (members.size and members.dtype.kind not in "iu"):
            raise TypeError(
                f"{label}: groups[{number}] must be a list of integers; got {reprlib.repr(group)}."
            )
        if members.size == 0:
            raise ValueError(f"{label}: groups[{number}] is empty; a maximum needs an entry.")
        if members.min() < 0 or members.max() >= size:
            raise ValueError(
                f"{label}: groups[{number}] has coordinates from {members.min()} to "
                f"{members.max()}, but its input has {size}: 0 to {size - 1} are allowed."
            )
        if len(np.unique(members)) < len(members):
            raise ValueError(
                f"{label}: groups[{number}] has a coordinate twice: {reprlib.repr(group)}."
            )
        found.append(tuple(int(i) for i in members))
    if not found:
        raise ValueError(f"{label}: groups is empty; there must be at least one group.")
    return tuple(found)
