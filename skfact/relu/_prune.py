"""Networks with fewer weights."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from skfact._backend import move, to_numpy
from skfact._checks import check_choice, check_number
from skfact.relu._networks.readers import read_network
from skfact.relu._paths.saliency import path_saliency


def prune(network: Any, amount: float | int = 0.5, *, criterion: str = "magnitude") -> Any:
    """Set the weights that matter least to zero.

    Parameters
    ----------
    network : network-like
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
    skfact.relu.retrain : Trains the weights that are left again.

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
    parameters = network.parameters()
    total = sum(math.prod(w.shape) for w in parameters)
    whole = isinstance(amount, (int, np.integer)) and not isinstance(amount, bool)
    check_number(amount, "amount", int if whole else float, 0)
    if amount > (total if whole else 1):
        raise ValueError(
            f"amount must be at most 1 (a float: a part) or {total} (an int: a number of weights); "
            f"got {amount!r}."
        )
    count = int(amount) if whole else round(float(amount) * total)
    scores = parameters if criterion == "magnitude" else path_saliency(network)[0]
    weights, sizes = (
        np.concatenate([np.zeros(0), *(np.abs(to_numpy(a)).ravel() for a in arrays)])
        for arrays in (parameters, scores)
    )
    keep = np.ones(total, dtype=bool)
    # weights of no saliency are many: those that are zero already count first
    keep[np.lexsort((sizes, weights != 0))[:count]] = False
    pruned, start = [], 0
    xp = network.xp
    for w in parameters:
        size = math.prod(w.shape)
        mask = move(keep[start : start + size].reshape(w.shape), xp, network.device)
        pruned.append(xp.where(mask, w, xp.zeros_like(w)))
        start += size
    return network.with_parameters(pruned).write()
