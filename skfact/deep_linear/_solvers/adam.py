"""Adam on mini-batches, as scikit-learn's multilayer perceptrons train."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from skfact._backend import array_namespace, move_like
from skfact._exponents import times_power_of_two
from skfact.deep_linear._linear_network import Network
from skfact.deep_linear._solvers.trained import Trained
from skfact.deep_linear._units import Units

BATCH = 200  # samples of a mini-batch where batch_size="auto"
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


class Adam:
    """Adam's state for a list of arrays."""

    def __init__(self, values: Sequence[Any], learning_rate: float) -> None:
        self.learning_rate, self.steps = learning_rate, 0
        self.first = [0.0 * value for value in values]
        self.second = [0.0 * value for value in values]

    def step(self, values: Sequence[Any], gradients: Sequence[Any]) -> list[Any]:
        """The values after one step."""
        self.steps += 1
        rate = self.learning_rate * (1 - BETA2**self.steps) ** 0.5 / (1 - BETA1**self.steps)
        new = []
        for i, (value, gradient) in enumerate(zip(values, gradients)):
            xp = array_namespace(value)
            self.first[i] = BETA1 * self.first[i] + (1 - BETA1) * gradient
            self.second[i] = BETA2 * self.second[i] + (1 - BETA2) * gradient * gradient
            new.append(value - rate * self.first[i] / (xp.sqrt(self.second[i]) + EPSILON))
        return new


class Stream:
    """Factors and an offset that take one step of Adam for each batch.

    The origin and the power of two of the data are those of the first batch.
    """

    def __init__(
        self, network: Network, units: Units, values: list[Any], learning_rate: float
    ) -> None:
        self.network, self.units, self.values = network, units, values
        self.shift = 0 * units.y_mean  # of the offset, in these units
        self.adam = Adam([*values, self.shift], learning_rate)

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
        counted = X.shape[0] if weights is None else float(xp.sum(weights))
        loss, gradients, residual = self.network.loss_and_gradient(
            self.values, samples, targets - self.shift[:, None] * root, self.units.penalty(alpha)
        )
        slope = residual @ root if centre else xp.zeros_like(self.shift)
        state = self.adam.step(
            [*self.values, self.shift], [g / counted for g in [*gradients, slope]]
        )
        self.values, self.shift = state[:-1], state[-1]
        return self.units.loss(loss)


def adam_epochs(
    network: Network,
    X: Any,
    Y: Any,
    start: Sequence[Any],
    *,
    weights: np.ndarray | None,
    alpha: float,
    max_iter: int,
    tol: float,
    batch_size: int | str,
    learning_rate_init: float,
    early_stopping: bool,
    validation_fraction: float,
    n_iter_no_change: int,
    random: np.random.RandomState,
    on_sweep: Callable[[int, float], Any],
) -> Trained:
    """Epochs of mini-batches; with `early_stopping` the values that validated best.

    X and Y have the square roots of the weights in them already: `weights` says what a batch
    counts.

    Raises
    ------
    ValueError
        If validation leaves no sample, or the loss is no longer finite.
    """
    xp, n = array_namespace(X), X.shape[1]
    order = random.permutation(n)
    held = max(1, round(validation_fraction * n)) if early_stopping else 0
    if held >= n:
        raise ValueError(
            f"early_stopping=True sets {held} of {n} samples aside and leaves none to learn "
            "from. Pass more samples, or early_stopping=False."
        )
    aside, order = order[:held], order[held:]
    share = np.ones(n) if weights is None else weights
    everything = float(share.sum())
    size = min(BATCH, len(order)) if isinstance(batch_size, str) else int(batch_size)
    values = list(start)
    adam = Adam(values, learning_rate_init)

    def take(array: Any, which: np.ndarray) -> Any:
        return xp.take(array, move_like(which, X), axis=1)

    best, kept, waited, losses, converged = math.inf, values, 0, [], False
    for epoch in range(1, max_iter + 1):
        total = 0.0
        order = random.permutation(order)
        for first in range(0, len(order), size):
            batch = order[first : first + size]
            counted = float(share[batch].sum())
            if not counted:
                continue
            with np.errstate(over="ignore", invalid="ignore"):  # reported below
                loss, gradients, _ = network.loss_and_gradient(
                    values, take(X, batch), take(Y, batch), alpha * counted / everything
                )
                total += loss
                values = adam.step(values, [g / counted for g in gradients])
        if not math.isfinite(total):
            raise ValueError(
                f"Training diverged with learning_rate_init={learning_rate_init}: the "
                "loss is not finite. Pass a smaller one, or scale X and y."
            )
        losses.append(total)
        measure = total
        if held:
            rest = network.operator(values).apply(take(X, aside).T).T - take(Y, aside)
            measure = float(xp.sum(rest * rest))
        waited = 0 if measure < best * (1 - tol) else waited + 1
        if measure < best:
            best, kept = measure, values
        if on_sweep(epoch, total) or waited >= n_iter_no_change:
            converged = True
            break
    nothing = 0.5 * float(xp.sum(take(Y, order) ** 2))
    worse = not held and losses[-1] > nothing > 0
    return Trained(kept if held else values, losses, len(losses), converged, False, worse)
