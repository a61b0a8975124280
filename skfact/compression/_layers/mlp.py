"""scikit-learn's multilayer perceptrons, and copies of them whose weights are operators."""

from __future__ import annotations

import math
from copy import deepcopy
from typing import Any, NoReturn, cast

import numpy as np
from sklearn.base import clone
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.neural_network._base import ACTIVATIONS
from sklearn.utils.validation import check_is_fitted, validate_data

from skfact.compression._layers.arrays import Layered, samples
from skfact.compression._layers.network import Linear
from skfact.operators import FactorizedOperator, OperatorSum
from skfact.relu._networks.layered import checked_layers

TRAINING = ("_optimizer", "_best_coefs", "_best_intercepts", "coefs_", "intercepts_")


class CompressedMLP:
    """What a compressed perceptron does otherwise than scikit-learn's.

    Entries of `coefs_` are arrays or operators of shape (n_in, n_out), and are applied, never made
    dense. `clone` gives an estimator of the class that was compressed, not fitted: what clones it,
    such as a cross-validation, sees dense layers, unless it gets ``FrozenEstimator(mlp)``.
    """

    _original: Any
    coefs_: list[Any]  # arrays and operators
    intercepts_: list[np.ndarray]
    activation: str
    out_activation_: str
    get_params: Any

    def _forward_pass_fast(self, X: Any, check_input: bool = True) -> np.ndarray:
        """Outputs for rows, sparse ones among them."""
        if check_input:
            X = validate_data(self, X, accept_sparse=["csr", "csc"], reset=False)
        last = len(self.coefs_) - 1
        for place, (coef, intercept) in enumerate(zip(self.coefs_, self.intercepts_)):
            X = X @ coef if isinstance(coef, np.ndarray) else coef.T.apply(X)
            X += intercept
            ACTIVATIONS[self.activation if place < last else self.out_activation_](X)
        return X

    def __sklearn_clone__(self) -> Any:
        return clone(self._original(**self.get_params(deep=False)))

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        words: str = cast(Any, super()).__repr__(N_CHAR_MAX)
        coefs = getattr(self, "coefs_", ())
        numbers = sum(c.size if isinstance(c, np.ndarray) else c.nnz for c in coefs)
        before = sum(math.prod(coef.shape) for coef in coefs)
        return (
            f"{words} of {numbers} weights in the place of {before}; a clone is a plain "
            f"{self._original.__name__}"
        )

    def fit(self, X: Any, y: Any = None, *args: Any, **named: Any) -> NoReturn:
        """Refuse: training starts from dense weights."""
        raise TypeError(
            f"{type(self).__name__} holds products of factors, which scikit-learn does not train: "
            f"fit a clone of it, sklearn.base.clone(mlp), a plain {self._original.__name__}, and "
            "compress that; or compress a PyTorch module, whose factors PyTorch trains. What fits "
            "its steps, such as a pipeline, takes FrozenEstimator(mlp)."
        )

    partial_fit = fit


class CompressedMLPClassifier(CompressedMLP, MLPClassifier):
    """A compressed MLPClassifier."""

    _original = MLPClassifier


class CompressedMLPRegressor(CompressedMLP, MLPRegressor):
    """A compressed MLPRegressor."""

    _original = MLPRegressor


COMPRESSED = {MLPClassifier: CompressedMLPClassifier, MLPRegressor: CompressedMLPRegressor}


def read_mlp(mlp: Any, X: Any) -> Layered:
    """A fitted MLPClassifier or MLPRegressor."""
    check_is_fitted(mlp, "coefs_")
    if any(isinstance(coef, FactorizedOperator | OperatorSum) for coef in mlp.coefs_):
        raise TypeError(
            "network was compressed already, its coefs_ are operators: compress the one that was "
            "fitted."
        )
    if type(mlp) not in COMPRESSED:
        raise TypeError(
            f"network is of the class {type(mlp).__name__}, whose predictions may be others than "
            "those of scikit-learn's: pass (mlp.coefs_, mlp.intercepts_), or an MLPClassifier or "
            "MLPRegressor."
        )
    checked = checked_layers(
        mlp.coefs_,
        mlp.intercepts_,
        lambda l: (f"layer {l}: coefs_[{l}]", f"layer {l}: intercepts_[{l}]"),
        "relu",
        lambda coefs, intercepts: None,
    )
    pairs = list(zip(checked.weights, checked.biases))
    linears = [Linear(str(l), w.T, b) for l, (w, b) in enumerate(pairs)]

    def write(coefs: list[Any], intercepts: list[np.ndarray]) -> Any:
        dense = all(isinstance(coef, np.ndarray) for coef in coefs)
        kind: Any = type(mlp) if dense else COMPRESSED[type(mlp)]
        written = kind.__new__(kind)
        state = {name: value for name, value in vars(mlp).items() if name not in TRAINING}
        vars(written).update(deepcopy(state), coefs_=coefs, intercepts_=intercepts)
        return written

    return Layered(linears, ACTIVATIONS[mlp.activation], samples(X, *_first(checked)), write)


def _first(checked: Any) -> tuple[int, Any]:
    """How many inputs there are, and in which dtype."""
    return checked.weights[0].shape[0], checked.weights[0].dtype
