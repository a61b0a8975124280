"""The one reader of networks to compress: a function for each kind, and the table of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

from sklearn.frozen import FrozenEstimator
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline

from skfact._backend import is_torch_module
from skfact._checks import of_another_kind
from skfact.compression._layers.arrays import read_pair
from skfact.compression._layers.mlp import read_mlp
from skfact.compression._layers.network import Network
from skfact.compression._layers.pipelines import read_frozen, read_pipeline


class Reader(NamedTuple):
    """How networks of a kind are told from others, and read together with samples."""

    kind: str
    accepts: Callable[[Any], bool]
    read: Callable[[Any, Any], Network]


def _read_module(network: Any, X: Any) -> Network:
    from skfact.compression._layers.modules import read_module

    return read_module(network, X)


def _is_onnx(network: Any) -> bool:
    """Whether it is a model, or the path of a file."""
    kind = type(network)
    is_model = kind.__name__ == "ModelProto" and kind.__module__.startswith("onnx")
    return is_model or isinstance(network, str | os.PathLike)


def _read_onnx(network: Any, X: Any) -> Network:
    from skfact.compression._layers.onnx_graphs import read_onnx

    return read_onnx(network, X)


INSIDE = ("best_estimator_", "regressor_", "estimator_")  # what meta-estimators have fitted

# A new kind of network is a function and a row.
READERS = (
    Reader(
        "a pair (coefs, intercepts) of lists of arrays",
        lambda network: isinstance(network, (tuple, list)),
        read_pair,
    ),
    Reader(
        "a fitted MLPClassifier or MLPRegressor",
        lambda network: isinstance(network, (MLPClassifier, MLPRegressor)),
        read_mlp,
    ),
    Reader(
        "a FrozenEstimator of one",
        lambda network: isinstance(network, FrozenEstimator),
        read_frozen,
    ),
    Reader(
        "a fitted Pipeline that ends in one",
        lambda network: isinstance(network, Pipeline),
        read_pipeline,
    ),
    Reader("a torch.nn.Module", is_torch_module, _read_module),
    Reader("an ONNX model or the path of one", _is_onnx, _read_onnx),
)


def read(network: Any, X: Any) -> Network:
    """A network with samples, or None; a TypeError tells that it is of another kind."""
    for reader in READERS:
        if reader.accepts(network):
            return reader.read(network, X)
    error = of_another_kind(network, "network", [reader.kind for reader in READERS])
    inside = next((name for name in INSIDE if hasattr(network, name)), None)
    raise TypeError(f"{error} Pass network.{inside}.") if inside else error
