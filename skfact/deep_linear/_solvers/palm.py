"""PALM for budgets: the least-squares matrix is factored, then factors move on the data."""

from __future__ import annotations

from collections.abc import Callable

from skfact._linalg import norm2
from skfact._stopping import Stopping
from skfact.deep_linear._palm.budgets import Budgets, usual_residuals
from skfact.deep_linear._palm.hierarchical import run_hierarchical
from skfact.deep_linear._palm.palm4msa import PalmResult, run_palm
from skfact.deep_linear._solvers.data_palm import data_sweeps
from skfact.deep_linear._solvers.problem import Problem, Solver, Trained


def all_at_once(problem: Problem, stopping: Stopping) -> Trained:
    """The least-squares matrix by PALM on all factors."""
    sets, matrix = problem.network.sets, problem.least_squares
    return _within_budgets(
        problem,
        stopping,
        lambda each: run_palm(matrix, sets, each, None, "left-to-right", problem.random),
    )


def level_by_level(problem: Problem, stopping: Stopping) -> Trained:
    """The least-squares matrix by hierarchical PALM."""
    sets, matrix = list(problem.network.sets), problem.least_squares
    budgets = Budgets(sets, usual_residuals(matrix, sets), "left")
    return _within_budgets(problem, stopping, lambda each: run_hierarchical(matrix, budgets, each))


PALM4MSA = Solver("palm4msa", for_budgets=True, run=all_at_once)
HIERARCHICAL = Solver("hierarchical", for_budgets=True, run=level_by_level)


def _within_budgets(
    problem: Problem, stopping: Stopping, factorize: Callable[[Stopping], PalmResult]
) -> Trained:
    """Factors of the least-squares matrix; where they are not the answer, sweeps on the data."""
    if problem.start is not None:
        return data_sweeps(problem, problem.start, stopping)
    silent = Stopping(stopping.max_iter, stopping.tol)
    if not problem.is_approximation:
        return data_sweeps(problem, factorize(silent).values, stopping)
    matrix, X = problem.least_squares, problem.X
    least = 0.5 * norm2(matrix @ X - problem.Y)  # the loss is that, and a multiple of the error
    gain, size = 0.5 * norm2(X) / X.shape[0], norm2(matrix)
    found = factorize(
        silent._replace(
            on_sweep=lambda sweep, error: stopping.told(sweep, least + gain * error**2 * size)
        )
    )
    losses = [least + gain * float(loss) for loss in found.losses]
    if not losses:  # one factor is projected, without a sweep
        losses = [problem.network.loss_and_gradient(found.values, X, problem.Y)[0]]
    return Trained(found.values, losses, max(1, len(losses) - 1), found.outcome)
