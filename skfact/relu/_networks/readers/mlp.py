"""Fitted multi-layer perceptrons of scikit-learn."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.utils.validation import check_is_fitted

from skfact._backend import to_numpy
from skfact.relu._networks.layered import LayeredNetwork, checked_layers
from skfact.relu._networks.network import Arrays

KIND = "a fitted MLPRegressor or MLPClassifier"


def accepts(network: Any) -> bool:
    """Whether it is one."""
    return isinstance(network, (MLPRegressor, MLPClassifier))


def read(mlp: Any, check_finite: bool) -> LayeredNetwork:
    """What it computes before its own link (softmax, logistic, exp)."""
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

    return checked_layers(
        mlp.coefs_,
        mlp.intercepts_,
        lambda l: (f"layer {l}: coefs_[{l}]", f"layer {l}: intercepts_[{l}]"),
        "identity" if mlp.activation == "identity" else "relu",
        write,
        check_finite,
    )


def require_relu(mlp: Any, *, has_hidden: bool) -> None:
    """Raise if the hidden layers of an MLP, fitted or not, have no paths."""
    if has_hidden and mlp.activation not in ("relu", "identity"):
        raise ValueError(
            f"The hidden layers (from layer 0, coefs_[0], on) have activation={mlp.activation!r}; "
            "only 'relu' and 'identity' networks have paths. Fit with activation='relu'."
        )
