"""Weights rounded to few bits, alike for all rescalings of a network."""

from __future__ import annotations

from typing import Any

from skfact._checks import check_choice, check_number
from skfact.relu._networks.readers import read_network


def quantize(network: Any, bits: int = 8, *, scheme: str = "per_tensor") -> Any:
    """Round the weights to a symmetric grid of 2^bits - 1 values: simulated quantization.

    The grid of a tensor (or of a channel) has the step ``max|w| / (2^(bits-1) - 1)``. Biases stay
    as they are. The numbers stay floating: what changes is the accuracy, as it would on integers.

    Parameters
    ----------
    network : network-like
        The network, which is not modified.
    bits : int, default=8
        Bits for each weight, from 2 to 32.
    scheme : {"per_tensor", "per_channel"}, default="per_tensor"
        One step for each layer, or one for each neuron that weights lead to.

    Returns
    -------
    network : same type as `network`
        With rounded weights: the function changes.

    Raises
    ------
    TypeError
        If the network is of an unsupported kind, or `bits` is no integer.
    ValueError
        If the network is not usable, or a parameter has a wrong value.

    See Also
    --------
    skfact.relu.equalize : Makes the largest weights of neurons equal first.

    References
    ----------
    .. [1] M. Nagel, M. van Baalen, T. Blankevoort, M. Welling, "Data-free quantization through
       weight equalization and bias correction", ICCV 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.relu import quantize
    >>> coefs = [np.array([[1.0, -2.0], [3.0, 0.5]]), np.array([[2.0], [-1.0]])]
    >>> quantize((coefs, None), bits=3)[0][0]
    array([[ 1., -2.],
           [ 3.,  0.]])
    """
    network = read_network(network)
    check_number(bits, "bits", int, 2)
    if bits > 32:
        raise ValueError(f"bits must be at most 32, got {bits!r}.")
    check_choice(scheme, "scheme", ("per_tensor", "per_channel"))
    xp = network.xp
    levels = 2 ** (int(bits) - 1) - 1
    weights = []
    for w in network.parameters():
        to_one_neuron = 0 if w.ndim == 2 else tuple(range(1, w.ndim))  # to one channel: a kernel
        largest = xp.max(xp.abs(w), axis=to_one_neuron, keepdims=True)
        if scheme == "per_tensor":
            largest = xp.max(largest) + 0 * largest
        unit = xp.where(largest > 0, largest, xp.ones_like(largest))
        weights.append(xp.round(w / unit * levels) / levels * unit)
    return network.with_parameters(weights).write()
