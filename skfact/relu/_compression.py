"""Pruning and simulated quantization."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from skfact._backend import move, to_numpy
from skfact._checks import check_choice, check_number
from skfact.relu._path_saliency import path_saliency
from skfact.relu._reader import read_network


def prune(network: Any, amount: float | int = 0.5, *, criterion: str = "magnitude") -> Any:
    """Set the weights that matter least to zero.

    Parameters
    ----------
    network : MLPRegressor, MLPClassifier, FrozenEstimator, (coefs, intercepts) or torch Sequential
        The network, which is not modified.
    amount : float or int, default=0.5
        Part of the weights of all layers (a float from 0 to 1), or their number (an int). Biases
        are kept.
    criterion : {"magnitude", "saliency"}, default="magnitude"
        Smallest magnitude, which depends on the scaling of neurons (equalize first), or smallest
        path saliency, which does not.

    Returns
    -------
    network : same type as `network`
        With `amount` weights set to zero, those that are zero already among them.

    Raises
    ------
    TypeError
        If the network is of an unsupported kind, or `amount` is no number.
    ValueError
        If the network is not usable, or a parameter has a wrong value.

    See Also
    --------
    skfact.relu.path_metric : A proven bound of what pruning changes.

    References
    ----------
    .. [1] A. Gonon, N. Brisebarre, E. Riccietti, R. Gribonval, "A rescaling-invariant Lipschitz
       bound based on path-metrics for modern ReLU network parameterizations", arXiv:2405.15006.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.relu import prune
    >>> coefs = [np.array([[1.0, -2.0], [3.0, 0.5]]), np.array([[2.0], [-1.0]])]
    >>> prune((coefs, None), 2)[0]
    [array([[ 0., -2.],
           [ 3.,  0.]]), array([[ 2.],
           [-1.]])]
    """
    network = read_network(network)
    check_choice(criterion, "criterion", ("magnitude", "saliency"))
    total = sum(math.prod(w.shape) for w in network.weights)
    whole = isinstance(amount, (int, np.integer)) and not isinstance(amount, bool)
    check_number(amount, "amount", int if whole else float, 0)
    if amount > (total if whole else 1):
        raise ValueError(
            f"amount must be at most 1 (a float: a part) or {total} (an int: a number of weights); "
            f"got {amount!r}."
        )
    count = int(amount) if whole else round(float(amount) * total)
    scores = network.weights if criterion == "magnitude" else path_saliency(network)[0]
    flat = np.concatenate([np.abs(to_numpy(s)).ravel() for s in scores])
    keep = np.ones(total, dtype=bool)
    keep[np.argsort(flat, kind="stable")[:count]] = False
    weights, start = [], 0
    xp = network.xp
    for w in network.weights:
        size = math.prod(w.shape)
        mask = move(keep[start : start + size].reshape(w.shape), xp, network.device)
        weights.append(xp.where(mask, w, xp.zeros_like(w)))
        start += size
    return network.with_arrays(weights, network.biases).write()


def quantize(network: Any, bits: int = 8, *, scheme: str = "per_tensor") -> Any:
    """Round the weights to a symmetric grid of 2^bits - 1 values: simulated quantization.

    The grid of a tensor (or of a channel) has the step ``max|w| / (2^(bits-1) - 1)``. Biases stay
    as they are. The numbers stay floating: what changes is the accuracy, as it would on integers.

    Parameters
    ----------
    network : MLPRegressor, MLPClassifier, FrozenEstimator, (coefs, intercepts) or torch Sequential
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
    for w in network.weights:
        largest = xp.max(xp.abs(w), axis=0, keepdims=True)
        if scheme == "per_tensor":
            largest = xp.max(largest) + 0 * largest
        unit = xp.where(largest > 0, largest, xp.ones_like(largest))
        weights.append(xp.round(w / unit * levels) / levels * unit)
    return network.with_arrays(weights, network.biases).write()
