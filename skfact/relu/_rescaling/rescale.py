"""Rescaling hidden neurons: doing it, undoing it, recognizing it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from skfact._backend import move, to_numpy
from skfact._inputs import as_floating
from skfact.relu._networks.layered import Network
from skfact.relu._networks.readers import read_network


def rescale(network: Any, factors: Sequence[Any]) -> Any:
    """Multiply what arrives at each hidden neuron by a positive factor, and divide what leaves it.

    For neuron v with factor c: ``W_in[:, v] *= c``, ``b[v] *= c``, ``W_out[v, :] /= c``. Neither
    the function nor the path weights change.

    Parameters
    ----------
    network : MLPRegressor, MLPClassifier, FrozenEstimator, (coefs, intercepts) or torch Sequential
        The network, which is not modified.
    factors : sequence of array-like of shape (n_l,)
        Positive factors, one array for each hidden layer.

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
    return rescaled(network, _checked_factors(network, factors)).write()


def rescaled(network: Network, factors: Sequence[Any]) -> Network:
    """The network with hidden neurons rescaled by arrays of its own library and dtype.

    Raises
    ------
    ValueError
        If a rescaled weight is beyond the largest number.
    """
    xp = network.xp
    weights, biases = list(network.weights), list(network.biases)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        for l, c in enumerate(factors):
            weights[l] = weights[l] * c
            biases[l] = biases[l] * c
            weights[l + 1] = weights[l + 1] / c[:, None]
    for l, array in enumerate(weights[:-1] + biases[:-1] + weights[-1:]):
        if not bool(xp.all(xp.isfinite(array))):
            raise ValueError(
                f"factors make a weight overflow (array {l} of weights, then biases): rescale less."
            )
    return network.with_arrays(weights, biases)


def _checked_factors(network: Network, factors: Sequence[Any]) -> list[Any]:
    hidden = network.hidden_sizes
    if not isinstance(factors, (list, tuple)) or len(factors) != len(hidden):
        raise ValueError(
            f"factors must be a list with one array for each of the {len(hidden)} hidden layers; "
            f"got {factors!r:.60}."
        )
    checked = []
    for l, (c, n) in enumerate(zip(factors, hidden)):
        c = as_floating(c, f"factors[{l}]")
        if tuple(c.shape) != (n,):
            raise ValueError(f"factors[{l}] must have shape ({n},), got {tuple(c.shape)}.")
        c = to_numpy(c)
        if np.iscomplexobj(c) or not np.all((c > 0) & np.isfinite(c)):
            raise ValueError(
                f"factors[{l}] must be positive and finite: a negative factor keeps the path "
                "weights and changes the function."
            )
        xp = network.xp
        checked.append(xp.astype(move(c, xp, network.device), network.dtype))
    return checked
