"""What each weight means to the paths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from skfact._exponents import times_power_of_two
from skfact.relu._networks.balance import Paths, on_any_scale
from skfact.relu._networks.network import Network
from skfact.relu._networks.passes import backward, edgewise, forward
from skfact.relu._networks.readers import read_network


def path_saliency(network: Any, *, include_bias: bool = True) -> tuple[list[Any], list[Any]]:
    """Change of the path weights, in the l1 norm, when a weight is set to zero.

    For the weight w from neuron i to neuron j: the sum of ``abs(Phi_p)`` over the paths through it,
    that is ``f_i abs(w) g_j`` with f from a forward pass of absolute weights and g from a backward
    pass. For a bias: ``abs(b_j) g_j``. Invariant to rescaling; magnitudes of weights are not.

    Parameters
    ----------
    network : network-like
        The network.
    include_bias : bool, default=True
        Include the paths that start at a bias.

    Returns
    -------
    coefs : list of arrays of shape (n_l, n_{l+1})
        Saliency of the weights, in the array library and dtype of the network; of a graph those of
        its linear nodes, batch norms folded.
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
    network = read_network(network, include_bias=include_bias)
    f, g, paths = both_passes(network, abs)
    top = top_power(paths)

    def saliency(values: Any) -> Any:
        return network.xp.astype(times_power_of_two(values, top), network.dtype)

    coefs, intercepts = [], []
    for index in network.linear:
        step, g_j = paths.steps[index], g[index]
        coefs.append(saliency(f[step.inputs[0]][:, None] * abs(step.matrix) * g_j))
        intercepts.append(saliency(abs(step.bias) * g_j))
    return coefs, intercepts


def both_passes(
    network: Network, function: Callable[[Any], Any]
) -> tuple[Sequence[Any], Sequence[Any], Paths]:
    """Sums over the paths to and from each node of a function of the edges, and what they are of.

    The sums from an output start at the function of its power of two, the largest set to one.
    """

    def run(paths: Paths) -> list[Any]:
        steps = list(edgewise(function, paths.steps))
        f = forward(steps, paths.ones())
        relative = paths.output_exponents - top_power(paths)
        end = function(times_power_of_two(0 * f[network.output] + 1, relative))
        return [*f, *backward(steps, network.sizes, network.output, end)]

    values, (paths,) = on_any_scale(run, network)
    n = len(network.sizes)
    return values[:n], values[n:], paths


def top_power(paths: Paths) -> int:
    """The largest power of two of an output."""
    return int(max(paths.output_exponents))
