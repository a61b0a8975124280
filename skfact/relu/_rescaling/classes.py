"""Which entries of a network graph share one scale.

Multiplying an entry by a positive factor passes through a ReLU, and through a maximum or a sum if
all its other entries are multiplied alike. Only linear nodes undo a factor. Entries that are linked
by all other nodes form a class with one factor; those with an input or an output keep theirs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse
from scipy.sparse.csgraph import connected_components

from skfact._backend import to_numpy
from skfact.relu._networks.graph import NetworkGraph


@dataclass(frozen=True)
class ClassEdges:
    """Nonzero weights as edges between classes; class 0 has the fixed scale one."""

    labels: list[np.ndarray]  # class of each entry of each node
    n_classes: int  # fixed one included
    source: np.ndarray
    target: np.ndarray
    logs: np.ndarray  # log |w|


def class_edges(graph: NetworkGraph, include_bias: bool) -> ClassEdges:
    """Classes of a folded graph and the edges between different ones.

    A class is fixed, too, if no weight leads to it, none away from it, or none of them connect it
    with inputs and outputs: scales that no balance determines stay as they are.
    """
    labels = scaling_classes(graph)
    source, target, logs = [], [], []
    for node in graph.nodes:
        if node.kind != "linear":
            continue
        before, after = labels[node.inputs[0]], labels[node.index]
        with np.errstate(divide="ignore"):
            sizes = np.log(np.abs(to_numpy(node.weight).astype(np.float64)))
            bias_sizes = np.log(np.abs(to_numpy(node.bias).astype(np.float64)))
        i, j = np.nonzero(np.isfinite(sizes))
        source.append(before[i])
        target.append(after[j])
        logs.append(sizes[i, j])
        if include_bias:
            (j,) = np.nonzero(np.isfinite(bias_sizes))
            source.append(np.zeros_like(j))
            target.append(after[j])
            logs.append(bias_sizes[j])
    n = 1 + max(int(label.max()) for label in labels)
    empty = np.zeros(0)  # a graph without linear nodes
    edges = ClassEdges(
        labels,
        n,
        np.concatenate([*source, empty]).astype(np.int64),
        np.concatenate([*target, empty]).astype(np.int64),
        np.concatenate([*logs, empty]),
    )
    edges = _renumbered(edges, np.arange(n))
    return _renumbered(edges, _without_undetermined(edges.source, edges.target, n))


def _renumbered(edges: ClassEdges, new: np.ndarray) -> ClassEdges:
    """Edges between classes with other numbers; within a class nothing changes a weight."""
    source, target = new[edges.source], new[edges.target]
    between = source != target
    return ClassEdges(
        [new[label] for label in edges.labels],
        1 + int(new.max()),
        source[between],
        target[between],
        edges.logs[between],
    )


def scaling_classes(graph: NetworkGraph) -> list[np.ndarray]:
    """Class of each entry of each node: 0 with inputs and outputs, others by appearance."""
    starts = np.cumsum([0, *(node.size for node in graph.nodes)])
    one, other = [], []
    for node in graph.nodes:
        if node.kind in ("input", "linear"):
            continue
        for i in node.inputs:
            if node.kind == "max_pool":
                for number, group in enumerate(node.groups):
                    one.append(starts[i] + np.array(group))
                    other.append(np.full(len(group), starts[node.index] + number))
            else:
                one.append(starts[i] + np.arange(node.size))
                other.append(starts[node.index] + np.arange(node.size))
    output = graph.output.index
    fixed = np.concatenate([np.arange(starts[1]), np.arange(starts[output], starts[output + 1])])
    one.append(fixed)
    other.append(np.zeros_like(fixed))
    pairs = np.concatenate(one), np.concatenate(other)
    links = scipy.sparse.coo_array((np.ones(len(pairs[0])), pairs), shape=(starts[-1],) * 2)
    _, found = connected_components(links, directed=False)
    return np.split(_by_appearance(found), starts[1:-1])


def _by_appearance(labels: np.ndarray) -> np.ndarray:
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]


def _without_undetermined(source: np.ndarray, target: np.ndarray, n: int) -> np.ndarray:
    """New numbers of n classes: 0 for the fixed ones and those whose scale nothing determines."""
    coming, going = np.bincount(target, minlength=n), np.bincount(source, minlength=n)
    fixed = (coming == 0) | (going == 0)
    fixed[0] = True
    numbers = np.where(fixed, 0, np.arange(n))
    edges = scipy.sparse.coo_array(
        (np.ones(len(source)), (numbers[source], numbers[target])), shape=(n, n)
    )
    _, component = connected_components(edges, connection="strong")
    fixed |= component != component[0]
    return np.where(fixed, 0, np.cumsum(~fixed))
