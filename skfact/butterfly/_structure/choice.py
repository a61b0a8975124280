"""The structure that is taken: factored, so that its error is a fact, and compared to low rank."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol, TypeVar

from skfact.butterfly._structure.search import ROUNDING, Structure, StructureSearch
from skfact.supports import Chain

DENSITY = 0.25  # share of the entries that may be taken where nothing else is asked for
CANDIDATES = 3  # structures that a thorough search factors
ATTEMPTS = 5  # factorizations that look for the fewest numbers
CLOSE = 1.02  # budgets that are not told apart


class Factored(Protocol):
    """What a factorization has to know of itself."""

    @property
    def relative_error(self) -> float: ...

    @property
    def chain(self) -> Chain: ...


F = TypeVar("F", bound=Factored)


def least_error(
    search: StructureSearch, budget: int, factor: Callable[[Structure], F], exact: float
) -> F:
    """The factorization of small error with at most so many numbers, dense where all may be taken.

    The most promising structure, or low rank where that turns out to be closer. `exact` is the
    error of rounding; rank one has to fit.
    """
    m, n = search.A.shape
    within = min(budget, m * n - 1)
    if not search.thorough:
        search.best(within // 2)  # leads to places that this budget alone would not look at
    found = search.best(within, CANDIDATES)[: CANDIDATES if search.thorough else 1]
    results = [factor(structure) for structure in found]
    best = min(results, key=lambda result: _by_error(result, exact), default=None)
    low_rank = search.low_rank(within, enough=0.0)
    if low_rank is not None and best is not None and low_rank not in found:
        close = low_rank.estimate < _above(best.relative_error)
        if close and best.relative_error > exact:
            best = min(best, factor(low_rank), key=lambda result: _by_error(result, exact))
    if best is None or (budget >= m * n and best.relative_error > exact):
        return factor(dense(m, n))
    return best


def fewest_numbers(
    search: StructureSearch, tol: float, factor: Callable[[Structure], F], exact: float
) -> F:
    """The factorization with the fewest numbers found whose relative error is at most `tol`.

    No more than those of low rank, if it reaches `tol`, and dense if nothing saves numbers.
    """
    m, n = search.A.shape
    best, promised = _by_rank(search, tol, factor), tol
    tried: set[tuple[str | None, Chain]] = set()
    for _ in range(ATTEMPTS):
        most = m * n if best is None else best.chain.nnz
        structure = _smallest(search, max(promised, ROUNDING), most)
        if structure is None or structure[:2] in tried:
            break
        tried.add(structure[:2])
        result = factor(structure)
        if result.relative_error <= max(tol, exact):
            best = result
        # chains of more than two factors keep less, or more, than they promise
        promised *= min(max(tol / max(result.relative_error, 1e-300), 0.5), 1.2)
    return factor(dense(m, n)) if best is None else best


def dense(m: int, n: int) -> Structure:
    """The matrix itself."""
    return Structure(None, Chain.dense(m, n), 0.0)


def _by_rank(search: StructureSearch, tol: float, factor: Callable[[Structure], F]) -> F | None:
    """Low rank of the least rank that reaches a tolerance; None where it saves nothing."""
    m, n = search.A.shape
    errors = search.low_rank_errors
    rank = max(1, int((errors <= _above(tol)).argmax()))
    while rank * (m + n) < m * n:
        result = factor(Structure(None, Chain.low_rank(m, n, rank), float(errors[rank])))
        if result.relative_error <= tol:
            return result
        if result.relative_error > 2 * ROUNDING or rank + 1 == len(errors):
            rank += 1
        else:  # Gram matrices do not tell: go on in larger steps
            rank += max(1, rank // 8)
    return None


def _smallest(search: StructureSearch, tol: float, most: int) -> Structure | None:
    """A structure with fewer numbers than `most` that promises an error: bisection of budgets."""
    low, high, smallest = sum(search.A.shape) - 1, most, None
    while high - 1 > max(low, 1):
        budget = high - 1 if smallest is None and high == most else int(math.sqrt(low * high))
        budget = max(budget, low + 1)
        found = search.best(budget)
        if found and found[0].estimate <= tol:
            smallest = found[0]
            high = smallest.chain.nnz
        elif smallest is None:
            return None  # not even with all the numbers
        else:
            low = budget
        if high <= CLOSE * low:
            break
    return smallest


def _above(error: float) -> float:
    """An error that is not told from this one, from Gram matrices."""
    return max(error * (1 + 1e-6), ROUNDING)


def _by_error(result: Factored, exact: float) -> tuple[float, int]:
    return max(result.relative_error, exact), result.chain.nnz
