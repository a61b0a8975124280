"""What a network has to tell of itself to be compressed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

Batch = dict[int, np.ndarray]  # rows (n_samples, n_in) that come into some layers, by their place


class Linear(NamedTuple):
    """A layer x -> weight x + bias that may be replaced."""

    name: str
    weight: np.ndarray  # (n_out, n_in)
    bias: np.ndarray | None


class Replacement(NamedTuple):
    """What stands in for a layer."""

    weight: Any  # operator or array (n_out, n_in)
    bias: np.ndarray | None

    @property
    def is_dense(self) -> bool:
        """Whether it is a matrix as before."""
        return isinstance(self.weight, np.ndarray)


Replaced = Mapping[int, Replacement]


class Network(Protocol):
    """A network with samples of its inputs, some layers of which may be replaced."""

    @property
    def linears(self) -> list[Linear]:
        """The layers, in the order in which they are computed where that is known."""

    @property
    def skipped(self) -> dict[str, str]:
        """Layers that are left as they are, and why."""

    @property
    def n_numbers(self) -> int:
        """Numbers of the whole network, all that stays among them."""

    def inputs(self, which: Collection[int], replaced: Replaced) -> Iterator[Batch]:
        """What comes into some layers, with others replaced, batch for batch."""

    def outputs(self, replaced: Replaced) -> Iterator[np.ndarray]:
        """Outputs (n_samples, n) of the network with layers replaced, batch for batch."""

    def written(self, replaced: Replaced) -> Any:
        """A copy of the network, of the kind it is of, with layers replaced."""
