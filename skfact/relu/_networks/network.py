"""What all functions see of a network: arrays, and steps from nodes to the next one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Self

import numpy as np
from array_api_compat import is_torch_array

from skfact._backend import array_namespace, device, move
from skfact._inputs import namespace_dtype
from skfact.relu._networks.convolution import Convolution

Arrays = Sequence[Any]
EarlierSteps = tuple[tuple[str, Any], ...]  # of a pipeline: names and transformers


class Step(NamedTuple):
    """How the value of a node comes from those of earlier ones, ReLUs and maxima aside."""

    inputs: tuple[int, ...]  # indices of earlier nodes; none for the network's input
    matrix: Any = None  # (n_in, n_out), of the one input; None where entries are only summed
    bias: Any = None
    factors: tuple[Any, ...] | None = None  # of the entries of each input without a matrix


@dataclass(frozen=True)
class Network(ABC):
    """Weights and biases of the linear steps, in one array library and dtype.

    The arrays are those of the object that was read where nothing had to be converted: they are
    never written to.
    """

    weights: tuple[Any, ...]  # (n_in, n_out) each, as scikit-learn's `coefs_`
    biases: tuple[Any, ...]  # (n_out,) each, zeros where there is none
    # arrays -> a network of the type that was read, which shares no memory with it
    writer: Callable[[Arrays, Arrays], Any] | None
    # says where a network without arrays is: a graph without linear nodes
    bare: Any = field(default_factory=lambda: np.empty(0), kw_only=True)
    # what samples go through before they arrive, where a pipeline was read
    earlier: EarlierSteps = field(default=(), kw_only=True)

    @property
    @abstractmethod
    def sizes(self) -> tuple[int, ...]:
        """Size of each node."""

    @property
    @abstractmethod
    def linear(self) -> tuple[int, ...]:
        """Indices of the nodes with weights and biases, in their order."""

    @property
    @abstractmethod
    def output(self) -> int:
        """Index of the output node."""

    @abstractmethod
    def steps(self) -> list[Step]:
        """How each node comes from earlier ones, in the order of computation."""

    @abstractmethod
    def propagate(self, X: Any, steps: Sequence[Step]) -> tuple[list[Any], list[Any]]:
        """What arrives at each node for samples X, and which of its gates that opens.

        X lies beside the arrays of the steps. Of the gates of one node there are several (a list
        of arrays of bool, (n_samples, n_gates)); nodes without any have no entry in the list.
        """

    @abstractmethod
    def require_same_nodes(self, other: Any) -> None:
        """Raise unless another network of this class has the same nodes."""

    @property
    def _like(self) -> Any:
        return self.weights[0] if self.weights else self.bare

    @property
    def xp(self) -> Any:
        """Array namespace of weights and biases."""
        return array_namespace(self._like)

    @property
    def device(self) -> Any:
        """Device of weights and biases."""
        return device(self._like)

    @property
    def dtype(self) -> Any:
        """Dtype of weights and biases."""
        return self._like.dtype

    def with_arrays(self, weights: Arrays, biases: Arrays) -> Self:
        """The same kind of network with other numbers."""
        return replace(self, weights=tuple(weights), biases=tuple(biases))

    @property
    def convolutions(self) -> Sequence[Convolution | None]:
        """How weights come from kernels, where they do: one entry for each linear step."""
        return (None,) * len(self.weights)

    def parameters(self) -> list[Any]:
        """Weights with each number once: kernels in place of their matrices."""
        pairs = zip(self.weights, self.convolutions)
        return [w if c is None else c.kernel(w) for w, c in pairs]

    def with_parameters(self, parameters: Arrays) -> Self:
        """The network with other weights, kernels in place of their matrices."""
        pairs = zip(parameters, self.convolutions)
        return self.with_arrays([w if c is None else c.matrix(w) for w, c in pairs], self.biases)

    def by_parameter(self, weights: Arrays, biases: Arrays) -> tuple[list[Any], list[Any]]:
        """What belongs to entries of weights and biases, summed where these are one number."""
        found = [
            (w, b) if c is None else c.sums(w, b)
            for w, b, c in zip(weights, biases, self.convolutions)
        ]
        return [w for w, _ in found], [b for _, b in found]

    def without_biases(self) -> Self:
        """The network with biases of zero."""
        return self.with_arrays(self.weights, [self.xp.zeros_like(b) for b in self.biases])

    def moved(self, xp: Any, where: Any, dtype: Any = None) -> Self:
        """The network in namespace `xp` on a device, in another dtype unless that is None."""
        dtype = namespace_dtype(self.dtype if dtype is None else dtype, xp)
        weights, biases, (bare,) = (
            tuple(xp.astype(move(a, xp, where), dtype, copy=False) for a in arrays)
            for arrays in (self.weights, self.biases, (self.bare,))
        )
        return replace(self, weights=weights, biases=biases, bare=bare)

    def cast(self, dtype: Any) -> Self:
        """The network in another dtype."""
        return self.moved(self.xp, self.device, dtype)

    def write(self) -> Any:
        """A new network of the type that was read, with these weights and biases."""
        assert self.writer is not None, "nobody gave this network: there is no type to return"
        return self.writer(self.weights, self.biases)


def copied(arrays: Arrays) -> list[Any]:
    """Arrays that share no memory with those given."""
    return [array_namespace(array).asarray(array, copy=True) for array in arrays]


def require_numbers(array: Any, name: str) -> None:
    """Raise if an array is a tensor of PyTorch that is only described."""
    if is_torch_array(array) and array.is_meta:
        raise ValueError(f"{name} is on the meta device, which has no numbers.")
