"""What stands between linear layers: activations, norms, and what does nothing outside of training.

Formulas of operators that onnxruntime has in both precisions, and that no opset has changed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from skfact._backend import to_numpy
from skfact.export._onnx.graph import Graph

Activation = Callable[[Graph, str], str]  # appends nodes for rows of that name, gives the result


def same(graph: Graph, x: str) -> str:
    """The rows as they are."""
    return x


def node(kind: str, **attributes: Any) -> Activation:
    """One operator of ONNX."""
    return lambda graph, x: graph.add(kind, x, **attributes)


# by their names in scikit-learn
NAMED: dict[str, Activation] = {
    "identity": same,
    "relu": node("Relu"),
    "tanh": node("Tanh"),
    "logistic": node("Sigmoid"),
    "softmax": node("Softmax"),
    "exp": node("Exp"),
}


def softplus(graph: Graph, x: str) -> str:
    """log(1 + exp(x)), which never overflows."""
    small = graph.add("Exp", graph.add("Neg", graph.add("Abs", x)))
    logarithm = graph.add("Log", graph.add("Add", small, graph.scalar(1)))
    return graph.add("Add", graph.add("Relu", x), logarithm)


def between(graph: Graph, x: str, low: float, high: float) -> str:
    """The nearest number between two."""
    return graph.add("Min", graph.add("Max", x, graph.scalar(low)), graph.scalar(high))


def hard_sigmoid(graph: Graph, x: str) -> str:
    """x / 6 + 1 / 2 between 0 and 1."""
    line = graph.add("Add", graph.add("Mul", x, graph.scalar(1 / 6)), graph.scalar(0.5))
    return between(graph, line, 0, 1)


def times(gate: Activation) -> Activation:
    """The rows times a function of them."""
    return lambda graph, x: graph.add("Mul", x, gate(graph, x))


def negated(function: Activation) -> Activation:
    """-f(-x)."""
    return lambda graph, x: graph.add("Neg", function(graph, graph.add("Neg", x)))


def bent(slope: Any) -> Activation:
    """x, times a slope where it is negative."""

    def write(graph: Graph, x: str) -> str:
        below = graph.add("Min", x, graph.scalar(0))
        below = graph.add("Mul", below, graph.constant(np.atleast_1d(slope)))
        return graph.add("Add", graph.add("Relu", x), below)

    return write


def exponential(alpha: float, scale: float = 1.0, inner: float = 1.0) -> Activation:
    """x, or alpha (exp(inner x) - 1) where it is negative; times a scale."""

    def write(graph: Graph, x: str) -> str:
        below = graph.add("Mul", graph.add("Min", x, graph.scalar(0)), graph.scalar(inner))
        below = graph.add("Sub", graph.add("Exp", below), graph.scalar(1))
        below = graph.add("Mul", below, graph.scalar(scale * alpha))
        above = graph.add("Mul", graph.add("Relu", x), graph.scalar(scale))
        return graph.add("Add", above, below)

    return write


def gelu(module: Any) -> Activation:
    """x times the normal distribution function, or its approximation by a hyperbolic tangent."""

    def write(graph: Graph, x: str) -> str:
        if module.approximate == "tanh":
            square = graph.add("Mul", graph.add("Mul", x, x), graph.scalar(0.044715))
            inner = graph.add("Mul", x, graph.add("Add", square, graph.scalar(1)))
            gate = graph.add("Tanh", graph.add("Mul", inner, graph.scalar(math.sqrt(2 / math.pi))))
        else:
            if graph.dtype == np.float64:
                raise ValueError(
                    "obj has a GELU, and onnxruntime has the error function in single precision "
                    "only: pass dtype='float32', or use nn.GELU(approximate='tanh')."
                )
            gate = graph.add("Erf", graph.add("Mul", x, graph.scalar(math.sqrt(0.5))))
        half = graph.add("Mul", x, graph.scalar(0.5))
        return graph.add("Mul", half, graph.add("Add", gate, graph.scalar(1)))

    return write


def scaled_softplus(module: Any) -> Activation:
    """log(1 + exp(beta x)) / beta, and x from where PyTorch takes that."""

    def write(graph: Graph, x: str) -> str:
        beta = graph.scalar(module.beta)
        z = graph.add("Mul", x, beta)
        soft = graph.add("Div", softplus(graph, z), beta)
        return graph.add("Where", graph.add("Greater", z, graph.scalar(module.threshold)), x, soft)

    return write


def along_rows(kind: str) -> Callable[[Any], Activation]:
    """Softmax and its logarithm, of each row."""

    def of(module: Any) -> Activation:
        if module.dim not in (None, 1, -1):
            raise ValueError(
                f"obj has a {type(module).__name__}(dim={module.dim}), which is no function of one "
                "row of a batch (batch, n): use dim=-1."
            )
        return node(kind, axis=-1)

    return of


def flatten(module: Any) -> Activation:
    """Nothing, for rows: they are flat."""
    if (module.start_dim, module.end_dim) not in ((1, -1), (1, 1)):
        raise ValueError(
            f"obj has a Flatten({module.start_dim}, {module.end_dim}), which does not give one row "
            "for each sample: use nn.Flatten()."
        )
    return same


def dropout(module: Any) -> Activation:
    """Nothing, outside of training."""
    if module.training and module.p > 0:
        raise ValueError(
            "obj is in training, where its Dropout drops entries at random: pass obj.eval()."
        )
    return same


def batch_norm(module: Any) -> Activation:
    """The affine map with the statistics that were collected in training."""
    if module.training or module.running_mean is None:
        raise ValueError(
            "obj has a BatchNorm1d that normalizes with the statistics of the batch, as in "
            "training: pass obj.eval(), of a module trained with track_running_stats=True."
        )
    mean, variance = to_numpy(module.running_mean), to_numpy(module.running_var)
    scale = 1 / np.sqrt(variance.astype(float) + module.eps)
    offset = -mean * scale
    if module.affine:
        weight, bias = (to_numpy(p.detach()).astype(float) for p in (module.weight, module.bias))
        scale, offset = weight * scale, weight * offset + bias

    def write(graph: Graph, x: str) -> str:
        return graph.add("Add", graph.add("Mul", x, graph.constant(scale)), graph.constant(offset))

    return write


def row_norm(module: Any) -> Activation:
    """Each row, centred if it is a LayerNorm, over its root mean square; then an affine map."""
    if len(module.normalized_shape) != 1:
        raise ValueError(
            f"obj has a {type(module).__name__} over {len(module.normalized_shape)} dimensions, "
            "and models take rows: of a batch (batch, n) it normalizes n entries."
        )
    (n,) = module.normalized_shape
    weight, bias = module.weight, getattr(module, "bias", None)
    centred = type(module).__name__ == "LayerNorm"

    def mean(graph: Graph, x: str) -> str:
        total = graph.add("ReduceSum", x, graph.integers(-1), keepdims=1)
        return graph.add("Mul", total, graph.scalar(1 / n))

    def write(graph: Graph, x: str) -> str:
        eps = np.finfo(graph.dtype).eps if module.eps is None else module.eps
        if centred:
            x = graph.add("Sub", x, mean(graph, x))
        square = graph.add("Add", mean(graph, graph.add("Mul", x, x)), graph.scalar(eps))
        x = graph.add("Div", x, graph.add("Sqrt", square))
        if weight is not None:
            x = graph.add("Mul", x, graph.constant(to_numpy(weight.detach())))
        if bias is not None:
            x = graph.add("Add", x, graph.constant(to_numpy(bias.detach())))
        return x

    return write


def _always(activation: Activation) -> Callable[[Any], Activation]:
    return lambda module: activation


SELU = 1.6732632423543772, 1.0507009873554805  # alpha, and the scale

# by their classes in PyTorch
MODULES: dict[str, Callable[[Any], Activation]] = {
    "Identity": _always(same),
    "ReLU": _always(node("Relu")),
    "Tanh": _always(node("Tanh")),
    "Sigmoid": _always(node("Sigmoid")),
    "GELU": gelu,
    "SiLU": _always(times(node("Sigmoid"))),
    "Mish": _always(times(lambda graph, x: graph.add("Tanh", softplus(graph, x)))),
    "LeakyReLU": lambda module: bent(module.negative_slope),
    "PReLU": lambda module: bent(to_numpy(module.weight.detach())),
    "ELU": lambda module: exponential(module.alpha),
    "CELU": lambda module: exponential(module.alpha, inner=1 / module.alpha),
    "SELU": _always(exponential(*SELU)),
    "Softplus": scaled_softplus,
    "LogSigmoid": _always(negated(softplus)),
    "Softsign": _always(
        lambda graph, x: graph.add("Div", x, graph.add("Add", graph.add("Abs", x), graph.scalar(1)))
    ),
    "Tanhshrink": _always(lambda graph, x: graph.add("Sub", x, graph.add("Tanh", x))),
    "Hardtanh": lambda module: lambda graph, x: between(graph, x, module.min_val, module.max_val),
    "ReLU6": _always(lambda graph, x: between(graph, x, 0, 6)),
    "Hardsigmoid": _always(hard_sigmoid),
    "Hardswish": _always(times(hard_sigmoid)),
    "Softmax": along_rows("Softmax"),
    "LogSoftmax": along_rows("LogSoftmax"),
    "Dropout": dropout,
    "AlphaDropout": dropout,
    "Flatten": flatten,
    "BatchNorm1d": batch_norm,
    "LayerNorm": row_norm,
    "RMSNorm": row_norm,
}
