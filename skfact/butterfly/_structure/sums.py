r"""A product plus a few entries: fitted in turns.

The error :math:`\|A - P - S\|_F` falls with the product P of the chain that is fitted to A - S, and
with the entries S, the largest ones of A - P. For low rank each turn is least squares over one
factor given the other, so that no round is worse than the one before; for other chains the best
round is kept. An entry counts as two numbers, its value and its place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from skfact._linalg import adjoint, norm2

SHARES = 0.25, 0.5, 0.75  # of the numbers, for entries
PER_ENTRY = 2  # numbers
WORTH = 0.95  # share of the error of a product up to which entries beside low rank are taken
GAIN = 1e-3  # share of the squared error that a round has to win, or it is the last
ROUNDS = 50
FINALISTS = 3  # ways to begin that are followed to the end
REACH = 2.0  # by how much more rounds may lower the error

Fit = Callable[[np.ndarray, Any], tuple[Any, np.ndarray]]


class Sum(NamedTuple):
    """A product, entries to add to it, and what both together miss."""

    state: Any  # what the fit knows of the product
    places: np.ndarray  # (n_entries,): index of each entry in the flattened matrix
    there: np.ndarray  # what the product is at these places
    error2: float  # squared norm
    n_iter: int


def alternate(
    A: np.ndarray, fit: Fit, n_entries: int, max_iter: int, *, entries_first: bool = False
) -> Sum:
    """The best of at most so many rounds; ``fit(A - S, state) -> state, P``.

    S is zero at first, or the largest entries of the matrix.
    """
    best: Sum | None = None
    state, remaining = None, A
    if entries_first:
        remaining = np.array(A, order="C")
        remaining.reshape(-1)[largest_entries(A, n_entries)] = 0
    for n_iter in range(1, max_iter + 1):
        state, product = fit(remaining, state)
        rest = np.ascontiguousarray(A - product)
        places = largest_entries(rest, n_entries)
        there = np.asarray(product).reshape(-1)[places]
        rest.reshape(-1)[places] = 0
        error2 = norm2(rest)
        gain = np.inf if best is None else best.error2 - error2
        if best is None or gain > 0:
            best = Sum(state, places, there, error2, n_iter)
        if gain <= GAIN * best.error2:
            break
        remaining = without_entries(A, places, there)
    assert best is not None  # there is one round at least
    return best._replace(n_iter=n_iter)


def without_entries(A: np.ndarray, places: np.ndarray, there: np.ndarray) -> np.ndarray:
    """What the product has to fit: the matrix, and at the places of entries what it is there.

    A difference of large numbers would lose the digits of small ones.
    """
    remaining = np.array(A, order="C")
    remaining.reshape(-1)[places] = there
    return remaining


def largest_entries(A: np.ndarray, count: int) -> np.ndarray:
    """Indices of the largest entries of the flattened matrix, ascending."""
    magnitudes = np.abs(A).ravel()
    if count == 0:
        return np.zeros(0, dtype=np.intp)
    return np.sort(np.argpartition(magnitudes, -count)[-count:])


def low_rank_fit(basis: np.ndarray) -> Fit:
    """Factors (m, r) and (r, n): least squares over one, then over the other.

    The columns of `basis` (n, r) are the directions to start with.
    """

    def fit(B: np.ndarray, state: Any) -> tuple[Any, np.ndarray]:
        directions = basis if state is None else np.linalg.qr(adjoint(state[1]))[0]
        left = np.linalg.qr(B @ directions)[0]
        right = adjoint(left) @ B
        return (left, right), left @ right

    return fit


def splits_of_budget(budget: int, least: int) -> list[tuple[int, int]]:
    """Numbers of the product, at least so many, and entries that share a budget."""
    found = []
    for share in SHARES:
        n_entries = int(share * budget) // PER_ENTRY
        if n_entries and budget - PER_ENTRY * n_entries >= least:
            found.append((budget - PER_ENTRY * n_entries, n_entries))
    return found


def best_low_rank_sum(
    A: np.ndarray, budget: int, directions: np.ndarray, within: float
) -> Sum | None:
    """Low rank, zero among it, and entries, none among them, with so many numbers together.

    None unless they miss little. The columns of `directions` are right singular vectors of the
    matrix. Two rounds tell which shares of the numbers for entries, and what to start with, are
    promising, and whether `within` is in reach; some more rounds, which is best. No state is no
    product.
    """
    alone = entries_alone(A, budget // PER_ENTRY)
    if alone.error2 == 0:
        return alone

    def rounds(split: tuple[int, int], first: bool, max_iter: int) -> Sum:
        rank = min(split[0] // sum(A.shape), directions.shape[1])
        fit = low_rank_fit(directions[:, :rank])
        return alternate(A, fit, split[1], max_iter, entries_first=first)

    pure = [rounds((budget, 0), False, 1)] if budget >= sum(A.shape) else []
    splits = splits_of_budget(budget, sum(A.shape))
    ways = [(split, first) for split in splits for first in (False, True)]
    trials = [(rounds(split, first, 2).error2, split, first) for split, first in ways]
    trials = sorted(trials)[:FINALISTS]
    if min([alone.error2, *(trial[0] for trial in trials)]) > (REACH * within) ** 2:
        return None
    found = [alone, *pure, *(rounds(split, first, ROUNDS) for _, split, first in trials)]
    return min(found, key=lambda one: one.error2)


def entries_alone(A: np.ndarray, count: int) -> Sum:
    """The largest entries, at most so many, and no product."""
    there = np.flatnonzero(A)
    places = there if len(there) <= count else largest_entries(A, count)
    rest = np.array(A, order="C").reshape(-1)
    rest[places] = 0
    return Sum(None, places, np.zeros(len(places), dtype=A.dtype), norm2(rest), 1)
