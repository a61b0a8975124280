"""What a network graph computes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from skfact._backend import array_namespace, device, move
from skfact._inputs import namespace_dtype
from skfact.relu._networks.nodes import GraphNode


def outputs(nodes: Sequence[GraphNode], output: int, X: Any) -> Any:
    """Values of node `output` for samples X, in the library of X and the larger of both dtypes."""
    xp, where = array_namespace(X), device(X)
    found = [namespace_dtype(node.weight.dtype, xp) for node in nodes if node.weight is not None]
    dtype = xp.result_type(X.dtype, *found)

    def here(array: Any) -> Any:
        return xp.astype(move(array, xp, where), dtype, copy=False)

    values = [xp.astype(X, dtype, copy=False)]
    for node in nodes[1 : output + 1]:
        h, *others = (values[i] for i in node.inputs)
        if node.kind == "linear":
            h = h @ here(node.weight) + here(node.bias)
        elif node.kind == "batch_norm":
            h = h * here(node.weight) + here(node.bias)
        elif node.kind == "relu":
            h = xp.where(h > 0, h, xp.zeros_like(h))
        elif node.kind == "max_pool":
            table = _group_table(node.groups)
            members = xp.take(h, move(table.reshape(-1), xp, where), axis=1)
            h = xp.max(xp.reshape(members, (-1, *table.shape)), axis=2)
        else:
            for other in others:
                h = h + other if node.kind == "add" else xp.maximum(h, other)
        values.append(h)
    return values[output]


def in_one_dtype(nodes: Sequence[GraphNode]) -> list[GraphNode]:
    """The nodes with all arrays in the dtype that can hold each of them."""
    arrays = [a for node in nodes if node.weight is not None for a in (node.weight, node.bias)]
    if not arrays:
        return list(nodes)
    xp = array_namespace(*arrays)
    dtype = xp.result_type(*arrays)
    return [
        node
        if node.weight is None
        else replace(
            node,
            weight=xp.astype(node.weight, dtype, copy=False),
            bias=xp.astype(node.bias, dtype, copy=False),
        )
        for node in nodes
    ]


def _group_table(groups: tuple[tuple[int, ...], ...]) -> np.ndarray:
    """Groups as rows of equal length, shorter ones filled up with their first coordinate."""
    longest = max(len(group) for group in groups)
    rows = [group + group[:1] * (longest - len(group)) for group in groups]
    return np.array(rows, dtype=np.int64)
