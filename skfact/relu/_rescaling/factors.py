"""Whether networks are rescalings of each other, and the factors between them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from skfact._backend import to_numpy
from skfact._checks import check_flag, check_number
from skfact.relu._networks.network import Network
from skfact.relu._networks.readers import in_common, read_layers, read_network, read_pair
from skfact.relu._rescaling.alignment import matched_order
from skfact.relu._rescaling.canonical import with_neurons
from skfact.relu._rescaling.classes import scaling_classes
from skfact.relu._rescaling.rescale import free_nodes

NO_ORDERS = "entries that meet in a sum or a maximum cannot be permuted one by one"


def rescaling_factors(network: Any, other: Any, *, rtol: float | None = None) -> list[np.ndarray]:
    """Find the factors that rescale one network into another.

    Parameters
    ----------
    network, other : network-like
        Networks with equal layer sizes, or two graphs with the same nodes.
    rtol : float, default=None
        Relative tolerance for each weight; None is 1e-8, for float32 1e-3.

    Returns
    -------
    factors : list of ndarray of shape (n_l,)
        One array for each hidden layer (of a graph, linear node but the output):
        ``rescale(network, factors)`` is `other`, to `rtol`. One for neurons that no weight other
        than zero touches.

    Raises
    ------
    TypeError
        If a network is of an unsupported kind.
    ValueError
        If a network is not usable, the shapes differ, or no factors do it.

    See Also
    --------
    skfact.relu.is_rescaling_equivalent : The question whether there are any.

    Notes
    -----
    ``log c_j - log c_i = log abs(w'_ij / w_ij)`` must hold on every edge, with c = 1 at inputs and
    outputs and a bias as an edge from an input. The factors follow by a sweep through the layers;
    then all edges are checked. The number of operations is that of the weights.

    References
    ----------
    .. [1] P. Stock, R. Gribonval, "An embedding of ReLU networks and an analysis of their
       identifiability", arXiv:2107.09370.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.relu import rescale, rescaling_factors
    >>> rng = np.random.default_rng(0)
    >>> network = [rng.normal(size=(3, 2)), rng.normal(size=(2, 1))], None
    >>> rescaling_factors(network, rescale(network, [[2.0, 0.125]]))
    [array([2.   , 0.125])]
    """
    a, b = read_pair(network, other)
    factors = _factors(a, b, _tolerance(a, rtol))
    if factors is None:
        raise ValueError(
            "The networks are not rescalings of each other: signs differ, or no factors fit all "
            "weights to rtol."
        )
    return factors


def is_rescaling_equivalent(
    network: Any, other: Any, *, permutations: bool = False, rtol: float | None = None
) -> bool:
    """Tell whether two networks are rescalings of each other.

    Such networks compute the same function. Whether networks that compute the same function are
    rescalings and permutations of each other is the question of identifiability.

    Parameters
    ----------
    network, other : network-like
        The networks.
    permutations : bool, default=False
        Allow the hidden neurons of a layer to be permuted, too. Positive twins (neurons whose
        incoming weights and biases are multiples of each other) are told apart by the paths that
        leave them; twins that differ only further on may be missed. Not for graphs: entries that
        meet in a sum or a maximum cannot be permuted one by one.
    rtol : float, default=None
        Relative tolerance for each weight; None is 1e-8, for float32 1e-3.

    Returns
    -------
    equivalent : bool
        False, too, if the sizes of layers or nodes differ.

    Raises
    ------
    TypeError
        If a network is of an unsupported kind.
    ValueError
        If a network is not usable.

    References
    ----------
    .. [1] P. Stock, R. Gribonval, "An embedding of ReLU networks and an analysis of their
       identifiability", arXiv:2107.09370.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.relu import is_rescaling_equivalent, rescale
    >>> rng = np.random.default_rng(0)
    >>> network = [rng.normal(size=(3, 2)), rng.normal(size=(2, 1))], None
    >>> is_rescaling_equivalent(network, rescale(network, [[2.0, 0.125]]))
    True
    >>> swapped = [network[0][0][:, ::-1], network[0][1][::-1]], None
    >>> is_rescaling_equivalent(network, swapped)
    False
    >>> is_rescaling_equivalent(network, swapped, permutations=True)
    True
    """
    check_flag(permutations, "permutations")
    first, second = read_network(network), read_network(other, "other")
    if first.sizes != second.sizes:
        return False
    if permutations:
        one, two = in_common(read_layers(first, NO_ORDERS), read_layers(second, NO_ORDERS, "other"))
        for l, order in enumerate(matched_order(one, two), start=1):
            one = with_neurons(one, l, order)
        first, second = one, two
    a, b = in_common(first, second)
    return _factors(a, b, _tolerance(a, rtol)) is not None


def _tolerance(network: Network, rtol: float | None) -> float:
    if rtol is None:
        return 1e-3 if network.dtype == network.xp.float32 else 1e-8
    check_number(rtol, "rtol", float, 0)
    return float(rtol)


def _factors(a: Network, b: Network, rtol: float) -> list[np.ndarray] | None:
    """Factors of the hidden neurons, or None if there are none."""
    pairs = [
        tuple(to_numpy(x).astype(np.float64) for x in pair)
        for pair in (*zip(a.weights, b.weights), *zip(a.biases, b.biases))
    ]
    if any(not np.array_equal(np.sign(x), np.sign(y)) for x, y in pairs):
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        # NaN where there is no edge
        changes = [np.log2(np.abs(y)) - np.log2(np.abs(x)) for x, y in pairs]
    changes = [np.where(np.isfinite(change), change, np.nan) for change in changes]
    classes, steps, n = scaling_classes(a), a.steps(), len(a.linear)
    edges = [
        _Edges(classes[steps[index].inputs[0]], classes[index], change, of_bias)
        for index, change, of_bias in zip(a.linear, changes[:n], changes[n:])
    ]
    logs = _potentials(edges, 1 + max(int(labels.max()) for labels in classes))
    slack = np.log2(1 + rtol)
    for source, target, change, of_bias in edges:
        misfit = change - (logs[target] - logs[source][:, None])
        if np.any(np.abs(misfit) > slack) or np.any(np.abs(of_bias - logs[target]) > slack):
            return None
    return [np.exp2(logs[classes[index]]) for index in free_nodes(a)]


class _Edges(NamedTuple):
    """A linear step: classes at its ends, and log2 of what its weights and biases change by."""

    source: np.ndarray
    target: np.ndarray
    change: np.ndarray
    of_bias: np.ndarray


def _potentials(edges: list[_Edges], n_classes: int) -> np.ndarray:
    """log2 of the factors of all classes that fit one edge into, or out of, each of them."""
    logs = np.full(n_classes, np.nan)
    logs[0] = 0.0
    while np.isnan(logs).any():
        before = np.isnan(logs).sum()
        for source, target, change, of_bias in edges:  # from known ends, and from biases
            arriving = np.vstack([change + logs[source][:, None], of_bias])
            _learn(logs, target, arriving.T)
        for source, target, change, _ in edges[::-1]:  # against them
            _learn(logs, source, logs[target] - change)
        if np.isnan(logs).sum() == before:
            # neurons without a connection to inputs, biases or outputs: one of them is free
            logs[np.flatnonzero(np.isnan(logs))[0]] = 0.0
    return logs


def _learn(logs: np.ndarray, classes: np.ndarray, candidates: np.ndarray) -> None:
    """Replace NaN of a class by the first candidate in its row that is not NaN, if any."""
    known = ~np.isnan(candidates)
    first = candidates[np.arange(len(classes)), known.argmax(axis=1)]
    new = np.isnan(logs[classes]) & ~np.isnan(first)
    logs[classes[new]] = first[new]
