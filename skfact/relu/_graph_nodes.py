"""The nodes that a network graph is made of, and the checks of what they are made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from skfact._backend import array_namespace
from skfact._inputs import is_sparse


@dataclass(frozen=True, eq=False, repr=False)
class GraphNode:
    """A vector of `size` coordinates, computed from earlier nodes of the same graph."""

    index: int  # in the order of construction
    kind: str  # input, linear, batch_norm, relu, max_pool, maximum or add
    name: str
    size: int
    inputs: tuple[int, ...] = ()  # indices of earlier nodes
    weight: Any = None  # linear: (n_in, size); batch_norm: (size,), the factor of each coordinate
    bias: Any = None  # (size,)
    groups: tuple[tuple[int, ...], ...] = ()  # max_pool: coordinates of the input, one per output

    def __repr__(self) -> str:
        return f"<{self.kind} node {self.name!r} of size {self.size}>"


def checked_groups(groups: Any, size: int, label: str) -> tuple[tuple[int, ...], ...]:
    """Groups of coordinates of a vector of `size` entries, as tuples of Python ints.

    Raises
    ------
    TypeError
        If they are no sequence of sequences of integers.
    ValueError
        If there is none, one is empty, or an index is out of range or twice in a group.
    """
    if is_sparse(groups) or not (isinstance(groups, Sequence) or hasattr(groups, "__array__")):
        raise TypeError(
            f"{label}: groups must be a list of lists of coordinates (or an integer array with one "
            f"group per row); got {type(groups).__name__}."
        )
    found = []
    for number, group in enumerate(groups):
        members = np.asarray(group)
        if members.ndim != 1 or (members.size and members.dtype.kind not in "iu"):
            raise TypeError(
                f"{label}: groups[{number}] must be a list of integers; got {group!r:.60}."
            )
        if members.size == 0:
            raise ValueError(f"{label}: groups[{number}] is empty; a maximum needs an entry.")
        if members.min() < 0 or members.max() >= size:
            raise ValueError(
                f"{label}: groups[{number}] has coordinates from {members.min()} to "
                f"{members.max()}, but its input has {size}: 0 to {size - 1} are allowed."
            )
        if len(np.unique(members)) < len(members):
            raise ValueError(f"{label}: groups[{number}] has a coordinate twice: {group!r:.60}.")
        found.append(tuple(int(i) for i in members))
    if not found:
        raise ValueError(f"{label}: groups is empty; there must be at least one group.")
    return tuple(found)


def require_same_library(array: Any, others: Sequence[Any], label: str) -> None:
    """Raise unless the array belongs to the array library of the graph's other arrays."""
    if others and array_namespace(others[0]) is not array_namespace(array):
        spaces = (array_namespace(a).__name__ for a in (array, others[0]))
        names = [space.rsplit(".", maxsplit=1)[-1] for space in spaces]
        raise ValueError(
            f"{label} has arrays of {names[0]}, but the nodes before it are of {names[1]}: convert "
            "one of them."
        )
