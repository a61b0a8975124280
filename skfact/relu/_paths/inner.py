"""Inner product of the path weights of two networks."""

from __future__ import annotations

from typing import Any

from skfact.relu._networks.balance import on_any_scale, scaled_float, scaled_sum
from skfact.relu._networks.graph import NetworkGraph
from skfact.relu._networks.layered import Network
from skfact.relu._networks.pairs import read_pair
from skfact.relu._networks.passes import forward, ones
from skfact.relu._paths.graph_norms import graph_inner


def path_inner(network: Any, other: Any, *, include_bias: bool = True) -> float:
    """Inner product of the path weights of two networks of the same shape.

    The sum over paths of Phi_p Phi'_p is a forward pass, without ReLU, through the network of
    products of weights. Invariant to rescaling either network.

    Parameters
    ----------
    network, other : MLP, FrozenEstimator, (coefs, intercepts), torch Sequential or NetworkGraph
        Networks with equal layer sizes, or two graphs with the same nodes.
    include_bias : bool, default=True
        Include the paths that start at a bias.

    Returns
    -------
    inner : float
        The inner product.

    Raises
    ------
    TypeError
        If a network is of an unsupported kind.
    ValueError
        If a network is not usable, or the shapes differ.

    See Also
    --------
    skfact.relu.path_metric : Distance of two networks.
    skfact.relu.path_sketch : Vectors whose inner products estimate this one.

    References
    ----------
    .. [1] P. Stock, R. Gribonval, "An embedding of ReLU networks and an analysis of their
       identifiability", arXiv:2107.09370.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.relu import path_inner
    >>> coefs = [np.array([[1.0, -2.0], [3.0, 0.5]]), np.array([[2.0], [-1.0]])]
    >>> intercepts = [np.array([0.5, -1.0]), np.array([0.25])]
    >>> path_inner((coefs, intercepts), (coefs, intercepts))
    46.3125
    """
    if isinstance(network, NetworkGraph) and isinstance(other, NetworkGraph):
        return graph_inner(network, other, include_bias)
    network, other = read_pair(network, other)

    def states(a: Network, b: Network) -> list[Any]:
        layers = (
            (v * w, c * d if include_bias else None)
            for v, w, c, d in zip(a.weights, b.weights, a.biases, b.biases)
        )
        return forward(layers, ones(a, a.sizes[0]))

    found, (mine, others) = on_any_scale(states, network, other)
    return scaled_float(*scaled_sum(found[-1], mine[-1] + others[-1]))
