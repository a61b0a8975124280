"""The levels of the search: seeds, alternation, merging."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from skfact._linalg import abs2

EXACT = 1e-13  # of the squared norm: what a level loses at most if it loses rounding alone
SWEEPS = 20  # of the alternation; a handful is usual


class Effort(NamedTuple):
    """How much of a level is looked at."""

    anchors: int  # rows that are paired with all others
    pairs: int  # of each anchor: the partitions that are refined
    width: int  # of the beam


class Merged(NamedTuple):
    """Where some levels have led: rows merged, columns parted."""

    blocks: np.ndarray  # (g, r, w): in each of g groups of w columns, r rows
    rows: np.ndarray  # (r, q_l, ..., q_1): the rows of A in each of the r
    cols: np.ndarray  # (g, w): the columns of A in each group
    lost: float  # squared norm of what is lost


class _Split(NamedTuple):
    """How a level groups the rows and parts the columns."""

    groups: np.ndarray  # (r / q, q): rows
    parts: np.ndarray  # (g, w): the columns of each group, part after part
    weights: np.ndarray  # (g, p, r / q, q): of the rows in the one they become
    lost: float


def descend(
    A: np.ndarray,
    q: tuple[int, ...],
    p: tuple[int, ...],
    effort: Effort,
    random: np.random.RandomState | None,
) -> Merged:
    """All rows merged and each column a group: their orders are those of the chain."""
    m, n = A.shape
    exact = EXACT * float(np.sum(abs2(A)))
    beam = [Merged(A[None], np.arange(m), np.arange(n)[None], 0.0)]
    for q_l, p_l in zip(q, p):
        ways = [
            (state, split)
            for state in beam
            for split in _splits(state.blocks, q_l, p_l, effort, random, exact)
        ]
        ways.sort(key=lambda way: way[0].lost + way[1].lost)
        keep = effort.width if ways[0][0].lost + ways[0][1].lost > exact else 1
        beam = [_merge(state, split) for state, split in ways[:keep]]
    return beam[0]


def _merge(state: Merged, split: _Split) -> Merged:
    """One row for each group of rows and each part of the columns."""
    g, _, w = state.blocks.shape
    p = split.weights.shape[1]
    members = _by_parts(state.blocks, split.parts, p)[:, :, split.groups]  # (g, p, r/q, q, w/p)
    blocks = (split.weights[..., None, :] @ members)[..., 0, :]
    return Merged(
        blocks.reshape(g * p, -1, w // p),
        state.rows[split.groups],
        np.take_along_axis(state.cols, split.parts, axis=1).reshape(g * p, w // p),
        state.lost + split.lost,
    )


def _splits(
    blocks: np.ndarray,
    q: int,
    p: int,
    effort: Effort,
    random: np.random.RandomState | None,
    exact: float,
) -> list[_Split]:
    """The splits of least loss from several seeds; one alone if it loses nothing."""
    g, r, w = blocks.shape
    if p in (1, w):  # there is one partition only
        return [_alternate(blocks, np.zeros((g, w, p)), q)]
    energies = np.sum(abs2(blocks), axis=(0, 2))
    if random is not None:
        energies = energies * random.uniform(size=r)
    found: dict[tuple[float, bytes], _Split] = {}
    for anchor in np.argsort(-energies, kind="stable")[: effort.anchors]:
        for scores in _seeds(blocks, p, anchor, effort.pairs):
            split = _alternate(blocks, scores, q)
            if split.lost <= exact:
                return [split]
            found.setdefault((split.lost, split.groups.tobytes()), split)
    return sorted(found.values(), key=lambda split: split.lost)[: effort.width]


def _seeds(blocks: np.ndarray, p: int, anchor: int, count: int) -> Iterator[np.ndarray]:
    """For the best pairs of a row with others: the scores (g, w, p) of columns and parts."""
    s = _stokes(blocks[:, anchor, None], blocks)  # (g, r, w, 2 or 3)
    lengths = np.linalg.norm(s, axis=-1)
    centres = np.zeros((*s.shape[:2], p, s.shape[-1]))
    nearest = -lengths
    for h in range(p):  # the column that the lines so far leave most of starts the next
        column = np.argmax(lengths - nearest, axis=-1)[..., None, None]
        centres[:, :, h] = _unit(np.take_along_axis(s, column, axis=2)[:, :, 0])
        nearest = np.maximum(nearest, (s @ centres[:, :, h, :, None])[..., 0])
    for _ in range(4):
        closest = np.argmax(s @ np.swapaxes(centres, 2, 3), axis=-1)
        sums = np.swapaxes(closest[..., None] == np.arange(p), 2, 3).astype(float) @ s
        centres = _unit(sums)
    whole = np.sum(lengths, axis=(0, 2))
    one = whole - np.sum(np.linalg.norm(np.sum(s, axis=2), axis=-1), axis=0)
    several = whole - np.sum(np.linalg.norm(sums, axis=-1), axis=(0, 2))
    # one line is enough for all columns: such a pair tells nothing, as a row with itself
    telling = one > 1e-12 * whole
    share = np.where(telling, np.maximum(several, 0.0) / np.where(telling, one, 1.0), 2.0)
    for other in np.argsort(share, kind="stable")[:count]:
        yield s[:, other] @ np.swapaxes(centres[:, other], 1, 2)


def _stokes(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Vectors of length |x|^2 + |y|^2 in the direction of the line through (x, y)."""
    cross = 2 * np.conj(x) * y
    parts = [abs2(x) - abs2(y), cross.real]
    if np.iscomplexobj(cross):
        parts.append(cross.imag)
    return np.stack(parts, axis=-1)


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors of length one; zero stays zero."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1.0)


