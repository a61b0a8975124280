"""Blocks at a place (Q, P), whose rows and columns are spaced or contiguous, for any library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from skfact._backend import array_namespace, to_numpy
from skfact._linalg import adjoint, is_complex


class Look(NamedTuple):
    """Which blocks to look at: those of a place, in one way to cut the matrix."""

    Q: int
    P: int
    contiguous_rows: bool
    spaced_cols: bool
    size: int  # number of blocks
    drawn: bool  # from more blocks than that


def block_view(A: Any, place: tuple[int, int], contiguous_rows: bool, spaced_cols: bool) -> Any:
    """View of a matrix as blocks (Q, P, m / Q, n / P)."""
    xp = array_namespace(A)
    (m, n), (Q, P) = A.shape, place
    row_axes = (Q, m // Q) if contiguous_rows else (m // Q, Q)
    col_axes = (n // P, P) if spaced_cols else (P, n // P)
    q, p = (0 if contiguous_rows else 1), (3 if spaced_cols else 2)
    return xp.permute_dims(xp.reshape(A, (*row_axes, *col_axes)), (q, p, 1 - q, 5 - p))


def block_grams(
    A: Any, looks: Sequence[Look], energies: Mapping[int, Any], uniform: np.ndarray
) -> tuple[Any, np.ndarray]:
    """Gram matrices (n_blocks, side, side) of the shorter sides, and what each block counts for.

    In double precision; the blocks of all looks have the same shorter side. They are drawn with a
    probability proportional to their energy: `energies` (2, Q, n) of each Q are the squared norms
    of each column in spaced and in contiguous classes of rows, `uniform` numbers between 0 and 1.
    """
    xp = array_namespace(A)
    grams, weights, start = [], [], 0
    for look in looks:
        blocks = block_view(A, look[:2], look.contiguous_rows, look.spaced_cols)
        if not look.drawn:
            blocks = xp.reshape(blocks, (look.size, *blocks.shape[2:]))
            weights.append(np.ones(look.size))
        else:
            energy = energies[look.Q][int(look.contiguous_rows), ...]
            chosen, counted = _drawn(energy, look, uniform[start : start + look.size])
            blocks = xp.stack([blocks[q, p, ...] for q, p in chosen])
            weights.append(counted)
            start += look.size
        blocks = xp.astype(blocks, xp.complex128 if is_complex(A) else xp.float64)
        wide = blocks.shape[-2] <= blocks.shape[-1]
        grams.append(blocks @ adjoint(blocks) if wide else adjoint(blocks) @ blocks)
    return xp.concat(grams) if len(grams) > 1 else grams[0], np.concatenate(weights)


def _drawn(
    energy: Any, look: Look, uniform: np.ndarray
) -> tuple[list[tuple[int, int]], np.ndarray]:
    """Places of blocks, and what each counts for: the energy of all over its own, on average."""
    xp, (Q, n), P = array_namespace(energy), energy.shape, look.P
    split = (Q, n // P, P) if look.spaced_cols else (Q, P, n // P)
    by_block = xp.sum(xp.reshape(energy, split), axis=1 if look.spaced_cols else 2)
    cumulated = np.cumsum(np.ravel(to_numpy(by_block)))
    total = cumulated[-1]
    chosen = np.searchsorted(cumulated, total * uniform, side="right")
    chosen = np.minimum(chosen, cumulated.size - 1)
    own = np.diff(cumulated, prepend=0.0)[chosen]
    weights = np.divide(total / len(uniform), own, out=np.zeros(len(own)), where=own > 0)
    return [divmod(at, P) for at in chosen.tolist()], weights
