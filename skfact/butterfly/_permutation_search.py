r"""Unknown orders of the rows and columns of a butterfly product, level by level.

Let A be a product of rank-one factors with radices q_l of the rows and p_l of the columns, both
sides shuffled. The first factor joins groups of q_1 rows, which on each of p_1 equal parts of the
columns are multiples of one row. So the ratio of two rows of a group takes p_1 values only, on as
many columns each, in whatever order the rows and columns stand. The partition of the columns tells
the groups, also where the ratio of every pair is of this kind (Hadamard): under it, some grouping
of the rows has residual zero. One level is:

1. **Seeds.** A pair (x, y) of rows is a line in the plane at each column. The line is that of the
   Stokes vector s = (\|x\|^2 - \|y\|^2, 2 Re(x* y), 2 Im(x* y)) of length \|x\|^2 + \|y\|^2, and
   what the best line of a part leaves of its columns is (sum \|s\| - \|sum s\|) / 2. So lines are
   clustered as directions are, without divisions. A pair is as good as little of what one line
   leaves is left by p_1 lines.
2. **Alternation.** The partition gives the residuals of all pairs of rows (smaller eigenvalues of
   2 x 2 Gram matrices), these the grouping of least residual (linear assignment), this the best row
   of each group on each part, and these rows the best partition into parts of equal size. The
   evidence of all rows thus corrects the partition of the pair, which noise blurs.
3. **Merging.** The best few are kept (a beam). Each group of rows becomes one row for each part,
   and the parts are the groups of columns of the next level, which share the grouping of the rows.

What the levels lose adds up to the squared error of the factorization from left to right, since
each is an orthogonal projection of what the one before left. Rows and columns may change roles,
the radices reversed. No guarantee under noise is known: the result is judged by the error of the
factorization. Arrays are NumPy's, in double precision; that error is found where A lives.

Two-valued ratios: arXiv 2110.01230. Alternating clustering of rows and columns by similarity, which
this takes the place of: arXiv 2307.00820.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from skfact._backend import array_namespace, detached, to_numpy
from skfact._checks import check_matrix, check_random_state
from skfact._exponents import binary_exponent, times_power_of_two
from skfact._kernels.low_rank_blocks import Arranged
from skfact._linalg import abs2
from skfact.butterfly._bounds import rounding_allowance
from skfact.butterfly._hierarchical import hierarchical_factorization, splits_in_order
from skfact.operators import FactorizedOperator, KroneckerFactor
from skfact.supports import Chain, resolve_supports

EXACT = 1e-13  # of the squared norm: what a level loses at most if it loses rounding alone
AGREEMENT = 1.02  # errors whose ratio is at most this are those of one structure
SWEEPS = 20  # of the alternation; a handful is usual


class Found(NamedTuple):
    """Permutations, and what the factorization of ``A[rows][:, cols]`` makes of them."""

    rows: np.ndarray
    cols: np.ndarray
    error: float  # of the factorization, relative to the norm of A
    found: bool


class Effort(NamedTuple):
    """How much of a level is looked at."""

    anchors: int  # rows that are paired with all others
    pairs: int  # of each anchor: the partitions that are refined
    width: int  # of the beam


QUICK, THOROUGH = Effort(3, 1, 1), Effort(8, 3, 4)


def search_permutations(
    A: Any,
    supports: str | Callable[[int, int], Chain] | Chain = "butterfly",
    *,
    random_state: Any = None,
    n_rounds: int = 3,
    on_attempt: Callable[[int, float], Any] | None = None,
) -> Found:
    """Permutations of rows and columns under which a matrix is close to a product of a chain.

    A round looks once from the rows and once from the columns; the first is quick, the others take
    more and other rows, drawn at random. The search succeeds (`found`) if its error is one of
    rounding, or at most half of what it would be for pure noise (:func:`noise_error`). It ends
    there as soon as the error is rounding, or two attempts agree about the least error. Success
    does not say that no other permutation is better: the error says how good this one is.

    `on_attempt` is told the number of each attempt and its relative error. The result does not
    depend on `random_state` where the first round ends the search.

    Raises
    ------
    ValueError
        If the chain has another shape than `A`, a rank above one, or a product with zeros.
    """
    A = detached(check_matrix(A, "A"))
    random = check_random_state(random_state)
    A = times_power_of_two(A, -binary_exponent(A))
    chain = _searchable(resolve_supports(supports, *A.shape), A.shape)
    eps = float(array_namespace(A).finfo(A.dtype).eps)
    exact = rounding_allowance(len(chain), eps, 1.0)
    low = max(exact, noise_error(chain) / 2)
    best, errors = None, []
    for rows, cols in _attempts(to_numpy(A), chain, random, n_rounds):
        error = factorization_error(A, chain, rows, cols)
        errors.append(error)
        if on_attempt is not None:
            on_attempt(len(errors), error)
        if best is None or error < best.error:
            best = Found(rows, cols, error, error <= low)
        agreed = sum(error <= AGREEMENT * best.error for error in errors) > 1
        if best.error <= exact or (best.found and agreed):
            break
    assert best is not None
    return best


def noise_error(chain: Chain) -> float:
    """Relative error that a rank-one chain is expected to leave of pure noise in its best order.

    Degrees of freedom: the entries of the factors, less one for each class of a gap, which scales
    the factors on either side; and twice the logarithm of the number of orders that differ, which
    is what choosing among them may gain. Measured: searches of Gaussian matrices
    of size 8 to 128 end 2 to 30 % below.
    """
    free = chain.nnz - sum(right.a * left.d for left, right in pairwise(chain))
    orders = 0.0
    for radices in (chain.out_radices[::-1], chain.in_radices):  # each from the root of its tree
        size = 1
        for radix in radices:
            orders -= size * math.lgamma(radix + 1)
            size *= radix
        orders += math.lgamma(size + 1)
    return math.sqrt(max(0.0, 1 - (free + 2 * orders) / math.prod(chain.shape)))


def factorization_error(A: Any, chain: Chain, rows: np.ndarray, cols: np.ndarray) -> float:
    """Relative error of the factorization of a matrix of ordinary magnitude, permuted."""
    xp = array_namespace(A)
    arranged = Arranged(A, rows, cols)
    splits = splits_in_order("balanced", len(chain))
    values = arranged if splits else arranged.values()
    parts, _ = hierarchical_factorization(values, chain, splits)
    operator = FactorizedOperator(map(KroneckerFactor, parts, chain))
    norm = float(xp.linalg.vector_norm(A))
    missed = float(xp.linalg.vector_norm(arranged.toarray() - operator.toarray()))
    return missed / norm if norm > 0 else 0.0


def _searchable(chain: Chain, shape: tuple[int, int]) -> Chain:
    """The chain without redundant neighbours, which the search is defined for."""
    if chain.shape != tuple(shape):
        raise ValueError(
            f"A search for permutations needs supports of the shape of A, {tuple(shape)}, got "
            f"{chain.shape}: rows and columns of padding have no place. Pass another chain."
        )
    chain = chain.merge_redundant()[0]
    if any(rank > 1 for rank in chain.ranks) or not chain.product.a == chain.product.d == 1:
        raise ValueError(
            "A search for permutations needs a chain of rank one whose product has no zeros, as "
            f"Chain.butterfly(n) is; got ranks {chain.ranks} and the product {chain.product}."
        )
    return chain


def _attempts(
    A: np.ndarray, chain: Chain, random: np.random.RandomState, n_rounds: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Permutations of rows and columns, found from the rows and from the columns in turns."""
    A = A.astype(np.complex128 if np.iscomplexobj(A) else np.float64)
    q, p = chain.out_radices, chain.in_radices
    for i in range(n_rounds):
        effort, source = (THOROUGH, random) if i else (QUICK, None)
        rows, cols = _descend(A, q, p, effort, source)
        yield rows.T.ravel(), cols.ravel()
        # of the transpose the last factor comes first: its digits are those of A, reversed
        cols, rows = _descend(A.T, p[::-1], q[::-1], effort, source)
        yield rows.reshape(q[::-1]).T.ravel(), cols.ravel()


