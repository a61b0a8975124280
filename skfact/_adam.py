"""Adam's steps, for all that is trained on batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from skfact._backend import array_namespace, portable

BATCH = 200  # samples of a mini-batch where batch_size="auto"
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


class Adam:
    """Adam's state for a list of arrays."""

    def __init__(self, values: Sequence[Any], learning_rate: float) -> None:
        self.learning_rate, self.steps = learning_rate, 0
        self.first = [0.0 * value for value in values]
        self.second = [0.0 * value for value in values]

    def __getstate__(self) -> dict[str, Any]:
        return portable(vars(self))

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
