"""How the search for factors can end, and what is to be said of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from enum import Flag, auto

from sklearn.exceptions import ConvergenceWarning

from skfact._warn import warn, warn_if_useless
from skfact.exceptions import IllPosedWarning, StructureWarning
from skfact.fixed_support._existence.open_patterns import Budget, find_open_pattern
from skfact.fixed_support._factorization import FixedSupportFactorization
from skfact.fixed_support._problem import Problem
from skfact.fixed_support._supports.rank_one import abbreviated, in_lines, named
from skfact.fixed_support._uniqueness.observed import Unjoined, unjoined_columns
from skfact.supports._masks import Labels

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
NOTHING = (
    "The supports leave nothing for any component: wherever a column of the left mask has a True, "
    "the row of the right mask has none, or the other way round. The product is zero for every "
    "matrix. Put True where the factors may be non-zero."
)
MISSED = "Larger supports, more components or a smaller alpha keep more."
# Relative errors above which factors keep too little to go without a word: on named supports, and
# on supports of the user's own, which are there to be read: low rank then fits better, as expected.
HALF, NEARLY_ALL = 0.5, math.sqrt(0.9)
MISSED_OBSERVED = (
    f"The factors leave a relative error of {{error:.3g}} on the observed entries. {MISSED} To "
    "choose them for the missing ones, hide some observed entries and compare there."
)
HARDLY_ANY = (
    f"On these supports the factors keep {{kept:.2g}} of the squares of {{matrix}}. {MISSED}"
)


def warn_of(
    problem: Problem,
    result: FixedSupportFactorization,
    outcome: Outcome,
    columns: Labels = None,
    who: str = "",
    own_supports: bool = False,
) -> None:
    """What the public functions have to warn of: `columns` by their labels, the estimator first.

    `own_supports` are those that nobody wants compared with low rank: groups, masks.
    """
    for warning in warnings_for(problem, result, outcome, columns):
        warn(str(warning), type(warning), who)
    limit = NEARLY_ALL if own_supports else HALF
    is_good = result.relative_error <= limit or _is_low_rank(problem)
    if is_good or not problem.report.classes:
        return
    n_numbers = result.left_values.shape[0] + result.right_values.shape[0]
    if own_supports:
        seen = "X" if problem.weights is None else "the observed entries of X"
        kept = max(1 - result.relative_error**2, 0.0)
        warn(HARDLY_ANY.format(kept=kept, matrix=seen), StructureWarning, who)
    elif problem.weights is not None:
        warn(MISSED_OBSERVED.format(error=result.relative_error), StructureWarning, who)
    else:
        warn_if_useless(problem.A, result.relative_error, n_numbers, MISSED, who=who)


def warnings_for(
    problem: Problem, result: FixedSupportFactorization, outcome: Outcome, columns: Labels = None
) -> Iterator[Warning]:
    """The warnings that are no comparison; the search for a reason is made here."""
    if not problem.report.classes:
        yield StructureWarning(NOTHING)
        return
    if problem.weights is not None:
        unjoined = unjoined_columns(problem.report.classes, problem.weights)
        if unjoined is not None:
            yield StructureWarning(_words_for(unjoined, columns))
    if Outcome.DIVERGING in outcome:
        components = named(result.diverging_components)
        yield IllPosedWarning(DIVERGING.format(components=components))
        return
    if Outcome.EXACT not in outcome and problem.may_be_ill_posed():
        masks = problem.report.left_support, problem.report.right_support
        witness = find_open_pattern(*masks, Budget(BUDGET), largest=LARGEST)
        if witness is not None:
            lines = in_lines(witness.rows, witness.columns, labels=columns)
            components = named(witness.components)
            yield IllPosedWarning(NOT_CLOSED.format(components=components, lines=lines))
    if Outcome.CUT_OFF in outcome:
        yield ConvergenceWarning(CUT_OFF.format(n_iter=result.n_iter))


def _is_low_rank(problem: Problem) -> bool:
    """Whether the supports are dense: as many components as were asked for keep what they can."""
    masks = problem.report.left_support, problem.report.right_support
    return all(mask.nnz == mask.shape[0] * mask.shape[1] for mask in masks)


def _words_for(unjoined: Unjoined, labels: Labels) -> str:
    """Which columns are completed by arbitrary numbers."""
    text, parts = [], unjoined.parts
    if len(unjoined.too_few):
        text.append(
            f"columns {abbreviated(unjoined.too_few, labels=labels)} have too few observed entries "
            f"for {named(unjoined.components)}"
        )
    if len(parts) > 1:
        shown = " and ".join(abbreviated(part, labels=labels) for part in parts[:2])
        more = f" (and {len(parts) - 2} more such parts)" if len(parts) > 2 else ""
        text.append(
            f"no observed entries join the columns {shown}{more} for {named(unjoined.components)}"
        )
    return (
        f"{text[0][0].upper()}{'; '.join(text)[1:]}: what is missing there is completed by "
        "arbitrary numbers. Fewer components, or smaller supports, need fewer observed entries."
    )
