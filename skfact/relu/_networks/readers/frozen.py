"""Networks in scikit-learn's FrozenEstimator."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sklearn.frozen import FrozenEstimator

from skfact.relu._networks.network import Network
from skfact.relu._networks.readers import read_network

KIND = "a FrozenEstimator of a fitted MLP"


def accepts(network: Any) -> bool:
    """Whether it is one."""
    return isinstance(network, FrozenEstimator)


def read(network: Any, check_finite: bool) -> Network:
    """The network in it; what is written is frozen, too."""
    inner = read_network(network.estimator, check_finite=check_finite)
    return replace(
        inner,
        writer=lambda weights, biases: FrozenEstimator(inner.with_arrays(weights, biases).write()),
    )
