"""Blocks at a place (Q, P), whose rows and columns are spaced or contiguous, for any library."""

from __future__ import annotations

from typing import Any

import numpy as np

from skfact._backend import array_namespace, to_numpy


def block_view(A: Any, place: tuple[int, int], contiguous_rows: bool, spaced_cols: bool) -> Any:
    """View of a matrix as blocks (Q, P, m / Q, n / P)."""
    xp = array_namespace(A)
    (m, n), (Q, P) = A.shape, place
    row_axes = (Q, m // Q) if contiguous_rows else (m // Q, Q)
    col_axes = (n // P, P) if spaced_cols else (P, n // P)
    q, p = (0 if contiguous_rows else 1), (3 if spaced_cols else 2)
    return xp.permute_dims(xp.reshape(A, (*row_axes, *col_axes)), (q, p, 1 - q, 5 - p))


def drawn_blocks(
    A: Any, place: tuple[int, int], ways: np.ndarray, energies: Any, uniform: np.ndarray | None
) -> tuple[Any, np.ndarray]:
    """Blocks (w * count, m / Q, n / P), and how often each one counts (w, count).

    Ways (w, 2) say whether classes of rows are contiguous, and whether those of columns are spaced.
    `energies` (2, Q, n) are the squared norms of each column in spaced and in contiguous classes of
    rows, and `uniform` (w, count) are numbers between 0 and 1; None takes all the blocks.
    """
    found, (Q, P) = [], place
    weights = np.ones((len(ways), Q * P)) if uniform is None else np.empty(uniform.shape)
    for i, (contiguous, spaced) in enumerate(ways.tolist()):
        blocks = block_view(A, place, bool(contiguous), bool(spaced))
        chosen = np.arange(Q * P)
        if uniform is not None:
            by_block = to_numpy(_block_energies(energies[contiguous, ...], P, spaced)).ravel()
            cumulated = np.cumsum(by_block)
            total = cumulated[-1]
            chosen = np.searchsorted(cumulated, total * uniform[i], side="right")
            chosen = np.minimum(chosen, by_block.size - 1)
            # what each counts for is the energy of all over its own, on average
            counted = np.where(by_block[chosen] > 0, by_block[chosen], np.inf)
            weights[i] = total / uniform.shape[1] / counted
        q, p = (index.tolist() for index in np.divmod(chosen, P))
        found += [blocks[at, to, ...] for at, to in zip(q, p, strict=True)]
    return array_namespace(A).stack(found), weights


def _block_energies(by_rows: Any, P: int, spaced: int) -> Any:
    xp, (Q, n) = array_namespace(by_rows), by_rows.shape
    split = (Q, n // P, P) if spaced else (Q, P, n // P)
    return xp.sum(xp.reshape(by_rows, split), axis=1 if spaced else 2)
