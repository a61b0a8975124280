"""What can be exported, and which methods of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skfact._checks import check_choice
from skfact.butterfly import ButterflyFactorizer
from skfact.deep_linear import SparseDeepLinearNet
from skfact.export._onnx.affine import butterfly_transform, codes, inner_codes, predictions
from skfact.export._onnx.map import Map, of_operator
from skfact.export._onnx.networks import network_outputs, path_features
from skfact.fixed_support import FixedSupportMF
from skfact.operators import FactorizedOperator, OperatorSum
from skfact.relu import ReLUPathEmbedding

# kind -> its methods, the usual one first
KINDS: dict[type, dict[str, Callable[[Any], Map]]] = {
    FactorizedOperator: {"apply": of_operator},
    OperatorSum: {"apply": of_operator},
    ButterflyFactorizer: {"transform": butterfly_transform},
    FixedSupportMF: {"transform": codes},
    SparseDeepLinearNet: {"predict": predictions, "transform": inner_codes},
    ReLUPathEmbedding: {"network": network_outputs, "transform": path_features},
}


def map_of(obj: Any, method: str | None) -> Map:
    """What a method of a fitted estimator computes, or an operator; None is the usual method."""
    methods = next((found for kind, found in KINDS.items() if isinstance(obj, kind)), None)
    if methods is None:
        raise TypeError(
            "obj must be an operator, or a fitted ButterflyFactorizer, FixedSupportMF, "
            f"SparseDeepLinearNet or ReLUPathEmbedding, got {type(obj).__name__}."
        )
    if isinstance(obj, BaseEstimator):
        check_is_fitted(obj)
    if method is None:
        method = next(iter(methods))
    check_choice(method, "method", tuple(methods))
    return methods[method](obj)
