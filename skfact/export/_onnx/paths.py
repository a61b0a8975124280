"""The path embedding: outputs of its network, and the features of paths."""

from __future__ import annotations

from functools import reduce

import numpy as np

from skfact._backend import to_numpy
from skfact.export._onnx.activations import NAMED, Activation
from skfact.export._onnx.graph import Graph
from skfact.export._onnx.map import Map
from skfact.export._onnx.networks import Layer, feed_forward, linear_layer
from skfact.relu import ReLUPathEmbedding
from skfact.relu._features import _columns


def network_outputs(fitted: ReLUPathEmbedding) -> Map:
    """What the network computes: ``transform(X) @ path_weights_``."""
    if not hasattr(fitted, "path_weights_"):
        raise ValueError(
            "obj is a ReLUPathEmbedding of random layers, whose network has no outputs: pass "
            "method='transform', or fit it with an estimator."
        )
    layers: list[Layer | Activation] = []
    for coef, intercept in zip(*layers_of(fitted)):
        layers += [(coef.T, intercept), NAMED[fitted._activation]]
    return feed_forward(layers[:-1])


def layers_of(fitted: ReLUPathEmbedding) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Weights (n_l, n_{l+1}) and biases on the host."""
    return [to_numpy(w) for w in fitted.coefs_], [to_numpy(b) for b in fitted.intercepts_]


def path_features(fitted: ReLUPathEmbedding) -> Map:
    """Inputs, or ones, where all neurons on a path are active."""
    weights, biases = layers_of(fitted)
    paths = fitted._chosen()

    def write(graph: Graph, x: str) -> str:
        layers, h = [x], x
        for weight, bias in zip(weights[:-1], biases[:-1]):
            z = linear_layer(graph, h, weight.T, bias)
            h = graph.add("Relu", z) if fitted._activation == "relu" else z
            layers.append(gate(graph, z, fitted._activation))
        batch = graph.add("Shape", x, start=0, end=1)
        shape = graph.add("Concat", batch, graph.integers(1), axis=0)
        ones = graph.add("Expand", graph.constant(np.ones((1, 1))), shape)
        if paths is None:
            sizes = tuple(len(weight) for weight in weights)
            products = [*every_product(graph, layers, sizes), ones]
        else:
            products = chosen_products(graph, layers, ones, paths)
        return graph.add("Concat", *products, axis=1)

    return Map(weights[0].shape[:1], (fitted.n_paths_,), weights[0].dtype.name, write)


def gate(graph: Graph, z: str, activation: str) -> str:
    """One where a neuron is active, else zero."""
    if activation == "identity":
        active = graph.add("Equal", z, z)
    else:
        active = graph.add("Greater", z, graph.constant(np.zeros(1)))
    return graph.add("Cast", active, to=graph.number)


def every_product(graph: Graph, layers: list[str], sizes: tuple[int, ...]) -> list[str]:
    """Products of one entry of each of the layers l, l + 1, ... for every l."""
    found, length = [layers[-1]], sizes[-1]
    for layer, size in zip(layers[-2::-1], sizes[-2::-1]):
        columns = graph.reshape(layer, -1, size, 1)
        chain = graph.add("Mul", columns, graph.reshape(found[0], -1, 1, length))
        length *= size
        found.insert(0, graph.reshape(chain, -1, length))
    return found


def chosen_products(graph: Graph, layers: list[str], ones: str, paths: np.ndarray) -> list[str]:
    """Products along some paths, in their order."""
    found = []
    for _, _, layer, columns in _columns(paths, np, "cpu"):
        entries = [
            graph.add("Gather", x, graph.constant(index), axis=1)
            for x, index in zip(layers[layer:], columns)
        ]
        found.append(reduce(lambda a, b: graph.add("Mul", a, b), entries) if entries else ones)
    return found
