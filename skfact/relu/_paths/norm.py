"""Number of paths, and the norm of the vector of their weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from skfact._backend import array_namespace
from skfact._kernels.paths import magnitude_power, power_product
from skfact.relu._networks.balance import are_steady, on_any_scale, scaled_float, scaled_sum
from skfact.relu._networks.graph import NetworkGraph
from skfact.relu._networks.layered import Network
from skfact.relu._networks.passes import check_power, ones
from skfact.relu._networks.readers import read_network
from skfact.relu._paths.graph_norms import graph_norm


def path_norm(network: Any, q: float = 1, *, include_bias: bool = True) -> float:
    """Norm of the vector of path weights, ``(sum over paths of abs(Phi_p)^q)^(1/q)``.

    Invariant to rescaling and to permuting hidden neurons. Paths are not enumerated: the sum is a
    forward pass of ones through the network of ``abs(weight)^q``. For q = 1 it bounds the Lipschitz
    constant of the network from the maximum norm to the l1 norm.

    Parameters
    ----------
    network : MLP, FrozenEstimator, (coefs, intercepts), torch Sequential or NetworkGraph
        The network.
    q : float, default=1
        Exponent, positive.
    include_bias : bool, default=True
        Include the paths that start at a bias.

    Returns
    -------
    norm : float
        The norm; exact to rounding for weights of any scale.

    Raises
    ------
    TypeError
        If the network is of an unsupported kind.
    ValueError
        If the network is not usable, or `q` is not positive and finite.

    See Also
    --------
    skfact.relu.path_sums : The same sum, for each input and output.

    References
    ----------
    .. [1] B. Neyshabur, R. Salakhutdinov, N. Srebro, "Path-SGD: path-normalized optimization in
       deep neural networks", NeurIPS 2015.
    .. [2] A. Gonon, N. Brisebarre, E. Riccietti, R. Gribonval, "A path-norm toolkit for modern
       networks: consequences, promises and challenges", ICLR 2024, arXiv:2310.01225.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.relu import path_norm
    >>> coefs = [np.array([[1.0, -2.0], [3.0, 0.5]]), np.array([[2.0], [-1.0]])]
    >>> intercepts = [np.array([0.5, -1.0]), np.array([0.25])]
    >>> path_norm((coefs, intercepts)), path_norm((coefs, intercepts), q=2) ** 2
    (12.75, 46.3125)
    """
    check_power(q)
    if isinstance(network, NetworkGraph):
        return graph_norm(network, q, include_bias)

    def states(net: Network) -> list[Any]:
        found = [ones(net, net.sizes[0])]
        for w, b in zip(net.weights, net.biases):
            arriving = power_product(found[-1], w, q)
            found.append(arriving + magnitude_power(b, q) if include_bias else arriving)
        return found

    # NaN and infinity show in the sums: the weights are read once
    with np.errstate(all="ignore"):
        *_, last = sums = states(read_network(network, check_finite=False))
        if are_steady(sums):
            return float(array_namespace(last).sum(last)) ** (1 / q)
    found, (exponents,) = on_any_scale(states, read_network(network))
    total, power = scaled_sum(found[-1], exponents[-1] * q)
    return scaled_float(total ** (1 / q), power / q)
