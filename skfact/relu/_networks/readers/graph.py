"""Networks with skip connections, maxima and batch normalization."""

from __future__ import annotations

from typing import Any

from skfact.relu._networks.graph import NetworkGraph
from skfact.relu._networks.network import copied
from skfact.relu._networks.wired import WiredNetwork

KIND = "a NetworkGraph"


def accepts(network: Any) -> bool:
    """Whether it is one."""
    return isinstance(network, NetworkGraph)


def read(graph: NetworkGraph, check_finite: bool) -> WiredNetwork:
    """Batch norms folded, also in what is written; its numbers were checked when it was made."""
    folded = graph.fold_batch_norm()
    return WiredNetwork(
        weights=tuple(folded.coefs),
        biases=tuple(folded.intercepts),
        writer=lambda weights, biases: folded.with_arrays(copied(weights), copied(biases)),
        nodes=folded.nodes,
        output_index=folded.output.index,
    )
