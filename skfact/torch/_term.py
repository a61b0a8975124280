"""A product of factors with given numbers: images of rows, and gradients, in compiled loops."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from skfact._kernels.chain_gradient import Selections, loops_pay, map_rows, pull_back_rows
from skfact.operators import FactorizedOperator, PartialPermutation
from skfact.torch._layers import KroneckerProduct, SelectionLayer

Arrays = dict[str, np.ndarray]  # by the name of the parameter or buffer


def numerical(layers: Sequence[Any]) -> list[Any]:
    """The modules that have numbers."""
    return [layer for layer in layers if layer.weight is not None]


class Term:
    """The modules of the factors, in the order of the product, and the numbers of each."""

    def __init__(self, layers: Sequence[Any], arrays: Sequence[Arrays], old: Term | None) -> None:
        self.layers, self.arrays = layers, arrays
        self.values = [a["weight"] for a in arrays if "weight" in a]
        self._old = old if old is not None and old.selects_like(self) else None
        if self._old is not None:
            self.ends = self._old.ends  # found once
            self._old = None

    def selects_like(self, other: Term) -> bool:
        """Whether both have the same modules and select the same entries."""
        return self.layers == other.layers and all(
            np.array_equal(mine["index"], its["index"])
            for mine, its in zip(self.arrays, other.arrays)
            if "index" in mine
        )

    @cached_property
    def ends(self) -> Selections | None:
        """What is selected at both sides of Kronecker-sparse factors; None for other products."""
        first, last = (isinstance(self.layers[end], SelectionLayer) for end in (0, -1))
        inner = self.layers[first : len(self.layers) - last]
        if not inner or not all(isinstance(layer, KroneckerProduct) for layer in inner):
            return None
        n_out, n_in = self.values[0].shape, self.values[-1].shape
        outputs, inputs = n_out[0] * n_out[1] * n_out[2], n_in[0] * n_in[1] * n_in[3]
        result = self.arrays[0]["index"] if first else np.arange(outputs)
        source = self.arrays[-1]["index"] if last else np.arange(inputs)
        width = self.layers[-1].n_in if last else inputs
        back = [
            PartialPermutation(source, width).T._host,
            PartialPermutation(result, outputs).T._host,
        ]
        return Selections(source, result, *back)

    @cached_property
    def product(self) -> FactorizedOperator:
        """The operator."""
        return FactorizedOperator(
            layer.factor(arrays) for layer, arrays in zip(self.layers, self.arrays)
        )

    def pays(self, X: np.ndarray) -> bool:
        """Whether to run rows through the values as they are, in compiled loops."""
        return self.ends is not None and loops_pay(self.values, len(X))

    def images(self, X: np.ndarray) -> np.ndarray:
        """Rows mapped by the product, where that pays."""
        assert self.ends is not None
        return map_rows(self.values, self.ends, X)

    def pull_back(
        self, X: np.ndarray, G: np.ndarray, asked: Sequence[bool], back: bool
    ) -> tuple[list[np.ndarray | None], np.ndarray | None]:
        """Gradients in the values of all modules that have some, and in the rows if `back`.

        `asked` says of each module whether its own is wanted.
        """
        if self.pays(X):
            assert self.ends is not None
            gradients, of_X = pull_back_rows(self.values, self.ends, X, G, back=back)
            return list(gradients), of_X
        factors = self.product.factors
        outputs, signals = G.T, [X.T]  # one sample per column
        for factor in reversed(factors[1:]):
            signals.append(factor.apply(signals[-1]))
        found: list[np.ndarray | None] = []
        for position, (layer, factor) in enumerate(zip(self.layers, factors)):
            inputs = signals.pop()
            if layer.weight is not None:
                found.append(layer.gradient(outputs, inputs) if asked[position] else None)
            if back or any(asked[position + 1 :]):
                outputs = factor.H.apply(outputs)
        return found, np.ascontiguousarray(outputs.T) if back else None
