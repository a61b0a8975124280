"""Equalization: the rescaling with the smallest norm of the weights."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skfact._checks import check_number
from skfact.relu._networks.balance import shifted
from skfact.relu._networks.graph import NetworkGraph
from skfact.relu._networks.layered import Network
from skfact.relu._networks.readers import read_network
from skfact.relu._rescaling.newton import equalized_graph
from skfact.relu._rescaling.sweeps import largest_weight_sweeps, power_sweeps

# Sweeps that bring weights of any scale into a range in which they can be powered.
FIRST_SWEEPS = 50


def equalize(
    network: Any,
    p: float = 2,
    *,
    include_bias: bool = False,
    max_iter: int = 1000,
    tol: float = 1e-10,
    return_n_iter: bool = False,
) -> Any:
    """Rescale hidden neurons so that incoming and outgoing weights have equal norms.

    For finite p this is the rescaling with the smallest sum of ``abs(w)^p`` (Equi-normalization):
    a convex problem in the logarithms of the factors, solved neuron by neuron in closed form,

        ``factor_v = (||w_out||_p^p / (||w_in||_p^p [+ |b|^p]))^(1 / (2p))``,

    sweeping over the layers. Before each sweep the norms of whole layers are balanced, exactly,
    without which deep networks take a thousand sweeps. For p = inf it is the cross-layer
    equalization used before quantization: equal largest weights.

    In a :class:`NetworkGraph` entries that meet in a sum or a maximum can only be rescaled
    together: they are treated as one neuron. Batch norms are folded first, and for finite p the
    problem is solved for all factors at once, by Newton's method.

    Parameters
    ----------
    network : MLP, FrozenEstimator, (coefs, intercepts), torch Sequential or NetworkGraph
        The network, which is not modified.
    p : float, default=2
        Exponent of the norm, at least 1, or ``inf``.
    include_bias : bool, default=False
        Count biases as incoming weights in the norm. They are rescaled in any case.
    max_iter : int, default=1000
        Largest number of sweeps (of a graph: of Newton's steps).
    tol : float, default=1e-10
        Stop when no factor changes by more than this, relatively.
    return_n_iter : bool, default=False
        Return the number of sweeps, too.

    Returns
    -------
    network : same type as `network`
        Computes the same function. Neurons without incoming or without outgoing weights (dead
        ones) keep their scale. A graph comes back without batch norms.
    n_iter : int
        Number of sweeps, with `return_n_iter`.

    Raises
    ------
    TypeError
        If the network is of an unsupported kind, or a parameter has a wrong type.
    ValueError
        If the network is not usable, or a parameter has a wrong value.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If factors still change after `max_iter` sweeps.

    See Also
    --------
    skfact.relu.canonical_form : A representer in one pass, without iterations.
    skfact.relu.quantize : What equalization helps.

    References
    ----------
    .. [1] P. Stock, B. Graham, R. Gribonval, H. Jégou, "Equi-normalization of neural networks",
       ICLR 2019.
    .. [2] M. Nagel, M. van Baalen, T. Blankevoort, M. Welling, "Data-free quantization through
       weight equalization and bias correction", ICCV 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.relu import equalize
    >>> coefs = [np.array([[1.0, -2.0], [3.0, 0.5]]), np.array([[2.0], [-1.0]])]
    >>> intercepts = [np.array([0.5, -1.0]), np.array([0.25])]
    >>> equalized, _ = equalize((coefs, intercepts))
    >>> float(sum((w**2).sum() for w in coefs)), float(sum((w**2).sum() for w in equalized))
    (19.25, 16.772216)
    """
    is_graph = isinstance(network, NetworkGraph)
    network = network if is_graph else read_network(network)
    check_number(p, "p", float, 1)
    check_number(max_iter, "max_iter", int, 1)
    check_number(tol, "tol", float, 0)
    if is_graph:
        result, n_iter, converged = equalized_graph(
            network, float(p), bool(include_bias), max_iter, tol
        )
    else:
        logs, n_iter, converged = _log_factors(network, float(p), bool(include_bias), max_iter, tol)
        result = _shifted(network, logs).moved(network.xp, network.device, network.dtype).write()
    if not converged:
        warnings.warn(
            f"The factors still change by more than tol={tol} after max_iter={max_iter} sweeps; "
            "increase max_iter.",
            ConvergenceWarning,
            stacklevel=2,
        )
    return (result, n_iter) if return_n_iter else result


def _log_factors(
    network: Network, p: float, include_bias: bool, max_iter: int, tol: float
) -> tuple[list[Any], int, bool]:
    """Logarithms of the factors of hidden layers, number of sweeps, and whether they suffice."""
    xp, where = network.xp, network.device
    logs = [xp.zeros(n, dtype=xp.float64, device=where) for n in network.hidden_sizes]
    if not logs:
        return logs, 1, True
    with np.errstate(all="ignore"):  # what leaves the range of floating point is found
        if math.isinf(p):
            return largest_weight_sweeps(network, logs, include_bias, max_iter, tol)
        found = power_sweeps(network, p, include_bias, max_iter, tol)
        if found is not None:
            return found
        logs, _, _ = largest_weight_sweeps(network, logs, include_bias, FIRST_SWEEPS, tol)
        found = power_sweeps(_shifted(network, logs), p, include_bias, max_iter, tol, force=True)
        more, n_iter, converged = found or (logs, 1, True)
    return [log + step for log, step in zip(logs, more)], n_iter, converged


def _shifted(network: Network, logs: list[Any]) -> Network:
    """The network in float64, rescaled; a factor itself may be beyond the largest number."""
    xp = network.xp
    ends = [
        xp.zeros(n, dtype=xp.float64, device=network.device)
        for n in (network.sizes[0], network.sizes[-1])
    ]
    return shifted(network, [ends[0], *(-log / math.log(2) for log in logs), ends[1]])
