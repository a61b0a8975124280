"""ONNX models: MatMul and Gemm with constant weights on the right.

Runs are onnxruntime's, of the model with more outputs. What replaces a node computes a tensor of
the same name, so that nothing else in the graph changes.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from skfact._backend import to_numpy
from skfact.compression._layers.network import Batch, Linear, Replaced, Replacement
from skfact.export._onnx.graph import onnx_library
from skfact.export._onnx.model import OLDEST_OPSET
from skfact.export._onnx.nodes import operator_nodes

ROWS = 256  # of an array that go through the network at a time
FLOATS = ("float32", "float64")
WHY_KINDS = {
    "Conv": "a convolution is applied to each window of its input",
    "ConvTranspose": "a convolution is applied to each window of its input",
    "MatMulInteger": "its weights are quantized: compress the model before that",
    "QLinearMatMul": "its weights are quantized: compress the model before that",
    "DynamicQuantizeMatMul": "its weights are quantized: compress the model before that",
    "MatMulNBits": "its weights are quantized: compress the model before that",
}


class Place(NamedTuple):
    """A node that may be replaced."""

    node: str  # its output, which names it
    linear: Linear
    weight: str  # initializers
    bias: str
    adds: str  # output of the Add after a MatMul that adds the bias; empty for none


class OnnxNetwork:
    """A model with batches of its inputs by name, or None."""

    def __init__(self, model: Any, batches: list[Any] | None) -> None:
        self.model, self.batches = model, batches
        self.skipped: dict[str, str] = {}
        self._places = self._found()
        self._prefix = _free_prefix(model.graph)

    @property
    def linears(self) -> list[Linear]:
        """The layers, in the order of computation."""
        return [place.linear for place in self._places]

    def inputs(self, which: Collection[int], replaced: Replaced) -> Iterator[Batch]:
        """What comes into some layers, with others replaced, batch for batch."""
        model = self.written(replaced)
        nodes = {node.output[0]: node for node in self.model.graph.node}
        names = {place: nodes[self._places[place].node].input[0] for place in which}
        given = {value.name for value in model.graph.input}
        there = given | {value.name for value in model.graph.output}
        helper = onnx_library().helper
        for name in dict.fromkeys(names.values()):
            if name not in there:
                model.graph.output.append(helper.make_empty_tensor_value_info(name))
        session = _session(model)
        wanted = [name for name in dict.fromkeys(names.values()) if name not in given]
        options = _runtime().RunOptions()
        options.only_execute_path_to_fetches = True
        for batch in self.batches or ():
            feeds = _feeds(session, batch)
            got = dict(zip(wanted, session.run(wanted, feeds, options))) if wanted else {}
            tensors = {**feeds, **got}
            yield {
                place: tensors[name].reshape(-1, tensors[name].shape[-1])
                for place, name in names.items()
            }

    def outputs(self, replaced: Replaced) -> Iterator[np.ndarray]:
        """The first output of floats, its last axis kept, batch for batch."""
        session = _session(self.written(replaced))
        for batch in self.batches or ():
            for found in session.run(None, _feeds(session, batch)):
                if isinstance(found, np.ndarray) and found.dtype.kind == "f":
                    yield found.reshape(-1, found.shape[-1] if found.ndim else 1)
                    break

    def written(self, replaced: Replaced) -> Any:
        """A copy of the model with layers replaced; all else is as it was."""
        model = _copied(self.model)
        for place, replacement in replaced.items():
            _replace(model, self._places[place], replacement, f"{self._prefix}{place}_")
        _remove_unused(model.graph, {name for p in self._places for name in (p.weight, p.bias)})
        return model

    def _found(self) -> list[Place]:
        """The nodes that can be replaced; others are remembered with the reason."""
        graph = self.model.graph
        constants = {tensor.name: tensor for tensor in graph.initializer}
        fixed = constants
        if self.model.ir_version >= 4:  # inputs of that name are what callers may replace
            given = {value.name for value in graph.input}
            fixed = {name: tensor for name, tensor in constants.items() if name not in given}
        uses = Counter(name for node in _nodes(graph) for name in node.input)
        uses.update(value.name for value in graph.output)
        found = []
        for node in graph.node:
            if node.op_type in WHY_KINDS:
                self.skipped[_name(node)] = WHY_KINDS[node.op_type]
            elif node.op_type in ("MatMul", "Gemm") and node.domain in ("", "ai.onnx"):
                place = _place(node, graph, fixed, uses)
                if isinstance(place, Place):
                    found.append(place)
                elif place:
                    self.skipped[_name(node)] = place
            for inner in _inner_nodes(node):
                if inner.op_type in ("MatMul", "Gemm"):
                    self.skipped[_name(inner)] = f"it stands in a graph of {node.op_type}"
        return found


def read_onnx(network: Any, X: Any) -> OnnxNetwork:
    """A model, or the path of a file; X is an array, or arrays by the names of the inputs."""
    onnx = onnx_library()
    model = network
    if isinstance(network, str | os.PathLike):
        model = onnx.load(network)
    elif any(
        tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in network.graph.initializer
    ):
        raise ValueError(
            "network has weights in a file beside it, which are not loaded: pass its path, or "
            "onnx.load(path)."
        )
    opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0)
    if opset < OLDEST_OPSET:
        raise ValueError(
            f"network has opset {opset}, and factors need {OLDEST_OPSET}: convert it, "
            f"onnx.version_converter.convert_version(model, {OLDEST_OPSET})."
        )
    return OnnxNetwork(model, None if X is None else _batches(model, X))


def _place(node: Any, graph: Any, fixed: Mapping[str, Any], uses: Counter[str]) -> Place | str:
    """A node that multiplies by a constant from the right, or why it is not replaced.

    Nothing where both operands are computed.
    """
    left, right = node.input[:2]
    if right not in fixed:
        if left in fixed:
            return "its weight stands on the left, where it mixes rows"
        return ""
    if left in fixed:
        return "both of its operands are constant: fold them"
    if uses[right] > 1:
        return "its weight is used elsewhere, too: give each node its own"
    W = onnx_library().numpy_helper.to_array(fixed[right])
    if W.ndim != 2:
        return f"its weight has {W.ndim} axes: only matrices are replaced"
    if W.dtype.name not in FLOATS:
        return f"its weight has dtype {W.dtype.name}: convert the model to float32"
    if not np.isfinite(W).all():
        return "its weight has entries that are NaN or infinite"
    if node.op_type == "Gemm":
        return _gemm(node, W, fixed)
    adds = [other for other in graph.node if node.output[0] in other.input]
    bias, added = None, ""
    if len(adds) == uses[node.output[0]] == 1 and adds[0].op_type == "Add":
        (other,) = [name for name in adds[0].input if name != node.output[0]] or [""]
        if other in fixed:
            bias = _bias(fixed[other], W.shape[1])
            added = other if bias is not None else ""
    linear = Linear(_name(node), W.T, bias)
    return Place(node.output[0], linear, right, added, adds[0].output[0] if added else "")


def _gemm(node: Any, W: np.ndarray, fixed: Mapping[str, Any]) -> Place | str:
    """alpha A B + beta C, with A as it comes and a constant C of one row, or none."""
    given = {a.name: onnx_library().helper.get_attribute_value(a) for a in node.attribute}
    if given.get("transA"):
        return "it transposes its input (transA)"
    W = W if given.get("transB") else W.T
    alpha, beta = (np.asarray(given.get(name, 1.0), W.dtype) for name in ("alpha", "beta"))
    bias = None
    if len(node.input) > 2 and node.input[2]:
        if node.input[2] not in fixed:
            return "its bias is computed"
        bias = _bias(fixed[node.input[2]], len(W))
        if bias is None:
            return "its bias is not one row"
        bias = beta * bias
    name = node.input[2] if bias is not None else ""
    return Place(node.output[0], Linear(_name(node), alpha * W, bias), node.input[1], name, "")


def _bias(tensor: Any, n_out: int) -> np.ndarray | None:
    """A constant as one number for each output; None if it is none."""
    found = onnx_library().numpy_helper.to_array(tensor)
    if found.size not in (1, n_out) or found.dtype.name not in FLOATS:
        return None
    if found.size != 1 and found.shape[-1] != n_out:
        return None
    return np.broadcast_to(found.ravel(), (n_out,)).copy()


def _replace(model: Any, place: Place, new: Replacement, prefix: str) -> None:
    """Nodes that compute the tensors of a node, and of the Add after it, under their names."""
    onnx, graph = onnx_library(), model.graph
    at = next(i for i, node in enumerate(graph.node) if place.node in node.output)
    node = graph.node[at]
    dtype = place.linear.weight.dtype
    x, y = node.input[0], node.output[0]
    constants: list[Any] = []

    def constant(array: np.ndarray, name: str) -> str:
        tensor = onnx.numpy_helper.from_array(np.ascontiguousarray(array), prefix + name)
        constants.append(tensor)
        return str(tensor.name)

    is_gemm = node.op_type == "Gemm"
    adds_itself = is_gemm and new.bias is not None
    product = f"{prefix}product" if adds_itself else y
    if new.is_dense:
        weight = constant(new.weight.T.astype(dtype), "weight")
        nodes = [onnx.helper.make_node("MatMul", [x, weight], [product], f"{prefix}MatMul")]
    else:
        nodes, more = operator_nodes(new.weight, x, product, prefix, dtype, one_axis=is_gemm)
        constants += more
    if new.bias is not None:
        old = next(tensor for tensor in graph.initializer if tensor.name == place.bias)
        shape = (*old.dims[:-1], -1)  # its axes of one make axes of the sum
        bias = constant(new.bias.astype(dtype).reshape(shape), "bias")
        if adds_itself:
            nodes.append(onnx.helper.make_node("Add", [product, bias], [y], f"{prefix}Add"))
        else:
            add = next(other for other in graph.node if place.adds in other.output)
            (i,) = [i for i, name in enumerate(add.input) if name == place.bias]
            add.input[i] = bias
    del graph.node[at]
    for i, added in enumerate(nodes):
        graph.node.insert(at + i, added)
    graph.initializer.extend(constants)


def _remove_unused(graph: Any, names: set[str]) -> None:
    """Drop initializers that were replaced, and the inputs of their name in old files."""
    used = {name for node in _nodes(graph) for name in node.input}
    used |= {value.name for value in graph.output}
    for some in (graph.initializer, graph.input):
        for i in reversed(range(len(some))):
            if some[i].name in names and some[i].name not in used:
                del some[i]


def _free_prefix(graph: Any) -> str:
    """What no name in a graph begins with."""
    names = [tensor.name for tensor in graph.initializer]
    for node in _nodes(graph):
        names += [node.name, *node.input, *node.output]
    prefix = "compressed_"
    while any(name.startswith(prefix) for name in names):
        prefix = f"_{prefix}"
    return prefix


def _nodes(graph: Any) -> Iterator[Any]:
    """All nodes, those of inner graphs among them."""
    for node in graph.node:
        yield node
        yield from _inner_nodes(node)


def _inner_nodes(node: Any) -> Iterator[Any]:
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            yield from _nodes(graph)


def _name(node: Any) -> str:
    return str(node.name or node.output[0])


def _copied(model: Any) -> Any:
    copied = type(model)()
    copied.CopyFrom(model)
    return copied


def _runtime() -> Any:
    """The package onnxruntime, which is imported when a model runs."""
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError(
            "Samples run through ONNX models in onnxruntime, which is not installed: "
            "`pip install onnxruntime`, or pass X=None."
        ) from error
    return onnxruntime


def _session(model: Any) -> Any:
    onnxruntime = _runtime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def _batches(model: Any, X: Any) -> list[Any]:
    """Feeds by name, batch for batch."""
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    names = [value.name for value in inputs]
    if isinstance(X, Mapping):
        X = [X]
    if isinstance(X, list | tuple) and X and all(isinstance(batch, Mapping) for batch in X):
        for batch in X:
            if set(batch) - set(names) or not batch:
                raise ValueError(f"X has arrays by the names {list(batch)}; inputs are {names}.")
        return [{name: to_numpy(array) for name, array in b.items()} for b in X]
    if isinstance(X, Iterable) and not hasattr(X, "shape") and not isinstance(X, list | tuple):
        raise TypeError(
            "X must be an array, a mapping of the names of inputs to arrays, or a list of such "
            f"mappings; got {type(X).__name__}."
        )
    if len(names) != 1:
        raise ValueError(f"network has the inputs {names}: pass X as arrays by these names.")
    array = to_numpy(X) if not isinstance(X, list | tuple) else np.asarray(X)
    if array.ndim == 0 or len(array) == 0:
        raise ValueError(f"X must have samples, got shape {array.shape}.")
    shape = inputs[0].type.tensor_type.shape.dim
    if len(shape) and shape[0].dim_value:
        return [{names[0]: array}]
    return [{names[0]: array[i : i + ROWS]} for i in range(0, len(array), ROWS)]


def _feeds(session: Any, batch: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Arrays in the dtypes of the inputs, floats of any precision being one kind."""
    wanted = {value.name: value.type for value in session.get_inputs()}
    kinds = {"tensor(float)": np.float32, "tensor(double)": np.float64}
    return {
        name: array.astype(kinds[wanted[name]], copy=False)
        if array.dtype.kind == "f" and wanted[name] in kinds
        else array
        for name, array in batch.items()
    }
