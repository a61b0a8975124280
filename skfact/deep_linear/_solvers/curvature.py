"""How strongly the loss bends along each value of the factors, and units that even it out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from skfact._backend import array_namespace, device, to_numpy
from skfact.deep_linear._linear_network import LinearNetwork

# Share of the mean curvature of a factor that counts where there is less: the curvature changes on
# the way, and steps along what hardly counts now are not to become huge.
LEAST = 1e-2


def units_of_values(
    network: LinearNetwork, values: Sequence[Any], X: Any, alpha: float
) -> np.ndarray | None:
    r"""For each value the length of a step that changes the loss about as much as that of others.

    The product is linear in one entry (j, k) of a factor, :math:`W X = \dots + v\, l_j r_k^T`, with
    the column :math:`l_j` of the product of the factors to its left and the row :math:`r_k` of what
    comes into it. So along the entry the loss has curvature
    :math:`\|l_j\|^2 \|r_k\|^2 + \alpha`, and the unit is one over its root. As one vector, in the
    order of the values; None where entries are tied, or a curvature is no number.
    """
    if not all(one.values_are_entries for one in network.sets):
        return None
    incoming, outgoing = _incoming(network, values, X), _outgoing(network, values, X)
    found = []
    for one, left, right in zip(network.sets, outgoing, incoming):
        roots = to_numpy(one.correlate(left[:, None], right[:, None])).astype(np.float64)
        curvature = roots.ravel() ** 2 + alpha
        mean = float(np.mean(curvature))
        if not 0 < mean < np.inf:
            return None
        found.append(1 / np.sqrt(curvature + LEAST * mean))
    return np.concatenate(found)


def _incoming(network: LinearNetwork, values: Sequence[Any], X: Any) -> list[Any]:
    """Norms of the rows of what comes into each factor."""
    norm, found = array_namespace(X).linalg.vector_norm, []
    for one, value in zip(network.sets[::-1], values[::-1]):
        found.append(norm(X, axis=1))
        X = one.times(value, X)
    return found[::-1]


def _outgoing(network: LinearNetwork, values: Sequence[Any], like: Any) -> list[Any]:
    """Norms of the columns of the product of the factors to the left of each."""
    xp, found = array_namespace(like), []
    signal = xp.eye(network.sets[0].shape[0], dtype=like.dtype, device=device(like))
    for one, value in zip(network.sets, values):
        found.append(xp.linalg.vector_norm(signal, axis=1))
        signal = one.adjoint_times(value, signal)
    return found
