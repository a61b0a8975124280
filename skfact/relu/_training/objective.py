"""What training minimizes: the loss of a network on samples, its penalty, and their gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import expit, log_softmax, xlogy

from skfact.relu._training.targets import Targets

Arrays = Sequence[np.ndarray]


class Objective(NamedTuple):
    """Mean of the losses of samples, plus penalty / 2 times the sum of the squared weights."""

    X: np.ndarray
    targets: Targets
    penalty: float
    activation: str  # of the hidden layers: "relu" or "identity"

    def on(self, rows: np.ndarray) -> Objective:
        """The same for some of the samples."""
        targets = self.targets._replace(values=self.targets.values[rows])
        return self._replace(X=self.X[rows], targets=targets)

    def __call__(
        self, weights: Arrays, biases: Arrays
    ) -> tuple[float, list[np.ndarray], list[np.ndarray]]:
        """Its value and gradients, by backpropagation; infinite where outputs overflow."""
        values = self.layers(weights, biases)
        loss, delta = loss_and_slope(values[-1], self.targets)
        n = len(self.X)
        squares = sum(float(np.sum(np.square(w, dtype=np.float64))) for w in weights)
        delta = delta / n
        of_weights, of_biases = [], []
        for l in range(len(weights) - 1, -1, -1):
            of_weights.append(
                values[l].T @ delta + weights[l].dtype.type(self.penalty) * weights[l]
            )
            of_biases.append(delta.sum(axis=0))
            if l:
                delta = delta @ weights[l].T
                if self.activation == "relu":
                    delta = np.where(values[l] > 0, delta, 0)
        total = loss / n + 0.5 * self.penalty * squares
        return total, of_weights[::-1], of_biases[::-1]

    def layers(self, weights: Arrays, biases: Arrays) -> list[np.ndarray]:
        """What arrives at each layer from the samples, the outputs last."""
        values = [self.X]
        for l, (w, b) in enumerate(zip(weights, biases), start=1):
            z = values[-1] @ w + b
            is_hidden = l < len(weights)
            values.append(np.maximum(z, 0) if is_hidden and self.activation == "relu" else z)
        return values


def loss_and_slope(outputs: np.ndarray, targets: Targets) -> tuple[float, np.ndarray]:
    """Sum of the losses of samples, and its derivative by the outputs: prediction less target.

    Each loss is the one that its link makes so: half the squared error, half the Poisson deviance,
    or the cross entropy, of outputs without clipping.
    """
    link, y = targets
    z = outputs.astype(np.float64)
    if link == "identity":
        prediction, losses = z, 0.5 * (z - y) ** 2
    elif link == "exp":
        prediction = np.exp(z)
        losses = prediction - y * z + xlogy(y, y) - y
    elif link == "softmax":
        logs = log_softmax(z, axis=1)
        prediction, losses = np.exp(logs), -y * logs
    else:
        prediction, losses = expit(z), np.logaddexp(0, z) - y * z
    return float(losses.sum()), (prediction - y).astype(outputs.dtype)
