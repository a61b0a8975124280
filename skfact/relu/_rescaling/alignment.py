"""Matching the hidden neurons of two networks."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from skfact._backend import move, to_numpy
from skfact.relu._networks.layered import LayeredNetwork
from skfact.relu._networks.readers import in_common, read_layers
from skfact.relu._rescaling.canonical import host_layers, with_neurons


def align(network: Any, other: Any) -> Any:
    """Permute and rescale the hidden neurons of a network to match another one.

    Layer by layer, incoming weights and biases are brought to unit norm and matched by the
    assignment of least total squared distance; then each neuron gets the norm of its match. The
    function of the network does not change.

    Parameters
    ----------
    network : network-like of layers
        The network to align, which is not modified.
    other : network-like of layers
        The network to match, with equal layer sizes.

    Returns
    -------
    network : same type as `network`
        Computes the same function as `network`; equal to `other`, to rounding, if `other` is a
        permutation and rescaling of it.

    Raises
    ------
    TypeError
        If a network is of an unsupported kind.
    ValueError
        If a network is not usable, or the shapes differ.

    See Also
    --------
    skfact.relu.is_rescaling_equivalent : Whether the match is perfect.

    References
    ----------
    .. [1] P. Stock, R. Gribonval, "An embedding of ReLU networks and an analysis of their
       identifiability", arXiv:2107.09370 (the two symmetries).

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.relu import align
    >>> rng = np.random.default_rng(0)
    >>> coefs = [rng.normal(size=(3, 2)), rng.normal(size=(2, 1))]
    >>> other = [coefs[0][:, ::-1] * [2.0, 0.5], coefs[1][::-1] / [[2.0], [0.5]]]
    >>> aligned, _ = align((coefs, None), (other, None))
    >>> bool(np.allclose(aligned[0], other[0]) and np.allclose(aligned[1], other[1]))
    True
    """
    why = "neurons are matched by layers"
    a, b = in_common(read_layers(network, why), read_layers(other, why, "other"))
    dtype = a.dtype
    for l, order in enumerate(matched_order(a, b), start=1):
        a = with_neurons(a, l, order)
    a, b = (n.cast("float64") for n in (a, b))
    xp = a.xp
    weights, biases = list(a.weights), list(a.biases)
    for l in range(len(weights) - 1):
        mine, others = _norms(weights[l], biases[l]), _norms(b.weights[l], b.biases[l])
        usable = (mine > 0) & (others > 0)
        factors = np.where(usable, others, 1.0) / np.where(usable, mine, 1.0)
        factors = move(factors, xp, a.device)
        weights[l], biases[l] = weights[l] * factors, biases[l] * factors
        weights[l + 1] = weights[l + 1] / factors[:, None]
    return a.with_arrays(weights, biases).cast(dtype).write()


def _norms(w: Any, b: Any) -> np.ndarray:
    rows = np.vstack([to_numpy(w), to_numpy(b)[None, :]])
    largest = np.abs(rows).max(axis=0)
    largest[largest == 0] = 1.0
    return np.asarray(largest * np.linalg.norm(rows / largest, axis=0))


def matched_order(a: LayeredNetwork, b: LayeredNetwork) -> list[np.ndarray]:
    """For each hidden layer the order in which neurons of `a` match those of `b`."""
    mine, others = host_layers(a), host_layers(b)
    leaving_a, leaving_b = _leaving(mine), _leaving(others)
    orders = []
    previous = np.arange(a.sizes[0])
    for l in range(len(mine) - 1):
        arriving = mine[l][[*previous, -1]]
        # of twins, what leaves them decides
        cost = _distances(arriving.T, others[l].T) + 1e-3 * _distances(leaving_a[l], leaving_b[l])
        _, previous = linear_sum_assignment(cost.T)
        orders.append(previous)
    return orders


def _leaving(layers: list[np.ndarray]) -> list[np.ndarray]:
    """Unit sums of paths from each hidden neuron to each output, (n_l, n_outputs).

    They do not depend on the order of later neurons.
    """
    ways = layers[-1][:-1]
    found = []
    for layer in layers[-2::-1]:
        found.append(ways / (np.abs(ways).max() or 1.0))
        ways = layer[:-1] @ ways
    return found[::-1]


def _distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Squared distances between rows."""
    squares = (x**2).sum(axis=1)[:, None] + (y**2).sum(axis=1)
    return np.asarray(np.maximum(squares - 2 * x @ y.T, 0.0))
