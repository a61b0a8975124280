"""What each layer of a sparse network may be: the networks of masks, budgets and families."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, product
from typing import Any

import numpy as np

from skfact._checks import positive_int
from skfact.fixed_support._supports.masks import as_mask, check_supports
from skfact.fixed_support._supports.pairs import pairs_of, with_left
from skfact.supports import KSparse, SupportFamily

Layers = tuple[Any, ...]  # a sparse mask or a budget for each layer, that of the outputs first

Shape = tuple[int, int] | None


def networks_of(supports: Sequence[Any], n_outputs: int | None) -> list[Layers]:
    """One network for each choice of members of the families: masks, and budgets that bind.

    A budget that binds nothing in a matrix of its size, where that is known, is a mask of ones.

    Raises
    ------
    TypeError
        If a support is of no such kind, or a family of pairs is given for one layer.
    ValueError
        If two neighbours do not fit, or `n_outputs` is missing or contradicts a mask.
    """
    if n_outputs is not None:
        n_outputs = positive_int(n_outputs, "n_outputs")
    shapes = [one.shape if isinstance(one, SupportFamily) else None for one in supports]
    return [_network(layers, shapes, n_outputs) for layers in _choices(supports, n_outputs)]


def widest(networks: list[Layers]) -> list[Layers]:
    """The network that has all others within its masks, alone; all of them if there is none."""
    if any(isinstance(layer, KSparse) for layers in networks for layer in layers):
        return networks
    if len({tuple(mask.shape for mask in masks) for masks in networks}) > 1:
        return networks
    largest = max(networks, key=lambda masks: sum(mask.nnz for mask in masks))
    if all((a > b).nnz == 0 for masks in networks for a, b in zip(masks, largest)):
        return [largest]
    return networks


def _choices(supports: Sequence[Any], n_outputs: int | None) -> list[Layers]:
    if len(supports) == 2:
        pairs = pairs_of(*supports)
        if pairs is None:
            return [tuple(supports)]
        if n_outputs is None and any(left is None for left, _ in pairs):
            raise ValueError(
                "n_outputs must be given where a pair of the family has no left mask, which then "
                "is one without zeros."
            )
        pairs = [with_left(pair, n_outputs or 0) for pair in pairs]
        if supports[1] is None:
            sizes = {(left.shape[0], right.shape[1]) for left, right in pairs}
            if len(sizes) > 1:
                raise ValueError(
                    "The pairs of left_support must have the same number of outputs, rows of the "
                    "left mask, and of features, columns of the right one. Got "
                    f"{sorted(sizes)}."
                )
        return pairs
    for i, support in enumerate(supports):
        if isinstance(support, SupportFamily) and support.is_paired:
            raise TypeError(
                f"{_name(i)} is a family of pairs, which are for two layers: pass a family of the "
                "supports of each layer."
            )
    lists = (s.members if isinstance(s, SupportFamily) else (s,) for s in supports)
    return list(product(*lists))


def _network(layers: Layers, shapes: Sequence[Shape], n_outputs: int | None) -> Layers:
    """Masks that fit, or masks beside budgets that bind; `shapes` are those of families."""
    if not any(isinstance(layer, KSparse) for layer in layers):
        return _checked_masks(layers, n_outputs)
    named = [(layer, _name(i)) for i, layer in enumerate(layers)]
    found = [one if isinstance(one, KSparse) else as_mask(one, name) for one, name in named]
    sizes = _sizes([getattr(one, "shape", shape) for one, shape in zip(found, shapes)], n_outputs)
    for i, layer in enumerate(found):
        m, n = sizes[i : i + 2]
        if isinstance(layer, KSparse) and m and n and _binds_nothing(layer, m, n):
            found[i] = np.ones((m, n), dtype=bool)
    if not any(isinstance(layer, KSparse) for layer in found):
        return _checked_masks(found, n_outputs)
    return tuple(layer if isinstance(layer, KSparse) else as_mask(layer, "") for layer in found)


def _sizes(shapes: Sequence[Shape], n_outputs: int | None) -> list[int | None]:
    """Numbers of outputs, of hidden neurons of each layer, and of features, where known."""
    sizes = [n_outputs, *(None for _ in shapes)]
    for i, shape in enumerate(shapes):
        if shape is None:
            continue
        if i and sizes[i] not in (None, shape[0]):
            raise ValueError(
                f"{_name(i)} of shape {shape} has {shape[0]} rows, but the layer before it has "
                f"{sizes[i]} columns: there must be one of each per neuron."
            )
        sizes[i : i + 2] = shape
    _require_outputs(sizes[0], n_outputs)
    return sizes


def _require_outputs(n_rows: int | None, n_outputs: int | None) -> None:
    if n_rows is None:
        raise ValueError(
            "n_outputs must be given where left_support is a budget, which has no shape: 1 for a "
            "network with one output."
        )
    if n_outputs not in (None, n_rows):
        raise ValueError(
            f"n_outputs is {n_outputs}, but left_support has {n_rows} rows, one for each output. "
            "Leave it out: it is for budgets, which have no shape."
        )


def _binds_nothing(budget: KSparse, m: int, n: int) -> bool:
    """Whether every matrix of shape (m, n) is within a budget.

    For rows and columns together each entry of a matrix without zeros is charged to one of its
    two lines: there is a way if the m + n lines have room for all m n, as then those of every part
    of the matrix have.
    """
    needed: dict[Any, int] = {None: m * n, 0: m, 1: n}
    if budget.axis in needed:
        return budget.k >= needed[budget.axis]
    return budget.k * (m + n) >= m * n


def _checked_masks(supports: Sequence[Any], n_outputs: int | None) -> Layers:
    """The masks of all layers, (m, r) and (r, n) for neighbours."""
    names = [_name(i) for i in range(len(supports))]
    pairs = [
        check_supports(*two, names=named) for two, named in zip(pairwise(supports), pairwise(names))
    ]
    _require_outputs(pairs[0][0].shape[0], n_outputs)
    return pairs[0][0], *(right.tocsc() for _, right in pairs[:-1]), pairs[-1][1]


def _name(i: int) -> str:
    return ("left_support", "right_support")[i] if i < 2 else f"more_supports[{i - 2}]"
