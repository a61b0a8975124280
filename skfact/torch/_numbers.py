"""The numbers of a layer at one moment, and products with them in compiled loops."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from skfact._backend import HOOKS
from skfact.operators import OperatorSum
from skfact.torch._term import Term, numerical

_compare = ctypes.CDLL("msvcrt" if sys.platform == "win32" else None).memcmp
_compare.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]

Layers = Sequence[Sequence[Any]]  # the modules of the factors of each term


class Numbers:
    """Copies of the numbers of a layer, which serve as long as it has the same ones.

    They are compared, all of them: PyTorch counts what changes a tensor, but not through
    `Tensor.data`, which averages and limits of weights are written with. That takes about as long
    as to copy them once.
    """

    def __init__(self, layers: Layers, earlier: Numbers | None = None) -> None:
        flat = [layer for term in layers for layer in term]
        self.layers = layers
        self.values = [layer.values for layer in numerical(flat)]
        self.dtype = self.values[0].dtype
        self._hooks = [getattr(layer, hooks) for layer in flat for hooks in HOOKS]
        self._own = all("values" in layer._parameters for layer in numerical(flat))
        self._copies: list[Copy] = []
        arrays = {layer: self._copied(layer) for layer in flat}
        before: Sequence[Term | None] = [None] * len(layers) if earlier is None else earlier.terms
        self.terms: list[Term] = [
            Term(term, [arrays[layer] for layer in term], old) for term, old in zip(layers, before)
        ]
        self.uses = 0

    def are_those_of(self, layers: Layers) -> bool:
        """Whether the layers have the same numbers still, and nothing else to do."""
        return (
            layers == self.layers
            and self._own
            and not any(self._hooks)
            and are_current(self._copies)
        )

    def _copied(self, layer: Any) -> dict[str, np.ndarray]:
        copies = [Copy.of(layer, name) for name in layer.tensors]
        self._copies += copies
        return {copy.name: copy.array for copy in copies}

    @cached_property
    def operator(self) -> Any:
        """The operator with these numbers."""
        terms = [term.product for term in self.terms]
        return terms[0] if len(terms) == 1 else OperatorSum(terms)

    def images(self, X: np.ndarray) -> np.ndarray:
        """Rows mapped by the operator.

        It is put in the order of the fastest loops once the same numbers are met again.
        """
        self.uses += 1
        if self.uses > 1 or not all(term.pays(X) for term in self.terms):
            found: np.ndarray = self.operator._products.rows(X)
            return found
        Y = self.terms[0].images(X)
        for term in self.terms[1:]:
            Y += term.images(X)
        return Y

    def pull_back(
        self, X: np.ndarray, G: np.ndarray, wanted: Sequence[bool]
    ) -> list[np.ndarray | None]:
        """Gradients in the rows X and in all values, from that in the images; None if unwanted."""
        if not any(wanted[1:]):
            return [self.operator.H._products.rows(G), *(None for _ in self.values)]
        of_X, of_values = None, []
        asked = iter(wanted[1:])
        for term in self.terms:
            mine = [layer.values is not None and next(asked) for layer in term.layers]
            found, back = term.pull_back(X, G, mine, wanted[0])
            of_values += found
            of_X = back if of_X is None else of_X + back
        return [of_X, *of_values]


class Copy(NamedTuple):
    """A copy of a parameter or buffer, and how to see that it still is one."""

    array: np.ndarray
    address: int  # of the copy
    n_bytes: int
    place: dict[str, Any]  # where the module keeps the tensor, under a name
    name: str
    tensor: Any
    original: int  # address of the tensor
    alias: Tensor  # keeps that memory: nobody else can have the address

    @classmethod
    def of(cls, layer: Any, name: str) -> Copy:
        """The copy of a tensor of the module of a factor."""
        tensor = getattr(layer, name)
        array = np.array(tensor.numpy(force=True), order="C")
        place = layer._buffers if name in layer._buffers else layer._parameters
        alias = tensor.detach()
        return cls(
            array, array.ctypes.data, array.nbytes, place, name, tensor, alias.data_ptr(), alias
        )


def are_current(copies: Sequence[Copy]) -> bool:
    """Whether the tensors are where they were, and have the same numbers."""
    for _, address, n_bytes, place, name, tensor, original, _ in copies:
        now: Any = place.get(name)
        if (
            now is not tensor
            or tensor.data_ptr() != original
            or not tensor.is_contiguous()
            or tensor.is_conj()
            or _compare(original, address, n_bytes)
        ):
            return False
    return True
