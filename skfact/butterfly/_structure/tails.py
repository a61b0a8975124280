"""What blocks of rank r leave out of a matrix at a node: the error of a chain of two factors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from skfact._backend import array_namespace, to_numpy
from skfact._kernels.drawn_blocks import drawn_blocks
from skfact._linalg import abs2, adjoint
from skfact.butterfly._structure.nodes import Arrangement, Node, padded


TOGETHER = 2**18  # entries of Gram matrices


class Look(NamedTuple):
    """A place to look at: in which arrangements, and at how many blocks of each."""

    place: tuple[int, int]
    arrangements: np.ndarray  # (w, 2)
    count: int


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
        (squares,) = self.squares([Look(node[:2], np.array([arrangement], dtype=np.int64), count)], rng)
        return np.sqrt(squares[0])

    def squares(self, looks: Sequence[Look], rng: np.random.Generator) -> list[np.ndarray]:
        """Squared tails (arrangements, ranks) of some places: from all blocks if they are so few.

        Gram matrices of one size are taken together.
        """
        found: list[np.ndarray] = [np.zeros(0)] * len(looks)
        batch: list[tuple[int, Any, np.ndarray]] = []
        sizes = [self._side(look.place) for look in looks]
        for i in sorted(range(len(looks)), key=sizes.__getitem__):
            blocks, weights = self._blocks(looks[i], rng)
            wide = blocks.shape[-2] <= blocks.shape[-1]
            gram = blocks @ adjoint(blocks) if wide else adjoint(blocks) @ blocks
            full = sum(len(grams) for _, grams, _ in batch) * sizes[i] ** 2 > TOGETHER
            if batch and (full or sizes[i] != sizes[batch[0][0]]):
                self._finish(batch, found)
                batch = []
            batch.append((i, gram, weights))
        self._finish(batch, found)
        return found

    def _finish(self, batch: Sequence[tuple[int, Any, np.ndarray]], found: list[Any]) -> None:
        """Squared tails from the Gram matrices of some places."""
        if not batch:
            return
        xp, grams = array_namespace(self.A), [grams for _, grams, _ in batch]
        spectra = to_numpy(xp.linalg.eigvalsh(xp.concat(grams) if len(grams) > 1 else grams[0]))
        spectra, start = np.maximum(spectra, 0), 0
        for i, _, weights in batch:
            own = spectra[start : start + weights.size].reshape(*weights.shape, -1)
            squares = (weights[:, None] @ own)[:, 0]
            found[i] = np.zeros((len(weights), squares.shape[1] + 1))
            found[i][:, -2::-1] = np.cumsum(squares, axis=1)
            start += weights.size

    def _side(self, place: tuple[int, int]) -> int:
        return min(self.A.shape[0] // place[0], self.A.shape[1] // place[1])

    def _blocks(self, look: Look, rng: np.random.Generator) -> tuple[Any, np.ndarray]:
        """Blocks (.., rows, columns), and what each counts for in its arrangement."""
        place, ways, count = look
        if count >= place[0] * place[1]:
            return drawn_blocks(self.A, place, ways, None, None)
        uniform = rng.random((len(ways), count))
        return drawn_blocks(self.A, place, ways, self._energies(place[0]), uniform)

    def _energies(self, Q: int) -> Any:
        """Squared norms of each column in the Q classes of rows: spaced, and contiguous."""
        if Q not in self._by_rows:
            xp, (m, n) = array_namespace(self.A), self.A.shape
            spaced = xp.sum(xp.reshape(self._energy, (m // Q, Q, n)), axis=0)
            together = xp.sum(xp.reshape(self._energy, (Q, m // Q, n)), axis=1)
            self._by_rows[Q] = xp.stack([spaced, together])
        return self._by_rows[Q]

    @cached_property
    def _energy(self) -> Any:
        return array_namespace(self.A).astype(abs2(self.A), array_namespace(self.A).float64)

