"""What each weight means to the paths: saliency, and the scaling of Path-SGD."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from skfact._exponents import times_power_of_two
from skfact.relu._networks.balance import on_any_scale
from skfact.relu._networks.graph import NetworkGraph
from skfact.relu._networks.layered import Network
from skfact.relu._networks.passes import backward, edges, forward, ones
from skfact.relu._networks.readers import read_network
from skfact.relu._paths.graph_norms import graph_saliency


def path_saliency(network: Any, *, include_bias: bool = True) -> tuple[list[Any], list[Any]]:
    """Change of the path weights, in the l1 norm, when a weight is set to zero.

    For the weight w from neuron i to neuron j: the sum of ``abs(Phi_p)`` over the paths through it,
    that is ``f_i abs(w) g_j`` with f from a forward pass of absolute weights and g from a backward
    pass. For a bias: ``abs(b_j) g_j``. Invariant to rescaling; magnitudes of weights are not.

    Parameters
    ----------
    network : MLP, FrozenEstimator, (coefs, intercepts), torch Sequential or NetworkGraph
        The network.
    include_bias : bool, default=True
        Include the paths that start at a bias.

    Returns
    -------
    coefs : list of arrays of shape (n_l, n_{l+1})
        Saliency of the weights, in the array library and dtype of the network; of a NetworkGraph
        those of its linear nodes, batch norms folded.
    intercepts : list of arrays of shape (n_{l+1},)
        Saliency of the biases; zero without `include_bias`.

    Raises
    ------
    TypeError
        If the network is of an unsupported kind.
    ValueError
        If the network is not usable.

    See Also
    --------
    skfact.relu.prune : Set the weights of least saliency to zero.

    References
    ----------
    .. [1] A. Gonon, N. Brisebarre, E. Riccietti, R. Gribonval, "A rescaling-invariant Lipschitz
       bound based on path-metrics for modern ReLU network parameterizations", arXiv:2405.15006.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.relu import path_saliency
    >>> coefs = [np.array([[1.0, -2.0], [3.0, 0.5]]), np.array([[2.0], [-1.0]])]
    >>> intercepts = [np.array([0.5, -1.0]), np.array([0.25])]
    >>> path_saliency((coefs, intercepts))[0][0]
    array([[2. , 2. ],
           [6. , 0.5]])
    """
    if isinstance(network, NetworkGraph):
        return graph_saliency(network, include_bias)
    network = read_network(network)
    f, g, net, (exponents,) = _both_passes(network, abs, include_bias)
    top = _top(exponents[-1])
    coefs = [f_l[:, None] * abs(w) * g_l for f_l, w, g_l in zip(f, net.weights, g[1:])]
    intercepts = [abs(b) * g_l if include_bias else 0 * b for b, g_l in zip(net.biases, g[1:])]
    xp = network.xp
    coefs, intercepts = (
        [xp.astype(times_power_of_two(a, top), network.dtype) for a in arrays]
        for arrays in (coefs, intercepts)
    )
    return coefs, intercepts


def _both_passes(
    network: Network, function: Callable[[Any], Any], include_bias: bool
) -> tuple[list[Any], list[Any], Network, tuple[list[Any], ...]]:
    """f and g of each layer, the network that they belong to (balanced or not), its exponents."""
    used: list[Network] = []

    def states(net: Network) -> list[Any]:
        used.append(net)
        f = forward(edges(net, function, include_bias), ones(net, net.sizes[0]))
        matrices = (function(w) for w in net.weights[::-1])
        return [*f, *backward(matrices, ones(net, net.sizes[-1]))]

    found, exponents = on_any_scale(states, network)
    n = len(network.sizes)
    f, g, net = list(found[:n]), list(found[n:]), used[-1]
    if len(used) == 2:  # balanced: its outputs are rescaled, and count by their powers of two
        last = exponents[0][-1]
        end = function(times_power_of_two(0 * last + 1, last - _top(last)))
        g = backward((function(w) for w in net.weights[::-1]), end)
    return f, g, net, exponents


def _top(powers: Any) -> int:
    return int(max(powers))
