"""Other parameters with the same product: proofs that a structure is not identifiable."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import combinations, pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import scipy.linalg

from skfact.deep_linear._factor_sets.structured import StructuredSet
from skfact.deep_linear._stability._classes.factor_distance import factor_distance
from skfact.deep_linear._stability._identifiability.diagonal_scalings import (
    dead_entry,
    directions,
    inner_nodes,
    rescaled,
)
from skfact.deep_linear._stability._lifting.lifting_rank import jacobian, null_space
from skfact.deep_linear._stability._lifting.structure import Structure
from skfact.deep_linear._structured import ToeplitzFactor

Pair: TypeAlias = tuple[list[np.ndarray], list[np.ndarray]]

EQUAL = 1e-10  # relative difference of products that count as equal
APART = 1e-2  # relative distance of classes that count as different
STARTS, SWEEPS, STEPS = 20, 60, 30  # of searches: random starts, alternations, Newton's steps
HOPELESS = 1e-2  # ratio of a search from which Newton's method is not tried
EXCHANGES = 64  # pairs of factors that are tried in the other order
STEEP = 1e-6  # least difference of the two rank-one tensors of a pair, relative to their size


def verified(structure: Structure, h: Sequence[np.ndarray], g: Sequence[np.ndarray]) -> Pair | None:
    """The pair, if the two have the same product and are of different classes."""
    difference = np.linalg.norm(structure.product(h) - structure.product(g))
    size = max(np.linalg.norm(structure.product(x)) for x in (h, g))
    if not any(np.any(x) for x in g):  # against zero: relative to random parameters of that size
        other = structure.draw(np.random.RandomState(0))
        ratio = math.prod(np.linalg.norm(x) / np.linalg.norm(y) for x, y in zip(h, other))
        size = ratio * np.linalg.norm(structure.product(other))
    if not difference <= EQUAL * size:
        return None
    zero = [0 * x for x in h]
    sizes = [factor_distance(x, zero) for x in (h, g)]
    return (list(h), list(g)) if factor_distance(h, g) > APART * max(sizes) else None


def of_masks(structure: Structure, random: np.random.RandomState) -> Pair | None:
    """For masks: a diagonal matrix between two factors, or a parameter that no entry depends on."""
    assert structure.masks is not None
    h = structure.draw(random)
    for gap, alive in enumerate(inner_nodes(structure.masks)[1:-1]):
        if np.count_nonzero(alive) > 1:
            diagonal = random.uniform(0.5, 2, alive.size)
            diagonal[np.flatnonzero(alive)[0]] = -2
            return verified(structure, h, rescaled(structure, h, gap, diagonal))
    dead = dead_entry(structure)
    if dead is None:
        return None
    g = [x.copy() for x in h]
    g[dead[0]][dead[1]] *= -1
    return verified(structure, h, g)


def along_fibre(
    structure: Structure, random: np.random.RandomState, diagonal: bool = False
) -> Pair | None:
    """A pair on the surface of equal products through a random point, off its rescalings."""
    h = structure.draw(random)
    flat = null_space(jacobian(structure, h, random))
    known = scipy.linalg.orth(directions(structure, h, diagonal))
    flat = flat - known @ (known.T @ flat)
    step = flat @ random.standard_normal(flat.shape[1])
    size = math.sqrt(sum(float(x @ x) for x in h))
    for length in (0.5, 0.1, 0.03):
        moved = split(structure, np.concatenate(h) + length * size * step / np.linalg.norm(step))
        found = verified(structure, h, _onto(structure, moved, structure.product(h)))
        if found is not None:
            return found
    return None


def _onto(structure: Structure, g: list[np.ndarray], goal: np.ndarray) -> list[np.ndarray]:
    """The nearest parameters with a given product, by Newton's method with shortest steps."""
    for _ in range(STEPS):
        rest = (structure.product(g) - goal).reshape(-1)
        if np.linalg.norm(rest) <= 1e-14 * np.linalg.norm(goal):
            break
        step = scipy.linalg.lstsq(jacobian(structure, g), rest, cond=1e-9)[0]
        g = split(structure, np.concatenate(g) - step)
    return g


def split(structure: Structure, vector: np.ndarray) -> list[np.ndarray]:
    """The parameters of all factors in one vector, factor by factor."""
    return np.split(vector, np.cumsum(structure.sizes)[:-1])


