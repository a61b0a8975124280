"""Hidden neurons whose inputs, where they are active, span too little."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from skfact._backend import to_numpy
from skfact.relu._identifiability.rank_profile import rank_profile, triangle


def unseen_directions(
    inputs: Sequence[Any], gates: Sequence[Any], left_out: Iterable[tuple[int, int]], tol: float
) -> dict[tuple[int, int], int]:
    """For each hidden neuron, in how many directions its weights change nothing on the samples.

    Where it is active, what arrives at it is a row of inputs (n_samples, n_l + 1), ones last: a
    direction of its incoming weights and bias that is orthogonal to all these rows changes nothing.
    Neurons are named (layer from 1, number from 0); those left out are not asked, nor are their
    outputs looked at. Those without any direction are not returned.
    """
    apart, found = set(left_out), {}
    for layer, gate in enumerate(gates, start=1):
        arriving, active = to_numpy(inputs[layer - 1]), to_numpy(gate) > 0
        n = arriving.shape[1]
        seen = [i for i in range(n) if i == n - 1 or (layer - 1, i) not in apart]
        for v in range(active.shape[1]):
            if (layer, v) not in apart:
                rank = _rank(arriving[active[:, v]][:, seen], tol)
                if rank < len(seen):
                    found[layer, v] = len(seen) - rank
    return found


def _rank(rows: np.ndarray, tol: float) -> int:
    """Rank of rows, once columns have unit norm."""
    norms = np.linalg.norm(rows, axis=0)
    unit = rows[:, norms > 0] / norms[norms > 0]
    if not unit.size:
        return 0
    n = unit.shape[1]
    return rank_profile(triangle([unit], n), [n], tol).ranks[-1]
