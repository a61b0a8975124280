"""What can be exported, and which methods of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from sklearn.base import BaseEstimator
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.utils.validation import check_is_fitted

from skfact._backend import is_torch_module
from skfact._checks import check_choice, one_of
from skfact.butterfly import ButterflyFactorizer
from skfact.deep_linear import SparseDeepLinearNet
from skfact.export._onnx.affine import butterfly_transform, codes, inner_codes, predictions
from skfact.export._onnx.map import Map, is_operator, of_operator
from skfact.export._onnx.networks import network_of_arrays, network_of_mlp, network_of_module
from skfact.export._onnx.paths import network_outputs, path_features
from skfact.fixed_support import FixedSupportMF
from skfact.relu import ReLUPathEmbedding


class Kind(NamedTuple):
    """How objects of a kind are told from others, and what can be exported of them."""

    name: str
    accepts: Callable[[Any], bool]
    methods: dict[str, Callable[[Any], Map]]  # the usual one first


ESTIMATORS: dict[type, dict[str, Callable[[Any], Map]]] = {
    ButterflyFactorizer: {"transform": butterfly_transform},
    FixedSupportMF: {"transform": codes},
    SparseDeepLinearNet: {"predict": predictions, "transform": inner_codes},
    ReLUPathEmbedding: {"network": network_outputs, "transform": path_features},
    MLPRegressor: {"predict": network_of_mlp},
    MLPClassifier: {"predict_proba": network_of_mlp},
}


def _is(kind: Any) -> Callable[[Any], bool]:
    return lambda obj: isinstance(obj, kind)


KINDS = (
    Kind("an operator", is_operator, {"apply": of_operator}),
    *(
        Kind(f"a fitted {kind.__name__}", _is(kind), methods)
        for kind, methods in ESTIMATORS.items()
    ),
    Kind("a pair (coefs, intercepts)", _is((tuple, list)), {"predict": network_of_arrays}),
    Kind("a PyTorch nn.Sequential", is_torch_module, {"forward": network_of_module}),
)


def map_of(obj: Any, method: str | None) -> Map:
    """What a method of `obj` computes; None is the usual method."""
    methods = next((kind.methods for kind in KINDS if kind.accepts(obj)), None)
    if methods is None:
        hint = ""
        if hasattr(obj, "steps"):
            hint = " A Pipeline goes to skl2onnx.to_onnx, after skfact.export.register_skl2onnx()."
        raise TypeError(
            f"obj must be {one_of([kind.name for kind in KINDS])}, got {type(obj).__name__}.{hint}"
        )
    if isinstance(obj, BaseEstimator):
        check_is_fitted(obj)
    if method is None:
        method = next(iter(methods))
    check_choice(method, "method", tuple(methods))
    return methods[method](obj)
