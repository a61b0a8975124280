"""A training set without optimal weights: two hidden neurons share outputs and features."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from skfact.fixed_support._existence.diverging import check_point
from skfact.fixed_support._supports.runs import run_of


@dataclass(frozen=True, repr=False, eq=False)
class TrainingSequence:
    """A training set whose error falls to 0 while the weights diverge, and no weights reach 0.

    Two hidden neurons share two outputs and two features. That no weights within the supports fit
    the targets is proved in the theory pages; that the error falls is in the numbers.

    Parameters
    ----------
    neurons, outputs, features : tuple of two int
        The hidden neurons, and what they share.
    others : tuple of tuple of two int
        Other hidden neurons that see the first feature, each with one of the two outputs.
    shape : tuple of int
        Numbers of outputs, hidden neurons and features.

    See Also
    --------
    relu_training_has_optimum : Finds such sequences.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.fixed_support import relu_training_has_optimum
    >>> witness = relu_training_has_optimum(np.ones((2, 2)), np.ones((2, 2))).witness
    >>> witness.samples.shape, witness.targets.shape
    ((35, 2), (35, 2))
    >>> for epsilon in (1e-2, 1e-3, 1e-4):
    ...     print(f"{witness.loss(epsilon):.1e}, {witness.largest_weight(epsilon):.0f}")
    2.1e-04, 100
    2.2e-06, 1000
    2.1e-08, 10000
    """

    neurons: tuple[int, int]
    outputs: tuple[int, int]
    features: tuple[int, int]
    others: tuple[tuple[int, int], ...]
    shape: tuple[int, int, int]

    @cached_property
    def samples(self) -> np.ndarray:
        """Features of the training set, an array of shape (n_samples, n_features)."""
        r = 2 + len(self.others)
        t = np.arange(-2 * r, 2 * r + 1, 2) + 0.5  # none from -1 to 0
        kinks = np.arange(r - 1)
        x = np.append(0.0, np.add.outer(kinks, np.array([-3, -2, -1, 1, 2, 3]) / 8))
        points = np.stack(np.meshgrid(x, t), axis=-1).reshape(-1, 2)
        samples = np.zeros((len(points), self.shape[2]))
        samples[:, self.features] = points
        return samples

    @cached_property
    def targets(self) -> np.ndarray:
        """Targets of the training set, an array of shape (n_samples, n_outputs)."""
        x, t = self.samples[:, self.features].T
        u, v = self.outputs
        targets = np.zeros((len(x), self.shape[0]))
        targets[:, u] = np.where(x == 0, np.where(t > 0, -1.0, 0.0), np.where(x > 0, -1.0, 0.0))
        targets[:, v] = np.maximum(x, 0)
        for kink, (_, output) in enumerate(self.others, start=1):
            targets[:, output] += np.maximum(x - kink, 0)
        return targets

    def weights(self, epsilon: float) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """The network at one point of the sequence.

        Parameters
        ----------
        epsilon : float
            Positive; the sequence is followed towards 0.

        Returns
        -------
        coefs : list of ndarray
            Weights of the hidden layer, (n_features, n_hidden), and of the output layer,
            (n_hidden, n_outputs), as scikit-learn's networks have them.
        intercepts : list of ndarray
            Biases, (n_hidden,) and (n_outputs,).

        Raises
        ------
        ValueError
            If `epsilon` is not positive.
        """
        check_point(epsilon)
        n_outputs, n_hidden, n_features = self.shape
        (p, q), (u, v), (f, g) = self.neurons, self.outputs, self.features
        hidden, last = np.zeros((n_features, n_hidden)), np.zeros((n_hidden, n_outputs))
        bias = np.zeros(n_hidden)
        hidden[f, [p, q]], hidden[g, [p, q]], bias[q] = 1, epsilon, epsilon
        last[p, u], last[q, u], last[p, v] = 1 / epsilon, -1 / epsilon, 1
        for kink, (k, output) in enumerate(self.others, start=1):
            hidden[f, k], bias[k], last[k, output] = 1, -kink, 1
        return [hidden, last], [bias, np.zeros(n_outputs)]

    def loss(self, epsilon: float) -> float:
        """Mean squared error of the network on the training set; it falls like epsilon squared.

        Parameters
        ----------
        epsilon : float
            As in `weights`.

        Returns
        -------
        loss : float
        """
        (hidden, last), (bias, shift) = self.weights(epsilon)
        predicted = np.maximum(self.samples @ hidden + bias, 0) @ last + shift
        return float(np.mean((predicted - self.targets) ** 2))

    def largest_weight(self, epsilon: float) -> float:
        """Largest magnitude among the weights; it grows like 1 / epsilon.

        Parameters
        ----------
        epsilon : float
            As in `weights`.

        Returns
        -------
        largest : float
        """
        coefs, intercepts = self.weights(epsilon)
        return float(max(np.abs(part).max() for part in [*coefs, *intercepts]))

    def __repr__(self) -> str:
        return (
            f"TrainingSequence(hidden neurons {[*self.neurons]}, outputs {[*self.outputs]}, "
            f"features {[*self.features]})"
        )


def training_sequence(left: Any, right: Any, neurons: tuple[int, int]) -> TrainingSequence:
    """The training set of two hidden neurons that share two outputs and two features."""
    p, q = neurons
    reached, seen = (
        [int(i) for i in np.intersect1d(run_of(mask, p), run_of(mask, q), assume_unique=True)[:2]]
        for mask in (left, right)
    )
    by_feature = right.tocsc()
    others = []
    for k in run_of(by_feature, seen[0]).tolist():
        outputs = [int(i) for i in run_of(left, k) if i in reached]
        if k not in (p, q) and outputs:
            others.append((k, outputs[0]))
    return TrainingSequence(
        neurons,
        (reached[0], reached[1]),
        (seen[0], seen[1]),
        tuple(others),
        (left.shape[0], left.shape[1], right.shape[1]),
    )
