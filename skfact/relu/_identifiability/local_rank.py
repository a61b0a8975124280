"""The local rank test: how many directions of parameter space change the outputs on samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from skfact._backend import to_numpy
from skfact.relu._identifiability.activation_space import activation_dimension
from skfact.relu._identifiability.derivative import ScaledDerivative
from skfact.relu._identifiability.rank_profile import (
    RankProfile,
    compressed,
    is_sketched,
    rank_profile,
)
from skfact.relu._identifiability.unseen import unseen_directions

# An activation space of more dimensions is not looked at, unless so many can be too few.
DIMENSIONS = 512
UNSEEN = "inputs span too little on X"


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
        Rank that each suspicious neuron costs, in the order in which they were added, and at the
        end that of neurons whose inputs span too little on the samples where they are active.
    unexplained : int
        Rank that is missing without any suspicious neuron.
    n_on_kinks : int, default=0
        Samples of X that are left out: the input of a hidden neuron, active on others, is zero
        there, up to rounding, and the outputs have no derivative.
    n_outputs : int, default=1
        Outputs of the network.
    activation_dimension : int or None, default=None
        dim V, the dimension of the span of the path activations of the samples. If the samples
        determine the network, so many of them do. None: it was not found out, being larger than
        512 and than `n_samples_needed`, which are enough equations.
    is_sketched : bool, default=False
        Whether all this was found from a random sketch: where there are thousands of parameters,
        and more than twice as many outputs on samples. In exact arithmetic its rank is never
        larger, and smaller with probability zero; singular values are its own.
    generic_rank : int or None, default=None
        The rank for almost all other networks with the same gates on the samples; None if it was
        not needed.
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
    n_outputs: int = 1
    activation_dimension: int | None = None
    is_sketched: bool = False
    generic_rank: int | None = None

    @property
    def n_equations(self) -> int | None:
        """Equations for path weights; the rank is no larger. None: more than unknowns."""
        dimension = self.activation_dimension
        return None if dimension is None else self.n_outputs * dimension

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
    to the neuron. With the columns in this order one factorization has all ranks. At the start, a
    direction of the incoming parameters of one neuron that changes nothing is in the kernel too,
    and no sum of such directions is a rescaling, which moves what leaves a neuron.
    """
    sizes = [len(layers[0]) - 1, *(layer.shape[1] for layer in layers)]
    n_parameters, n_hidden = parameter_count(sizes), sum(sizes[1:-1])
    chain = _Chain(layers, suspects)
    profile, sketched = RankProfile([0] * (len(suspects) + 1), 0.0, 0.0), False
    if X.shape[0]:
        derivative = ScaledDerivative(layers, X, gates)
        R, columns = _compressed(derivative, chain.step_of)
        sketched = is_sketched(derivative.n_rows, len(columns))
        groups = np.bincount(chain.step_of[columns], minlength=len(suspects) + 1)
        profile = rank_profile(R, groups.tolist(), tol)
    deficiency = n_parameters - n_hidden - profile.ranks[-1]
    losses: list[tuple[Suspect, int]] = []
    unexplained = deficiency
    if deficiency and X.shape[0] >= samples_needed(sizes):
        defects = chain.defects(profile.ranks)
        losses = list(zip(suspects, (int(step) for step in np.diff(defects))))
        unexplained = defects[0]
        unseen = unseen_directions(derivative.inputs, gates, [s[:2] for s in suspects], tol)
        for (layer, neuron), loss in unseen.items():
            loss = min(loss, unexplained)
            losses.append((Suspect(layer, neuron, UNSEEN), loss))
            unexplained -= loss
    most = max(samples_needed(sizes), DIMENSIONS)
    return LocalRank(
        int(X.shape[0]),
        samples_needed(sizes),
        n_parameters,
        n_hidden,
        profile.ranks[-1],
        profile.smallest_kept,
        profile.largest_dropped,
        tuple((suspect, loss) for suspect, loss in losses if loss),
        unexplained,
        n_outputs=sizes[-1],
        activation_dimension=activation_dimension(X, gates, tol, most),
        is_sketched=sketched,
    )


def generic_rank(layers: list[np.ndarray], X: Any, gates: list[Any], tol: float) -> int:
    """The rank for almost all parameters, gates kept: at random ones, with probability one.

    With gates kept, outputs are polynomials of the parameters, and so are the minors of their
    derivative.
    """
    random = np.random.default_rng(0)
    others = [random.standard_normal(layer.shape) for layer in layers]
    others = [layer / np.linalg.norm(layer, axis=0) for layer in others]
    with np.errstate(all="ignore"):
        derivative = ScaledDerivative(others, X, gates)
    R, columns = _compressed(derivative, np.zeros(derivative.n_columns))
    return rank_profile(R, [len(columns)], tol).ranks[-1]


def _compressed(derivative: ScaledDerivative, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A triangle of its nonzero columns by increasing `order`, and which these are."""
    columns = np.flatnonzero(derivative.is_column())
    columns = columns[np.argsort(order[columns], kind="stable")]
    rows = (to_numpy(block)[:, columns] for block in derivative.blocks())
    return compressed(rows, derivative.n_rows, len(columns)), columns


class _Chain:
    """The growing sets of parameters, and the rescalings that move no others."""

    def __init__(self, layers: list[np.ndarray], suspects: Sequence[Suspect]) -> None:
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
        entry = np.zeros(self.n_nodes, dtype=int)  # step at which a neuron is added
        for step, suspect in enumerate(suspects, start=1):
            entry[starts[suspect.layer - 1] + suspect.neuron] = step
        self.step_of = np.maximum(entry[self.tail], entry[self.head])

    def defects(self, ranks: Sequence[int]) -> list[int]:
        """def(C) for C without suspects, with the first, with the first two, ..."""
        counts = np.cumsum(np.bincount(self.step_of, minlength=len(ranks)))
        free = [self._n_free(step) for step in range(len(ranks))]
        return [int(count) - rank - n for count, rank, n in zip(counts, ranks, free)]

    def _n_free(self, step: int) -> int:
        """How many independent rescalings move no parameter that is added later."""
        fixed = (self.step_of > step) & self.moves  # neurons that these connect are rescaled alike
        links = coo_array(
            (np.ones(int(fixed.sum())), (self.tail[fixed], self.head[fixed])),
            shape=(self.n_nodes, self.n_nodes),
        )
        return int(connected_components(links, directed=False, return_labels=False)) - 1
