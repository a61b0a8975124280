"""The best pair of supports of a family: each is factored, or left out by a bound from below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from skfact._backend import array_namespace, move_like
from skfact._exponents import unscaled
from skfact._linalg import norm2
from skfact.fixed_support._alternating.descent import Runs
from skfact.fixed_support._factorization import FixedSupportFactorization
from skfact.fixed_support._problem import Problem
from skfact.fixed_support._solvers.outcome import Outcome
from skfact.fixed_support._solvers.solve import (
    ROUNDING,
    Factors,
    alternating,
    check_closed_form,
    closed_form,
    packed,
)
from skfact.fixed_support._tractable.exact import uncovered
from skfact.fixed_support._tractable.report import ALTERNATING, SupportReport


def factorize_family(
    problem: Problem, reports: Sequence[SupportReport], solver: str, runs: Runs
) -> tuple[FixedSupportFactorization, Outcome]:
    """Factors on the pair of supports with the least loss, the first such one, and how they ended.

    Pairs with a closed form come first: they take least time, and the best one of them leaves out
    others. The optimum is certified if no pair that was solved without a certificate could have
    less.

    Raises
    ------
    ValueError
        If A is not finite, a pair does not fit it, or ``solver="exact"`` has no closed form for
        one.
    """
    for i, report in enumerate(reports):
        if report.shape != problem.A.shape:
            raise ValueError(
                f"Pair {i} of the family is for matrices of shape {report.shape}, but the matrix "
                f"has shape {tuple(problem.A.shape)}."
            )
    problem, exponent = problem.of_ordinary_magnitude()
    pairs = [Pair.of(problem, report, solver, i) for i, report in enumerate(reports)]
    losses, best = np.full(len(pairs), np.nan), None
    for pair in sorted(pairs, key=lambda pair: (not pair.certified, pair.bound, pair.number)):
        if best is not None and (pair.bound, pair.number) > best.key:
            continue
        found = pair.solved(runs)
        losses[pair.number] = found.factors.loss
        if best is None or found.key < best.key:
            best = found
    assert best is not None
    chosen, (least, _) = best.pair, best.key
    route = chosen.problem.report.route if chosen.certified else ALTERNATING
    result = packed(best.factors, chosen.problem, exponent, route)
    optimal = chosen.certified and all(pair.certified or pair.bound >= least for pair in pairs)
    result = replace(
        result,
        optimal=optimal,
        family_index=chosen.number,
        family_losses=unscaled(losses, 2 * exponent + problem.exponent),
    )
    return result, best.factors.outcome


class Pair(NamedTuple):
    """A pair of supports, and what is known of the loss before it is solved."""

    number: int
    problem: Problem
    certified: bool  # a closed form solves it
    bound: float  # no factors on the supports have less, beyond rounding
    rounding: float  # a loss that is none

    @classmethod
    def of(cls, problem: Problem, report: SupportReport, solver: str, number: int) -> Pair:
        """The pair of that number, for the matrix of a problem, of ordinary magnitude."""
        problem = problem._replace(report=report)
        reason = problem.without_closed_form()
        check_closed_form(solver, reason, f"pair {number} of the family: ")
        certified = solver != "alternating" and not reason
        A = problem.A
        rounding = ROUNDING * float(array_namespace(A).finfo(A.dtype).eps) * problem.norm2(A)
        bound = max(lower_bound(problem, with_rank=not certified) - rounding, 0.0)
        return cls(number, problem, certified, bound, rounding)

    def solved(self, runs: Runs) -> Solved:
        """The pair with its factors."""
        if self.certified:
            return Solved(self, closed_form(self.problem))
        return Solved(self, alternating(self.problem, runs))


class Solved(NamedTuple):
    """A pair and its factors."""

    pair: Pair
    factors: Factors

    @property
    def key(self) -> tuple[float, int]:
        """What the best pair has least of: the loss, if it is more than rounding; its number."""
        loss = self.factors.loss
        return (loss if loss > self.pair.rounding else 0.0, self.pair.number)


def lower_bound(problem: Problem, with_rank: bool) -> float:
    r"""A loss that no factors on the supports are below.

    With the product P on the union U of r rank-one supports

    .. math:: \|A - P\|^2 = \|A_{U^c}\|^2 + \|A_U - P\|^2 \ge
              \|A_{U^c}\|^2 + \sum_{i > r} \sigma_i(A_U)^2,

    and, as P has rank r or less, :math:`\|A - P\|^2 \ge \sum_{i > r} \sigma_i(A)^2`. The singular
    values, of a full matrix, are for pairs that take longer; where entries are missing or have
    weights they say nothing. Signs that are asked for only raise the loss.
    """
    A, report = problem.A, problem.report
    xp = array_namespace(A)
    outside = uncovered(report.shape, report.classes)
    inside = A
    if outside.any():
        inside = xp.where(move_like(outside, A), xp.zeros_like(A), A)
    beyond = problem.norm2(A - inside)
    rank = report.n_components - len(report.dead_components)
    if not with_rank or problem.weights is not None or rank >= min(report.shape):
        return beyond
    tails = [norm2(xp.linalg.svdvals(matrix)[rank:]) for matrix in (inside, A)]
    return max(beyond + tails[0], tails[1])
