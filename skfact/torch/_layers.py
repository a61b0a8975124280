"""A module for each kind of factor: numbers as a parameter, product in PyTorch's operations."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import numpy as np
import scipy.sparse
import torch
from torch import Tensor, nn

from skfact._backend import to_numpy
from skfact._kernels.apply import correlate
from skfact.operators import KroneckerFactor, PartialPermutation, SparseFactor
from skfact.supports import KroneckerSparse
from skfact.torch._sparse import sampled_products, sparse_product


class KroneckerProduct:
    """What is done with the `weight` (a, d, b, c), the values of a Kronecker-sparse factor."""

    tensors = ("weight",)
    weight: Any

    @property
    def is_one_matrix(self) -> bool:
        """Whether there is a single block, for which PyTorch's product is the fastest."""
        return bool(self.weight.shape[:2] == (1, 1))

    @staticmethod
    def product(X: Tensor, values: Tensor) -> Tensor:
        """Rows (..., a * c * d) times the transpose of the factor with any values."""
        a, d, b, c = values.shape
        if a == d == 1:
            return X @ values[0, 0].to(X.dtype).mT
        blocks = X.reshape(-1, a, c, d).permute(1, 3, 2, 0)  # (a, d, c, batch)
        out = (values.to(X.dtype) @ blocks).permute(3, 0, 2, 1)  # (batch, a, b, d)
        return out.reshape(*X.shape[:-1], a * b * d)

    def forward(self, X: Tensor) -> Tensor:
        """The product with the values that there are."""
        return self.product(X, self.weight)

    def factor(self, arrays: dict[str, np.ndarray]) -> KroneckerFactor:
        """The factor with these values, which nobody else writes to."""
        a, d, b, c = self.weight.shape
        return KroneckerFactor._wrap(arrays["weight"], KroneckerSparse(a, b, c, d))

    def gradient(self, outputs: np.ndarray, inputs: np.ndarray) -> np.ndarray:
        """What the values get from gradients of the outputs (n_out, batch) at these inputs."""
        a, d, b, c = self.weight.shape
        return np.ascontiguousarray(correlate((a, b, c, d), outputs, inputs))


class FactorLayer(nn.Module):
    """A factor whose numbers are trainable: the parameter `weight`.

    It cannot be called `values`: `torch.nn.utils.parametrize` keeps it in a ModuleDict, under its
    name.
    """

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *others: Any) -> None:
        if f"{prefix}values" in state:  # of a state that was saved under the old name
            state[f"{prefix}weight"] = state.pop(f"{prefix}values")
        super()._load_from_state_dict(state, prefix, *others)


class KroneckerLayer(KroneckerProduct, FactorLayer):
    """Rows times the transpose of a Kronecker-sparse factor."""

    def extra_repr(self) -> str:
        """Pattern (a, b, c, d) of the factor."""
        a, d, b, c = self.weight.shape
        return f"pattern=({a}, {b}, {c}, {d})"


class SparseLayer(FactorLayer):
    """Rows times the transpose of a sparse factor, whose stored entries are the `weight`."""

    tensors = ("weight", "rows", "columns")
    is_one_matrix = False
    rows: Tensor
    columns: Tensor

    def __init__(self, weight: Tensor, rows: Tensor, columns: Tensor, shape: Any) -> None:
        super().__init__(weight)
        self.register_buffer("rows", rows)
        self.register_buffer("columns", columns)
        self.shape = tuple(shape)

    def product(self, X: Tensor, values: Tensor) -> Tensor:
        """Map (..., n_in) to (..., n_out), with any values."""
        n_out, n_in = self.shape
        columns = X.reshape(-1, n_in).T.contiguous()
        out = sparse_product(columns, values.to(X.dtype), self.rows, self.columns, n_out)
        return out.T.reshape(*X.shape[:-1], n_out)

    def forward(self, X: Tensor) -> Tensor:
        """The product with the layer's own values."""
        return self.product(X, self.weight)

    def factor(self, arrays: dict[str, np.ndarray]) -> SparseFactor:
        """The factor with these entries, in these places."""
        entries = arrays["weight"], (arrays["rows"], arrays["columns"])
        return SparseFactor(scipy.sparse.coo_array(entries, shape=self.shape))

    def gradient(self, outputs: np.ndarray, inputs: np.ndarray) -> np.ndarray:
        """What the entries get from gradients of the outputs (n_out, batch) at these inputs."""
        outputs, inputs = (torch.from_numpy(array) for array in (outputs, inputs))
        found: np.ndarray = sampled_products(outputs, inputs, self.rows, self.columns).numpy()
        return found

    def extra_repr(self) -> str:
        """Shape, and number of entries."""
        return f"shape={self.shape}, nnz={len(self.weight)}"


class SelectionLayer(nn.Module):
    """Selection of entries: output i is input ``index[i]``, or 0 where that is -1."""

    tensors = ("index",)
    index: Tensor
    weight = None  # it has no numbers

    def __init__(self, index: Tensor, n_in: int) -> None:
        super().__init__()
        self.register_buffer("index", index)
        self.n_in = n_in

    def forward(self, X: Tensor) -> Tensor:
        """Map (..., n_in) to (..., n_out)."""
        taken = self.index >= 0
        selected = X[..., torch.where(taken, self.index, 0)]
        return torch.where(taken, selected, torch.zeros_like(selected))

    def product(self, X: Tensor, weight: None) -> Tensor:
        """The same, as for other factors."""
        return self(X)

    def factor(self, arrays: dict[str, np.ndarray]) -> PartialPermutation:
        """The factor that selects these entries."""
        return PartialPermutation(arrays["index"], self.n_in)

    def extra_repr(self) -> str:
        """Shape."""
        return f"shape=({len(self.index)}, {self.n_in})"


@singledispatch
def layer_of(factor: Any) -> Any:
    """The module of a factor of an operator, with copies of its numbers."""
    raise TypeError(f"No PyTorch module is known for {factor!r}.")


@layer_of.register
def _(factor: KroneckerFactor) -> KroneckerLayer:
    return KroneckerLayer(tensor(factor.values))


@layer_of.register
def _(factor: SparseFactor) -> SparseLayer:
    entries = factor.to_csr().tocoo()
    rows, columns = (tensor(part.astype(np.int64)) for part in entries.coords)
    return SparseLayer(tensor(entries.data), rows, columns, factor.shape)


@layer_of.register
def _(factor: PartialPermutation) -> SelectionLayer:
    return SelectionLayer(tensor(factor.index), factor.n_in)


def tensor(array: Any) -> Tensor:
    """A private copy as a tensor; tensors stay on their device, other arrays come to the host."""
    if isinstance(array, Tensor):
        return array.detach().clone().contiguous()
    return torch.from_numpy(np.array(to_numpy(array), order="C"))
