"""One network for each class of networks that are rescalings of each other."""

from __future__ import annotations

from typing import Any

import numpy as np

from skfact._backend import move, to_numpy
from skfact._exponents import times_power_of_two
from skfact.relu._networks.balance import N, exponent, largest_exponent
from skfact.relu._networks.layered import LayeredNetwork
from skfact.relu._networks.network import Network
from skfact.relu._networks.readers import read_layers, read_network
from skfact.relu._rescaling.classes import scaling_classes

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
            result = permuted(result, l + 1, np.lexsort(columns))
    return result.write()


def unit_incoming(network: N) -> tuple[N, Any]:
    """Unit incoming (w, b) of all hidden neurons; the outputs are divided by 2^exponents.

    In float64. Neurons without incoming weights and bias stay as they are. Entries that can only be
    rescaled together follow the first linear node that leads to them. Exponents are zero but for
    outputs, of a linear node, that would leave the range of floating point.
    """
    network = network.cast("float64")
    xp, steps, classes = network.xp, network.steps(), scaling_classes(network)
    norm, power = _incoming_norms(network, classes)

    def beside(values: np.ndarray) -> Any:
        return move(values, xp, network.device)

    weights, biases = [], []
    exponents = xp.zeros(network.sizes[network.output], dtype=xp.float64, device=network.device)
    with np.errstate(all="ignore"):
        for index in network.linear:
            step = steps[index]
            source, target = classes[step.inputs[0]], classes[index]
            before, after = beside(power[source]), beside(power[target])
            if index == network.output:
                size = xp.maximum(largest_exponent(before, step.matrix), exponent(step.bias))
                exponents = xp.where(xp.abs(size) > USUAL, size, exponents)
                exponents = xp.where(xp.isfinite(exponents), exponents, xp.zeros_like(exponents))
                after = after + exponents
            w = times_power_of_two(step.matrix, before[:, None] - after)
            weights.append(w * beside(norm[source])[:, None] / beside(norm[target]))
            biases.append(times_power_of_two(step.bias, -after) / beside(norm[target]))
    return network.with_arrays(weights, biases), exponents


def _incoming_norms(network: Network, classes: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """norm 2^power of what arrives at each class, from entries that are normalized already."""
    xp, steps = network.xp, network.steps()
    n = 1 + max(int(labels.max()) for labels in classes)
    norm, power, known = np.ones(n), np.zeros(n), np.arange(n) == 0
    for index in network.linear:
        step = steps[index]
        source, target = classes[step.inputs[0]], classes[index]
        if known[target].all():
            continue
        before = move(power[source], xp, network.device)
        top = xp.maximum(largest_exponent(before, step.matrix), exponent(step.bias))
        largest = np.full(n, -np.inf)
        np.maximum.at(largest, target, to_numpy(top))
        largest[~np.isfinite(largest)] = 0.0
        top = move(largest[target], xp, network.device)
        w = times_power_of_two(step.matrix, before[:, None] - top)
        w = w * move(norm[source], xp, network.device)[:, None]
        b = times_power_of_two(step.bias, -top)
        squares = np.bincount(target, to_numpy(xp.sum(w**2, axis=0) + b**2), minlength=n)
        new = ~known & (squares > 0)
        norm[new], power[new] = np.sqrt(squares[new]), largest[new]
        known |= new
    return norm, power


def permuted(network: LayeredNetwork, layer: int, order: np.ndarray) -> LayeredNetwork:
    """Hidden layer 1 <= `layer` < L with its neurons taken in another order."""
    xp = network.xp
    order = move(np.asarray(order, dtype=np.int64), xp, network.device)
    weights, biases = list(network.weights), list(network.biases)
    weights[layer - 1] = xp.take(weights[layer - 1], order, axis=1)
    biases[layer - 1] = xp.take(biases[layer - 1], order)
    weights[layer] = xp.take(weights[layer], order, axis=0)
    return network.with_arrays(weights, biases)
