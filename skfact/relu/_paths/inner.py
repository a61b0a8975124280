"""Inner product of the path weights of two networks."""

from __future__ import annotations

from operator import mul
from typing import Any

from skfact.relu._networks.balance import Paths, on_any_scale, scaled_float, scaled_sum
from skfact.relu._networks.passes import edgewise, forward
from skfact.relu._networks.readers import read_pair


def path_inner(network: Any, other: Any, *, include_bias: bool = True) -> float:
    """Inner product of the path weights of two networks of the same shape.

    The sum over paths of Phi_p Phi'_p is a forward pass, without ReLU, through the network of
    products of weights. Invariant to rescaling either network.

    Parameters
    ----------
    network, other : network-like
        Networks with equal layer sizes, or two graphs with the same nodes.
    include_bias : bool, default=True
        Include the paths that start at a bias.

    Returns
    -------
    inner : float
        The inner product.

    Raises
    ------
    TypeError
        If a network is of an unsupported kind.
    ValueError
        If a network is not usable, or the shapes differ.

    See Also
    --------
    skfact.relu.path_metric : Distance of two networks.
    skfact.relu.path_sketch : Vectors whose inner products estimate this one.

    References
    ----------
    .. [1] P. Stock, R. Gribonval, "An embedding of ReLU networks and an analysis of their
       identifiability", arXiv:2107.09370.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.relu import path_inner
    >>> coefs = [np.array([[1.0, -2.0], [3.0, 0.5]]), np.array([[2.0], [-1.0]])]
    >>> intercepts = [np.array([0.5, -1.0]), np.array([0.25])]
    >>> path_inner((coefs, intercepts), (coefs, intercepts))
    46.3125
    """
    pair = read_pair(network, other, include_bias)

    def run(one: Paths, two: Paths) -> list[Any]:
        return forward(edgewise(mul, one.steps, two.steps), one.ones())

    values, paths = on_any_scale(run, *pair)
    powers = sum(p.output_exponents for p in paths)
    return scaled_float(*scaled_sum(values[pair[0].output], powers))
