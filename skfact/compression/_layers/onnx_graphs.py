"""ONNX models: MatMul and Gemm with constant weights on the right.

Weights are initializers or Constant nodes, if need be behind Identity and Transpose.

Runs are onnxruntime's, of the model with more outputs. What replaces a node computes a tensor of
the same name, so that nothing else in the graph changes.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from skfact._backend import to_numpy
from skfact.compression._layers.network import Batch, Linear, Replaced, Replacement
from skfact.compression._layers.onnx_constants import (
    Constants,
    attributes,
    graphs_of,
    is_one_of,
    n_numbers,
    remove_unused,
)
from skfact.export._onnx.graph import onnx_library
from skfact.export._onnx.model import OLDEST_OPSET
from skfact.export._onnx.nodes import operator_nodes

ROWS = 256  # of an array that go through the network at a time
FLOATS = ("float32", "float64")
CONVOLVES = "a convolution is applied to each window of its input"
QUANTIZED = "its weights are quantized: compress the model before that"
FUSED = "onnxruntime fused it: compress the model before it is optimized"
RECURS = "its weights are read step by step"
WHY_KINDS = {
    **dict.fromkeys(("Conv", "ConvTranspose"), CONVOLVES),
    **dict.fromkeys(("MatMulInteger", "QLinearMatMul", "QGemm", "MatMulNBits"), QUANTIZED),
    **dict.fromkeys(("DynamicQuantizeMatMul", "MatMulIntegerToFloat"), QUANTIZED),
    **dict.fromkeys(("FusedMatMul", "FusedGemm", "GemmFastGelu", "Attention"), FUSED),
    **dict.fromkeys(("RNN", "GRU", "LSTM"), RECURS),
}


class Place(NamedTuple):
    """A node that may be replaced."""

    node: str  # its output, which names it
    linear: Linear
    weight: str  # what the node reads; empty for none
    bias: str
    bias_shape: tuple[int, ...]
    adds: str  # output of the Add after a MatMul that adds the bias; empty for none


class OnnxNetwork:
    """A model with batches of its inputs by name, or None."""

    def __init__(self, model: Any, batches: list[Any] | None) -> None:
        self.model, self.batches = model, batches
        self.skipped: dict[str, str] = {}
        self._constants = Constants(model)
        self._places = self._found()
        self._prefix = _free_prefix(model.graph)

    @property
    def linears(self) -> list[Linear]:
        """The layers, in the order of computation."""
        return [place.linear for place in self._places]

    @property
    def n_numbers(self) -> int:
        """Entries of all constants."""
        return n_numbers(self.model.graph)

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
            tensors = _run(session, wanted, batch, options)
            yield {place: self._rows(place, tensors[name]) for place, name in names.items()}

    def _rows(self, place: int, tensor: np.ndarray) -> np.ndarray:
        """A tensor as rows (n_samples, n_in) that come into a layer."""
        linear = self._places[place].linear
        n_in = linear.weight.shape[1]
        if tensor.shape[-1:] != (n_in,):
            raise ValueError(
                f"X gives layer {linear.name!r} a tensor of shape {tensor.shape}, and it takes "
                f"(..., {n_in})."
            )
        return tensor.reshape(-1, n_in)

    def outputs(self, replaced: Replaced) -> Iterator[np.ndarray]:
        """The first output of floats, its last axis kept, batch for batch."""
        session = _session(self.written(replaced))
        for batch in self.batches or ():
            tensors = _run(session, None, batch)
            for found in (tensors[value.name] for value in session.get_outputs()):
                if isinstance(found, np.ndarray) and found.dtype.kind == "f":
                    yield found.reshape(-1, found.shape[-1] if found.ndim else 1)
                    break

    def written(self, replaced: Replaced) -> Any:
        """A copy of the model with layers replaced; all else is as it was."""
        model = _copied(self.model)
        for place, replacement in replaced.items():
            _replace(model, self._places[place], replacement, f"{self._prefix}{place}_")
        chain = self._constants.chain
        names = (name for p in self._places for name in (p.weight, p.bias) if name)
        remove_unused(model.graph, {link for name in names for link in chain(name)})
        return model

    def _found(self) -> list[Place]:
        """The nodes that can be replaced; others are remembered with the reason."""
        found = []
        functions = {function.name: function for function in self.model.functions}
        for node in self.model.graph.node:
            if node.op_type in WHY_KINDS:
                self.skipped[_name(node)] = WHY_KINDS[node.op_type]
            elif is_one_of(node, ("MatMul", "Gemm")):
                place = _place(node, self.model.graph, self._constants)
                if isinstance(place, Place):
                    found.append(place)
                elif place:
                    self.skipped[_name(node)] = place
            elif is_one_of(node, ("Einsum",)) and any(map(self._constants.is_constant, node.input)):
                self.skipped[_name(node)] = "only weights of MatMul and Gemm are replaced"
            elif node.op_type in functions and _multiplies(functions[node.op_type].node):
                self.skipped[_name(node)] = (
                    "it is a function of the model: inline it first, "
                    "onnx.inliner.inline_local_functions(model)"
                )
            for inner in _inner_nodes(node):
                if inner.op_type in ("MatMul", "Gemm"):
                    self.skipped[_name(inner)] = f"it stands in a graph of {node.op_type}"
        return found


def read_onnx(network: Any, X: Any) -> OnnxNetwork:
    """A model, or the path of a file; X is an array, or arrays by the names of the inputs."""
    onnx = onnx_library()
    model = network
    if isinstance(network, str | os.PathLike):
        model = _loaded(network)
    elif any(
        tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in network.graph.initializer
    ):
        raise ValueError(
            "network has weights in a file beside it, which are not loaded: pass its path, or "
            "onnx.load(path)."
        )
    if not len(model.graph.output):
        raise ValueError("network has a graph without outputs: it is no model, or an empty file.")
    opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0)
    if opset < OLDEST_OPSET:
        raise ValueError(
            f"network has opset {opset}, and factors need {OLDEST_OPSET}: convert it, "
            f"onnx.version_converter.convert_version(model, {OLDEST_OPSET})."
        )
    return OnnxNetwork(model, None if X is None else _batches(model, X))


def _loaded(path: Any) -> Any:
    """The model in a file, with weights that stand in files beside it."""
    onnx = onnx_library()
    try:
        return onnx.load(path)
    except OSError:
        raise
    except Exception as error:  # of protobuf, or of onnx about the files beside it
        raise ValueError(f"network is no ONNX model that can be read: {error}") from error


def _place(node: Any, graph: Any, constants: Constants) -> Place | str:
    """A node that multiplies by a constant from the right, or why it is not replaced.

    Nothing where both operands are computed.
    """
    left, right = node.input[:2]
    W = constants.array(right)
    if W is None:
        if not constants.why_not(right) and constants.is_constant(left):
            return "its weight stands on the left, where it mixes rows"
        return constants.why_not(right)
    if constants.is_constant(left):
        return "both of its operands are constant: fold them"
    if constants.is_used_elsewhere(right):
        return "its weight is used elsewhere, too: give each node its own"
    if W.ndim != 2:
        return f"its weight has {W.ndim} axes: only matrices are replaced"
    if W.dtype.name not in FLOATS:
        return f"its weight has dtype {W.dtype.name}: convert the model to float32"
    if not np.isfinite(W).all():
        return "its weight has entries that are NaN or infinite"
    if node.op_type == "Gemm":
        return _gemm(node, W, constants)
    adds = [other for other in graph.node if node.output[0] in other.input]
    bias, added = None, ""
    shape: tuple[int, ...] = ()
    uses = constants.number_of_uses(node.output[0])
    if len(adds) == uses == 1 and is_one_of(adds[0], ("Add",)):
        (other,) = [name for name in adds[0].input if name != node.output[0]] or [""]
        bias, shape = _bias(constants.array(other), W.shape[1])
        added = other if bias is not None else ""
    linear = Linear(_name(node), W.T, bias)
    return Place(node.output[0], linear, right, added, shape, adds[0].output[0] if added else "")


def _gemm(node: Any, W: np.ndarray, constants: Constants) -> Place | str:
    """alpha A B + beta C, with A as it comes and a constant C of one row, or none."""
    given = attributes(node)
    if given.get("transA"):
        return "it transposes its input (transA)"
    W = W if given.get("transB") else W.T
    alpha, beta = (np.asarray(given.get(name, 1.0), W.dtype) for name in ("alpha", "beta"))
    bias, name = None, ""
    shape: tuple[int, ...] = ()
    if len(node.input) > 2 and node.input[2]:
        name = node.input[2]
        given_bias = constants.array(name)
        if given_bias is None:
            return "its bias is computed"
        bias, shape = _bias(given_bias, len(W))
        if bias is None:
            return "its bias is not one row"
        bias = beta * bias
    linear = Linear(_name(node), alpha * W, bias)
    return Place(node.output[0], linear, node.input[1], name, shape, "")


def _bias(found: np.ndarray | None, n_out: int) -> tuple[np.ndarray | None, tuple[int, ...]]:
    """A constant as one number for each output, and its shape; None if it is none."""
    none = None, ()
    if found is None or found.size not in (1, n_out) or found.dtype.name not in FLOATS:
        return none
    if found.size != 1 and found.shape[-1] != n_out:
        return none
    return np.broadcast_to(found.ravel(), (n_out,)).copy(), found.shape


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
        nodes, more = operator_nodes(  # no more numbers than were counted
            new.weight, x, product, prefix, dtype, one_axis=is_gemm, growth=1
        )
        constants += more
    if new.bias is not None:
        shape = (*place.bias_shape[:-1], -1)  # its axes of one make axes of the sum
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
    if model.ir_version < 4:  # where all initializers are inputs
        graph.input.extend(
            onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            for tensor in constants
        )


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
    for graph in graphs_of(node):
        yield from _nodes(graph)


def _multiplies(nodes: Any) -> bool:
    return any(node.op_type in ("MatMul", "Gemm") for node in nodes)


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
    try:
        return onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # it has many classes of its own
        raise ValueError(
            f"network does not load in onnxruntime, which X needs (X=None does without): {error}"
        ) from error


def _run(session: Any, wanted: Any, batch: Any, options: Any = None) -> dict[str, np.ndarray]:
    """Tensors by name, those that are fed among them."""
    feeds = _feeds(session, batch)
    names = wanted if wanted is not None else [value.name for value in session.get_outputs()]
    try:
        found = session.run(names, feeds, options) if names else []
    except Exception as error:
        shapes = {name: (str(array.dtype), array.shape) for name, array in feeds.items()}
        raise ValueError(f"network does not run on X, {shapes}: {error}") from error
    return {**feeds, **dict(zip(names, found))}


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
