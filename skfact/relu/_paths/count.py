"""Number of paths."""

from __future__ import annotations

from typing import Any

from skfact.relu._networks.readers import read_network


def path_count(network: Any, *, include_bias: bool = True) -> int:
    """Count the paths of a network.

    With layers of n_0, ..., n_L neurons there are

        sum_{l=0..L} n_l n_{l+1} ... n_L

    paths: from the inputs (l = 0), from biases of hidden neurons, and the output biases (l = L).

    Parameters
    ----------
    network : MLPRegressor, MLPClassifier, FrozenEstimator, (coefs, intercepts) or torch Sequential
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
    return count_paths(read_network(network).sizes, include_bias)


def count_paths(sizes: tuple[int, ...], include_bias: bool = True) -> int:
    """Number of paths through layers of the given sizes; an empty product of layers has none."""
    product, total = 1, 0
    for size in reversed(sizes):
        product *= size
        total += product
    return total if include_bias else product
