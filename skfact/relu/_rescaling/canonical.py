"""One network for each class of networks that are rescalings of each other."""

from __future__ import annotations

from typing import Any

import numpy as np

from skfact._backend import move, to_numpy
from skfact._exponents import times_power_of_two
from skfact.relu._networks.balance import balance, exponent
from skfact.relu._networks.layered import Network
from skfact.relu._networks.readers import read_network


def canonical_form(network: Any, *, permutations: bool = False) -> Any:
    """Rescale each hidden neuron so that its incoming weights and bias have unit l2 norm.

    Networks that are rescalings of each other have the same canonical form, to rounding. With
    `permutations`, neurons of a layer are then sorted by their incoming weights.

    Parameters
    ----------
    network : MLPRegressor, MLPClassifier, FrozenEstimator, (coefs, intercepts) or torch Sequential
        The network, which is not modified.
    permutations : bool, default=False
        Also sort the neurons of each hidden layer.

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
    result, exponents = normalized(network)
    xp = network.xp
    weights, biases = list(result.weights), list(result.biases)
    weights[-1] = times_power_of_two(weights[-1], exponents)
    biases[-1] = times_power_of_two(biases[-1], exponents)
    weights, biases = (
        [xp.astype(a, network.dtype) for a in arrays] for arrays in (weights, biases)
    )
    result = network.with_arrays(weights, biases)
    if permutations:
        for l in range(len(weights) - 1):
            columns = np.vstack([to_numpy(result.biases[l]), to_numpy(result.weights[l])[::-1]])
            result = permuted(result, l + 1, np.lexsort(columns))
    return result.write()


def normalized(network: Network) -> tuple[Network, Any]:
    """Unit incoming (w, b) of all hidden neurons; the outputs are divided by 2^exponents.

    Neurons without incoming weights and bias stay as they are.
    """
    with np.errstate(all="ignore"):
        result, sound = _normalize(network)
        if sound:
            zero = network.xp.zeros(
                network.sizes[-1], dtype=network.xp.float64, device=network.device
            )
            return result, zero
        balanced, exponents = balance(network)
        return _normalize(balanced)[0], exponents[-1]


def _normalize(network: Network) -> tuple[Network, bool]:
    xp = network.xp
    info = xp.finfo(network.dtype)
    low, high = float(info.smallest_normal) / float(info.eps), float(info.max) * float(info.eps)
    weights, biases, sound = [], [], True
    carried = None
    for l, (w, b) in enumerate(zip(network.weights, network.biases)):
        if carried is not None:
            w = w * carried[:, None]
        if l < len(network.weights) - 1:
            largest = xp.maximum(xp.max(xp.abs(w), axis=0), xp.abs(b))
            power = xp.where(largest > 0, exponent(largest), xp.zeros_like(largest))
            unit_w, unit_b = times_power_of_two(w, -power), times_power_of_two(b, -power)
            norm = xp.sqrt(xp.sum(unit_w**2, axis=0) + unit_b**2)
            norm = xp.where(largest > 0, norm, xp.ones_like(norm))
            w, b = unit_w / norm, unit_b / norm
            carried = times_power_of_two(norm, power)
            # a neuron at the edge of the range may have lost some of its weights
            sound = sound and bool(xp.all((carried > low) & (carried < high)))
        else:
            sound = sound and bool(xp.all(xp.isfinite(w)))
        weights.append(w)
        biases.append(b)
    return network.with_arrays(weights, biases), sound


def permuted(network: Network, layer: int, order: np.ndarray) -> Network:
    """Hidden layer 1 <= `layer` < L with its neurons taken in another order."""
    xp = network.xp
    order = move(np.asarray(order, dtype=np.int64), xp, network.device)
    weights, biases = list(network.weights), list(network.biases)
    weights[layer - 1] = xp.take(weights[layer - 1], order, axis=1)
    biases[layer - 1] = xp.take(biases[layer - 1], order)
    weights[layer] = xp.take(weights[layer], order, axis=0)
    return network.with_arrays(weights, biases)
