"""What blocks of rank r leave out of a matrix at a node: the error of a chain of two factors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from skfact._backend import array_namespace, to_numpy
from skfact._linalg import abs2, adjoint, is_complex
from skfact.butterfly._structure.nodes import Arrangement, Node, blocks_at, padded


class Tails:
    r"""Norms that the best blocks of rank 0, 1, .. leave out of a matrix of ordinary magnitude.

    Entry r is :math:`(\sum_{blocks} \sum_{i > r} \sigma_i^2)^{1/2}`. From Gram matrices: a tail
    below the root of the precision, relative to the norm, is rounding. The matrix is padded with
    zeros to the shape.
    """

    def __init__(self, A: Any, shape: tuple[int, int] | None = None) -> None:
        self.A = A if shape is None else padded(A, shape)
        self._by_rows: dict[tuple[int, bool], Any] = {}  # energies (Q, n) of classes, beside A

    def exact(self, node: Node, arrangement: Arrangement) -> np.ndarray:
        """From all blocks of a node."""
        return _tails_of(_spectra(blocks_at(self.A, node, arrangement)), 1.0)

    def sampled(
        self, node: Node, arrangement: Arrangement, count: int, rng: np.random.Generator
    ) -> np.ndarray:
        """Estimated from some blocks, drawn with a probability proportional to their energy."""
        return self.sampled_in_all(node, [arrangement], count, rng)[0]

    def sampled_in_all(
        self, node: Node, arrangements: Sequence[Arrangement], count: int, rng: np.random.Generator
    ) -> list[np.ndarray]:
        """`sampled` for some arrangements at once, whose blocks have one shape."""
        if count >= node.Q * node.P:
            return [self.exact(node, arrangement) for arrangement in arrangements]
        drawn, weights = [], []
        for arrangement in arrangements:
            share = self._block_energies(node, arrangement)
            cumulated = np.cumsum(share)
            total = cumulated[-1]
            chosen = np.searchsorted(cumulated, total * rng.random(count), side="right")
            chosen = np.minimum(chosen, share.size - 1)
            # what each counts for is the energy of all over its own, on average
            counted = np.where(share[chosen] > 0, share[chosen], np.inf)
            weights.append(total / count / counted)
            drawn.append(_some_blocks(blocks_at(self.A, node, arrangement), chosen))
        if len(drawn) > 1:
            drawn = [array_namespace(self.A).concat(drawn)]
        spectra = _spectra(drawn[0])
        return [
            _tails_of(spectra[i * count : (i + 1) * count], weights[i])
            for i in range(len(arrangements))
        ]

    def _block_energies(self, node: Node, arrangement: Arrangement) -> np.ndarray:
        """Squared norms of all blocks, row by row, on the host."""
        xp, key = array_namespace(self.A), (node.Q, arrangement.rows)
        if key not in self._by_rows:
            energy, (m, n) = self._energy, self.A.shape
            split = (node.Q, m // node.Q, n) if arrangement.rows else (m // node.Q, node.Q, n)
            axis = 1 if arrangement.rows else 0
            self._by_rows[key] = xp.sum(xp.reshape(energy, split), axis=axis)
        by_rows = self._by_rows[key]
        n, P = self.A.shape[1], node.P
        split = (node.Q, n // P, P) if arrangement.cols else (node.Q, P, n // P)
        energies = xp.sum(xp.reshape(by_rows, split), axis=1 if arrangement.cols else 2)
        return np.ravel(to_numpy(energies))

    @cached_property
    def _energy(self) -> Any:
        return array_namespace(self.A).astype(abs2(self.A), array_namespace(self.A).float64)


def _some_blocks(blocks: Any, chosen: np.ndarray) -> Any:
    """Blocks (count, rows, columns) of (Q, P, rows, columns)."""
    i, j = np.divmod(chosen, blocks.shape[1])
    if isinstance(blocks, np.ndarray):
        return blocks[i, j]
    pairs = zip(i.tolist(), j.tolist(), strict=True)
    return array_namespace(blocks).stack([blocks[at, to, ...] for at, to in pairs])


def _spectra(blocks: Any) -> np.ndarray:
    """Squared singular values of blocks (.., rows, columns), ascending."""
    xp = array_namespace(blocks)
    blocks = xp.astype(blocks, xp.complex128 if is_complex(blocks) else xp.float64)
    wide = blocks.shape[-2] <= blocks.shape[-1]
    gram = blocks @ adjoint(blocks) if wide else adjoint(blocks) @ blocks
    spectra = np.maximum(to_numpy(xp.linalg.eigvalsh(gram)), 0)
    return spectra.reshape(-1, spectra.shape[-1])


def _tails_of(spectra: np.ndarray, weights: Any) -> np.ndarray:
    """Tails of blocks, each as often as its weight says."""
    squares = np.sum(spectra, axis=0) if np.isscalar(weights) else weights @ spectra
    return np.sqrt(np.append(np.cumsum(squares)[::-1], 0.0))
