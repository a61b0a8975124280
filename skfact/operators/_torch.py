"""Operators as PyTorch modules with trainable factors."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from skfact._backend import to_numpy


class KroneckerLayer(nn.Module):
    """Rows times the transpose of a Kronecker-sparse factor; `values` (a, d, b, c) is trainable."""

    def __init__(self, values: Tensor) -> None:
        super().__init__()
        self.values = nn.Parameter(values)

    def forward(self, X: Tensor) -> Tensor:
        """Map (..., a * c * d) to (..., a * b * d)."""
        a, d, b, c = self.values.shape
        blocks = X.reshape(-1, a, c, d).permute(1, 3, 2, 0)  # (a, d, c, batch)
        out = (self.values @ blocks).permute(3, 0, 2, 1)  # (batch, a, b, d)
        return out.reshape(*X.shape[:-1], a * b * d)

    def extra_repr(self) -> str:
        """Pattern (a, b, c, d) of the factor."""
        a, d, b, c = self.values.shape
        return f"pattern=({a}, {b}, {c}, {d})"


class SparseLayer(nn.Module):
    """Rows times the transpose of a sparse factor; the stored entries `values` are trainable."""

    rows: Tensor
    columns: Tensor

    def __init__(self, values: Tensor, rows: Tensor, columns: Tensor, n_out: int) -> None:
        super().__init__()
        self.values = nn.Parameter(values)
        self.register_buffer("rows", rows)
        self.register_buffer("columns", columns)
        self.n_out = n_out

    def forward(self, X: Tensor) -> Tensor:
        """Map (..., n_in) to (..., n_out)."""
        products = X[..., self.columns] * self.values
        out = products.new_zeros((*X.shape[:-1], self.n_out))
        return out.index_add(-1, self.rows, products)


class SelectionLayer(nn.Module):
    """Selection of entries: output i is input ``index[i]``, or 0 where that is -1."""

    index: Tensor

    def __init__(self, index: Tensor) -> None:
        super().__init__()
        self.register_buffer("index", index)

    def forward(self, X: Tensor) -> Tensor:
        """Map (..., n_in) to (..., n_out)."""
        taken = self.index >= 0
        selected = X[..., torch.where(taken, self.index, 0)]
        return torch.where(taken, selected, torch.zeros_like(selected))


class SumLayer(nn.Module):
    """Sum of what the modules of the terms give."""

    def __init__(self, terms: Iterable[nn.Module]) -> None:
        super().__init__()
        self.terms = nn.ModuleList(terms)

    def forward(self, X: Tensor) -> Tensor:
        """Map (..., n_in) to (..., n_out)."""
        return reduce(torch.add, (term(X) for term in self.terms))


def sequential(operator: Any) -> nn.Sequential:
    """One layer for each factor, the last one (which is applied first) first."""
    return nn.Sequential(*(factor._layer() for factor in reversed(operator.factors)))


def tensor(array: Any) -> Tensor:
    """A private copy as a tensor; tensors stay on their device, other arrays come to the host."""
    if isinstance(array, Tensor):
        return array.detach().clone()
    return torch.from_numpy(np.array(to_numpy(array), order="C"))
