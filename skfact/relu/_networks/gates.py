"""Which hidden neurons are active on which samples."""

from __future__ import annotations

from typing import Any

import numpy as np

from skfact._backend import array_namespace, detached, device
from skfact._inputs import namespace_dtype
from skfact.relu._networks.balance import balance
from skfact.relu._networks.network import Network
from skfact.relu._networks.readers import read_network
from skfact.relu._networks.samples import inputs_of


def activation_patterns(network: Any, X: Any) -> Any:
    """Tell which hidden neurons are active on each sample.

    Samples with equal rows lie in the same activation region, on which the network is affine.
    Regions that differ may still carry the same affine map: behind a weight of zero, for example.

    Parameters
    ----------
    network : network-like
        The network.
    X : array-like of shape (n_samples, n_features)
        Samples; of a pipeline, as its `predict` takes them.

    Returns
    -------
    patterns : array of bool of shape (n_samples, n_hidden)
        Whether the input of each hidden neuron is positive, layer by layer, in the array library
        of X. All are active in a network with the identity as activation. Of a graph, node by node,
        whether the inputs of ReLUs are positive, and which of the entries that a maximum is taken
        of attain it: as many columns for each maximum.

    Raises
    ------
    TypeError
        If the network is of an unsupported kind.
    ValueError
        If the network is not usable, or X does not fit it.

    References
    ----------
    .. [1] P. Stock, R. Gribonval, "An embedding of ReLU networks and an analysis of their
       identifiability", arXiv:2107.09370.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.relu import activation_patterns
    >>> coefs = [np.array([[1.0, -2.0], [3.0, 0.5]]), np.array([[2.0], [-1.0]])]
    >>> intercepts = [np.array([0.5, -1.0]), np.array([0.25])]
    >>> activation_patterns((coefs, intercepts), [[1.0, 1.0], [-2.0, 0.0]])
    array([[ True, False],
           [False,  True]])
    """
    network = read_network(network)
    X = inputs_of(network, X)
    found = gates(network, X)
    if not found:
        xp = array_namespace(X)
        return xp.zeros((X.shape[0], 0), dtype=xp.bool, device=device(X))
    return array_namespace(X).concat(found, axis=1)


def gates(network: Network, X: Any) -> list[Any]:
    """Which gates of each node are open, (n_samples, n) of bool; in layers one for each neuron."""
    xp = array_namespace(X)
    dtype = xp.result_type(X.dtype, namespace_dtype(network.dtype, xp))
    network = network.moved(xp, device(X), dtype)
    with np.errstate(all="ignore"):  # what leaves the range of floating point is found here
        values, found = network.propagate(xp.astype(X, dtype, copy=False), network.steps())
        if all(_in_range(value) for value in values):
            return found
        # rescaling keeps the signs
        X = xp.astype(X, xp.float64, copy=False)
        return network.propagate(X, balance(network).steps)[1]


def _in_range(z: Any) -> bool:
    xp = array_namespace(z)
    info = xp.finfo(z.dtype)
    largest = float(xp.max(xp.abs(detached(z))))
    return float(info.smallest_normal) / float(info.eps) ** 2 <= largest <= float(info.max)
