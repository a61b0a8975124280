"""Rescaling hidden neurons."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from skfact._backend import array_namespace, move, to_numpy
from skfact.relu._networks.layered import LayeredNetwork, real_array
from skfact.relu._networks.network import Network
from skfact.relu._networks.readers import read_network
from skfact.relu._rescaling.classes import scaling_classes


def rescale(network: Any, factors: Sequence[Any]) -> Any:
    """Multiply what arrives at each hidden neuron by a positive factor, and divide what leaves it.

    For neuron v with factor c: ``W_in[:, v] *= c``, ``b[v] *= c``, ``W_out[v, :] /= c``. Neither
    the function nor the path weights change.

    Parameters
    ----------
    network : network-like
        The network, which is not modified.
    factors : sequence of array-like of shape (n_l,)
        Positive factors, one array for each hidden layer; of a graph, for each linear node but the
        output, batch norms folded. Entries that meet in a sum or a maximum need equal factors, and
        those that meet inputs or outputs one.

    Returns
    -------
    network : same type as `network`
        Computes the same function.

    Raises
    ------
    TypeError
        If the network is of an unsupported kind.
    ValueError
        If the network is not usable, factors are not positive or do not fit, or a rescaled weight
        is beyond the largest number.

    References
    ----------
    .. [1] P. Stock, R. Gribonval, "An embedding of ReLU networks and an analysis of their
       identifiability", arXiv:2107.09370.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.relu import rescale
    >>> coefs = [np.array([[1.0, -2.0], [3.0, 0.5]]), np.array([[2.0], [-1.0]])]
    >>> intercepts = [np.array([0.5, -1.0]), np.array([0.25])]
    >>> rescaled, _ = rescale((coefs, intercepts), [[2.0, 0.5]])
    >>> rescaled[0], rescaled[1]
    (array([[ 2. , -1. ],
           [ 6. ,  0.25]]), array([[ 1.],
           [-2.]]))
    """
    network = read_network(network)
    checked = _checked_factors(network, factors)
    steps = network.steps()
    weights, biases = [], []
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        for index in network.linear:
            before, after = checked[steps[index].inputs[0]], checked[index]
            weights.append(steps[index].matrix / before[:, None] * after)
            biases.append(steps[index].bias * after)
    result = network.with_arrays(weights, biases)
    require_in_range(result, network, "factors make weights", "rescale less", each=True)
    return result.write()


def require_in_range(
    network: Network, before: Network, what: str, advice: str, *, each: bool = False
) -> None:
    """Raise, with `what` leaves the range of floating point and an advice, if rescaling does so.

    Too small are numbers where all that arrive at a neuron are: beside larger ones they may vanish,
    unless each number counts.
    """
    least = float(network.xp.finfo(network.dtype).smallest_normal)
    found = [_sizes(w, b, each) for w, b in zip(network.weights, network.biases)]
    for l, sizes in enumerate(found):
        if not all(math.isfinite(float(network.xp.max(size))) for size in sizes):
            raise ValueError(f"{what} overflow (weights or biases {l}): {advice}.")
    for l, sizes in enumerate(found):
        if min(float(network.xp.min(size)) for size in sizes) >= least:
            continue
        for size, old in zip(sizes, _sizes(before.weights[l], before.biases[l], each)):
            if bool(network.xp.any((size < least) & (old >= least))):
                raise ValueError(f"{what} underflow (weights or biases {l}): {advice}.")


def _sizes(w: Any, b: Any, each: bool) -> list[Any]:
    """Magnitudes of weights and biases, or of the largest that arrive at each neuron."""
    xp = array_namespace(w)
    if each:
        return [xp.abs(w), xp.abs(b)]
    return [xp.maximum(xp.max(xp.abs(w), axis=0), xp.abs(b))]


def free_nodes(network: Network) -> list[int]:
    """The nodes that a rescaling names factors for: all linear ones but the output."""
    return [index for index in network.linear if index != network.output]


def _counted(arrays: Any) -> str:
    """What was given in place of a list of arrays, without their numbers."""
    kind = type(arrays).__name__
    return f"a {kind} of length {len(arrays)}" if isinstance(arrays, (list, tuple)) else f"{kind}"


def _checked_factors(network: Network, factors: Sequence[Any]) -> list[Any]:
    """Factors of the entries of all nodes, beside the arrays of the network."""
    free = free_nodes(network)
    if not isinstance(factors, (list, tuple)) or len(factors) != len(free):
        layered = isinstance(network, LayeredNetwork)
        places = "hidden layers" if layered else "linear nodes but the output"
        raise ValueError(
            f"factors must be a list with one array for each of the {len(free)} {places}; "
            f"got {_counted(factors)}."
        )
    classes = scaling_classes(network)
    of_class = np.ones(1 + max(int(labels.max()) for labels in classes))
    given = []
    for l, (c, index) in enumerate(zip(factors, free)):
        c = real_array(c, f"factors[{l}]", 1, check_finite=False)
        if tuple(c.shape) != (network.sizes[index],):
            raise ValueError(
                f"factors[{l}] must have shape ({network.sizes[index]},), got {tuple(c.shape)}."
            )
        c = to_numpy(c)
        wrong = c[~((c > 0) & np.isfinite(c))]
        if len(wrong):
            raise ValueError(
                f"factors[{l}] must be positive and finite, got {wrong[0]}: a negative factor "
                "keeps the path weights and changes the function."
            )
        given.append(c)
        of_class[classes[index]] = c
    of_class[0] = 1.0
    for l, (c, index) in enumerate(zip(given, free)):
        if not np.array_equal(c, of_class[classes[index]]):
            raise ValueError(
                f"factors[{l}] change the function: entries that meet in a sum or a maximum need "
                "equal factors, and one where they meet inputs or outputs."
            )
    xp = network.xp
    return [
        xp.astype(move(of_class[labels], xp, network.device), network.dtype) for labels in classes
    ]
