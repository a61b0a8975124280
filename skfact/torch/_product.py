"""Rows times the transpose of an operator whose factors are modules, with all derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from skfact._backend import has_hooks
from skfact.torch._numbers import Layers, Numbers
from skfact.torch._term import numerical
from skfact.torch._ways import is_batched, is_followed, is_ordinary

requires_grad = attrgetter("requires_grad")


def read(layers: Layers, earlier: Numbers | None) -> Numbers | None:
    """The numbers of the layers; None if loops cannot read them, or PyTorch is faster."""
    flat = [layer for term in layers for layer in term]
    values = [layer.weight for layer in numerical(flat)]
    readable = (
        not any(map(has_hooks, flat))
        and not all(layer.is_one_matrix for layer in numerical(flat))
        and all(map(is_ordinary, values))
        and len({v.dtype for v in values}) == 1
    )
    return Numbers(layers, earlier) if readable else None


def in_loops(X: Tensor, numbers: Numbers) -> Tensor:
    """Images (..., n_out) of rows (..., n_in), which loops can read."""
    rows = X if X.ndim == 2 else X.reshape(-1, X.shape[-1])
    if torch.is_grad_enabled() and any(map(requires_grad, (X, *numbers.values))):
        Y: Tensor = CompiledProduct.apply(numbers, rows, *numbers.values)
    else:
        Y = torch.from_numpy(numbers.images(rows.numpy(force=True)))
    return Y if X.ndim == 2 else Y.reshape(*X.shape[:-1], Y.shape[1])


def in_operations(X: Tensor, layers: Layers, values: Sequence[Tensor] | None = None) -> Tensor:
    """The images in PyTorch's operations, if given with other tensors as the values."""
    if values is None:
        return reduce(torch.add, (reduce(call, reversed(term), X) for term in layers))
    of = dict(zip((numerical([layer for term in layers for layer in term])), values))

    def product(Y: Tensor, layer: Any) -> Tensor:
        images: Tensor = layer.product(Y, of.get(layer))
        return images

    return reduce(torch.add, (reduce(product, reversed(term), X) for term in layers))


def call(X: Tensor, layer: Any) -> Tensor:
    """The layer's images, with whatever hooks do."""
    images: Tensor = layer(X)
    return images


class CompiledProduct(Function):
    """The product in compiled loops, and its derivatives."""

    @staticmethod
    def forward(ctx, numbers, X, *values):  # type: ignore[no-untyped-def]
        ctx.numbers = numbers
        ctx.save_for_backward(X, *values)
        return torch.from_numpy(numbers.images(X.numpy(force=True)))

    @staticmethod
    def backward(ctx, G):  # type: ignore[no-untyped-def]
        X, *values = ctx.saved_tensors
        numbers, wanted = ctx.numbers, ctx.needs_input_grad[1:]
        if torch.is_grad_enabled() or is_followed() or not is_ordinary(G) or is_batched(G):
            # the gradients are to have gradients themselves, or G is a whole batch of them
            with torch.enable_grad():
                Y = in_operations(X, numbers.layers, values)
            given = [t for t, needed in zip((X, *values), wanted) if needed]
            again = torch.is_grad_enabled()
            found = iter(torch.autograd.grad(Y, given, G, create_graph=again))
            return None, *(next(found) if needed else None for needed in wanted)
        found = numbers.pull_back(X.numpy(force=True), G.numpy(force=True), wanted)
        return None, *(None if g is None else torch.from_numpy(g) for g in found)
