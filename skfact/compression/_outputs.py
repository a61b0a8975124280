"""What the original network gives for the samples, to which others are compared."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from skfact.compression._layers.network import Network, Replaced
from skfact.compression._moments import Missed

KEPT = 2**25  # entries of outputs that are kept


class Outputs:
    """Outputs of a network, batch for batch: computed once if they are not too many to keep."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._kept: list[np.ndarray] | None = []
        entries = 0
        for rows in network.outputs({}):
            entries += rows.size
            if entries > KEPT:
                self._kept = None
                return
            self._kept.append(rows)

    def __iter__(self) -> Iterator[np.ndarray]:
        return self._network.outputs({}) if self._kept is None else iter(self._kept)

    def error(self, replaced: Replaced) -> float | None:
        """Relative error of the outputs with layers replaced, around their mean.

        None where there are no outputs.
        """
        missed = Missed()
        for rows, others in zip(self, self._network.outputs(replaced), strict=True):
            missed.add(rows, others)
        return missed.relative_error
