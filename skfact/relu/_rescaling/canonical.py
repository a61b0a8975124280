"""One network for each class of networks that are rescalings of each other."""

from __future__ import annotations

from typing import Any

import numpy as np

from skfact._backend import move, to_numpy
from skfact._checks import check_flag
from skfact.relu._networks.balance import rescaled
from skfact.relu._networks.layered import LayeredNetwork
from skfact.relu._networks.network import Network
from skfact.relu._networks.readers import read_layers, read_network
from skfact.relu._rescaling.classes import scales_in_order
from skfact.relu._rescaling.rescale import require_in_range

# Outputs of a size beyond 2^-USUAL .. 2^USUAL are divided by a power of two.
USUAL = 900


def canonical_form(network: Any, *, permutations: bool = False) -> Any:
    """Rescale each hidden neuron so that its incoming weights and bias have unit l2 norm.

    Networks that are rescalings of each other have the same canonical form, to rounding, except
    behind neurons at which no weight and no bias arrives: these keep their scale. With
    `permutations`, neurons of a layer are then sorted by their incoming weights. In a graph entries
    that meet in a sum or a maximum can only be rescaled together: the first linear node that leads
    to them gets unit norm.

    Parameters
    ----------
    network : network-like
        The network, which is not modified.
    permutations : bool, default=False
        Also sort the neurons of each hidden layer. Not for graphs: the order of entries that meet
        in a sum or a maximum cannot change by itself.

    Returns
    -------
    network : same type as `network`
        Computes the same function.

    Raises
    ------
    TypeError
        If the network is of an unsupported kind.
    ValueError
        If the network is not usable, or a rescaled weight is beyond the largest number.

    See Also
    --------
    skfact.relu.equalize : The representer with the smallest norm of all weights.
    skfact.relu.is_rescaling_equivalent : Compare two networks directly.

    References
    ----------
    .. [1] P. Stock, R. Gribonval, "An embedding of ReLU networks and an analysis of their
       identifiability", arXiv:2107.09370.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.relu import canonical_form
    >>> coefs, intercepts = canonical_form(
    ...     ([np.array([[3.0]]), np.array([[2.0]])], [np.array([4.0]), np.array([1.0])])
    ... )
    >>> coefs[0], intercepts[0], coefs[1]
    (array([[0.6]]), array([0.8]), array([[10.]]))
    """
    network = read_network(network)
    check_flag(permutations, "permutations")
    if permutations:
        network = read_layers(network, "entries that meet in a sum or a maximum keep their order")
    with np.errstate(over="ignore", under="ignore"):
        result = rescaled(network, unit_powers(network)).cast(network.dtype)
    what = "neurons of unit norm make what leaves them"
    require_in_range(result, network, what, "multiply or divide the outputs")
    if permutations:
        for l in range(len(result.weights) - 1):
            columns = np.vstack([to_numpy(result.biases[l]), to_numpy(result.weights[l])[::-1]])
            result = with_neurons(result, l + 1, np.lexsort(columns))
    return result.write()


def unit_powers(network: Network) -> list[Any]:
    """log2 of what to divide each entry by for unit incoming (w, b) of all hidden neurons.

    Neurons without incoming weights and bias stay as they are. Entries that can only be rescaled
    together follow the first linear node that leads to them.
    """
    wide = network.cast("float64")
    logs = scales_in_order(wide, lambda l, before: arriving_norm(wide, l, before))
    return [move(log, network.xp, network.device) for log in logs]


def arriving_norm(network: Network, l: int, before: np.ndarray) -> np.ndarray:
    """log2 of the norms of what arrives at the l-th linear node, whose input is times 2^before."""
    xp = network.xp
    with np.errstate(all="ignore"):
        scales = move(before, xp, network.device)[:, None]
        squares = xp.sum((network.weights[l] * 2.0**scales) ** 2, axis=0) + network.biases[l] ** 2
        if float(xp.min(squares)) > 1e-200 and float(xp.max(squares)) < 1e200:
            return to_numpy(xp.log2(squares) / 2)
        sizes = xp.log2(xp.abs(network.weights[l])) + scales
        sizes = xp.concat([sizes, xp.log2(xp.abs(network.biases[l]))[None, :]])
        largest = xp.max(sizes, axis=0)
        return to_numpy(largest + xp.log2(xp.sum(4.0 ** (sizes - largest), axis=0)) / 2)


def host_layers(network: LayeredNetwork) -> list[np.ndarray]:
    """Weights with the bias as last row, (n_l + 1, n_{l+1}), in float64 on the host.

    Hidden neurons are rescaled so that what arrives at them has unit norm: what is found from
    these arrays does not depend on how the network is scaled. Outputs that would leave the range of
    floating point are divided by a power of two.
    """
    network, powers = network.cast("float64"), unit_powers(network)
    size = np.floor(arriving_norm(network, len(network.weights) - 1, to_numpy(powers[-2])))
    beyond = np.where(np.isfinite(size) & (abs(size) > USUAL), size, 0.0)
    network = rescaled(network, [*powers[:-1], move(beyond, network.xp, network.device)])
    return [
        np.vstack([to_numpy(w), to_numpy(b)[None, :]])
        for w, b in zip(network.weights, network.biases)
    ]


def with_neurons(network: LayeredNetwork, layer: int, order: np.ndarray) -> LayeredNetwork:
    """Hidden layer 1 <= `layer` < L with the neurons of `order` only, as these follow there."""
    xp = network.xp
    order = move(np.asarray(order, dtype=np.int64), xp, network.device)
    weights, biases = list(network.weights), list(network.biases)
    weights[layer - 1] = xp.take(weights[layer - 1], order, axis=1)
    biases[layer - 1] = xp.take(biases[layer - 1], order)
    weights[layer] = xp.take(weights[layer], order, axis=0)
    return network.with_arrays(weights, biases)
