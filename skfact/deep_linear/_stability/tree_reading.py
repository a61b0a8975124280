"""Convolution trees as they are given: edges that make a tree, and indices of entries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from skfact._checks import check_ordered, is_number

Edges = tuple[tuple[Hashable, Hashable], ...]  # (parent, child)


def checked_edges(edges: Any) -> Edges:
    """The edges as pairs of nodes that are hashable."""
    check_ordered(edges, "edges", "a sequence of pairs (parent, child)")
    pairs = []
    for e, edge in enumerate(edges):
        if not isinstance(edge, Sequence | np.ndarray) or isinstance(edge, str) or len(edge) != 2:
            raise TypeError(f"edges[{e}] must be a pair (parent, child), got {edge!r}.")
        pair = tuple(node.item() if isinstance(node, np.generic) else node for node in edge)
        try:
            hash(pair)
        except TypeError as error:
            raise TypeError(f"edges[{e}] has a node that is not hashable: {edge!r}.") from error
        pairs.append(pair)
    if not pairs:
        raise ValueError("edges is empty: a tree needs at least one edge (parent, child).")
    return tuple(pairs)


def roots_of(edges: Edges) -> list[Hashable]:
    children = {child for _, child in edges}
    return list(dict.fromkeys(parent for parent, _ in edges if parent not in children))


def check_one_root(edges: Edges) -> None:
    """Raise unless each node but one root is the child of one other, and reached from the root."""
    parents: dict[Hashable, Hashable] = {}
    for parent, child in edges:
        if child in parents:
            raise ValueError(
                f"edges has two edges to node {child!r}, from {parents[child]!r} and {parent!r}: "
                "each node of a tree has one parent."
            )
        parents[child] = parent
    roots = roots_of(edges)
    if len(roots) > 1:
        raise ValueError(
            f"edges has {len(roots)} roots, {roots!r}: a tree has one node that is no child."
        )
    reached, grown = set(roots), True
    while grown:
        new = {child for child, parent in parents.items() if parent in reached} - reached
        reached, grown = reached | new, bool(new)
    circle = [child for child in parents if child not in reached]
    if circle:
        raise ValueError(
            f"edges has a cycle: nodes {circle!r} are not reached from a root, a node that is no "
            "child."
        )


def checked_support(support: Any, sizes: tuple[int, ...], name: str) -> tuple[Any, ...]:
    """Distinct indices of entries of a signal or an image."""
    what = "indices" if len(sizes) == 1 else "pairs of indices (row, column)"
    check_ordered(support, name, f"a sequence of {what}")
    found: list[Any] = []
    for index in support:
        parts = index if len(sizes) > 1 else (index,)
        if not isinstance(parts, Sequence | np.ndarray) or isinstance(parts, str):
            raise TypeError(f"{name} must hold {what}, as size={sizes} is a pair, got {index!r}.")
        if len(parts) != len(sizes) or not all(is_number(part, int) for part in parts):
            raise TypeError(f"{name} must hold {what}, got {index!r}.")
        whole = tuple(int(part) for part in parts)
        if not all(0 <= part < size for part, size in zip(whole, sizes)):
            wrapped = tuple(part % size for part, size in zip(whole, sizes))
            raise ValueError(
                f"{name} has the index {index!r} outside of signals of size {sizes}; around the "
                f"end it would be {wrapped if len(sizes) > 1 else wrapped[0]}."
            )
        found.append(whole if len(sizes) > 1 else whole[0])
    if not found:
        raise ValueError(f"{name} is empty: its kernel would be zero. Leave the edge out.")
    repeated = [index for index, count in Counter(found).items() if count > 1]
    if repeated:
        raise ValueError(f"{name} has the index {repeated[0]!r} more than once.")
    return tuple(found)
