"""Diagonal matrices between neighbouring factors, which the product does not see."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import scipy.sparse

from skfact.deep_linear._factor_sets.factor_set import FactorSet
from skfact.deep_linear._stability._lifting.lifting_rank import null_space
from skfact.deep_linear._stability._lifting.structure import Structure
from skfact.fixed_support import is_closable

MOST_TANGENTS = 2**24  # entries of the changes of a factor by diagonal matrices
LARGEST_MIXED = 4096  # inner sizes at which pairs of nodes are compared


def inner_nodes(masks: Sequence[Any]) -> list[np.ndarray]:
    """At each gap, which nodes lie on a path from a row to a column of the product."""
    from_rows = [np.ones(masks[0].shape[0], dtype=bool)]
    for mask in masks:
        from_rows.append(mask.T @ from_rows[-1].astype(float) > 0)
    to_columns = [np.ones(masks[-1].shape[1], dtype=bool)]
    for mask in reversed(masks):
        to_columns.insert(0, mask @ to_columns[0].astype(float) > 0)
    return [a & b for a, b in zip(from_rows, to_columns)]  # ends included


def dead_entry(structure: Structure) -> tuple[int, int] | None:
    """Factor and number of a parameter on no path through the supports, if there is one."""
    assert structure.masks is not None and structure.places is not None
    nodes = inner_nodes(structure.masks)
    for k, (rows, columns) in enumerate(structure.places):
        dead = np.flatnonzero(~(nodes[k][rows] & nodes[k + 1][columns]))
        if dead.size:
            return k, int(dead[0])
    return None


def rescaled(structure: Structure, h: Sequence[Any], gap: int, diagonal: np.ndarray) -> list[Any]:
    """Parameters of masks with ``M_k D`` and ``D^-1 M_(k+1)`` for a diagonal matrix at a gap."""
    assert structure.places is not None
    columns, rows = structure.places[gap][1], structure.places[gap + 1][0]
    found = list(h)
    found[gap] = h[gap] * diagonal[columns]
    found[gap + 1] = h[gap + 1] / diagonal[rows]
    return found


def mixed(structure: Structure, h: Sequence[Any]) -> list[Any] | None:
    """Other parameters of masks with the same product, which no diagonal matrices make.

    Where node j has its column of M_k within that of node i, and node i its row of M_(k+1) within
    that of j, a multiple of column j goes to column i, and row j pays with that of row i.
    """
    assert structure.masks is not None and structure.places is not None
    nodes = inner_nodes(structure.masks)
    for gap in range(len(structure.sets) - 1):
        pair = _nested_nodes(structure.masks[gap], structure.masks[gap + 1], nodes[gap + 1])
        if pair is None:
            continue
        i, j = pair
        left, right = (structure.sets[k] for k in (gap, gap + 1))
        first = left.dense(structure.values(gap, h[gap])).copy()
        second = right.dense(structure.values(gap + 1, h[gap + 1])).copy()
        first[:, i] += first[:, j]
        second[j] -= second[i]
        found = list(h)
        found[gap] = left.restrict(first).reshape(-1)
        found[gap + 1] = right.restrict(second).reshape(-1)
        return found
    return None


def _nested_nodes(left: Any, right: Any, alive: np.ndarray) -> tuple[int, int] | None:
    """Two nodes i, j with column j within column i on the left, row i within row j on the right."""
    if alive.size > LARGEST_MIXED:
        return None
    # (j, i) where column j is within column i; (i, j) where row i is within row j
    inside, below = _within(left.T @ left), _within(right @ right.T)
    found = scipy.sparse.coo_array(inside.multiply(below.T))
    keep = alive[found.row] & alive[found.col] & (found.data != 0)
    if not keep.any():
        return None
    at = int(np.flatnonzero(keep)[0])
    return int(found.col[at]), int(found.row[at])


def _within(common: Any) -> Any:
    """Pairs of lines of which the first is within the second, from the numbers they share."""
    pairs = scipy.sparse.coo_array(common)
    keep = (pairs.data == common.diagonal()[pairs.row]) & (pairs.row != pairs.col)
    places = pairs.row[keep], pairs.col[keep]
    return scipy.sparse.csr_array((np.ones(keep.sum()), places), shape=pairs.shape)


def closes(structure: Structure) -> bool:
    """Whether completion determines the factors of masks, split in two again and again.

    A product of two masks that is closable determines its factors up to a diagonal matrix, if they
    have no zeros on their masks. This holds for the products of neighbours, of almost all factors.
    """
    masks = structure.masks
    assert masks is not None

    @lru_cache(None)
    def product(i: int, j: int) -> Any:
        found = masks[i]
        for mask in masks[i + 1 : j]:
            found = found @ mask
        found.data[:] = 1
        return found

    @lru_cache(None)
    def determined(i: int, j: int) -> bool:
        return j - i == 1 or any(
            is_closable(product(i, s), product(s, j)) and determined(i, s) and determined(s, j)
            for s in range(i + 1, j)
        )

    return determined(0, len(masks))


def directions(structure: Structure, h: Sequence[np.ndarray], diagonal: bool) -> np.ndarray:
    """Changes of h that follow scalars, or all diagonal matrices that stay inside the structure.

    One per column: first a multiple of one factor against the next; with `diagonal` one for each
    independent diagonal matrix at a gap that keeps both neighbours in their sets.
    """
    ends = np.cumsum([0, *structure.sizes])
    found = []
    for gap in range(len(h) - 1):
        pair = structure.sets[gap], structure.sets[gap + 1]
        n = pair[0].shape[1]
        kept = kept_diagonals(*pair) if diagonal else np.ones((1, n))
        before, after = (s.dense(structure.values(gap + i, h[gap + i])) for i, s in enumerate(pair))
        for d in kept:
            change = np.zeros(ends[-1])
            change[ends[gap] : ends[gap + 1]] = _flat(pair[0].coordinates(before * d))
            change[ends[gap + 1] : ends[gap + 2]] = _flat(pair[1].coordinates(-d[:, None] * after))
            found.append(change)
    return np.stack(found, axis=1) if found else np.zeros((ends[-1], 0))


def kept_diagonals(left: FactorSet, right: FactorSet) -> np.ndarray:
    """Independent diagonals (count, n) that keep every factor of both sets in its set."""
    n, random = left.shape[1], np.random.RandomState(0)
    conditions = [np.zeros((1, n))]
    for one in (left, right.T):
        if not one.keeps_scaled_columns:
            conditions += [_leaving(one, random) for _ in range(2)]
    return null_space(np.concatenate(conditions), floor=1e-9).T


def _leaving(one: FactorSet, random: np.random.RandomState) -> np.ndarray:
    """What a random factor with only its column j has outside its set, for each j as a column."""
    matrix = one.dense(random.standard_normal(one.values_shape))
    found = []
    for j in range(one.shape[1]):
        column = np.zeros_like(matrix)
        column[:, j] = matrix[:, j]
        found.append((column - one.dense(one.coordinates(column))).reshape(-1))
    return np.stack(found, axis=1)


def n_diagonals(structure: Structure, random: np.random.RandomState) -> int:
    """Dimension of the rescalings of almost every h that stay inside the structure."""
    if structure.masks is not None:
        return sum(int(alive.sum()) for alive in inner_nodes(structure.masks)[1:-1])
    changes = directions(structure, structure.draw(random), diagonal=True)
    return int(np.linalg.matrix_rank(changes)) if changes.size else 0


def most_diagonals(structure: Structure, random: np.random.RandomState) -> int | None:
    """What that dimension is at most, with matrices that stay inside for one h alone.

    That is the dimension of their tangents at a random h, in all factors together. None for large
    structures.
    """
    sets, h = structure.sets, structure.draw(random)
    ends = np.cumsum([0, *(one.shape[1] for one in sets[:-1])])
    if max(math.prod(one.shape) for one in sets) * ends[-1] > MOST_TANGENTS:
        return None
    effects, outside = [], []
    for k, one in enumerate(sets):
        matrix = one.dense(structure.values(k, h[k]))
        m, n = one.shape
        made = np.zeros((m, n, ends[-1]))  # d_i of the gap before and d_j of that after
        if k > 0:
            made[np.arange(m), :, ends[k - 1] + np.arange(m)] -= matrix
        if k < len(sets) - 1:
            made[:, np.arange(n), ends[k] + np.arange(n)] += matrix
        inside = [one.dense(one.coordinates(made[..., i])) for i in range(ends[-1])]
        flat = made.reshape(m * n, -1)
        effects.append(flat.T @ flat)
        if inside:
            flat = flat - np.stack(inside, axis=-1).reshape(m * n, -1)
            outside.append(flat.T @ flat)
    if not outside:
        return 0
    # squares of sizes: what is zero is so up to the square root of rounding
    kept = null_space(sum(outside), floor=1e-9)
    return int(np.linalg.matrix_rank(kept.T @ sum(effects) @ kept, tol=1e-9)) if kept.size else 0


def _flat(values: Any) -> np.ndarray:
    return np.reshape(values, (math.prod(np.shape(values)),))
