"""Which entries of a network share one scale.

Multiplying an entry by a positive factor passes through a ReLU, and through a maximum or a sum if
all its other entries are multiplied alike. Only linear nodes undo a factor. Entries that are linked
by all other nodes form a class with one factor; those with an input or an output keep theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy.sparse
from scipy.sparse.csgraph import connected_components

from skfact._backend import to_numpy
from skfact.relu._networks.network import Network


@dataclass(frozen=True)
class ClassEdges:
    """Nonzero weights as edges between classes; class 0 has the fixed scale one."""

    labels: list[np.ndarray]  # class of each entry of each node
    n_classes: int  # fixed one included
    source: np.ndarray
    target: np.ndarray
    logs: np.ndarray  # log |w|


def class_edges(network: Network, include_bias: bool) -> ClassEdges:
    """Classes of a network and the edges between different ones.

    A class is fixed, too, if no weight leads to it, none away from it, or none of them connect it
    with inputs and outputs: scales that no balance determines stay as they are.
    """
    steps, sizes = network.steps(), []
    for index in network.linear:
        with np.errstate(divide="ignore"):
            w, b = (
                np.log(np.abs(to_numpy(a).astype(np.float64)))
                for a in (steps[index].matrix, steps[index].bias)
            )
        sizes.append((w, b if include_bias else np.full_like(b, -np.inf)))
    edges = edges_of(network, sizes)
    edges = renumbered(edges, np.arange(edges.n_classes))
    return renumbered(edges, _without_undetermined(edges.source, edges.target, edges.n_classes))


def edges_of(network: Network, sizes: list[tuple[np.ndarray, np.ndarray]]) -> ClassEdges:
    """Edges with given logarithms of weights and biases of the linear nodes, where finite."""
    labels, steps = scaling_classes(network), network.steps()
    source, target, logs = [], [], []
    for index, (w, b) in zip(network.linear, sizes):
        before, after = labels[steps[index].inputs[0]], labels[index]
        i, j = np.nonzero(np.isfinite(w))
        (k,) = np.nonzero(np.isfinite(b))
        source += [before[i], np.zeros_like(k)]
        target += [after[j], after[k]]
        logs += [w[i, j], b[k]]
    empty = np.zeros(0)  # a graph without linear nodes
    return ClassEdges(
        labels,
        1 + max(int(label.max()) for label in labels),
        np.concatenate([*source, empty]).astype(np.int64),
        np.concatenate([*target, empty]).astype(np.int64),
        np.concatenate([*logs, empty]),
    )


def renumbered(edges: ClassEdges, new: np.ndarray) -> ClassEdges:
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


def scaling_classes(network: Network) -> list[np.ndarray]:
    """Class of each entry of each node: 0 with inputs and outputs, others by appearance."""
    starts = np.cumsum([0, *network.sizes])
    entries = [np.arange(a, b) for a, b in pairwise(starts)]
    fixed = np.concatenate([entries[0], entries[network.output]])
    one, other = [fixed], [np.zeros_like(fixed)]
    for index, step in enumerate(network.steps()):
        if index in network.linear:
            continue
        for i in step.inputs:
            if step.matrix is None:
                one.append(entries[i])
                other.append(entries[index])
            else:
                read, pooled = np.nonzero(to_numpy(step.matrix))
                one.append(entries[i][read])
                other.append(entries[index][pooled])
    for index, convolution in zip(network.linear, network.convolutions):
        if convolution is not None:  # its numbers belong to channels
            ends = (network.steps()[index].inputs[0], index)
            for node, n_channels in zip(ends, convolution.n_channels):
                channels = entries[node].reshape(n_channels, -1)
                one.append(channels.ravel())
                other.append(np.repeat(channels[:, 0], channels.shape[1]))
    pairs = np.concatenate(one), np.concatenate(other)
    links = scipy.sparse.coo_array((np.ones(len(pairs[0])), pairs), shape=(starts[-1],) * 2)
    _, found = connected_components(links, directed=False)
    return np.split(_by_appearance(found), starts[1:-1])


def scales_in_order(
    network: Network, scale: Callable[[int, np.ndarray], np.ndarray]
) -> list[np.ndarray]:
    """A scale of each entry of each node, in log2: that of the first linear node that leads to it.

    ``scale(l, before)`` is it, for the l-th linear node, from the scales of the entries that this
    reads. Where it is not finite, and for inputs and outputs, it is zero.
    """
    classes, steps = scaling_classes(network), network.steps()
    logs = np.zeros(1 + max(int(labels.max()) for labels in classes))
    known = np.arange(len(logs)) == 0
    for l, index in enumerate(network.linear):
        target = classes[index]
        if known[target].all():
            continue
        found = scale(l, logs[classes[steps[index].inputs[0]]])
        new = ~known[target] & np.isfinite(found)
        logs[target[new]] = -np.inf
        np.maximum.at(logs, target[new], found[new])  # entries of one scale: the largest
        known[target[new]] = True
    return [logs[labels] for labels in classes]


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
