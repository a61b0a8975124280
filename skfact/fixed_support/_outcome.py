"""How the search for factors can end, and what is to be said of it."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Flag, auto

from sklearn.exceptions import ConvergenceWarning

from skfact.exceptions import IllPosedWarning
from skfact.fixed_support._existence.open_patterns import Budget, find_open_pattern
from skfact.fixed_support._factorization import FixedSupportFactorization
from skfact.fixed_support._problem import Problem
from skfact.fixed_support._supports.rank_one import in_lines, named

# What may be spent on finding out whether a best approximation exists, which is to take no longer
# than some sweeps: restrictions, and entries of the rectangles of all components.
BUDGET, LARGEST = 100, 5e6


class Outcome(Flag):
    """What holds of the factors found; several at once may."""

    CONVERGED = auto()  # the loss hardly fell any more, or there is a closed form
    EXACT = auto()  # their product is the matrix, up to rounding
    DIVERGING = auto()  # some of them grow without end
    CUT_OFF = auto()  # the search stopped at the largest number of sweeps


DIVERGING = (
    "The factors of {components} grow while the loss falls: the best approximation on these "
    "supports seems not to exist. Pass alpha > 0 (a ridge penalty) for a problem that has a "
    "solution."
)
NOT_CLOSED = (
    "On these supports some matrices have no best approximation: {components} in {lines} form a "
    "pattern that is not closed. Whether this matrix has one is not known. Pass alpha > 0 (a ridge "
    "penalty) for a problem that has a solution; closedness() says more."
)
CUT_OFF = (
    "Alternating least squares still improved after max_iter={n_iter} sweeps; increase max_iter or "
    "tol."
)


def warnings_for(
    problem: Problem, result: FixedSupportFactorization, outcome: Outcome
) -> Iterator[Warning]:
    """What the public functions have to warn of; the search for a reason is made here."""
    if Outcome.DIVERGING in outcome:
        components = named(result.diverging_components)
        yield IllPosedWarning(DIVERGING.format(components=components))
        return
    if Outcome.EXACT not in outcome and problem.may_be_ill_posed():
        masks = problem.report.left_support, problem.report.right_support
        witness = find_open_pattern(*masks, Budget(BUDGET), largest=LARGEST)
        if witness is not None:
            lines = in_lines(witness.rows, witness.columns)
            components = named(witness.components)
            yield IllPosedWarning(NOT_CLOSED.format(components=components, lines=lines))
    if Outcome.CUT_OFF in outcome:
        yield ConvergenceWarning(CUT_OFF.format(n_iter=result.n_iter))
