"""Fitted estimators whose maps are affine."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse
from scipy.sparse.csgraph import connected_components

from skfact._backend import to_numpy
from skfact.butterfly import ButterflyFactorizer
from skfact.deep_linear import SparseDeepLinearNet
from skfact.export._onnx.graph import Graph
from skfact.export._onnx.map import Map, of_operator
from skfact.fixed_support import FixedSupportMF
from skfact.operators import FactorizedOperator


def affine(mean: Any, operator: Any, offset: Any) -> Map:
    """Rows less a mean, times the transpose of an operator (None: the identity), and an offset."""
    mean, offset = to_numpy(mean), to_numpy(offset)
    found = Map(mean.shape, mean.shape, mean.dtype.name, lambda graph, x: x)
    if operator is not None:
        found = of_operator(operator)

    def write(graph: Graph, x: str) -> str:
        return plus(graph, found.write(graph, plus(graph, x, -mean)), offset)

    return found._replace(write=write)


def plus(graph: Graph, x: str, numbers: np.ndarray) -> str:
    """Numbers added to each row, unless they are zeros."""
    return graph.add("Add", x, graph.constant(numbers)) if numbers.any() else x


def butterfly_transform(fitted: ButterflyFactorizer) -> Map:
    """The fast map with its mean and its offset."""
    return affine(fitted.mean_, fitted.operator_, fitted.offset_)


def codes(fitted: FixedSupportMF) -> Map:
    """Least-squares codes, where they are linear in the sample."""
    needed = {"missing_values": (None,), "positive": (False, "components")}
    for name, allowed in needed.items():
        given = getattr(fitted, name)
        if given not in allowed:
            raise ValueError(
                f"obj=FixedSupportMF({name}={given!r}) has a transform that is not linear: it "
                f"solves a problem for each sample. Fit with {name}={allowed[0]!r} to export it."
            )
    encoder = fitted._encoder(np.empty(0)).toarray()
    # codes look at no features but those that their components are linked with
    links = scipy.sparse.csr_array(to_numpy(fitted.components_) != 0)
    _, labels = connected_components(
        scipy.sparse.block_array([[None, links], [links.T, None]]), directed=False
    )
    linked = labels[: links.shape[0], None] == labels[None, links.shape[0] :]
    return of_operator(FactorizedOperator([scipy.sparse.csr_array(np.where(linked, encoder, 0))]))


def predictions(fitted: SparseDeepLinearNet) -> Map:
    """The product of all factors, and the intercept."""
    found = affine(np.zeros(1), fitted.operator_, fitted._offset)
    return found._replace(gives=() if fitted._single else found.gives)


def inner_codes(fitted: SparseDeepLinearNet) -> Map:
    """All factors but the one applied last, for centred samples."""
    return affine(fitted.mean_, fitted._encoder, np.zeros(1))
