"""Adam on mini-batches, as scikit-learn's perceptrons train, and on batches that come in turn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from skfact._adam import BATCH, Adam
from skfact._backend import array_namespace, move_like, portable
from skfact._exponents import times_power_of_two
from skfact._linalg import norm2
from skfact._stopping import Stopping
from skfact.deep_linear._linear_network import LinearNetwork
from skfact.deep_linear._outcome import Outcome
from skfact.deep_linear._solvers.problem import Problem, Solver, Trained
from skfact.deep_linear._units import Units


def adam(problem: Problem, stopping: Stopping) -> Trained:
    """Epochs of mini-batches; with `early_stopping` the values that validated best.

    Raises
    ------
    ValueError
        If validation leaves no sample.
    """
    options = problem.batches
    assert options is not None
    network, random, n = problem.network, problem.random, problem.X.shape[1]
    values = list(problem.start or network.start(random, problem.X))
    order = random.permutation(n)
    held = max(1, round(options.validation_fraction * n)) if options.early_stopping else 0
    if held >= n:
        raise ValueError(
            f"early_stopping=True sets {held} of {n} samples aside and leaves none to learn "
            "from. Pass more samples, or early_stopping=False."
        )
    (X_aside, Y_aside, _), order = _some(problem, order[:held]), order[held:]
    size = BATCH if options.batch_size == "auto" else int(options.batch_size)
    state = Adam(values, options.learning_rate_init)
    best, kept, waited, losses, outcome = math.inf, values, 0, list[float](), Outcome.CUT_OFF
    for epoch in range(1, stopping.max_iter + 1):
        order = random.permutation(order)
        with np.errstate(over="ignore", invalid="ignore"):  # reported by the outcome
            values, loss = _epoch(problem, order, size, values, state)
        losses.append(loss)
        if not math.isfinite(loss):
            return Trained(values, losses, epoch, Outcome.NOT_FINITE)
        measure = loss
        if held:
            measure = norm2(network.operator(values).apply(X_aside.T).T - Y_aside)
        waited = 0 if measure < best * (1 - stopping.tol) else waited + 1
        if measure < best:
            best, kept = measure, values
        stopped = stopping.told(epoch, loss)
        if waited >= options.n_iter_no_change or stopped:
            outcome = Outcome.STOPPED if stopped else Outcome.CONVERGED
            break
    if not held and losses[-1] > 0.5 * norm2(problem.Y) > 0:
        outcome = Outcome.WORSE_THAN_NOTHING
    return Trained(kept if held else values, losses, len(losses), outcome)


ADAM = Solver("adam", for_budgets=False, run=adam, takes_samples=True)


def _epoch(
    problem: Problem, order: np.ndarray, size: int, values: list[Any], state: Adam
) -> tuple[list[Any], float]:
    """Values after a step for each batch, and the sum of the losses before the steps."""
    everything = _count(problem.X.shape[1], problem.weights)
    total = 0.0
    for first in range(0, len(order), size):
        X, Y, count = _some(problem, order[first : first + size])
        if not count:
            continue
        loss, gradients, _ = problem.network.loss_and_gradient(
            values, X, Y, problem.alpha * count / everything
        )
        total += loss
        values = state.step(values, [g / count for g in gradients])
    return values, total


def _some(problem: Problem, which: np.ndarray) -> tuple[Any, Any, float]:
    """The samples and targets at some positions, and what they count."""
    xp, at = array_namespace(problem.X), move_like(which, problem.X)
    weights = None if problem.weights is None else xp.take(problem.weights, at)
    some = xp.take(problem.X, at, axis=1), xp.take(problem.Y, at, axis=1)
    return *some, _count(len(which), weights)


def _count(n: int, weights: Any) -> float:
    """Number of samples, or the sum of their weights."""
    return float(n if weights is None else array_namespace(weights).sum(weights))


class Stream:
    """Factors and an offset that take one step of Adam for each batch.

    The origin and the power of two of the data are those of the first batch.
    """

    def __init__(
        self, network: LinearNetwork, units: Units, values: list[Any], learning_rate: float
    ) -> None:
        self.network, self.units, self.values = network, units, values
        self.shift = 0 * units.y_mean  # of the offset, in these units
        self.adam = Adam([*values, self.shift], learning_rate)

    def __getstate__(self) -> dict[str, Any]:
        return portable(vars(self))

    def copy(self) -> Stream:
        """A stream that goes on from here and leaves this one as it is."""
        new, adam = object.__new__(Stream), object.__new__(Adam)
        first, second = list(self.adam.first), list(self.adam.second)
        vars(adam).update(vars(self.adam), first=first, second=second)
        vars(new).update(vars(self), adam=adam)
        return new

    @property
    def offset(self) -> Any:
        """Output at the mean of the samples."""
        return self.units.y_mean + times_power_of_two(self.shift, self.units.y_exponent)

    def move_like(self, like: Any) -> None:
        """Move all arrays to the library and device of `like`."""
        units, adam = self.units, self.adam
        self.units = units._replace(
            x_mean=move_like(units.x_mean, like), y_mean=move_like(units.y_mean, like)
        )
        self.shift = move_like(self.shift, like)
        self.values, adam.first, adam.second = (
            [move_like(array, like) for array in arrays]
            for arrays in (self.values, adam.first, adam.second)
        )

    def step(self, X: Any, Y: Any, weights: Any, *, alpha: float, centre: bool) -> float:
        """Take a step on a batch; its loss before the step."""
        samples, targets = self.units.scaled(X, Y, weights)
        xp = array_namespace(samples)
        root = xp.ones_like(samples[0, :]) if weights is None else xp.sqrt(weights)
        counted = _count(X.shape[0], weights)
        loss, gradients, residual = self.network.loss_and_gradient(
            self.values, samples, targets - self.shift[:, None] * root, self.units.penalty(alpha)
        )
        slope = residual @ root if centre else xp.zeros_like(self.shift)
        state = self.adam.step(
            [*self.values, self.shift], [g / counted for g in [*gradients, slope]]
        )
        self.values, self.shift = state[:-1], state[-1]
        return self.units.loss(loss)