def exchanged(
    structure: Structure, random: np.random.RandomState
) -> tuple[Pair | None, tuple[int, int]]:
    """Parameters of two factors exchanged, where a random product stays the same; and which two.

    Both sides are polynomials in h: what holds at a random point, holds everywhere.
    """
    alike = [
        (j, k)
        for j, k in combinations(range(len(structure.sizes)), 2)
        if structure.sizes[j] == structure.sizes[k] > 1
        and structure.sets[j].shape == structure.sets[k].shape
    ]
    h = structure.draw(random) if alike else []
    for j, k in alike[:EXCHANGES]:
        g = list(h)
        g[j], g[k] = h[k], h[j]
        pair = verified(structure, h, g)
        if pair is not None:
            return pair, (j, k)
    return None, (0, 0)


def of_columns(structure: Structure, lift: np.ndarray) -> tuple[Pair | None, str]:
    """Unit vectors whose column of the dense lifting operator is zero, or a multiple of another."""
    norms = np.linalg.norm(lift, axis=0)
    zero = np.flatnonzero(norms <= 1e-14 * np.max(norms))
    if zero.size:
        h = unit_vectors(structure, int(zero[0]))
        return verified(structure, h, [0 * x for x in h]), "a column that is zero"
    columns = lift / norms
    largest = columns[np.argmax(np.abs(columns) > 0.5 * np.max(np.abs(columns), axis=0), axis=0)]
    signs = np.sign(largest[np.arange(len(norms)), np.arange(len(norms))])
    labels = np.unique(np.round(columns * signs, 9) + 0.0, axis=1, return_inverse=True)[1].ravel()
    order = np.argsort(labels, kind="stable")
    for s, t in pairwise(order):
        if labels[s] == labels[t]:
            h, g = unit_vectors(structure, int(s)), unit_vectors(structure, int(t))
            g[0] = g[0] * signs[s] * signs[t] * norms[s] / norms[t]
            found = verified(structure, h, g)
            if found is not None:
                return found, "two columns that are multiples of each other"
    return None, ""


def unit_vectors(structure: Structure, column: int) -> list[np.ndarray]:
    """The unit vectors of a column of the lifting operator."""
    places = np.unravel_index(column, structure.sizes)
    return [np.eye(1, size, int(s))[0] for size, s in zip(structure.sizes, places)]


def of_toeplitz_neighbours(structure: Structure) -> Pair | None:
    """Toeplitz neighbours whose product is zero: of period n and mean zero, and ones."""
    for k, (left, right) in enumerate(pairwise(structure.sets)):
        n = left.shape[1]
        if n == 1 or not (_is_toeplitz(left) and _is_toeplitz(right)):
            continue
        h: list[Any] = [np.ones(size) for size in structure.sizes]
        turns = np.arange(structure.sizes[k]) % n
        h[k] = (-1.0) ** turns if n % 2 == 0 else np.cos(2 * math.pi / n * turns)
        return verified(structure, h, [0 * x for x in h])
    return None


def _is_toeplitz(one: Any) -> bool:
    """Whether a set has all Toeplitz matrices, in one block."""
    support = one.support if isinstance(one, StructuredSet) else None
    return isinstance(support, ToeplitzFactor) and support._arguments[2] == (1, 1)


Contraction: TypeAlias = Callable[[list[np.ndarray], int], np.ndarray]


def contraction_of(structure: Structure, lift: np.ndarray | None) -> Contraction:
    """The norm-keeping part of the product as a linear function of h_k, for searches.

    Of a dense lifting operator with more rows than columns, as many rows as columns are enough.
    """
    if lift is None:
        return structure.contraction
    if lift.shape[0] > lift.shape[1]:
        lift = scipy.linalg.qr(lift, mode="r")[0][: lift.shape[1]]
    tensor = lift.reshape(-1, *structure.sizes)

    def contraction(h: list[np.ndarray], k: int) -> np.ndarray:
        found = tensor
        for x in reversed(h[k + 1 :]):
            found = found @ x
        for x in h[:k]:  # from the left: the axis after the entries
            found = np.tensordot(found, x, (1, 0))
        return found

    return contraction


def in_kernel(
    structure: Structure, random: np.random.RandomState, contraction: Contraction | None = None
) -> Pair | None:
    """Non-zero factors whose product is zero, by alternating smallest singular vectors."""
    contraction = contraction or structure.contraction
    for _ in range(STARTS):
        h = [x / np.linalg.norm(x) for x in structure.draw(random)]
        size, rest = np.linalg.norm(structure.product(h)), math.inf
        for _ in range(SWEEPS):
            before = rest
            for k in range(len(h)):
                h[k], rest = _flattest(contraction(h, k))
            if rest < 1e-13 or rest > 0.999 * before:
                break
        if rest > HOPELESS * size:
            continue
        zero = np.zeros(structure.shape)
        found = verified(structure, _onto(structure, h, zero), [0 * x for x in h])
        if found is not None:
            return found
    return None


