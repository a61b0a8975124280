"""Algorithms say how they ended; the public functions alone warn, of the line that called them."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from skfact import FixedSupportMF
from skfact.exceptions import IllPosedWarning, StructureWarning
from skfact.fixed_support import FAMILIES, analyze_supports, fixed_support_factorize
from skfact.fixed_support._alternating import descent
from skfact.fixed_support._alternating.descent import Runs
from skfact.fixed_support._problem import Problem
from skfact.fixed_support._solvers.outcome import Outcome
from skfact.fixed_support._solvers.solve import factorize, factorize_on_masks

LOWER = np.tri(2)
ANTIDIAGONAL = np.array([[0.0, 1.0], [1.0, 0.0]])  # has no LU decomposition
A = 3 + np.random.default_rng(0).standard_normal((12, 8))
ENDS = {  # matrix, left and right mask, largest number of sweeps, what holds in the end
    "closed form": (A, *FAMILIES["disjoint-groups"](12, 8, 3), 200, Outcome.CONVERGED),
    "exact": (LOWER @ LOWER.T, LOWER, LOWER.T, 200, Outcome.CONVERGED | Outcome.EXACT),
    "diverging": (ANTIDIAGONAL, LOWER, LOWER.T, 200, Outcome.DIVERGING),
    "cut off": (A, *FAMILIES["overlapping-groups"](12, 8, 3), 1, Outcome.CUT_OFF),
}


@pytest.mark.parametrize("name", ENDS)
def test_outcomes_are_told_without_a_warning(name):
    A, left, right, max_iter, expected = ENDS[name]
    runs = Runs(np.random.RandomState(0), max_iter)
    result, outcome = factorize(Problem(A, analyze_supports(left, right)), "auto", runs)
    factorize_on_masks(A, left, right, runs)
    assert expected in outcome
    assert result.converged == (Outcome.CONVERGED in outcome) != (Outcome.CUT_OFF in outcome)


@pytest.mark.parametrize("name", ["diverging", "cut off"])
def test_warnings_point_to_the_caller(name):
    A, left, right, max_iter, _ = ENDS[name]
    options = {"max_iter": max_iter, "random_state": 0}
    category = IllPosedWarning if name == "diverging" else ConvergenceWarning
    for call in (
        lambda: fixed_support_factorize(A, left, right, **options),
        lambda: FixedSupportMF(supports=(left, right), **options).fit(A),
    ):
        with pytest.warns(category) as found:
            call()
        assert {warning.filename for warning in found} == {__file__}


@pytest.mark.parametrize("matrix", [A, 0 * A])
@pytest.mark.parametrize("left, right", [(1, 0), (0, 1), (0, 0)])
def test_supports_that_leave_nothing(matrix, left, right):
    """What is zero for every matrix is said to be; one component that holds something is enough."""
    masks = np.full((12, 2), left), np.full((2, 8), right)
    for call in (
        lambda: fixed_support_factorize(matrix, *masks).right,
        lambda: FixedSupportMF(supports=masks).fit(matrix).components_,
    ):
        with pytest.warns(StructureWarning, match="leave nothing for any.*zero for every matrix"):
            assert not np.any(call())
    masks[0][:, 0] = masks[1][0] = 1
    fixed_support_factorize(np.outer(matrix[:, 0], matrix[0]), *masks)


def test_a_start_that_is_not_finite_is_no_start(monkeypatch):
    """Flags of its products are not asked for, its numbers are."""
    problem = Problem(np.eye(2), analyze_supports(LOWER, LOWER.T))
    monkeypatch.setattr(descent, "relaxed_start", lambda *_: np.array([1.0, np.inf, 1.0]))
    with pytest.raises(FloatingPointError, match="not finite"):
        descent.first_starts(problem, np.ones(3), None, np.random.RandomState(0))