# ---- the levels ---------------------------------------------------------------------------


class _Merged(NamedTuple):
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


def _descend(
    A: np.ndarray,
    q: tuple[int, ...],
    p: tuple[int, ...],
    effort: Effort,
    random: np.random.RandomState | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Rows (q_L, ..., q_1) and columns (p_1 * ... * p_L,) of A in the order of the chain."""
    m, n = A.shape
    exact = EXACT * float(np.sum(abs2(A)))
    beam = [_Merged(A[None], np.arange(m), np.arange(n)[None], 0.0)]
    for q_l, p_l in zip(q, p):
        ways = [
            (state, split)
            for state in beam
            for split in _splits(state.blocks, q_l, p_l, effort, random, exact)
        ]
        ways.sort(key=lambda way: way[0].lost + way[1].lost)
        keep = effort.width if ways[0][0].lost + ways[0][1].lost > exact else 1
        beam = [_merge(state, split) for state, split in ways[:keep]]
    return beam[0].rows[0], beam[0].cols


def _merge(state: _Merged, split: _Split) -> _Merged:
    """One row for each group of rows and each part of the columns."""
    g, _, w = state.blocks.shape
    p = split.weights.shape[1]
    members = _by_parts(state.blocks, split.parts, p)[:, :, split.groups]  # (g, p, r/q, q, w/p)
    blocks = (split.weights[..., None, :] @ members)[..., 0, :]
    return _Merged(
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
    groups, are joined one after the other, the least residual first.
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
        groups.append(sorted(left[members]))
        left = np.delete(left, members)
    return np.array(sorted(map(tuple, groups)))
