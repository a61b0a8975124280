"""Whether networks are rescalings of each other, and the factors between them."""

from __future__ import annotations

from typing import Any

import numpy as np

from skfact._backend import to_numpy
from skfact._checks import check_number
from skfact.relu._networks.layered import Network
from skfact.relu._networks.pairs import read_pair
from skfact.relu._networks.readers import read_network
from skfact.relu._rescaling.alignment import matched_order
from skfact.relu._rescaling.canonical import permuted


def rescaling_factors(network: Any, other: Any, *, rtol: float | None = None) -> list[np.ndarray]:
    """Find the factors that rescale one network into another.

    Parameters
    ----------
    network, other : MLP, FrozenEstimator, (coefs, intercepts) or torch Sequential
        Networks with equal layer sizes.
    rtol : float, default=None
        Relative tolerance for each weight; None is 1e-8, for float32 1e-3.

    Returns
    -------
    factors : list of ndarray of shape (n_l,)
        One array for each hidden layer: ``rescale(network, factors)`` is `other`, to `rtol`. One
        for neurons that no weight other than zero touches.

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
    network, other : MLP, FrozenEstimator, (coefs, intercepts) or torch Sequential
        The networks.
    permutations : bool, default=False
        Allow the hidden neurons of a layer to be permuted, too. Positive twins (neurons whose
        incoming weights and biases are multiples of each other) are told apart by the paths that
        leave them; twins that differ only further on may be missed.
    rtol : float, default=None
        Relative tolerance for each weight; None is 1e-8, for float32 1e-3.

    Returns
    -------
    equivalent : bool
        False, too, if the layer sizes differ.

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
    first, second = read_network(network), read_network(other)
    if first.sizes != second.sizes:
        return False
    a, b = read_pair(first, second)
    rtol = _tolerance(a, rtol)
    if permutations:
        for l, order in enumerate(matched_order(a, b), start=1):
            a = permuted(a, l, order)
    return _factors(a, b, rtol) is not None


def _tolerance(network: Network, rtol: float | None) -> float:
    if rtol is None:
        return 1e-3 if network.dtype == network.xp.float32 else 1e-8
    check_number(rtol, "rtol", float, 0)
    return float(rtol)


def _factors(a: Network, b: Network, rtol: float) -> list[np.ndarray] | None:
    """Factors of the hidden layers, or None if there are none."""
    pairs = [
        tuple(to_numpy(x).astype(np.float64) for x in pair)
        for pair in (*zip(a.weights, b.weights), *zip(a.biases, b.biases))
    ]
    if any(not np.array_equal(np.sign(x), np.sign(y)) for x, y in pairs):
        return None
    n = len(a.weights)
    with np.errstate(divide="ignore", invalid="ignore"):
        # NaN where there is no edge
        steps = [np.log2(np.abs(y)) - np.log2(np.abs(x)) for x, y in pairs]
    steps = [np.where(np.isfinite(step), step, np.nan) for step in steps]
    logs = _potentials(steps[:n], steps[n:])
    slack = np.log2(1 + rtol)
    for l in range(n):
        misfit = steps[l] - (logs[l + 1] - logs[l][:, None])
        bias_misfit = steps[n + l] - logs[l + 1]
        if np.any(np.abs(misfit) > slack) or np.any(np.abs(bias_misfit) > slack):
            return None
    return [np.exp2(log) for log in logs[1:-1]]


def _potentials(steps: list[np.ndarray], bias_steps: list[np.ndarray]) -> list[np.ndarray]:
    """log2 of the factors of all layers that fit one edge into, or out of, each neuron."""
    n = len(steps)
    widths = [steps[0].shape[0], *(step.shape[1] for step in steps)]
    logs = [np.full(width, np.nan) for width in widths]
    logs[0][:] = logs[n][:] = 0.0
    while any(np.isnan(log).any() for log in logs):
        before = sum(int(np.isnan(log).sum()) for log in logs)
        for l in range(1, n):  # along the edges from known neurons, and from biases
            arriving = np.vstack([steps[l - 1] + logs[l - 1][:, None], bias_steps[l - 1]])
            logs[l] = _first_known(logs[l], arriving.T)
        for l in range(n - 1, 0, -1):  # against them
            logs[l] = _first_known(logs[l], logs[l + 1] - steps[l])
        if sum(int(np.isnan(log).sum()) for log in logs) == before:
            # neurons without a connection to inputs, biases or outputs: one of them is free
            layer = next(log for log in logs if np.isnan(log).any())
            layer[np.flatnonzero(np.isnan(layer))[0]] = 0.0
    return logs


def _first_known(log: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """NaN in `log` replaced by the first candidate in its row that is not NaN, if any."""
    known = ~np.isnan(candidates)
    first = candidates[np.arange(len(log)), known.argmax(axis=1)]
    return np.where(np.isnan(log), first, log)
