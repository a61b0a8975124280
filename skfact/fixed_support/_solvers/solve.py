"""The choice of the solver: a closed form where there is one, alternating least squares elsewhere.

Nothing here checks its arguments or warns: :func:`factorize` says how the search ended.
"""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np

from skfact._backend import array_namespace
from skfact._exponents import times_power_of_two, unscaled, unscaled_number
from skfact._kernels.low_rank_blocks import OutOfScaleError
from skfact.fixed_support._alternating.descent import Runs, alternating_factors
from skfact.fixed_support._factorization import FixedSupportFactorization
from skfact.fixed_support._problem import Problem
from skfact.fixed_support._solvers.outcome import Outcome
from skfact.fixed_support._supports.masks import check_supports
from skfact.fixed_support._tractable.exact import exact_factors, reads_all_once
from skfact.fixed_support._tractable.flat_factor import by_energy, factor_product, with_fixed_phases
from skfact.fixed_support._tractable.report import ALTERNATING, BLOCKWISE, report_on

SOLVERS = ("auto", "exact", "alternating")
# A loss of that many rounding errors of ||A||^2 is none.
ROUNDING = 100


class Factors(NamedTuple):
    """Factors as flat vectors, and what is known of them."""

    x: Any
    y: Any
    loss: float
    error2: float  # the part of the loss that is no penalty
    whole: float  # ||A||_F^2
    losses: np.ndarray  # at the start and after each sweep
    diverging: np.ndarray  # components
    outcome: Outcome


def factorize(
    problem: Problem, solver: str, runs: Runs
) -> tuple[FixedSupportFactorization, Outcome]:
    """Factors for a problem, and how the search for them ended.

    Raises ValueError if A is not finite, or if there is no closed form for ``solver="exact"``.
    """
    report, reason = problem.report, problem.without_closed_form()
    check_closed_form(solver, reason)
    if solver == "alternating" or reason:
        problem, exponent = problem.of_ordinary_magnitude()
        found = alternating(problem, runs)
        return packed(found, problem, exponent, ALTERNATING), found.outcome
    if reads_all_once(report) and not problem.exponent:
        # and finds what is not finite or of odd magnitude
        with suppress(OutOfScaleError):
            found = closed_form(problem, checked=False)
            return packed(found, problem, 0, report.route), found.outcome
    problem, exponent = problem.of_ordinary_magnitude()
    found = closed_form(problem)
    return packed(found, problem, exponent, report.route), found.outcome


def check_closed_form(solver: str, reason: str, where: str = "") -> None:
    """Raise if the solver is to be exact, and there is a reason why it cannot."""
    if solver == "exact" and reason:
        raise ValueError(
            f"solver='exact' has no closed form: {where}{reason}. Pass solver='auto' or "
            "'alternating'."
        )


def factorize_on_masks(
    A: Any, left_support: Any, right_support: Any, runs: Runs
) -> FixedSupportFactorization:
    """Factors of a floating matrix on two masks, for other systems: a start, without a word."""
    report = report_on(*check_supports(left_support, right_support))
    return factorize(Problem(A, report), "auto", runs)[0]


def closed_form(problem: Problem, checked: bool = True) -> Factors:
    """The certified optimum; if not `checked`, OutOfScaleError as in `exact_factors`."""
    x, y, loss, whole = exact_factors(problem.A, problem.report, problem.alpha, checked)
    if any(problem.nonnegative):  # as good: |u|^T A |v| is no less than u^T A v
        x, y = (array_namespace(part).abs(part) for part in (x, y))
    error2 = max(loss - problem.penalty(x, y), 0.0)
    nothing = np.empty(0, dtype=np.intp)
    return Factors(x, y, loss, error2, whole, np.array([loss]), nothing, Outcome.CONVERGED)


def alternating(problem: Problem, runs: Runs) -> Factors:
    """The best of some runs of alternating least squares."""
    A, report = problem.A, problem.report
    x, y, losses, converged, diverging = alternating_factors(problem, runs)
    rest = A - factor_product(report.left_support, x, report.right_support, y)
    error2, whole = problem.norm2(rest), problem.norm2(A)
    loss = error2 + problem.penalty(x, y)
    outcome = Outcome.CONVERGED if converged else Outcome.CUT_OFF
    if error2 <= ROUNDING * float(array_namespace(A).finfo(A.dtype).eps) * whole:
        outcome |= Outcome.EXACT
    if len(diverging):
        outcome |= Outcome.DIVERGING
    return Factors(x, y, loss, error2, whole, losses, diverging, outcome)


def packed(
    found: Factors, problem: Problem, exponent: int, route: str
) -> FixedSupportFactorization:
    """The result for A * 2**exponent, from the factors of A."""
    report, (x, y), diverging = problem.report, (found.x, found.y), found.diverging
    if route != BLOCKWISE:
        x, y, place = by_energy(x, y, report)
        diverging = np.sort(place[diverging])
    if not problem.nonnegative[0]:
        x, y = with_fixed_phases(x, y, report)
    of_loss = 2 * exponent + problem.exponent
    return FixedSupportFactorization(
        left_values=times_power_of_two(x, exponent // 2),
        right_values=times_power_of_two(y, exponent // 2),
        support_report=report,
        solver=route,
        optimal=route != ALTERNATING,
        loss=unscaled_number(found.loss, of_loss),
        error=unscaled_number(math.sqrt(found.error2), of_loss // 2),
        relative_error=math.sqrt(found.error2 / found.whole) if found.whole else 0.0,
        loss_curve=unscaled(found.losses, of_loss),
        n_iter=max(1, len(found.losses) - 1),
        converged=Outcome.CONVERGED in found.outcome,
        diverging_components=diverging,
    )
