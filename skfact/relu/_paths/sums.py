"""Sums of path weights from each input to each output."""

from __future__ import annotations

from functools import partial
from typing import Any

from skfact._exponents import times_power_of_two
from skfact._kernels.paths import magnitude_power
from skfact.relu._networks.balance import Paths, on_any_scale
from skfact.relu._networks.passes import backward, check_power, edgewise
from skfact.relu._networks.readers import read_network


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
    check_power(q)
    power, output = partial(magnitude_power, q=q), network.output

    def run(paths: Paths) -> list[Any]:
        steps = list(edgewise(power, paths.steps))
        n, dtype = network.sizes[output], paths.network.dtype
        unit = network.xp.eye(n, dtype=dtype, device=network.device)
        from_nodes = backward(steps, network.sizes, output, unit)
        sums = from_nodes[:1]
        if include_bias:
            started = 0 * sums[0][:1, :]
            for index in network.linear:
                started = started + (steps[index].bias @ from_nodes[index])[None, :]
            sums.append(started)
        return [*from_nodes[:output], network.xp.concat(sums)]

    values, (paths,) = on_any_scale(run, network)
    sums = times_power_of_two(values[-1], paths.output_exponents * q)
    return network.xp.astype(sums, network.dtype)
