"""The one reader of networks: fitted MLPs, pairs of arrays, and PyTorch modules."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.utils.validation import check_is_fitted

from skfact._backend import array_namespace, to_numpy
from skfact.relu._networks.graph import NetworkGraph
from skfact.relu._networks.layered import Arrays, Network, checked_network

KINDS = (
    "a fitted MLPRegressor or MLPClassifier, a FrozenEstimator of one, a pair (coefs, intercepts) "
    "of lists of arrays, or a PyTorch nn.Sequential of Linear and ReLU"
)


def read_network(network: Any, *, check_finite: bool = True) -> Network:
    """Read a network of any supported kind.

    Parameters
    ----------
    network : MLPRegressor, MLPClassifier, FrozenEstimator, pair of lists, or torch nn.Sequential
        For scikit-learn's networks what is read is the function before the output's own link
        (softmax, logistic, exp).
    check_finite : bool, default=True
        Look for NaN and infinity, which reads all weights once.

    Returns
    -------
    network : Network
        Its weights and biases; nothing is copied that need not be.

    Raises
    ------
    TypeError
        If it is another kind of object, or has arrays of unsupported dtypes.
    ValueError
        If it is not fitted, not a ReLU network, or its arrays do not fit together.
    """
    if isinstance(network, Network):
        return network
    if isinstance(network, NetworkGraph):
        raise TypeError(
            "network is a NetworkGraph, which path_norm, path_inner, path_saliency and equalize "
            f"accept (path_inner: two of them); here pass {KINDS}."
        )
    if isinstance(network, type):
        raise TypeError(f"network is the class {network.__name__}; pass {KINDS}.")
    if isinstance(network, FrozenEstimator):
        inner = read_network(network.estimator, check_finite=check_finite)
        return Network(
            inner.weights,
            inner.biases,
            inner.activation,
            lambda weights, biases: FrozenEstimator(inner.writer(weights, biases)),
        )
    if isinstance(network, (MLPRegressor, MLPClassifier)):
        return _read_mlp(network, check_finite)
    torch = sys.modules.get("torch")  # a module of PyTorch exists only where PyTorch was imported
    if torch is not None and isinstance(network, torch.nn.Module):
        return _read_torch(network, torch, check_finite)
    if isinstance(network, (tuple, list)):
        return _read_arrays(network, check_finite)
    raise TypeError(f"network must be {KINDS}; got {type(network).__name__}.")


def require_relu(mlp: Any, *, has_hidden: bool) -> None:
    """Raise if the hidden layers of an MLP, fitted or not, have no paths."""
    if has_hidden and mlp.activation not in ("relu", "identity"):
        raise ValueError(
            f"The hidden layers (from layer 0, coefs_[0], on) have activation={mlp.activation!r}; "
            "only 'relu' and 'identity' networks have paths. Fit with activation='relu'."
        )


def _read_mlp(mlp: Any, check_finite: bool) -> Network:
    check_is_fitted(mlp, "coefs_")
    require_relu(mlp, has_hidden=len(mlp.coefs_) > 1)

    def write(weights: Arrays, biases: Arrays) -> Any:
        written = copy.deepcopy(mlp)
        written.coefs_ = [np.array(to_numpy(w), order="C") for w in weights]
        written.intercepts_ = [np.array(to_numpy(b)) for b in biases]
        hidden = tuple(int(w.shape[1]) for w in weights[:-1])
        if hidden != tuple(w.shape[1] for w in mlp.coefs_[:-1]):
            written.hidden_layer_sizes = hidden
        # it updates arrays of its own: `partial_fit` would go on from the old weights
        written.__dict__.pop("_optimizer", None)
        return written

    return checked_network(
        mlp.coefs_,
        mlp.intercepts_,
        lambda l: (f"layer {l}: coefs_[{l}]", f"layer {l}: intercepts_[{l}]"),
        "identity" if mlp.activation == "identity" else "relu",
        write,
        check_finite,
    )


def _read_arrays(pair: Any, check_finite: bool) -> Network:
    if len(pair) != 2:
        raise ValueError(
            f"network as arrays must be a pair (coefs, intercepts); got {len(pair)} elements."
        )
    coefs, intercepts = pair
    for name, arrays in (("coefs", coefs), ("intercepts", intercepts)):
        if not isinstance(arrays, (list, tuple)) and not (name == "intercepts" and arrays is None):
            raise TypeError(
                f"{name} must be a list with one array per layer; got {type(arrays).__name__}. "
                "A network as arrays is a pair (coefs, intercepts)."
            )
    biases = [None] * len(coefs) if intercepts is None else intercepts
    if len(coefs) != len(biases):
        raise ValueError(
            f"coefs and intercepts must have one array per layer; got {len(coefs)} and "
            f"{len(biases)} arrays."
        )
    return checked_network(
        coefs,
        biases,
        lambda l: (f"layer {l}: coefs[{l}]", f"layer {l}: intercepts[{l}]"),
        "relu",
        lambda weights, biases: tuple([_copied(a) for a in part] for part in (weights, biases)),
        check_finite,
    )


def _copied(array: Any) -> Any:
    return array_namespace(array).asarray(array, copy=True)


def _read_torch(module: Any, torch: Any, check_finite: bool) -> Network:
    """An nn.Sequential: Linear, ReLU, Linear, ..., Linear, possibly nested, with Identity."""
    nn = torch.nn
    linears: list[Any] = []
    numbers: list[str] = []
    last = "ReLU"
    for number, layer in _leaves(module, nn):
        kind = type(layer).__name__
        if type(layer) is nn.Identity:
            continue
        if type(layer) not in (nn.Linear, nn.ReLU):
            raise ValueError(
                f"module {number} is {kind}; only Linear, ReLU, Identity and nested Sequential "
                "are read. Fold or replace it first."
            )
        if kind == last:
            raise ValueError(
                f"module {number} is Linear and follows Linear, but two of them without a ReLU "
                "between them are one: multiply them."
                if kind == "Linear"
                else f"module {number} is ReLU, and a ReLU must follow a Linear: remove it."
            )
        if kind == "Linear":
            if any(layer is other for other in linears):
                raise ValueError(
                    f"module {number} is a Linear that is used twice: its weights are tied, and "
                    "cannot be changed one by one. Pass a network with a copy in each place."
                )
            linears.append(layer)
            numbers.append(number)
        last = kind
    if linears and last == "ReLU":
        raise ValueError("The last module is ReLU; the output layer must be Linear: remove it.")

    def write(weights: Arrays, biases: Arrays) -> Any:
        written = copy.deepcopy(module)
        layers = [layer for _, layer in _leaves(written, nn) if type(layer) is nn.Linear]
        for layer, w, b in zip(layers, weights, biases):
            layer.weight.data = w.T.clone(memory_format=torch.contiguous_format)
            layer.in_features, layer.out_features = (int(n) for n in w.shape)
            if layer.bias is not None:
                layer.bias.data = b.clone()
            elif bool((b != 0).any()):
                layer.bias = nn.Parameter(b.clone())
        return written

    return checked_network(
        [layer.weight.T for layer in linears],
        [layer.bias for layer in linears],
        lambda l: (f"module {numbers[l]} (Linear): weight", f"module {numbers[l]} (Linear): bias"),
        "relu",
        write,
        check_finite,
    )


def _leaves(module: Any, nn: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if type(module) is not nn.Sequential:
        yield prefix or "of the network", module
        return
    for number, child in enumerate(module):  # `named_children` leaves out modules used twice
        yield from _leaves(child, nn, f"{prefix}.{number}" if prefix else str(number))
