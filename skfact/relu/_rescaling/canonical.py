"""One network for each class of networks that are rescalings of each other."""

from __future__ import annotations

from typing import Any

import numpy as np

from skfact._backend import move, to_numpy
from skfact._exponents import times_power_of_two
from skfact.relu._networks.balance import N, rescaled
from skfact.relu._networks.layered import LayeredNetwork
from skfact.relu._networks.network import Network
from skfact.relu._networks.readers import read_layers, read_network
from skfact.relu._rescaling.classes import scales_in_order

# Outputs of a size beyond 2^-USUAL .. 2^USUAL are divided by a power of two.
USUAL = 900


def canonical_form(network: Any, *, permutations: bool = False) -> Any:
    """Rescale each hidden neuron so that its incoming weights and bias have unit l2 norm.

    Networks that are rescalings of each other have the same canonical form, to rounding. With
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
        If the network is not usable.

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
    if permutations:
        network = read_layers(network, "entries that meet in a sum or a maximum keep their order")
    unit, exponents = unit_incoming(network)
    weights, biases = list(unit.weights), list(unit.biases)
    if network.output in network.linear:
        place = network.linear.index(network.output)
        weights[place] = times_power_of_two(weights[place], exponents)
        biases[place] = times_power_of_two(biases[place], exponents)
    result = unit.with_arrays(weights, biases).cast(network.dtype)
    if permutations:
        for l in range(len(weights) - 1):
            columns = np.vstack([to_numpy(result.biases[l]), to_numpy(result.weights[l])[::-1]])
            result = with_neurons(result, l + 1, np.lexsort(columns))
    return result.write()


def unit_incoming(network: N) -> tuple[N, Any]:
    """Unit incoming (w, b) of all hidden neurons; the outputs are divided by 2^exponents.

    In float64. Neurons without incoming weights and bias stay as they are. Entries that can only be
    rescaled together follow the first linear node that leads to them. Exponents are zero but for
    outputs, of a linear node, that would leave the range of floating point.
    """
    network = network.cast("float64")
    xp = network.xp
    logs = scales_in_order(network, lambda l, before: arriving_norm(network, l, before))
    powers = [move(log, xp, network.device) for log in logs]
    exponents = 0 * powers[network.output]
    if network.output in network.linear:
        l = network.linear.index(network.output)
        before = logs[network.steps()[network.output].inputs[0]]
        size = xp.floor(move(arriving_norm(network, l, before), xp, network.device))
        beyond = xp.isfinite(size) & (xp.abs(size) > USUAL)
        exponents = xp.where(beyond, size, exponents)
        powers[network.output] = exponents
    return rescaled(network, powers), exponents


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
    these arrays does not depend on how the network is scaled.
    """
    network, _ = unit_incoming(network)
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
