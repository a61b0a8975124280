"""What blocks of rank r leave out of a matrix at a node: the error of a chain of two factors."""

from __future__ import annotations

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

    @cached_property
    def _energy(self) -> Any:
        return abs2(self.A)

    def exact(self, node: Node, arrangement: Arrangement) -> np.ndarray:
        """From all blocks of a node."""
        return _tails(blocks_at(self.A, node, arrangement), 1.0)

    def sampled(
        self, node: Node, arrangement: Arrangement, count: int, rng: np.random.Generator
    ) -> np.ndarray:
        """Estimated from some blocks, drawn with a probability proportional to their energy."""
        if count >= node.Q * node.P:
            return self.exact(node, arrangement)
        xp = array_namespace(self.A)
        energy = xp.sum(blocks_at(self._energy, node, arrangement), axis=(2, 3))
        share = to_numpy(energy).astype(float).ravel()
        total = share.sum()
        blocks = blocks_at(self.A, node, arrangement)
        if total == 0:
            return _tails(blocks[:1, :1, ...], 0.0)
        places, times = np.unique(
            rng.choice(share.size, count, p=share / total), return_counts=True
        )
        # what each counts for is the energy of all over its own, on average
        weights = times / count * total / share[places]
        drawn = [blocks[int(i), int(j), ...] for i, j in zip(*np.divmod(places, node.P))]
        return _tails(xp.stack(drawn), weights)


def _tails(blocks: Any, weights: Any) -> np.ndarray:
    """Tails of blocks (.., rows, columns), each block as often as its weight says."""
    xp = array_namespace(blocks)
    blocks = xp.astype(blocks, xp.complex128 if is_complex(blocks) else xp.float64)
    wide = blocks.shape[-2] <= blocks.shape[-1]
    gram = blocks @ adjoint(blocks) if wide else adjoint(blocks) @ blocks
    spectra = np.clip(to_numpy(xp.linalg.eigvalsh(gram)), 0, None)  # ascending
    squares = (weights * spectra.reshape(-1, spectra.shape[-1]).T).sum(axis=1)
    return np.sqrt(np.append(np.cumsum(squares)[::-1], 0.0))