def _flattest(matrix: np.ndarray) -> tuple[np.ndarray, float]:
    """Unit vector that a matrix makes smallest, and the norm it leaves."""
    if matrix.shape[0] > matrix.shape[1]:
        matrix = scipy.linalg.qr(matrix, mode="r")[0][: matrix.shape[1]]
    _, values, rows = scipy.linalg.svd(matrix)
    return rows[-1], float(values[-1]) if len(values) == len(rows) else 0.0


class Flattest(NamedTuple):
    """Two parameters whose difference of tensors an operator makes small: ``|A T| / |T|``."""

    ratio: float
    h: list[np.ndarray]
    g: list[np.ndarray]


def flattest_difference(
    contraction: Contraction,
    h: list[np.ndarray],
    g: list[np.ndarray],
) -> Flattest:
    """Lower ``|A (P(h) - P(g))| / |P(h) - P(g)|`` over h and g, factor by factor.

    `contraction(h, k)` is ``A P(h)`` as a matrix for h_k. For unit vectors elsewhere, with c the
    product of their inner products, the denominator is a quadratic form in (h_k, g_k) with the
    matrix [[1, -c], [-c, 1]] of blocks: the best pair is a smallest singular vector.
    """
    best = Flattest(math.inf, h, g)
    h, g = ([x / np.linalg.norm(x) for x in vectors] for vectors in (h, g))
    for _ in range(SWEEPS):
        before = best.ratio
        for k in range(len(h)):
            h, g = _unit_but(k, h), _unit_but(k, g)
            c = math.prod(float(x @ y) for j, (x, y) in enumerate(zip(h, g)) if j != k)
            if 1 - abs(c) < STEEP:
                return best
            plus, minus = (1 + abs(c)) ** -0.5, (1 - abs(c)) ** -0.5
            sign = 1.0 if c >= 0 else -1.0
            one, two = contraction(h, k), contraction(g, k)
            # blocks along (1, -s) and (1, s), in which the form is 1 + |c| and 1 - |c|
            blocks = [plus * (one + sign * two), minus * (one - sign * two)]
            z, ratio = _flattest(np.concatenate(blocks, axis=1) / math.sqrt(2))
            u, v = plus * z[: len(h[k])], minus * z[len(h[k]) :]
            h[k], g[k] = (u + v) / math.sqrt(2), sign * (v - u) / math.sqrt(2)
            if not (np.any(h[k]) and np.any(g[k])):
                return Flattest(ratio, h, g)
            if ratio < best.ratio:
                best = Flattest(ratio, list(h), list(g))
        if best.ratio < 1e-13 or best.ratio > (1 - 1e-6) * before:
            break
    return best


def _unit_but(k: int, h: list[np.ndarray]) -> list[np.ndarray]:
    return [x if j == k else x / np.linalg.norm(x) for j, x in enumerate(h)]


def with_equal_products(
    structure: Structure, random: np.random.RandomState, contraction: Contraction | None = None
) -> Pair | None:
    """Two parameters with one product, by fitting the difference of their products to zero."""
    for _ in range(STARTS):
        start = structure.draw(random), structure.draw(random)
        found = flattest_difference(contraction or structure.contraction, *start)
        if found.ratio > HOPELESS:
            continue
        pair = verified(structure, *_joined(structure, found.h, found.g))
        if pair is not None:
            return pair
    return None


def _joined(structure: Structure, h: list[np.ndarray], g: list[np.ndarray]) -> Pair:
    """The nearest two parameters whose products agree, by Newton's method on both."""
    for _ in range(STEPS):
        rest = (structure.product(h) - structure.product(g)).reshape(-1)
        if np.linalg.norm(rest) <= 1e-15:
            break
        both = np.concatenate([jacobian(structure, h), -jacobian(structure, g)], axis=1)
        step = scipy.linalg.lstsq(both, rest, cond=1e-9)[0]
        count = len(step) // 2
        h = split(structure, np.concatenate(h) - step[:count])
        g = split(structure, np.concatenate(g) - step[count:])
    return h, g
