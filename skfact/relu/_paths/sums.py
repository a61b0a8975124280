"""Sums of path weights from each input to each output."""

from __future__ import annotations

from typing import Any

from skfact._exponents import times_power_of_two
from skfact.relu._networks.balance import on_any_scale
from skfact.relu._networks.passes import forward, path_power
from skfact.relu._networks.readers import read_network


def path_sums(network: Any, q: float = 1, *, include_bias: bool = True) -> Any:
    """Sum ``abs(Phi_p)^q`` over the paths from each input to each output.

    A product of matrices: ``|W_0|^q @ ... @ |W_{L-1}|^q``. Invariant to rescaling **and** to
    permuting hidden neurons, so that networks trained from different seeds can be compared by it.

    Parameters
    ----------
    network : MLPRegressor, MLPClassifier, FrozenEstimator, (coefs, intercepts) or torch Sequential
        The network.
    q : float, default=1
        Exponent, positive.
    include_bias : bool, default=True
        Add a last row for the paths that start at a bias.

    Returns
    -------
    sums : array of shape (n_inputs + 1, n_outputs) or (n_inputs, n_outputs)
        In the array library and dtype of the network.

    Raises
    ------
    TypeError
        If the network is of an unsupported kind.
    ValueError
        If the network is not usable, or `q` is not positive and finite.

    See Also
    --------
    skfact.relu.path_norm : The sum of all entries, to the power 1/q.

    References
    ----------
    .. [1] P. Stock, R. Gribonval, "An embedding of ReLU networks and an analysis of their
       identifiability", arXiv:2107.09370.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.relu import path_sums
    >>> coefs = [np.array([[1.0, -2.0], [3.0, 0.5]]), np.array([[2.0], [-1.0]])]
    >>> intercepts = [np.array([0.5, -1.0]), np.array([0.25])]
    >>> path_sums((coefs, intercepts))
    array([[4.  ],
           [6.5 ],
           [2.25]])
    """
    network = read_network(network)
    function = path_power(q)

    def states(net: Any) -> list[Any]:
        xp, where = net.xp, net.device
        unit = xp.eye(net.sizes[0], dtype=net.dtype, device=where)
        if not include_bias:
            return forward(((function(w), None) for w in net.weights), unit)[1:]
        # one more input, the constant 1, that reaches the biases of all layers
        found = [function(net.weights[0])]
        found[0] = xp.concat([found[0], function(net.biases[0])[None, :]])
        constant = xp.astype(xp.arange(net.sizes[0] + 1, device=where) == net.sizes[0], net.dtype)
        for w, b in zip(net.weights[1:], net.biases[1:]):
            found.append(found[-1] @ function(w) + constant[:, None] * function(b))
        return found

    found, (exponents,) = on_any_scale(states, network)
    xp = network.xp
    return xp.astype(times_power_of_two(found[-1], exponents[-1] * q), network.dtype)
