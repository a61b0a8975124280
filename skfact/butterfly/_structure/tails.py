"""What blocks of rank r leave out of a matrix at a node: the error of a chain of two factors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate
from typing import Any

import numpy as np

from skfact._backend import array_namespace, to_numpy
from skfact._kernels.block_grams import Look, block_grams
from skfact._linalg import abs2
from skfact.butterfly._structure.nodes import Arrangement, Node, padded

TOGETHER = 2**18  # entries of Gram matrices


def look_at(place: tuple[int, int], arrangement: Arrangement, count: int) -> Look:
    """A look at so many blocks, or at all if there are no more."""
    size = place[0] * place[1]
    return Look(*place, *arrangement, min(count, size), count < size)


class Tails:
    r"""Norms that the best blocks of rank 0, 1, .. leave out of a matrix of ordinary magnitude.

    Entry r is :math:`(\sum_{blocks} \sum_{i > r} \sigma_i^2)^{1/2}`. From Gram matrices: a tail
    below the root of the precision, relative to the norm, is rounding. The matrix is padded with
    zeros to the shape.
    """

    def __init__(self, A: Any, shape: tuple[int, int] | None = None) -> None:
        self.A = A if shape is None else padded(A, shape)
        self._by_rows: dict[int, Any] = {}  # energies (2, Q, n) of classes of rows, beside A

    def exact(self, node: Node, arrangement: Arrangement) -> np.ndarray:
        """From all blocks of a node."""
        return self.sampled(node, arrangement, node.Q * node.P, np.random.default_rng(0))

    def sampled(
        self, node: Node, arrangement: Arrangement, count: int, rng: np.random.Generator
    ) -> np.ndarray:
        """Estimated from some blocks, drawn with a probability proportional to their energy."""
        (squares,) = self.squares([look_at(node[:2], arrangement, count)], rng)
        return np.sqrt(squares)

    def squares(self, looks: Sequence[Look], rng: np.random.Generator) -> list[np.ndarray]:
        """Squared tails (ranks,) of some places: from all blocks if they are so few.

        Gram matrices of one size are taken together.
        """
        found: list[np.ndarray] = [np.zeros(0)] * len(looks)
        sides = [min(self.A.shape[0] // look.Q, self.A.shape[1] // look.P) for look in looks]
        batch: list[int] = []
        entries = 0
        for i in [*sorted(range(len(looks)), key=sides.__getitem__), None]:
            if batch and (i is None or sides[i] != sides[batch[0]] or entries > TOGETHER):
                for j, tails in zip(batch, self._together([looks[j] for j in batch], rng)):
                    found[j] = tails
                batch, entries = [], 0
            if i is not None:
                batch.append(i)
                entries += looks[i].size * sides[i] ** 2
        return found

    def _together(self, looks: Sequence[Look], rng: np.random.Generator) -> np.ndarray:
        """Squared tails (looks, ranks) of places whose Gram matrices have one size."""
        drawn = [look for look in looks if look.drawn]
        energies = {Q: self._energies(Q) for Q in {look.Q for look in drawn}}
        uniform = rng.random(sum(look.size for look in drawn))
        grams, weights = block_grams(self.A, looks, energies, uniform)
        spectra = to_numpy(array_namespace(self.A).linalg.eigvalsh(grams))
        starts = [0, *accumulate(look.size for look in looks)][:-1]
        squares = np.add.reduceat(weights[:, None] * np.maximum(spectra, 0), starts, axis=0)
        tails = np.zeros((len(looks), squares.shape[1] + 1))
        tails[:, -2::-1] = np.cumsum(squares, axis=1)
        return tails

    def _energies(self, Q: int) -> Any:
        """Squared norms of each column in the Q classes of rows: spaced, and contiguous."""
        if Q not in self._by_rows:
            xp, (m, n) = array_namespace(self.A), self.A.shape
            spaced = xp.sum(xp.reshape(self._energy, (m // Q, Q, n)), axis=0)
            together = xp.sum(xp.reshape(self._energy, (Q, m // Q, n)), axis=1)
            self._by_rows[Q] = xp.stack([spaced, together])
        return self._by_rows[Q]

    @cached_property
    def norm(self) -> float:
        """Norm of the matrix."""
        return float(array_namespace(self.A).sum(self._energy)) ** 0.5

    @cached_property
    def _energy(self) -> Any:
        return array_namespace(self.A).astype(abs2(self.A), array_namespace(self.A).float64)