def _alternate(blocks: np.ndarray, scores: np.ndarray, q: int) -> _Split:
    """Grouping of the rows and partition of the columns in turns, while the loss falls."""
    p = scores.shape[-1]
    best: _Split | None = None
    for _ in range(SWEEPS):
        parts = _equal_parts(scores)
        halves = _by_parts(blocks, parts, p)
        grams = halves @ np.conj(np.swapaxes(halves, 2, 3))  # (g, p, r, r)
        groups = _groups(_pair_residuals(grams), q)
        values, vectors = np.linalg.eigh(grams[:, :, groups[:, :, None], groups[:, None, :]])
        lost = float(np.sum(np.maximum(values[..., :-1], 0.0)))
        if best is not None and not lost < best.lost:
            break
        weights = np.conj(vectors[..., -1])
        best = _Split(groups, parts, weights, lost)
        kept = weights[..., None, :] @ blocks[:, None, groups]  # (g, p, r/q, 1, w)
        scores = np.moveaxis(np.sum(abs2(kept), axis=(2, 3)), 1, 2)
    assert best is not None
    return best


def _equal_parts(scores: np.ndarray) -> np.ndarray:
    """The columns (g, w), part after part of equal size, of the largest sum of scores (g, w, p)."""
    g, w, p = scores.shape
    if p in (1, w):
        return np.tile(np.arange(w), (g, 1))
    if p == 2:
        return np.argsort(scores[..., 1] - scores[..., 0], axis=1, kind="stable")
    places = np.repeat(scores, w // p, axis=2)  # (g, w, w)
    return np.stack([linear_sum_assignment(s.T, maximize=True)[1] for s in places])


def _by_parts(blocks: np.ndarray, parts: np.ndarray, p: int) -> np.ndarray:
    """The columns of each part on their own: (g, r, w) to (g, p, r, w / p)."""
    g, r, w = blocks.shape
    ordered = np.take_along_axis(blocks, parts[:, None], axis=2)
    return np.swapaxes(ordered.reshape(g, r, p, w // p), 1, 2)


def _pair_residuals(grams: np.ndarray) -> np.ndarray:
    """Squared norm of what one row for each part leaves of two rows, from (g, p, r, r)."""
    norms = np.real(np.diagonal(grams, axis1=2, axis2=3))
    sums = norms[..., :, None] + norms[..., None, :]
    differences = norms[..., :, None] - norms[..., None, :]
    smaller = sums - np.sqrt(differences**2 + 4 * abs2(grams))
    return np.sum(np.maximum(smaller, 0.0), axis=(0, 1)) / 2


def _groups(residuals: np.ndarray, q: int) -> np.ndarray:
    """Groups (r / q, q) of rows of small residuals, each in ascending order.

    Pairs are those of a linear assignment; rows that it sends around in longer cycles, and larger
    groups, are joined one after the other, the least residual first. Then rows of two groups
    change places while the sum of all residuals within groups falls.
    """
    r = len(residuals)
    if q in (1, r):
        return np.arange(r).reshape(-1, q)
    residuals = residuals + np.diag(np.full(r, np.inf))
    groups, left = [], np.arange(r)
    if q == 2:
        partner = linear_sum_assignment(residuals)[1]
        mutual = partner[partner] == left
        groups = [[i, partner[i]] for i in left[mutual] if i < partner[i]]
        left = left[~mutual]
    while len(left):
        among = residuals[np.ix_(left, left)]
        members = [*np.unravel_index(np.argmin(among), among.shape)]
        while len(members) < q:
            links = np.sum(among[members], axis=0)  # infinite for the members
            members.append(np.argmin(links))
        groups.append(left[members].tolist())
        left = np.delete(left, members)
    return np.array(sorted(map(tuple, np.sort(_swapped(np.array(groups), residuals), axis=1))))


def _swapped(groups: np.ndarray, residuals: np.ndarray) -> np.ndarray:
    """The groups after all exchanges of two rows that lessen the sum of residuals, best first."""
    r = len(residuals)
    residuals = residuals.copy()
    np.fill_diagonal(residuals, 0.0)
    group = np.empty(r, dtype=np.intp)
    group[groups] = np.arange(len(groups))[:, None]
    for _ in range(r):
        to_group = np.sum(residuals[:, groups], axis=2)  # (r, r / q)
        to_others = to_group[:, group]  # of row i to the group of row j
        own = np.diagonal(to_others)
        change = to_others + to_others.T - 2 * residuals - own[:, None] - own
        change[group[:, None] == group] = 0.0
        i, j = np.unravel_index(np.argmin(change), change.shape)
        if change[i, j] >= -1e-9 * np.sum(own):
            break
        groups = np.where(groups == i, j, np.where(groups == j, i, groups))
        group[[i, j]] = group[[j, i]]
    return groups
