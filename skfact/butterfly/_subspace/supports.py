"""Supports for a row space: the chain that "auto" chooses, the rank that a tolerance asks for.

A chain is judged by the energy that its row space holds, not by how close it comes to the
components: these may be rotated. So the order of the rows does not count, and a chain whose
products have fewer dimensions than the components is a poor one, however close it comes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from operator import itemgetter
from typing import Any

from skfact._backend import array_namespace
from skfact._exponents import binary_exponent, times_power_of_two
from skfact._linalg import adjoint
from skfact.butterfly._factorize import Factorization, factorize, least_within
from skfact.butterfly._plans import Plan, fixed_plan
from skfact.butterfly._rank_search import auto_budget, check_auto, check_bounds, supports_are
from skfact.butterfly._structure.nodes import ARRANGEMENTS, Node, chain_through, dimensions
from skfact.butterfly._structure.search import StructureSearch, rich_size
from skfact.butterfly._structure.tails import Tails
from skfact.butterfly._subspace.row_space import RowSpace, fit_row_space, go_on
from skfact.supports import FAMILIES, Chain
from skfact.supports._radices import divisors

TRIED = 8  # chains of two factors that are tried out
ROUNDS = 10  # rotations, and steps, of a trial
CLOSE = 1.1  # budgets that are not told apart

Fit = Callable[[Callable[[], Callable[[Any], Factorization]]], RowSpace]


def fit_supports(W: Any, rows: Any, asked: dict[str, Any], fit: Fit) -> RowSpace:
    """The row space of the supports, rank, tolerance or budget that are asked for.

    `fit` is called with what makes functions that factor rotated W, all along one plan each; W,
    rows as in :func:`fit_row_space`.
    """
    supports, tol = asked["supports"], asked["tol"]
    check_bounds(supports, asked["rank"], tol, asked["max_density"])
    if supports_are(supports, "auto"):
        check_auto(asked["permutation"], asked["order"])
        if tol is None:
            budget = auto_budget(asked["max_density"], W.shape)
            return fit(partial(_by_one_plan, asked, _best_plan(W, rows, asked, budget)))
        return _fewest_numbers(W, rows, asked, fit)
    if tol is None or not (isinstance(supports, str) and supports in FAMILIES):
        return fit(partial(_by_one_plan, asked))
    spaces: dict[int, RowSpace] = {}

    def of_rank(rank: int) -> Factorization:
        spaces[rank] = fit(partial(_by_one_plan, {**asked, "rank": rank, "tol": None}))
        return spaces[rank].result

    found = least_within(float(tol), of_rank)
    return next(space for space in spaces.values() if space.result is found)


def _by_one_plan(asked: dict[str, Any], plan: Plan | None = None) -> Callable[[Any], Factorization]:
    """Factors of rotated matrices, all along the plan of the first one."""

    def factored(rotated: Any) -> Factorization:
        nonlocal plan
        found = factorize(rotated, **asked, plan=plan, entries=False)
        plan = found.plan
        return found

    return factored


def _fewest_numbers(W: Any, rows: Any, asked: dict[str, Any], fit: Fit) -> RowSpace:
    """The smallest budget whose best chain reaches the tolerance: bisection."""
    tol, asked = asked["tol"], {**asked, "tol": None}
    low, high = sum(W.shape) - 1, math.prod(W.shape)
    best = fit(partial(_by_one_plan, asked, _best_plan(W, rows, asked, high)))
    while high > CLOSE * low:
        budget = max(int(math.sqrt(low * high)), low + 1)
        space = fit(partial(_by_one_plan, asked, _best_plan(W, rows, asked, budget)))
        if space.result.relative_error <= tol:
            best, high = space, budget
        else:
            low = budget
    return best


def _best_plan(W: Any, rows: Any, asked: dict[str, Any], budget: int) -> Plan:
    """The chain, and the order of its columns, of the most energy after some rounds."""
    plans = [fixed_plan(chain, name) for name, chain in _candidates(W, rows, budget)]
    if len(plans) == 1:
        return plans[0]

    def share(plan: Plan) -> float:
        quiet = {**asked, "on_attempt": None}
        found = fit_row_space(W, rows, _by_one_plan(quiet, plan), ROUNDS, go_on, go_on)
        return found.result.share

    return max(plans, key=share)


def _candidates(W: Any, rows: Any, budget: int) -> list[tuple[str | None, Chain]]:
    """Chains with at most so many numbers, of full dimension if there are any."""
    m, n = W.shape
    if budget >= m * n:
        return [(None, Chain.dense(m, n))]
    V = _with_sizes(W, rows)
    longer = [found[:2] for found in StructureSearch(V, budget).best(budget, 3)]
    both = _two_factors(V, budget), [pair for pair in longer if len(pair[1]) > 2]
    whole = [[pair for pair in found if dimensions(pair[1]) >= min(m, n)] for found in both]
    two, longer = whole if any(whole) else both
    return [*two[:TRIED], *longer]


def _with_sizes(W: Any, rows: Any) -> Any:
    """The directions W, each as large as the rows are along it, over a power of two."""
    if rows is not None:
        rows = times_power_of_two(rows, -binary_exponent(rows))
        sizes = array_namespace(W).linalg.vector_norm(rows @ adjoint(W), axis=0)
        W = sizes[:, None] * W
    return times_power_of_two(W, -binary_exponent(W))


def _two_factors(V: Any, budget: int) -> list[tuple[str | None, Chain]]:
    """Chains of two factors, the one whose last factor alone loses least first.

    In each of P parts of the columns there are Q r directions.
    """
    shape = m, n = rich_size(V.shape[0]), rich_size(V.shape[1])
    tails, found = Tails(V, shape), []
    for P in divisors(n)[:-1]:
        for name in (None, "columns"):
            lost = tails.exact(Node(1, P, 1), ARRANGEMENTS[name])
            for Q in divisors(m)[:-1]:
                r = min(budget // (m * P + n * Q), m // Q, n // P)
                if r < 1 or (P == 1 and name):
                    continue
                chain = chain_through([Node(Q, P, r)], shape)
                found.append((float(lost[min(Q * r, len(lost) - 1)]), chain.nnz, name, chain))
    return [(name, chain) for _, _, name, chain in sorted(found, key=itemgetter(0, 1))]
