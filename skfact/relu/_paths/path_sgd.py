"""The scaling of Path-SGD."""

from __future__ import annotations

from typing import Any

import numpy as np

from skfact.relu._networks.balance import between
from skfact.relu._networks.readers import read_network
from skfact.relu._networks.ways_on import both_passes


def path_sgd_scaling(network: Any, *, include_bias: bool = True) -> tuple[list[Any], list[Any]]:
    """Diagonal of J^T J for the Jacobian J of the path weights: the scaling kappa of Path-SGD.

    For the weight from neuron i to neuron j it is f_i g_j, from a forward and a backward pass on
    squared weights, without the weight itself; for a bias g_j. The step ``w -= eta * gradient /
    kappa`` commutes with rescaling: networks that are rescalings of each other stay so, and compute
    the same function after every step, which they do not under gradient descent.

    Parameters
    ----------
    network : network-like
        The network.
    include_bias : bool, default=True
        Include the paths that start at a bias.

    Returns
    -------
    coefs : list of arrays of shape (n_l, n_{l+1})
        kappa of the weights, in the array library and dtype of the network. Zero for weights on no
        path: such weights have gradient zero. Of a graph those of its linear nodes, batch norms
        folded.
    intercepts : list of arrays of shape (n_{l+1},)
        kappa of the biases.

    Raises
    ------
    TypeError
        If the network is of an unsupported kind.
    ValueError
        If the network is not usable.

    References
    ----------
    .. [1] B. Neyshabur, R. Salakhutdinov, N. Srebro, "Path-SGD: path-normalized optimization in
       deep neural networks", NeurIPS 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.relu import path_sgd_scaling
    >>> coefs = [np.array([[1.0, -2.0], [3.0, 0.5]]), np.array([[2.0], [-1.0]])]
    >>> intercepts = [np.array([0.5, -1.0]), np.array([0.25])]
    >>> path_sgd_scaling((coefs, intercepts))[0]
    [array([[4., 1.],
           [4., 1.]]), array([[10.25],
           [ 5.25]])]
    """
    network = read_network(network, include_bias=include_bias)
    xp, steps = network.xp, network.steps()
    coefs, intercepts = [], []
    with np.errstate(all="ignore"):  # the smallest and largest results are out of range
        f, g = both_passes(network, 2)
        for index in network.linear:
            f_i, g_j = f[steps[index].inputs[0]], g[index]
            products = f_i.values[:, None] * g_j.values
            kappa = between(products, 2 * f_i.powers, -2 * g_j.powers)
            coefs.append(xp.astype(kappa, network.dtype))
            intercepts.append(xp.astype(g_j.plain(2), network.dtype))
    return network.by_parameter(coefs, intercepts)
