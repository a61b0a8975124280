"""Entries of a vector as a box, whose axes may be stored in another order."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import prod

from skfact.export._onnx.graph import Graph


@dataclass(frozen=True)
class Axes:
    """The entries of a vector as a box of sizes `sizes`, stored with its axes in the order `order`.

    The vector itself is stored as it is in the order 0, 1, 2, ...
    """

    sizes: tuple[int, ...]
    order: tuple[int, ...]


def natural(n: int) -> Axes:
    """A vector as it is."""
    return Axes((n,), (0,))


def blocks_first(a: int, n: int, d: int) -> Axes:
    """Entries of the d interleaved vectors in each of a parts next to each other."""
    return Axes((a, n, d), (0, 2, 1))


def rearranged(graph: Graph, x: str, stored: Axes, wanted: Axes) -> str:
    """The entries (n, rest) of a tensor in another order: at most one transpose, if that can be."""
    sizes = common_refinement(stored.sizes, wanted.sizes)
    if sizes is None:  # as it is in between
        whole = natural(prod(stored.sizes))
        return rearranged(graph, rearranged(graph, x, stored, whole), whole, wanted)
    before, after = (refined_order(axes, sizes) for axes in (stored, wanted))
    shape, permutation = without_fixed_pairs(
        [sizes[axis] for axis in before], [before.index(axis) for axis in after]
    )
    if len(shape) < 2:
        return x
    return graph.add(
        "Transpose", graph.reshape(x, *shape, -1), perm=[*permutation, len(permutation)]
    )


def common_refinement(first: tuple[int, ...], second: tuple[int, ...]) -> tuple[int, ...] | None:
    """Sizes of a box of which both are groups of neighbouring axes; None if there is none."""
    strides = {prod(sizes[i:]) for sizes in (first, second) for i in range(len(sizes) + 1)}
    descending = sorted(strides, reverse=True)
    if any(large % small for large, small in pairwise(descending)):
        return None
    return tuple(large // small for large, small in pairwise(descending))


def refined_order(axes: Axes, sizes: tuple[int, ...]) -> list[int]:
    """The order in which the axes of the finer box are stored."""
    groups: list[list[int]] = []
    fine = 0
    for size in axes.sizes:
        group, entries = [], 1
        while entries < size:
            group.append(fine)
            entries *= sizes[fine]
            fine += 1
        groups.append(group)
    return [axis for coarse in axes.order for axis in groups[coarse]]


def without_fixed_pairs(shape: list[int], permutation: list[int]) -> tuple[list[int], list[int]]:
    """The same transpose with axes joined that stay neighbours."""
    runs: list[list[int]] = []
    for axis in permutation:
        if runs and runs[-1][-1] + 1 == axis:
            runs[-1].append(axis)
        else:
            runs.append([axis])
    joined = sorted(runs)
    return [prod(shape[axis] for axis in run) for run in joined], [joined.index(r) for r in runs]
