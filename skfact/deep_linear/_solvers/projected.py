"""PALM on parameters within models: projected gradient steps, factor by factor.

Bolte, Sabach and Teboulle, "Proximal alternating linearized minimization for nonconvex and
nonsmooth problems", Mathematical Programming 146, 2014. The loss is quadratic in the values of one
factor; with a step size t, its gradient g and the projection P on its set, the step is

    v <- P(v - t g),

which lowers the loss by at least ||change||^2 / 2 times 1/t - L, L the curvature. Step sizes are
those of Barzilai and Borwein, shortened until the loss falls.
"""

from __future__ import annotations

from typing import Any

from skfact._backend import array_namespace
from skfact._linalg import inner, norm2
from skfact._stopping import Stopping
from skfact.deep_linear._factor_sets.factor_set import FactorSet
from skfact.deep_linear._outcome import Outcome
from skfact.deep_linear._solvers.closed_form import start_values
from skfact.deep_linear._solvers.problem import Problem, Solver, Trained

DECREASE = 1e-4  # share of the step that a decrease must be worth
MOST_HALVINGS = 60
DRAWS, TRIAL = 4, 10  # random starts, and sweeps after which one is gone on from


def projected_steps(problem: Problem, stopping: Stopping) -> Trained:
    """Sweeps from factors of the least-squares matrix, or from a start; none raises the loss.

    Ends when ten sweeps lower the loss, its constant included, by no more than `tol` times it.
    """
    eps = float(array_namespace(problem.X).finfo(problem.X.dtype).eps)
    tiny = (10 * eps) ** 2 * 0.5 * norm2(problem.Y)
    state = _best_start(problem)
    losses, outcome = [state.loss], Outcome.CUT_OFF
    for number in range(1, stopping.max_iter + 1):
        moved = state.sweep()
        losses.append(state.loss)
        stopped = stopping.told(number, state.loss)
        if not moved or state.loss <= tiny or stopping.is_slow(losses, problem.constant):
            outcome = Outcome.CONVERGED
        elif stopped:
            outcome = Outcome.STOPPED
        if outcome is not Outcome.CUT_OFF:
            break
    return Trained(state.values, losses, len(losses) - 1, outcome)


PALM = Solver("palm", for_budgets=True, for_models=True, run=projected_steps)


def projected(problem: Problem, one: FactorSet, values: Any) -> Any:
    """The nearest values within a set, which knows those in the units of the data."""
    if problem.units is None:
        return one.project(values)
    (given,) = problem.units.factors([values])
    return problem.units.factors([one.project(given)], back=True)[0]


def _best_start(problem: Problem) -> ProjectedSweeps:
    """Where to go on from: of several starts, the one with the least loss after some sweeps.

    A product may vanish for signs that a model forbids, and stays zero then.
    """
    network, given = problem.network, problem.start
    if given is None and len(network.sets) == 1:
        given = [network.sets[0].coordinates(problem.least_squares)]
    if given is not None:
        draws = [given]
    elif network.modelled:
        draws = [start_values(problem) for _ in range(DRAWS)]
        draws += [[abs(value) for value in values] for values in draws]
    else:
        draws = [start_values(problem)]
    states = [
        ProjectedSweeps(problem, [projected(problem, *pair) for pair in zip(network.sets, values)])
        for values in draws
    ]
    if len(states) > 1:
        for state in states:
            for _ in range(TRIAL):
                state.sweep()
    return min(states, key=lambda state: state.loss)


class ProjectedSweeps:
    """Values within their sets, and the residual of their product."""

    def __init__(self, problem: Problem, values: list[Any]) -> None:
        self.problem, self.sets, self.values = problem, problem.network.sets, values
        self.last: list[tuple[Any, Any] | None] = [None] * len(values)  # values and gradients
        self._start_sweep()

    def _start_sweep(self) -> None:
        """Inputs of all factors, from the right, and the residual; no rounding errors add up."""
        self.inputs = [self.problem.X]
        for one, value in zip(self.sets[::-1], self.values[::-1]):
            self.inputs.append(one.times(value, self.inputs[-1]))
        self.residual = self.inputs.pop() - self.problem.Y
        self.inputs.reverse()
        self.loss = self._loss(self.residual, self.values)

    def _loss(self, residual: Any, values: list[Any]) -> float:
        penalty = self.problem.alpha and self.problem.alpha * sum(norm2(v) for v in values)
        return 0.5 * norm2(residual) + 0.5 * penalty

    def sweep(self) -> bool:
        """One step for each factor; whether any moved."""
        before = self.loss, self.values
        moved = [self._step(j) for j in range(len(self.sets))]
        self._start_sweep()
        if self.loss > before[0]:  # by rounding errors
            self.loss, self.values = before
            return False
        return any(moved)

    def _left(self, j: int, X: Any) -> Any:
        """The product of the factors to the left of factor j, times a matrix."""
        for i in range(j - 1, -1, -1):
            X = self.sets[i].times(self.values[i], X)
        return X

    def _step(self, j: int) -> bool:
        """A projected gradient step for factor j; whether it moved."""
        one, old, alpha = self.sets[j], self.values[j], self.problem.alpha
        pulled = self.residual
        for i in range(j):
            pulled = self.sets[i].adjoint_times(self.values[i], pulled)
        gradient = one.correlate(pulled, self.inputs[j]) + alpha * old
        size = norm2(gradient)
        if not size > 0:
            return False
        step = self._step_size(j, gradient, size)
        self.last[j] = old, gradient
        for _ in range(MOST_HALVINGS):
            new = projected(self.problem, one, old - step * gradient)
            change = new - old
            residual = self.residual + self._left(j, one.times(change, self.inputs[j]))
            values = [*self.values[:j], new, *self.values[j + 1 :]]
            loss, length = self._loss(residual, values), norm2(change)
            if not length > 0:
                return False
            if loss <= self.loss - DECREASE * length / (2 * step):
                self.values, self.residual, self.loss = values, residual, loss
                return True
            step /= 2
        return False

    def _step_size(self, j: int, gradient: Any, size: float) -> float:
        """The inverse curvature between the last two steps; else along the gradient."""
        last = self.last[j]
        if last is not None:
            values, slope = last
            moved, turned = self.values[j] - values, gradient - slope
            along = inner(moved, turned)
            if along > 0:
                return norm2(moved) / along
        image = self._left(j, self.sets[j].times(gradient, self.inputs[j]))
        curvature = norm2(image) + self.problem.alpha * size
        return size / curvature if curvature > 0 else 1.0
