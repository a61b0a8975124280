"""What each weight means to the paths."""

from __future__ import annotations

from typing import Any

import numpy as np

from skfact._exponents import times_power_of_two
from skfact.relu._networks.balance import between
from skfact.relu._networks.readers import read_network
from skfact.relu._networks.ways_on import both_passes


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
    xp, steps = network.xp, network.steps()
    coefs, intercepts = [], []
    with np.errstate(all="ignore"):  # the smallest and largest results are out of range
        f, g = both_passes(network, 1)
        for index, w, b in zip(network.linear, network.weights, network.biases):
            f_i, g_j = f[steps[index].inputs[0]], g[index]
            through = between(abs(w), f_i.powers, -g_j.powers)
            saliency = f_i.values[:, None] * through * g_j.values
            of_bias = times_power_of_two(abs(b), g_j.powers) * g_j.values
            coefs.append(xp.astype(saliency, network.dtype))
            intercepts.append(xp.astype(of_bias, network.dtype))
    return network.by_parameter(coefs, intercepts)
