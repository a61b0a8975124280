"""Equalization: the rescaling with the smallest norm of the weights."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skfact._checks import check_flag, check_number
from skfact._stopping import Stopping
from skfact._warn import warn
from skfact.relu._networks.balance import rescaled
from skfact.relu._networks.layered import LayeredNetwork
from skfact.relu._networks.readers import read_network
from skfact.relu._rescaling.newton import log_factors_of_classes
from skfact.relu._rescaling.rescale import require_in_range
from skfact.relu._rescaling.sweeps import log_factors_of_layers

# Powers of all weights are one, to rounding, for smaller exponents.
SMALLEST_POWER = 1e-9


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
    a convex problem in the logarithms of the factors for every p > 0, solved neuron by neuron in
    closed form,

        ``factor_v = (||w_out||_p^p / (||w_in||_p^p [+ |b|^p]))^(1 / (2p))``,

    sweeping over the layers. Before each sweep the norms of whole layers are balanced, exactly, so
    that deep networks take few. For p = inf it is the cross-layer
    equalization used before quantization: equal largest weights.

    In a graph entries that meet in a sum or a maximum can only be rescaled
    together: they are treated as one neuron. Batch norms are folded first, and for finite p the
    problem is solved for all factors at once, by Newton's method.

    Parameters
    ----------
    network : network-like
        The network, which is not modified.
    p : float, default=2
        Exponent of the norm, at least 1e-9, or ``inf``. Below 1 large and small weights count more
        alike; near 0 only the numbers of incoming and outgoing weights do, and factors diverge
        where these differ.
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
        If the network is not usable, a parameter has a wrong value, or the rescaled weights are
        out of range.

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
    network = read_network(network)
    check_number(p, "p", float, SMALLEST_POWER)
    check_number(max_iter, "max_iter", int, 1)
    check_number(tol, "tol", float, 0)
    check_flag(include_bias, "include_bias")
    check_flag(return_n_iter, "return_n_iter")
    layered = isinstance(network, LayeredNetwork)
    log_factors = log_factors_of_layers if layered else log_factors_of_classes
    logs, n_iter, converged = log_factors(
        network, float(p), bool(include_bias), Stopping(max_iter, tol)
    )
    with np.errstate(over="ignore", under="ignore"):
        result = rescaled(network, [-log / math.log(2) for log in logs]).cast(network.dtype)
    require_in_range(result, network, f"for p={p!r} weights", "take a larger p")
    if not converged:
        warn(
            f"The factors still change by more than tol={tol} after max_iter={max_iter} sweeps; "
            "increase max_iter.",
            ConvergenceWarning,
        )
    return (result.write(), n_iter) if return_n_iter else result.write()
