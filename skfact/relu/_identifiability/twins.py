"""Twins: hidden neurons of a layer whose incoming weights and biases are proportional."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from skfact._checks import check_number
from skfact.relu._networks.layered import LayeredNetwork

# Cosines of twins differ from one by at most the square of the tolerance, and by rounding.
COSINE_SLACK = 1e-12
ROWS_AT_ONCE = 4_000_000  # entries of a block of cosines


class Twins(NamedTuple):
    """Neurons of a layer on the same line: two groups of opposite sides, one may be empty.

    Neurons of one group are positive twins of each other, and negative twins of the other group.
    """

    neurons: tuple[int, ...]
    opposite: tuple[int, ...]


def twin_tolerance(network: LayeredNetwork, tol: float | None) -> float:
    """The tolerance, a number from 0 to 0.1, or the default for the precision of the network."""
    if tol is None:
        return 1e-5 if network.dtype == network.xp.float32 else 1e-10
    check_number(tol, "tol", float, 0)
    if not tol <= 0.1:
        raise ValueError(f"tol must be at most 0.1, got {tol!r}.")
    return float(tol)


def find_twins(incoming: np.ndarray, tol: float) -> list[Twins]:
    """Groups of at least two neurons whose columns agree, up to sign, to `tol` in l2 norm.

    Columns (n_in + 1, n) have unit norm, or are zero and nobody's twins. Neurons that are linked by
    a chain of close pairs form one group. The groups come in the order of their first neurons.
    """
    n = incoming.shape[1]
    first, second, sign = _close_pairs(incoming, tol)
    # neuron v stands twice in the graph: as itself and, n further on, as its opposite
    heads = np.concatenate([first, first + n])
    tails = np.where(sign > 0, second, second + n)
    tails = np.concatenate([tails, np.where(sign > 0, second + n, second)])
    links = coo_array((np.ones(len(heads)), (heads, tails)), shape=(2 * n, 2 * n))
    _, label = connected_components(links, directed=False)
    groups: dict[int, list[int]] = {}
    for node in np.flatnonzero(np.bincount(label)[label] > 1):
        groups.setdefault(int(label[node]), []).append(int(node))
    # each group occurs twice, seen from either side: kept where its first neuron is itself
    found = []
    for nodes in groups.values():
        ours = tuple(v for v in nodes if v < n)
        others = tuple(v - n for v in nodes if v >= n)
        if ours and (not others or ours[0] < others[0]):
            found.append(Twins(ours, others))
    return sorted(found)


def parallel_twins(
    twins: Iterable[Twins], outgoing: np.ndarray, tol: float
) -> tuple[tuple[int, int], ...]:
    """Pairs of negative twins whose outgoing weights, rows (n, n_out), are multiples too."""
    found = []
    for group in twins:
        for v, u in product(group.neurons, group.opposite):
            sizes = np.abs(outgoing[[v, u]]).max(axis=1, keepdims=True)
            if sizes.all():
                a, b = outgoing[[v, u]] / sizes
                a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
                if min(np.linalg.norm(a - b), np.linalg.norm(a + b)) <= tol:
                    found.append((v, u))
    return tuple(found)


def _close_pairs(incoming: np.ndarray, tol: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs (first, second, sign) with ||u_first - sign u_second|| <= tol, first < second."""
    n = incoming.shape[1]
    least = 1.0 - COSINE_SLACK - tol**2
    step = max(1, ROWS_AT_ONCE // n)
    found: list[tuple[Any, ...]] = []
    for start in range(0, n, step):
        cosines = incoming[:, start : start + step].T @ incoming  # (step, n)
        i, j = np.nonzero(np.abs(cosines) >= least)
        i, j, sign = i + start, j, np.sign(cosines[i, j])
        i, j, sign = (x[i < j] for x in (i, j, sign))
        distance = np.linalg.norm(incoming[:, i] - sign * incoming[:, j], axis=0)
        found.append(tuple(x[distance <= tol] for x in (i, j, sign)))
    first, second, sign = (np.concatenate(parts) for parts in zip(*found))
    return first, second, sign
