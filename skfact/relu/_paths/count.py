"""Number of paths."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from skfact._backend import to_numpy
from skfact.relu._networks.readers import read_network


def path_count(network: Any, *, include_bias: bool = True) -> int:
    """Count the paths of a network.

    With layers of n_0, ..., n_L neurons there are

        sum_{l=0..L} n_l n_{l+1} ... n_L

    paths: from the inputs (l = 0), from biases of hidden neurons, and the output biases (l = L).
    Those of a graph are counted node by node; weights of zero count as any other.

    Parameters
    ----------
    network : network-like
        The network.
    include_bias : bool, default=True
        Count the paths that start at a bias, too.

    Returns
    -------
    count : int
        Exact, however large.

    References
    ----------
    .. [1] P. Stock, R. Gribonval, "An embedding of ReLU networks and an analysis of their
       identifiability", arXiv:2107.09370.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.relu import path_count
    >>> sizes = [784, 1024, 1024, 10]
    >>> coefs = [np.zeros((n, m)) for n, m in zip(sizes, sizes[1:])]
    >>> path_count((coefs, None))
    8231331850
    """
    network = read_network(network, include_bias=include_bias)
    counts = [np.ones(network.sizes[0], dtype=object)]  # Python's integers, of any size
    kernels = dict(zip(network.linear, network.convolutions))
    for index, (step, size) in enumerate(zip(network.steps()[1:], network.sizes[1:]), start=1):
        below = [counts[i] for i in step.inputs]
        if (convolution := kernels.get(index)) is not None:
            exists = convolution.places < math.prod(convolution.kernel_shape)
            counts.append(below[0] @ exists.astype(int).astype(object) + bool(include_bias))
        elif step.bias is not None:
            through = below[0].sum() + bool(include_bias)
            counts.append(np.full(size, through, dtype=object))
        elif step.matrix is not None:
            counts.append(below[0] @ to_numpy(step.matrix).astype(int).astype(object))
        else:
            counts.append(sum(below))
    return int(counts[network.output].sum())
