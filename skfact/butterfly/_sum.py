"""A product of a family and a few entries beside it, as a Factorization."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse

from skfact._backend import array_namespace
from skfact._exponents import unscaled
from skfact._inputs import is_numpy
from skfact._linalg import adjoint
from skfact.butterfly._structure.sums import (
    PER_ENTRY,
    Sum,
    alternate,
    best_low_rank_sum,
    largest_entries,
    low_rank_fit,
    splits_of_budget,
)
from skfact.operators import FactorizedOperator, OperatorSum, SparseFactor

if TYPE_CHECKING:
    from skfact.butterfly._factorize import Factorization

SUFFIX = "+sparse"
MAX_ITER = 50
WORTH = 0.95  # share of the error of a product up to which entries beside low rank are taken
ALREADY = 1e-6  # relative error of a product that needs no entries

Factor = Callable[[np.ndarray, int, Any], "Factorization"]  # (matrix, numbers, plan or None)


def family_of_sum(supports: Any) -> str | None:
    """The family of a product with entries; None for supports of another kind."""
    if isinstance(supports, str) and supports.endswith(SUFFIX):
        return supports.removesuffix(SUFFIX)
    return None


def factorize_sum(
    A: np.ndarray, exponent: int, budget: int, factor: Factor, least: int, *, low_rank: bool
) -> Factorization:
    """The best sum over some shares of the numbers, at most so many.

    The matrix is of ordinary magnitude, and not zero in the budget: entries fit beside the least
    numbers of a product.
    """
    trials: list[tuple[Sum, int]] = []
    directions = leading_directions(A) if low_rank else None
    for numbers, n_entries in splits_of_budget(budget, least):
        if directions is not None:
            rank = min(numbers // sum(A.shape), directions.shape[1])
            fit = low_rank_fit(directions[:, :rank])
        else:
            fit = _fit_by(factor, numbers)
        for first in (False, True):
            found = alternate(A, fit, n_entries, MAX_ITER, entries_first=first)
            trials.append((found, numbers))
    best, numbers = min(trials, key=lambda trial: trial[0].error2)
    if not low_rank:
        return with_entries(best.state, A, exponent, best.places, best.n_iter)
    return _after_a_last_round(A, exponent, best, lambda rest: factor(rest, numbers, None))


def entries_beside_low_rank(
    A: Any, exponent: int, budget: int, product: Factorization, factor: Factor
) -> Factorization:
    """The product, or low rank and entries with as many numbers if they miss clearly less."""
    m, n = A.shape
    if not is_numpy(array_namespace(A)) or product.relative_error <= ALREADY:
        return product
    within = WORTH * product.error
    best = best_low_rank_sum(A, min(budget, m * n - 1), leading_directions(A), within)
    if best is None:
        return product
    numbers = budget - PER_ENTRY * len(best.places)
    found = _after_a_last_round(A, exponent, best, lambda rest: factor(rest, numbers, None))
    return found if found.error < within else product


def leading_directions(A: np.ndarray) -> np.ndarray:
    """Right singular vectors, from the Gram matrix of the shorter side."""
    if A.shape[0] >= A.shape[1]:
        return np.linalg.eigh(adjoint(A) @ A)[1][:, ::-1]
    left = np.linalg.eigh(A @ adjoint(A))[1][:, ::-1]
    return np.linalg.qr(adjoint(A) @ left)[0]


def with_entries(
    found: Factorization, A: np.ndarray, exponent: int, places: np.ndarray, n_iter: int
) -> Factorization:
    """A factorization of what is left of a matrix without some entries, with these added."""
    rest = A - found.unit.toarray()
    rows, cols = np.divmod(places, A.shape[1])
    entries = scipy.sparse.csr_array((rest[rows, cols], (rows, cols)), shape=A.shape)
    return replace(
        found,
        matrix=A,
        unit=OperatorSum([found.unit, FactorizedOperator([SparseFactor(entries)])]),
        exponent=exponent,
        discarded=unscaled(found.discarded, exponent),
        outside=float(unscaled(found.outside, exponent)),
        kept=0.0,  # the splits do not tell of entries
        n_entries=len(places),
        n_iter=n_iter,
    )


def _fit_by(factor: Factor, numbers: int) -> Any:
    def fit(B: np.ndarray, state: Any) -> tuple[Any, np.ndarray]:
        found = factor(B, numbers, None if state is None else state.plan)
        return found, found.unit.toarray()

    return fit


def _after_a_last_round(
    A: np.ndarray, exponent: int, best: Sum, factor: Callable[[np.ndarray], Factorization]
) -> Factorization:
    """Of low rank: its best fit to the matrix without the entries, and the entries anew."""
    remaining = np.array(A, order="C")
    remaining.reshape(-1)[best.places] -= best.values
    found = factor(remaining)
    places = largest_entries(A - found.unit.toarray(), len(best.places))
    return with_entries(found, A, exponent, places, best.n_iter + 1)
