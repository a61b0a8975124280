"""The norm of the vector of path weights."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from skfact._kernels.paths import magnitude_power, power_product
from skfact.relu._networks.balance import Paths, are_steady, on_any_scale, scaled_float, scaled_sum
from skfact.relu._networks.network import Step
from skfact.relu._networks.passes import checked_power, forward
from skfact.relu._networks.readers import read_network


def path_norm(network: Any, q: float = 1, *, include_bias: bool = True) -> float:
    """Norm of the vector of path weights, ``(sum over paths of abs(Phi_p)^q)^(1/q)``.

    Invariant to rescaling and to permuting hidden neurons. Paths are not enumerated: the sum is a
    forward pass of ones through the network of ``abs(weight)^q``. For q = 1 it bounds the Lipschitz
    constant of the network from the maximum norm to the l1 norm.

    Parameters
    ----------
    network : network-like
        The network.
    q : float, default=1
        Exponent, positive.
    include_bias : bool, default=True
        Include the paths that start at a bias.

    Returns
    -------
    norm : float
        The norm; exact to rounding for weights of any scale.

    Raises
    ------
    TypeError
        If the network is of an unsupported kind.
    ValueError
        If the network is not usable, or `q` is not positive and finite.

    See Also
    --------
    skfact.relu.path_sums : The same sum, for each input and output.

    References
    ----------
    .. [1] B. Neyshabur, R. Salakhutdinov, N. Srebro, "Path-SGD: path-normalized optimization in
       deep neural networks", NeurIPS 2015.
    .. [2] A. Gonon, N. Brisebarre, E. Riccietti, R. Gribonval, "A path-norm toolkit for modern
       networks: consequences, promises and challenges", ICLR 2024, arXiv:2310.01225.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.relu import path_norm
    >>> coefs = [np.array([[1.0, -2.0], [3.0, 0.5]]), np.array([[2.0], [-1.0]])]
    >>> intercepts = [np.array([0.5, -1.0]), np.array([0.25])]
    >>> path_norm((coefs, intercepts)), path_norm((coefs, intercepts), q=2) ** 2
    (12.75, 46.3125)
    """
    q = checked_power(q)
    power, product = partial(magnitude_power, q=q), partial(power_product, q=q)

    def run(paths: Paths) -> list[Any]:
        # the product with a matrix takes the powers of its entries
        powered = [
            Step(
                inputs,
                matrix,
                None if bias is None else power(bias),
                None if factors is None else tuple(map(power, factors)),
            )
            for inputs, matrix, bias, factors in paths.steps[: paths.network.output + 1]
        ]
        return forward(powered, paths.ones(), product)

    # NaN and infinity show in the sums: the weights are read once
    unchecked = read_network(network, check_finite=False, include_bias=include_bias)
    with np.errstate(all="ignore"):
        values = run(Paths.of(unchecked))
        if are_steady(values):
            return float(unchecked.xp.sum(values[-1])) ** (1 / q)
    found, (paths,) = on_any_scale(run, read_network(network, include_bias=include_bias))
    total, exponent = scaled_sum(found[-1], paths.output_exponents * q)
    return scaled_float(total ** (1 / q), exponent / q)
