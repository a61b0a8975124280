"""Batches that come one by one: a step of Adam for each."""

from __future__ import annotations

from typing import Any

from skfact._backend import array_namespace, move_like
from skfact._exponents import times_power_of_two
from skfact.deep_linear._linear_network import LinearNetwork
from skfact.deep_linear._solvers.adam import Adam
from skfact.deep_linear._units import Units


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
