"""The scaling of Path-SGD."""

from __future__ import annotations

from typing import Any

from skfact._exponents import times_power_of_two
from skfact.relu._networks.readers import read_network
from skfact.relu._paths.saliency import both_passes, top_power


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
    f, g, paths = both_passes(network, lambda x: x * x)
    top, xp = top_power(paths), network.xp
    coefs, intercepts = [], []
    for index in network.linear:
        (source,) = paths.steps[index].inputs
        f_i = times_power_of_two(f[source], 2 * paths.exponents[source])
        g_j = times_power_of_two(g[index], 2 * (top - paths.exponents[index]))
        coefs.append(xp.astype(f_i[:, None] * g_j, network.dtype))
        intercepts.append(xp.astype(g_j, network.dtype))
    return coefs, intercepts
