"""PALM for budgets: the least-squares matrix is factored, then factors move on the data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from skfact._backend import array_namespace
from skfact._linalg import norm2
from skfact._stopping import Stopping
from skfact.deep_linear._factor_sets.factor_set import DenseSet
from skfact.deep_linear._palm.hierarchical import Budgets, run_hierarchical, usual_residuals
from skfact.deep_linear._palm.palm4msa import PalmResult, run_palm, shared
from skfact.deep_linear._palm.scale_penalty import ScalePenalty
from skfact.deep_linear._palm.start import unit_factors
from skfact.deep_linear._palm.sweeps import Objective, sweep_factors
from skfact.deep_linear._solvers.least_squares import are_collinear, on_independent_features
from skfact.deep_linear._solvers.problem import Problem, Solver, Trained


def all_at_once(problem: Problem, stopping: Stopping) -> Trained:
    """The least-squares matrix by PALM on all factors."""
    sets = problem.network.sets
    return _within_budgets(
        problem,
        stopping,
        lambda matrix, each: run_palm(matrix, sets, each, None, "left-to-right", problem.random),
    )


def level_by_level(problem: Problem, stopping: Stopping) -> Trained:
    """The least-squares matrix by hierarchical PALM."""
    sets = list(problem.network.sets)
    budgets = Budgets(sets, usual_residuals(problem.least_squares, sets), "left")
    return _within_budgets(
        problem, stopping, lambda matrix, each: run_hierarchical(matrix, budgets, each)
    )


TRIAL = 20  # sweeps after which one of two starts is left
CLEAR = 1e-3  # share of the loss by which the second one has to be better: no rounding error is
PALM4MSA = Solver("palm4msa", for_budgets=True, run=all_at_once)
HIERARCHICAL = Solver("hierarchical", for_budgets=True, run=level_by_level)


def _within_budgets(
    problem: Problem, stopping: Stopping, factorize: Callable[[Any, Stopping], PalmResult]
) -> Trained:
    """Factors of the least-squares matrix; where they are not the answer, sweeps on the data."""
    if problem.start is not None:
        return data_sweeps(problem, problem.start, stopping)
    silent = Stopping(stopping.max_iter, stopping.tol)
    matrix, X = problem.least_squares, problem.X
    if not problem.is_approximation:
        start = factorize(matrix, silent).values
        if are_collinear(X):  # least squares shares a coefficient among features that are alike
            few = on_independent_features(X, problem.Y, problem.alpha)
            other = factorize(few, silent).values
            short = silent._replace(max_iter=min(stopping.max_iter, TRIAL))
            ends = [data_sweeps(problem, values, short) for values in (start, other)]
            gain = ends[0].losses[-1] - ends[1].losses[-1]
            start = other if gain > CLEAR * ends[0].losses[-1] else start
        return data_sweeps(problem, start, stopping)
    least = 0.5 * norm2(matrix @ X - problem.Y)  # the loss is that, and a multiple of the error
    gain, size = 0.5 * norm2(X) / X.shape[0], norm2(matrix)
    found = factorize(
        matrix,
        silent._replace(
            on_sweep=lambda sweep, error: stopping.told(sweep, least + gain * error**2 * size)
        ),
    )
    losses = [least + gain * float(loss) for loss in found.losses]
    if not losses:  # one factor is projected, without a sweep
        losses = [problem.network.loss_and_gradient(found.values, X, problem.Y)[0]]
    return Trained(found.values, losses, max(1, len(losses) - 1), found.outcome)


class ConstantSet(DenseSet):
    """The samples in the place of a factor: one matrix, of whatever norm PALM gives it."""

    is_linear = False

    def __init__(self, matrix: Any) -> None:
        super().__init__((matrix.shape[0], matrix.shape[1]))
        self.matrix = matrix

    @property
    def T(self) -> ConstantSet:
        return ConstantSet(array_namespace(self.matrix).matrix_transpose(self.matrix))

    def project(self, values: Any) -> Any:
        return self.matrix

    def proposals(self, moved: Any, old: Any) -> Iterator[Any]:
        """No step."""
        yield old


def data_sweeps(problem: Problem, start: Sequence[Any], stopping: Stopping) -> Trained:
    """Sweeps on Y ~ S_1 ... S_L X from some values on; the factors get equal norms."""
    network, X = problem.network, problem.X
    count, data = len(network.sets), ConstantSet(X)
    sets = [*network.sets, data]
    unit = data.norm(X) or 1.0
    first = unit_factors(sets, [*start, X])
    found = sweep_factors(
        Objective(problem.Y, ScalePenalty.ridge(problem.alpha, count, unit), 2 * problem.constant),
        sets,
        first._replace(feasible=first.scale > 0),
        stopping._replace(on_sweep=lambda sweep, loss: stopping.told(sweep, 0.5 * loss)),
    )
    values = shared(found.values[:-1], found.scale / unit)
    losses = [0.5 * float(loss) for loss in found.losses]
    return Trained(values, losses, max(1, len(losses) - 1), found.outcome)
