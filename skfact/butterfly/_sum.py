"""A product of a family and a few entries beside it, as a Factorization."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse

from skfact._backend import array_namespace
from skfact._exponents import unscaled, unscaled_number
from skfact._inputs import is_numpy
from skfact._linalg import adjoint, count_nonzero
from skfact.butterfly._structure.sums import (
    PER_ENTRY,
    WORTH,
    Sum,
    alternate,
    best_low_rank_sum,
    entries_alone,
    largest_entries,
    splits_of_budget,
    without_entries,
)
from skfact.operators import FactorizedOperator, OperatorSum, SparseFactor

if TYPE_CHECKING:
    from skfact.butterfly._factorize import Factorization

SUFFIX = "+sparse"
MAX_ITER = 50
FURTHER = 2.0  # from a tolerance the first rounds may be so many times as far
CLOSE = 1.02  # budgets that are not told apart
ALREADY = 1e-6  # relative error of a product that needs no entries

Factor = Callable[[np.ndarray, int, Any], "Factorization"]  # (matrix, numbers, plan or None)


def family_of_sum(supports: Any) -> str | None:
    """The family of a product with entries; None for supports of another kind."""
    if isinstance(supports, str) and supports.endswith(SUFFIX):
        return supports.removesuffix(SUFFIX)
    return None


def factorize_sum(
    A: np.ndarray, exponent: int, budget: int, factor: Factor, least: int
) -> Factorization:
    """The best sum of a family and entries over some shares of the numbers, at most so many.

    Among them the product alone, and entries alone. The matrix is of ordinary magnitude; entries
    fit beside the least numbers of a product. `factor` gives products of exponent zero.
    """
    product = factor(A, budget, None)
    trials = [
        alternate(A, _fit_by(factor, numbers), n_entries, MAX_ITER, entries_first=first)
        for numbers, n_entries in splits_of_budget(budget, least)
        for first in (False, True)
    ]
    best = min(trials, key=lambda trial: trial.error2)
    alone = entries_alone(A, budget // PER_ENTRY)
    if alone.error2 <= min(best.error2, product.error**2):
        none = factor(np.zeros_like(A), least, best.state.plan)
        return _of_entries(none, A, exponent, alone)
    if product.error**2 <= best.error2:
        return with_entries(product, A, exponent, best.places[:0], 1)
    return with_entries(best.state, A, exponent, best.places, best.n_iter)


def low_rank_sum(
    A: np.ndarray,
    exponent: int,
    budget: int,
    factor: Factor,
    within: float = math.inf,
    directions: np.ndarray | None = None,
) -> Factorization | None:
    """The best sum of low rank and entries, one of them alone among it; None if it misses much.

    `factor` makes low rank, of one at least; `directions` as in :func:`best_low_rank_sum`.
    """
    if directions is None:
        directions = leading_directions(A)
    best = best_low_rank_sum(A, min(budget, A.size - 1), directions, within)
    if best is None:
        return None
    if best.state is None:  # rank one stands for none
        return _of_entries(factor(np.zeros_like(A), sum(A.shape), None), A, exponent, best)
    left, right = best.state
    remaining = without_entries(A, best.places, best.there)
    # one more round, or, where rounding makes that a worse one, the product as it is
    for target in (remaining, left @ right):
        product = factor(target, len(right) * sum(A.shape), None)
        places = largest_entries(A - product.unit.toarray(), len(best.places))
        found = with_entries(product, A, exponent, places, best.n_iter + 1)
        if found.error <= math.sqrt(best.error2) * (1 + 1e-3):
            break
    return found


def entries_beside_low_rank(
    A: Any, exponent: int, budget: int, product: Factorization, factor: Factor
) -> Factorization:
    """The product, or low rank and entries with as many numbers if they miss clearly less.

    Or if both are exact, and entries take fewer numbers.
    """
    if not is_numpy(array_namespace(A)):
        return product
    if product.relative_error <= ALREADY:
        if PER_ENTRY * count_nonzero(A) < product.numbers:
            return low_rank_sum(A, exponent, budget, factor) or product
        return product
    within = WORTH * product.error
    found = low_rank_sum(A, exponent, budget, factor, within)
    return product if found is None or found.error >= within else found


def entries_on_inputs(
    A: Any, exponent: int, budget: int, product: Factorization, factor: Factor
) -> Factorization:
    """The product for some inputs, or low rank and entries if these miss clearly less there.

    They are fitted to the matrix itself.
    """
    seen = product.seen
    exact = product.relative_error <= ALREADY
    if seen is None or not is_numpy(array_namespace(A)):
        return product
    if exact and PER_ENTRY * count_nonzero(A) >= product.numbers:
        return product
    found = low_rank_sum(A, exponent, budget, factor)
    assert found is not None  # any error is near enough
    found = replace(found, seen=seen._replace(factored=A, factor=seen.inputs.largest))
    if exact:
        return found if found.error == 0 else product
    return found if found.error < WORTH * product.error else product


def entries_within(
    A: Any, exponent: int, tol: float, product: Factorization, factor: Factor
) -> Factorization:
    """The product, or low rank and entries if they reach a tolerance with fewer numbers.

    Bisection of their budget. The product reaches the tolerance.
    """
    if not is_numpy(array_namespace(A)):
        return product
    best, directions = product, leading_directions(A)
    within = tol * product.norm
    low, high = 0, int(WORTH * product.numbers)
    while high > low + PER_ENTRY and high > CLOSE * low:
        budget = high if best is product else int(math.sqrt(max(low, 1) * high))
        found = low_rank_sum(A, exponent, budget, factor, FURTHER * within, directions)
        if found is not None and found.error <= within:
            best, high = found, min(budget, found.numbers)
        elif best is product:
            break
        else:
            low = budget
    return best


def leading_directions(A: np.ndarray) -> np.ndarray:
    """Right singular vectors, from the Gram matrix of the shorter side."""
    if A.shape[0] >= A.shape[1]:
        return np.linalg.eigh(adjoint(A) @ A)[1][:, ::-1]
    left = np.linalg.eigh(A @ adjoint(A))[1][:, ::-1]
    return np.linalg.qr(adjoint(A) @ left)[0]


def _of_entries(none: Factorization, A: np.ndarray, exponent: int, alone: Sum) -> Factorization:
    """Entries and no product, from what the factors of zero are."""
    found = replace(none, discarded=np.full_like(none.discarded, math.sqrt(alone.error2)))
    return with_entries(found, A, exponent, alone.places, alone.n_iter)


def with_entries(
    found: Factorization, A: np.ndarray, exponent: int, places: np.ndarray, n_iter: int
) -> Factorization:
    """A factorization of what is left of a matrix without some entries, with these added."""
    product = found.unit.toarray()
    rest = A - product
    rows, cols = np.divmod(places, A.shape[1])
    entries = scipy.sparse.csr_array((rest[rows, cols], (rows, cols)), shape=A.shape)
    sparse = FactorizedOperator([SparseFactor(entries)])
    unit: Any = OperatorSum([found.unit, sparse] if product.any() else [sparse])
    if len(places) == 0 and product.any():
        unit = found.unit
    return replace(
        found,
        matrix=A,
        unit=unit,
        exponent=exponent,
        discarded=unscaled(found.discarded, exponent),
        outside=unscaled_number(found.outside, exponent),
        kept=0.0,  # the splits do not tell of entries
        n_entries=len(places),
        n_iter=n_iter,
    )


def _fit_by(factor: Factor, numbers: int) -> Any:
    def fit(B: np.ndarray, state: Any) -> tuple[Any, np.ndarray]:
        found = factor(B, numbers, None if state is None else state.plan)
        return found, found.unit.toarray()

    return fit
