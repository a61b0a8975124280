"""Estimators around a perceptron: what stands before it, and what keeps it fitted."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy, deepcopy
from dataclasses import replace
from typing import Any

import scipy.sparse
from sklearn.frozen import FrozenEstimator
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline

from skfact.compression._layers.arrays import Layered
from skfact.compression._layers.mlp import read_mlp


def read_frozen(frozen: Any, X: Any) -> Layered:
    """A FrozenEstimator of one; what is written is frozen too."""
    inner = _reader(frozen.estimator, "network is a FrozenEstimator of")(frozen.estimator, X)
    return replace(inner, writer=lambda *arrays: FrozenEstimator(inner.writer(*arrays)))


def read_pipeline(pipeline: Any, X: Any) -> Layered:
    """A fitted Pipeline that ends in one, with samples that the Pipeline takes."""
    *steps, (name, last) = pipeline.steps
    read = _reader(last, "network is a Pipeline that ends in")
    if steps and X is not None:
        X = pipeline[:-1].transform(X)
        if scipy.sparse.issparse(X):
            raise TypeError(
                f"network is a Pipeline whose steps before {name!r} give sparse rows: let them "
                "give dense ones (of many, sparse_output=False)."
            )
    inner = read(last, X)

    def write(*arrays: Any) -> Any:
        written = copy(pipeline)
        written.steps = [*deepcopy(steps), (name, inner.writer(*arrays))]
        return written

    return replace(inner, writer=write)


def _reader(estimator: Any, where: str) -> Callable[[Any, Any], Layered]:
    """How to read what an estimator holds; a TypeError tells that this is no perceptron."""
    for kinds, read in READ:
        if isinstance(estimator, kinds):
            return read
    raise TypeError(
        f"{where} {type(estimator).__name__}: there it must have a fitted MLPClassifier or "
        "MLPRegressor."
    )


READ: tuple[tuple[Any, Callable[[Any, Any], Layered]], ...] = (
    ((MLPClassifier, MLPRegressor), read_mlp),
    (FrozenEstimator, read_frozen),
    (Pipeline, read_pipeline),
)
