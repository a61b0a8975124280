"""The product of rows and an operator whose factors are modules, with its derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd import Function

from skfact.operators import FactorizedOperator, OperatorSum
from skfact.torch._kept import KeptOperator
from skfact.torch._ways import has_hooks, serve


class Terms(NamedTuple):
    """The modules of the factors of each term, in the order of the product."""

    layers: tuple[tuple[Any, ...], ...]

    @property
    def numerical(self) -> list[Any]:
        """The modules that have values, in one list."""
        return [layer for term in self.layers for layer in term if layer.values is not None]

    @property
    def indices(self) -> list[Tensor]:
        """The indices of the modules that have none."""
        return [layer.index for term in self.layers for layer in term if layer.values is None]

    def __call__(self, X: Tensor) -> Tensor:
        """Images of rows, in PyTorch's operations."""
        products = (reduce(lambda Y, layer: layer(Y), reversed(term), X) for term in self.layers)
        return reduce(torch.add, products)

    def multiply(self, X: Tensor, values: Sequence[Tensor]) -> Tensor:
        """The same with other tensors as the values."""
        of = dict(zip(map(id, self.numerical), values))
        products = (
            reduce(lambda Y, layer: layer.product(Y, of.get(id(layer))), reversed(term), X)
            for term in self.layers
        )
        return reduce(torch.add, products)

    def operator(self, values: Sequence[np.ndarray]) -> Any:
        """The operator with these values of its factors, which nobody else writes to."""
        of = dict(zip(map(id, self.numerical), values))
        products = [
            FactorizedOperator(layer.factor(of.get(id(layer))) for layer in term)
            for term in self.layers
        ]
        return products[0] if len(products) == 1 else OperatorSum(products)


def multiply(X: Tensor, terms: Terms, kept: KeptOperator) -> Tensor:
    """Images (..., n_out) of rows (..., n_in)."""
    if any(has_hooks(layer) for term in terms.layers for layer in term):
        return terms(X)
    values = [layer.values for layer in terms.numerical]
    if not serve(X, values):
        return terms(X)
    rows = X if X.ndim == 2 else X.reshape(-1, X.shape[-1])
    if torch.is_grad_enabled() and any(t.requires_grad for t in (X, *values)):
        Y = CompiledProduct.apply(terms, kept, rows, *values)
    else:
        Y = images(rows, kept.of(terms, values))
    return Y if X.ndim == 2 else Y.reshape(*X.shape[:-1], Y.shape[1])


class CompiledProduct(Function):
    """The product in compiled loops, and its derivatives."""

    @staticmethod
    def forward(ctx, terms, kept, X, *values):  # type: ignore[no-untyped-def]
        ctx.terms, ctx.kept = terms, kept
        ctx.save_for_backward(X, *values)
        return images(X, kept.of(terms, values))

    @staticmethod
    def backward(ctx, G):  # type: ignore[no-untyped-def]
        X, *values = ctx.saved_tensors
        wanted = ctx.needs_input_grad[2:]
        if torch.is_grad_enabled():  # the derivatives are to have derivatives
            given = [t for t, needed in zip((X, *values), wanted) if needed]
            Y = ctx.terms.multiply(X, values)
            found = iter(torch.autograd.grad(Y, given, G, create_graph=True))
            return None, None, *(next(found) if needed else None for needed in wanted)
        operator = ctx.kept.of(ctx.terms, values)
        if not any(wanted[1:]):
            return None, None, images(G, operator.H), *(None for _ in values)
        return None, None, *pull_back(ctx.terms, operator, X, G, wanted)


def images(X: Tensor, operator: Any) -> Tensor:
    """Rows mapped by an operator, in compiled loops."""
    return torch.from_numpy(operator._products.rows(X.numpy(force=True)))


def pull_back(
    terms: Terms, operator: Any, X: Tensor, G: Tensor, wanted: Sequence[bool]
) -> list[Tensor | None]:
    """Gradients in the rows and in all values, from that in the images; None if not wanted."""
    of_X, of_values, needed = None, [], iter(wanted[1:])
    inputs, outputs = (rows.numpy(force=True).T for rows in (X, G))
    for layers, term in zip(terms.layers, operator._summands):
        asked = [layer.values is not None and next(needed) for layer in layers]
        found, back = pull_back_factors(layers, term.factors, inputs, outputs, asked, wanted[0])
        of_values += [g for g, layer in zip(found, layers) if layer.values is not None]
        of_X = back if of_X is None else of_X + back
    return [None if g is None else torch.from_numpy(g) for g in (of_X, *of_values)]


def pull_back_factors(
    layers: Sequence[Any],
    factors: Sequence[Any],
    inputs: np.ndarray,
    outputs: np.ndarray,
    asked: Sequence[bool],
    back: bool,
) -> tuple[list[np.ndarray | None], np.ndarray | None]:
    """Gradients in the values of each factor that is asked for, and in the rows if `back`.

    Inputs (n_in, batch) and gradients of the outputs (n_out, batch) have one sample per column.
    """
    signals = [inputs]
    for factor in reversed(factors[1:]):
        signals.append(factor.apply(signals[-1]))
    found: list[np.ndarray | None] = []
    for position, (layer, factor) in enumerate(zip(layers, factors)):
        signal = signals.pop()
        found.append(layer.gradient(outputs, signal) if asked[position] else None)
        if back or any(asked[position + 1 :]):
            outputs = factor.H.apply(outputs)
    return found, np.ascontiguousarray(outputs.T) if back else None
