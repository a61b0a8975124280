"""What blocks of rank r leave out of a matrix at a node: the error of a chain of two factors."""

from __future__ import annotations

from typing import Any

import numpy as np

from skfact._backend import array_namespace, to_numpy
from skfact._linalg import abs2, adjoint, is_complex
from skfact.butterfly._structure.nodes import Arrangement, Node, blocks_at


def tails_at(
    A: Any,
    node: Node,
    arrangement: Arrangement,
    sample: tuple[int, np.random.Generator] | None = None,
) -> np.ndarray:
    r"""Norms that the best blocks of rank 0, 1, .. leave out of a matrix of ordinary magnitude.

    Entry r is :math:`(\sum_{blocks} \sum_{i > r} \sigma_i^2)^{1/2}`, from all blocks, or estimated
    from a `sample` of so many, drawn with a probability proportional to their energy. From Gram
    matrices: a tail below the root of the precision, relative to the norm, is rounding.
    """
    xp = array_namespace(A)
    blocks = blocks_at(A, node, arrangement)
    weights: Any = 1.0
    if sample is not None and sample[0] < node.Q * node.P:
        blocks, weights = _drawn(blocks, *sample)
    blocks = xp.astype(blocks, xp.complex128 if is_complex(A) else xp.float64)
    wide = blocks.shape[-2] <= blocks.shape[-1]
    gram = blocks @ adjoint(blocks) if wide else adjoint(blocks) @ blocks
    spectra = np.clip(to_numpy(xp.linalg.eigvalsh(gram)), 0, None)  # ascending
    squares = np.sum((weights * spectra.reshape(-1, spectra.shape[-1]).T).T, axis=0)
    return np.sqrt(np.append(np.cumsum(squares)[::-1], 0.0))


def _drawn(blocks: Any, count: int, rng: np.random.Generator) -> tuple[Any, np.ndarray]:
    """Some blocks, and what each counts for: the energy of all over their own, on average."""
    xp = array_namespace(blocks)
    energy = to_numpy(xp.sum(abs2(blocks), axis=(2, 3))).astype(float)
    total = energy.sum()
    if total == 0:
        return blocks[:1, :1, ...], np.zeros(1)
    places, times = np.unique(
        rng.choice(energy.size, count, p=energy.ravel() / total), return_counts=True
    )
    chosen = [blocks[int(i), int(j), ...] for i, j in zip(*np.unravel_index(places, energy.shape))]
    return xp.stack(chosen), times / count * total / energy.ravel()[places]
