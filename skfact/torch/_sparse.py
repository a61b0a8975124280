"""Products with a sparse matrix of trainable entries, in PyTorch's operations.

Nothing is kept that has the size of entries times batch: entries are taken in slices. The
derivatives of either function are products by the other one, so that there are all of them.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.autograd import Function

from skfact.torch._ways import is_followed

SLICE = 2**21  # numbers that a slice of entries has with a batch


def sparse_product(X: Tensor, values: Tensor, rows: Tensor, columns: Tensor, n_out: int) -> Tensor:
    """The sum of ``values[k] * X[columns[k]]`` in each place ``rows[k]``, of X (n_in, batch)."""
    if is_followed():
        return X.new_zeros((n_out, X.shape[1])).index_add(0, rows, X[columns] * values[:, None])
    product: Tensor = SparseProduct.apply(X, values, rows, columns, n_out)
    return product


def sampled_products(outputs: Tensor, inputs: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Entries (rows, columns) of ``outputs @ inputs^H``, of (n_out, batch) and (n_in, batch)."""
    products: Tensor = SampledProducts.apply(outputs, inputs, rows, columns)
    return products


class SparseProduct(Function):
    """The function `sparse_product` and its derivatives."""

    @staticmethod
    def forward(  # type: ignore[no-untyped-def]
        ctx, X: Tensor, values: Tensor, rows: Tensor, columns: Tensor, n_out: int
    ) -> Tensor:
        ctx.save_for_backward(X, values, rows, columns)
        out = X.new_zeros((n_out, X.shape[1]))
        for part in slices(len(values), X.shape[1]):
            out.index_add_(0, rows[part], X[columns[part]] * values[part, None])
        return out

    @staticmethod
    def backward(ctx, G: Tensor) -> Any:  # type: ignore[no-untyped-def]
        X, values, rows, columns = ctx.saved_tensors
        of_X = of_values = None
        if ctx.needs_input_grad[0]:
            of_X = sparse_product(G, values.conj(), columns, rows, len(X))
        if ctx.needs_input_grad[1]:
            of_values = sampled_products(G, X, rows, columns)
        return of_X, of_values, None, None, None


class SampledProducts(Function):
    """The function `sampled_products` and its derivatives."""

    @staticmethod
    def forward(  # type: ignore[no-untyped-def]
        ctx, outputs: Tensor, inputs: Tensor, rows: Tensor, columns: Tensor
    ) -> Tensor:
        ctx.save_for_backward(outputs, inputs, rows, columns)
        found = outputs.new_empty(len(rows))
        for part in slices(len(rows), inputs.shape[1]):
            found[part] = (outputs[rows[part]] * inputs[columns[part]].conj()).sum(1)
        return found

    @staticmethod
    def backward(ctx, G: Tensor) -> Any:  # type: ignore[no-untyped-def]
        outputs, inputs, rows, columns = ctx.saved_tensors
        of_outputs = of_inputs = None
        if ctx.needs_input_grad[0]:
            of_outputs = sparse_product(inputs, G, rows, columns, len(outputs))
        if ctx.needs_input_grad[1]:
            of_inputs = sparse_product(outputs, G.conj(), columns, rows, len(inputs))
        return of_outputs, of_inputs, None, None


def slices(n_entries: int, batch: int) -> list[slice]:
    """Slices of the entries that have few numbers with a batch."""
    size = max(1, SLICE // max(1, batch))
    return [slice(start, start + size) for start in range(0, n_entries, size)]
