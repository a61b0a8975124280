"""The local rank test: how many directions of parameter space change the outputs on samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from skfact._backend import array_namespace, device, move, to_numpy
from skfact.relu._identifiability.kinks import unit_samples

# A column whose terms cancel to this part of their magnitudes is rounding: it counts as zero.
CANCELLED = 1e-12


class Suspect(NamedTuple):
    """A hidden neuron that may cost rank: its layer (from 1), its number (from 0), and why."""

    layer: int
    neuron: int
    cause: str


@dataclass(frozen=True)
class LocalRank:
    """Rank of the derivative of the outputs on samples by the parameters.

    Parameters
    ----------
    n_samples : int
        Samples used: those of X on no kink.
    n_samples_needed : int
        With fewer samples the rank cannot be full. More may be needed.
    n_parameters, n_hidden : int
        Weights and biases (those that are zero, too), and hidden neurons.
    rank : int
        The rank; at most `full_rank`.
    smallest_kept, largest_dropped : float
        The two singular values between which the rank was cut, relative to the largest one.
    losses : tuple of (Suspect, int)
        Rank that each suspicious neuron costs, in the order in which they were added.
    unexplained : int
        Rank that is missing without any suspicious neuron.
    n_on_kinks : int, default=0
        Samples of X that are left out: the input of a hidden neuron, active on others, is zero
        there, up to rounding, and the outputs have no derivative.
    """

    n_samples: int
    n_samples_needed: int
    n_parameters: int
    n_hidden: int
    rank: int
    smallest_kept: float
    largest_dropped: float
    losses: tuple[tuple[Suspect, int], ...]
    unexplained: int
    n_on_kinks: int = 0

    @property
    def full_rank(self) -> int:
        """Parameters less one rescaling for each hidden neuron."""
        return self.n_parameters - self.n_hidden

    @property
    def deficiency(self) -> int:
        """What is missing to the full rank: the sum of all losses and of what is unexplained."""
        return self.full_rank - self.rank

    def by_cause(self) -> dict[str, int]:
        """Rank that is missing for each cause, the largest first."""
        found: dict[str, int] = {}
        for suspect, loss in self.losses:
            found[suspect.cause] = found.get(suspect.cause, 0) + loss
        found["unexplained"] = self.unexplained
        return {
            cause: loss for cause, loss in sorted(found.items(), key=lambda item: -item[1]) if loss
        }


def parameter_count(sizes: Sequence[int]) -> int:
    """Number of weights and biases."""
    return sum((n + 1) * m for n, m in pairwise(sizes))


def samples_needed(sizes: Sequence[int]) -> int:
    """Fewest samples with which the rank can be full."""
    return math.ceil((parameter_count(sizes) - sum(sizes[1:-1])) / sizes[-1])


def local_rank(
    layers: list[np.ndarray], X: Any, gates: list[Any], suspects: Sequence[Suspect], tol: float
) -> LocalRank:
    """Rank, and its deficiency neuron by neuron.

    Layers (n_l + 1, n_{l+1}) have biases in the last row, and hidden neurons of unit norm; gates
    (n_samples, n_l) are one where a neuron is active, in the library of X. Suspects are in the
    order in which they are added to the others. Singular values up to `tol` times the largest one
    count as zero.

    Notes
    -----
    For a set C of parameters let def(C) be the number of columns, less their rank, less the number
    of independent rescalings that move parameters of C only. These rescalings lie in the kernel of
    the columns, and kernels grow with C: def never decreases, from 0 to the deficiency. C grows
    from the parameters that touch no suspicious neuron, neuron by neuron; what def gains belongs
    to the neuron.
    """
    sizes = [len(layers[0]) - 1, *(layer.shape[1] for layer in layers)]
    J = np.zeros((1, parameter_count(sizes)))
    if X.shape[0]:
        J = to_numpy(_triangular(_scaled_jacobian(layers, X, gates)))
    singular = scipy.linalg.svdvals(J)
    largest = float(singular[0])
    rank = int((singular > tol * largest).sum()) if largest > 0 else 0
    kept = float(singular[rank - 1]) / largest if rank else 0.0
    dropped = float(singular[rank]) / largest if 0 < rank < len(singular) else 0.0
    n_parameters, n_hidden = parameter_count(sizes), sum(sizes[1:-1])
    deficiency = n_parameters - n_hidden - rank
    losses: list[tuple[Suspect, int]] = []
    unexplained = deficiency
    if deficiency and X.shape[0] >= samples_needed(sizes):
        chain = _Chain(layers, J, rank, tol * largest, suspects)
        defects = chain.defects(deficiency)
        losses = list(zip(suspects, (int(step) for step in np.diff(defects))))
        unexplained = defects[0]
    return LocalRank(
        int(X.shape[0]),
        samples_needed(sizes),
        n_parameters,
        n_hidden,
        rank,
        kept,
        dropped,
        tuple((suspect, loss) for suspect, loss in losses if loss),
        unexplained,
    )


class _Chain:
    """The growing sets of parameters: their defects, found by bisection."""

    def __init__(
        self,
        layers: list[np.ndarray],
        J: np.ndarray,
        rank: int,
        cutoff: float,
        suspects: Sequence[Suspect],
    ) -> None:
        self.J, self.rank, self.cutoff = J, rank, cutoff
        sizes = [layer.shape[1] for layer in layers[:-1]]
        starts = np.concatenate([[1], 1 + np.cumsum(sizes)]).astype(int)  # node 0 is the ground
        self.n_nodes = int(starts[-1])
        tails, heads = [], []
        for l, layer in enumerate(layers):
            n, m = layer.shape
            source = np.zeros(n, dtype=int)  # inputs and biases are grounded, outputs are
            if l > 0:
                source[:-1] = starts[l - 1] + np.arange(n - 1)
            target = np.zeros(m, dtype=int)
            if l < len(layers) - 1:
                target = starts[l] + np.arange(m)
            tails.append(np.repeat(source, m))
            heads.append(np.tile(target, n))
        self.tail, self.head = np.concatenate(tails), np.concatenate(heads)
        self.moves = np.concatenate([layer.ravel() for layer in layers]) != 0
        self.entry = np.zeros(self.n_nodes, dtype=int)  # step at which a neuron is added
        for step, suspect in enumerate(suspects, start=1):
            self.entry[starts[suspect.layer - 1] + suspect.neuron] = step
        self.step_of = np.maximum(self.entry[self.tail], self.entry[self.head])
        self.found: dict[int, int] = {}
        self.last = len(suspects)

    def defects(self, deficiency: int) -> list[int]:
        """def(C) for C without suspects, with the first, with the first two, ..."""
        self.found = {self.last: deficiency}
        self._between(0, self.last)
        return [self.found[step] for step in range(self.last + 1)]

    def _between(self, low: int, high: int) -> None:
        for step in (low, high):
            if step not in self.found:
                self.found[step] = self._defect(step)
        if self.found[low] == self.found[high]:  # it never decreases
            self.found.update(dict.fromkeys(range(low, high), self.found[low]))
        elif high - low > 1:
            middle = (low + high) // 2
            self._between(low, middle)
            self._between(middle, high)

    def _defect(self, step: int) -> int:
        inside = self.step_of <= step
        columns = self.J[:, inside]
        columns = columns[:, columns.any(axis=0)]
        rank = 0
        if columns.size:
            rank = min(int((scipy.linalg.svdvals(columns) > self.cutoff).sum()), self.rank)
        fixed = ~inside & self.moves  # neurons that these connect are rescaled alike
        links = coo_array(
            (np.ones(int(fixed.sum())), (self.tail[fixed], self.head[fixed])),
            shape=(self.n_nodes, self.n_nodes),
        )
        n_free = connected_components(links, directed=False, return_labels=False) - 1
        return int(inside.sum()) - rank - n_free


def _triangular(J: Any) -> Any:
    """A matrix with at most as many rows as columns, and the same singular values."""
    if J.shape[0] <= J.shape[1]:
        return J
    return array_namespace(J).linalg.qr(J)[1]


def _scaled_jacobian(layers: list[np.ndarray], X: Any, gates: list[Any]) -> Any:
    """J diag(theta) with unit columns, (n_samples * n_outputs, n_parameters).

    The scale of parameters that are zero is one. Columns run through the layers, through the rows
    of each.
    """
    xp, where = array_namespace(X), device(X)
    weights = [move(layer[:-1], xp, where) for layer in layers]
    biases = [move(layer[-1], xp, where) for layer in layers]
    n = X.shape[0]
    h, one = unit_samples(X)  # rescales the outputs, hence no column
    inputs = []
    for w, b, gate in zip(weights[:-1], biases[:-1], gates):
        inputs.append(xp.concat([h, one], axis=1))  # (n, n_l + 1)
        h = (h @ w + one * b) * gate
    inputs.append(xp.concat([h, one], axis=1))
    size = xp.max(xp.abs(weights[-1]), axis=0)
    n_outputs = size.shape[0]
    row = 1 / xp.where(size > 0, size, xp.ones_like(size))  # of an output
    G = xp.zeros((n, n_outputs, n_outputs), dtype=xp.float64, device=where)
    G = G + move(np.eye(n_outputs), xp, where) * row[:, None]
    magnitude = G
    blocks = []
    for l in range(len(layers) - 1, -1, -1):
        theta = move(np.where(layers[l] == 0, 1.0, layers[l]), xp, where)
        a = inputs[l]
        block = a[:, None, :, None] * G[:, :, None, :]  # (n, n_outputs, n_l + 1, n_{l+1})
        block = xp.reshape(block, (n * n_outputs, *theta.shape)) * theta
        largest = xp.max(xp.abs(block), axis=0)
        block = block / xp.where(largest > 0, largest, xp.ones_like(largest))
        norm = xp.sqrt(xp.sum(block**2, axis=0))
        usual = xp.max(xp.abs(a), axis=0)[:, None] * xp.max(magnitude, axis=(0, 1))[None, :]
        sound = largest > CANCELLED * usual * xp.abs(theta)
        block = block / xp.where(norm > 0, norm, xp.ones_like(norm))
        block = xp.where(sound, block, xp.zeros_like(block))
        blocks.append(xp.reshape(block, (n * n_outputs, -1)))
        if l > 0:
            gate = gates[l - 1][:, None, :]
            G = (G @ weights[l].T) * gate
            magnitude = (magnitude @ xp.abs(weights[l]).T) * gate
    return xp.concat(blocks[::-1], axis=1)
