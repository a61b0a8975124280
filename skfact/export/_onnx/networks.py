"""Networks of layers, of arrays and of operators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from array_api_compat import is_array_api_obj
from sklearn.neural_network import MLPRegressor

from skfact._backend import FORWARD_HOOKS, has_hooks, to_numpy
from skfact._inputs import dtype_name
from skfact.export._onnx.activations import MODULES, NAMED, Activation
from skfact.export._onnx.graph import Graph
from skfact.export._onnx.map import Map, is_operator
from skfact.export._onnx.nodes import apply_operator

Layer = tuple[Any, Any]  # a matrix or an operator (n_out, n_in), and a bias or None


def feed_forward(layers: Sequence[Layer | Activation]) -> Map:
    """Layers and activations, in the order in which they are applied."""
    linear = [layer for layer in layers if isinstance(layer, tuple)]
    dtypes = {dtype_name(weight.dtype) for weight, _ in linear}
    dtype = "float32" if dtypes == {"float32"} else "float64"

    def write(graph: Graph, x: str) -> str:
        for layer in layers:
            if isinstance(layer, tuple):
                x = linear_layer(graph, x, *layer)
            else:
                x = layer(graph, x)
        return x

    return Map((linear[0][0].shape[1],), (linear[-1][0].shape[0],), dtype, write)


def linear_layer(graph: Graph, x: str, weight: Any, bias: Any) -> str:
    """Rows times the transpose of a matrix or an operator, and a bias."""
    if not is_operator(weight):
        given = () if bias is None else (graph.constant(to_numpy(bias)),)
        return graph.add("Gemm", x, graph.constant(to_numpy(weight).T), *given)
    y = apply_operator(graph, x, weight, one_axis=True)
    return y if bias is None else graph.add("Add", y, graph.constant(to_numpy(bias)))


def network_of_arrays(pair: Any) -> Map:
    """A ReLU network as lists (coefs, intercepts), of shapes (n_in, n_out) and (n_out,)."""
    coefs, intercepts = pair if len(pair) == 2 else ((), ())
    intercepts = [None] * len(coefs) if intercepts is None else intercepts
    if not coefs or len(coefs) != len(intercepts):
        raise ValueError(
            "obj as a network must be a pair (coefs, intercepts) of lists with one entry per layer."
        )
    layers: list[Layer | Activation] = []
    width = coefs[0].shape[0]
    for l, (coef, intercept) in enumerate(zip(coefs, intercepts)):
        bias = None if intercept is None else numbers(intercept, f"obj[1][{l}]")
        weight = coef if is_operator(coef) else numbers(coef, f"obj[0][{l}]")
        expected = (width, *weight.shape[1:2])
        if weight.shape != expected or (bias is not None and bias.shape != expected[1:]):
            shapes = weight.shape, None if bias is None else bias.shape
            raise ValueError(
                f"obj has shapes {shapes} in layer {l}, which takes {width} inputs: coefs must "
                "have the shape (n_in, n_out), and intercepts (n_out,) or None."
            )
        layers += [(weight.T, bias), NAMED["relu"]]
        width = weight.shape[1]
    return feed_forward(layers[:-1])


def numbers(given: Any, name: str) -> np.ndarray:
    """An array on the host, of single or double precision."""
    found = np.asarray(to_numpy(given) if is_array_api_obj(given) else given)
    if found.dtype not in (np.float32, np.float64):
        raise TypeError(
            f"{name} must be of float32 or float64, or an operator, got dtype {found.dtype}."
        )
    return found


def network_of_mlp(mlp: Any) -> Map:
    """A fitted MLP, also of operators: predictions, or probabilities of the classes."""
    layers: list[Layer | Activation] = []
    for coef, intercept in zip(mlp.coefs_, mlp.intercepts_):
        layers += [(coef.T, intercept), NAMED[mlp.activation]]
    found = feed_forward([*layers[:-1], NAMED[mlp.out_activation_]])
    if isinstance(mlp, MLPRegressor):
        return found._replace(gives=() if found.gives == (1,) else found.gives)
    if mlp.out_activation_ == "logistic" and found.gives == (1,):

        def write(graph: Graph, x: str) -> str:
            p = found.write(graph, x)
            other = graph.add("Sub", graph.constant(np.ones(1)), p)
            return graph.add("Concat", other, p, axis=1)

        return found._replace(gives=(2,), write=write)
    return found


def network_of_module(module: Any) -> Map:
    """A PyTorch layer, or an nn.Sequential of linear, factorized ones, activations and norms."""
    layers: list[Layer | Activation] = []
    for name, part in parts_of(module):
        kind = kind_of(part)
        if hasattr(part, "to_operator"):
            layers.append((part.to_operator(), bias_of(part)))
        elif kind == "Linear":
            layers.append((array(part.weight), bias_of(part)))
        elif kind in MODULES:
            layers.append(MODULES[kind](part))
        else:
            raise TypeError(
                f"obj {f'has a layer {name!r} of' if name else 'is a module of'} the class {kind}, "
                "which to_onnx does not write: pass the whole module to torch.onnx.export."
            )
    if not any(isinstance(layer, tuple) for layer in layers):
        raise ValueError("obj has no linear layer to export.")
    return feed_forward(layers)


def kind_of(module: Any) -> str:
    """The name of one of PyTorch's own classes, and of others the whole name."""
    kind = type(module)
    own = kind.__module__.startswith("torch.nn.modules.")
    return kind.__name__ if own else f"{kind.__module__}.{kind.__qualname__}"


def bias_of(module: Any) -> Any:
    """The bias of a layer that may have one."""
    bias = getattr(module, "bias", None)
    return None if bias is None else array(bias)


def parts_of(module: Any, name: str = "") -> list[tuple[str, Any]]:
    """The layers of nested sequences, with their names."""
    if has_hooks(module, FORWARD_HOOKS):
        raise ValueError(
            f"obj{f' has a layer {name!r} that' * bool(name)} has forward hooks, which no model "
            "would run: remove them, with the handles that register_forward_hook gave."
        )
    if kind_of(module) != "Sequential":
        return [(name, module)]
    named = module.named_children()
    return [part for key, child in named for part in parts_of(child, f"{name}.{key}".strip("."))]


def array(tensor: Any) -> np.ndarray:
    """The numbers of a parameter on the host."""
    if tensor.is_meta:
        raise ValueError("obj has parameters on the device 'meta', without numbers: load them.")
    if tensor.dtype.itemsize < 4 or not tensor.dtype.is_floating_point:
        raise TypeError(f"obj has parameters of {tensor.dtype}: convert it, module.float().")
    return to_numpy(tensor.detach())
