"""Sums of path weights from each input to each output."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from skfact._kernels.paths import magnitude_power
from skfact.relu._networks.balance import are_steady
from skfact.relu._networks.network import Network
from skfact.relu._networks.passes import backward, checked_power, edgewise
from skfact.relu._networks.readers import read_network
from skfact.relu._networks.ways_on import ways_on


def path_sums(network: Any, q: float = 1, *, include_bias: bool = True) -> Any:
    """Sum ``abs(Phi_p)^q`` over the paths from each input to each output.

    Of layers, a product: ``|W_0|^q @ ... @ |W_{L-1}|^q``. Invariant to rescaling **and** to
    permuting hidden neurons, so that networks trained from different seeds can be compared by it.

    Parameters
    ----------
    network : network-like
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
    network = read_network(network, include_bias=include_bias)
    q = checked_power(q)
    xp, output, power = network.xp, network.output, partial(magnitude_power, q=q)

    def run(network: Network, function: Callable[[Any], Any]) -> list[Any]:
        steps = list(edgewise(function, network.steps()))
        unit = xp.eye(network.sizes[output], dtype=network.dtype, device=network.device)
        from_nodes = backward(steps, network.sizes, output, unit)
        sums = from_nodes[:1]
        if include_bias:
            started = 0 * sums[0][:1, :]
            for index in network.linear:
                started = started + (steps[index].bias @ from_nodes[index])[None, :]
            sums.append(started)
        return [*from_nodes[:output], xp.concat(sums)]

    with np.errstate(all="ignore"):  # what leaves the range of floating point is found
        *_, sums = values = run(network, power)
        if are_steady(values):
            return sums
        wide = network.cast("float64")
        values, ways = run(wide, power), run(wide, lambda edge: xp.astype(edge != 0, xp.float64))
        if are_steady([xp.where(w == 0, w + 1, v) for v, w in zip(values, ways)]):
            sums = xp.where(ways[-1] == 0, ways[-1], values[-1])  # no 0 * inf where none leads
        else:
            sums = _by_outputs(wide, q)[: sums.shape[0], :]
        return xp.astype(sums, network.dtype)


def _by_outputs(network: Network, q: float) -> Any:
    """The sums, those from biases last, on any scale."""
    xp, n, columns = network.xp, network.sizes[network.output], []
    ends = xp.eye(n, dtype=xp.float64, device=network.device)
    for j in range(n):
        found, biases = ways_on(network, q, ends[j, :])
        columns.append(xp.concat([found[0].plain(q), biases.plain(q)]))
    return xp.stack(columns, axis=1)
