"""Inner product of the path weights of two networks."""

from __future__ import annotations

from typing import Any

from skfact.relu._graph import NetworkGraph
from skfact.relu._graph_norms import graph_inner
from skfact.relu._network import Network
from skfact.relu._passes import forward, ones
from skfact.relu._reader import read_network
from skfact.relu._scale import on_any_scale, scaled_float, scaled_sum


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


def read_pair(network: Any, other: Any) -> tuple[Network, Network]:
    """Two networks of equal sizes in one array library and dtype: those of the first.

    Raises
    ------
    ValueError
        If layer sizes or activations differ.
    """
    a, b = read_network(network), read_network(other)
    if a.sizes != b.sizes:
        raise ValueError(
            f"Both networks must have the same layer sizes; got {a.sizes} and {b.sizes}."
        )
    if a.activation != b.activation and a.hidden_sizes:
        raise ValueError(
            f"Both networks must have the same activation; got {a.activation!r} and "
            f"{b.activation!r}."
        )
    xp = a.xp
    b = b.moved(xp, a.device)
    dtype = xp.result_type(a.dtype, b.dtype)
    return a.moved(xp, a.device, dtype), b.moved(xp, a.device, dtype)
