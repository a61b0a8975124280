"""The numbers of a layer at one moment, and products with them in compiled loops."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Sequence
from functools import cached_property
from operator import is_not
from typing import Any

import numpy as np
from torch import Tensor

from skfact._backend import HOOKS
from skfact.operators import OperatorSum
from skfact.torch._term import Term, numerical

# of bytes: two addresses and a length, which stand as C has them
_compare = ctypes.CDLL("msvcrt" if sys.platform == "win32" else None).memcmp

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
        # read once: a parametrization computes them each time, some at random
        weights = {layer: layer.weight for layer in numerical(flat)}
        self.values = [weights[layer] for layer in numerical(flat)]
        self.dtype = self.values[0].dtype
        self._hooks = [getattr(layer, hooks) for layer in flat for hooks in HOOKS]
        self._own = all("weight" in layer._parameters for layer in numerical(flat))
        places = [(layer, name) for layer in flat for name in layer.tensors]
        self._copies = Copies(
            places,
            [
                weights[layer] if name == "weight" else getattr(layer, name)
                for layer, name in places
            ],
        )
        arrays: dict[Any, dict[str, np.ndarray]] = {layer: {} for layer in flat}
        for (layer, name), array in zip(places, self._copies.arrays):
            arrays[layer][name] = array
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
            and self._copies.are_current()
        )

    @cached_property
    def operator(self) -> Any:
        """The operator with these numbers."""
        terms = [term.product for term in self.terms]
        return terms[0] if len(terms) == 1 else OperatorSum(terms)

    @cached_property
    def _rows_in_order(self) -> Callable[[np.ndarray], np.ndarray]:
        found: Callable[[np.ndarray], np.ndarray] = self.operator._products.rows
        return found

    def images(self, X: np.ndarray) -> np.ndarray:
        """Rows mapped by the operator.

        It is put in the order of the fastest loops once the same numbers are met again.
        """
        self.uses += 1
        if self.uses > 1 or not all(term.pays(X) for term in self.terms):
            return self._rows_in_order(X)
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
            mine = [layer.weight is not None and next(asked) for layer in term.layers]
            found, back = term.pull_back(X, G, mine, wanted[0])
            of_values += found
            of_X = back if of_X is None else of_X + back
        return [of_X, *of_values]


class Copies:
    """Copies of parameters and buffers of modules, and how to see that they still are that.

    This is asked at each product, which may take less than a tenth of a millisecond.
    """

    def __init__(self, places: Sequence[tuple[Any, str]], tensors: Sequence[Tensor]) -> None:
        self._tensors = tensors
        self.arrays = [np.array(t.numpy(force=True), order="C") for t in self._tensors]
        # where the modules keep them
        self._names = [name for _, name in places]
        self._places: list[dict[str, Any]] = [
            module._buffers if name in module._buffers else module._parameters
            for module, name in places
        ]
        self._complex = [t for t in self._tensors if t.is_complex()]
        # these keep the memory: nobody else can have its address
        self._aliases = [t.detach() for t in self._tensors]
        self._addresses = [alias.data_ptr() for alias in self._aliases]
        self._memory: list[list[Any]] = [
            [ctypes.c_void_p(address) for address in self._addresses],
            [ctypes.c_void_p(array.ctypes.data) for array in self.arrays],
            [ctypes.c_size_t(array.nbytes) for array in self.arrays],
        ]

    def are_current(self) -> bool:
        """Whether the tensors are where they were, and have the same numbers."""
        now: list[Any] = list(map(dict.get, self._places, self._names))
        return (
            not any(map(is_not, now, self._tensors))
            and list(map(Tensor.data_ptr, now)) == self._addresses
            and all(map(Tensor.is_contiguous, now))
            and not any(map(Tensor.is_conj, self._complex))
            and not any(map(_compare, *self._memory))
        )
