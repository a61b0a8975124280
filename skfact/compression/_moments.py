"""Means and second moments of rows that come in batches, for any magnitude of ordinary floats."""

from __future__ import annotations

import math

import numpy as np

from skfact._exponents import binary_exponent


class Moments:
    """What rows (n_samples, n) were like: only sums over them are kept.

    Around the mean of the first batch, so that a large mean costs no digits, and over a power of
    two, so that squares are numbers.
    """

    def __init__(self) -> None:
        self.n_samples = 0
        self._exponent = 0

    def add(self, rows: np.ndarray) -> None:
        """Take in a batch."""
        if not len(rows):
            return
        rows = rows.astype(np.float64)
        if not self.n_samples:
            self._exponent = binary_exponent(rows, "X, or what a layer makes of it,")
            self._shift = np.ldexp(rows, -self._exponent).mean(axis=0)
            self._sum = np.zeros(rows.shape[1])
            self._squares = np.zeros((rows.shape[1], rows.shape[1]))
        rows = np.ldexp(rows, -self._exponent) - self._shift
        self.n_samples += len(rows)
        self._sum += rows.sum(axis=0)
        self._squares += rows.T @ rows

    @property
    def mean(self) -> np.ndarray:
        """Mean of the rows."""
        mean: np.ndarray = np.ldexp(self._shift + self._sum / self.n_samples, self._exponent)
        return mean

    def second(self, *, centred: bool) -> np.ndarray:
        """Mean of the outer products of the rows over `scale`, around their mean or around zero."""
        mean = self._sum / self.n_samples
        around_mean = self._squares / self.n_samples - np.outer(mean, mean)
        if not centred:
            around_mean += np.outer(self._shift + mean, self._shift + mean)
        return around_mean

    @property
    def scale(self) -> float:
        """The power of two that `second` leaves out of the rows."""
        return math.ldexp(1.0, self._exponent)

    def equal(self, other: Moments) -> bool:
        """Whether all is the same: that of the same rows is."""
        if self.n_samples != other.n_samples or self._exponent != other._exponent:
            return False
        return all(
            np.array_equal(one, two)
            for one, two in zip(
                (self._shift, self._sum, self._squares), (other._shift, other._sum, other._squares)
            )
        )


class Missed:
    """How much rows differ from others, beside how much these vary."""

    def __init__(self) -> None:
        self._pairs = 0
        self._exponent = 0

    def add(self, rows: np.ndarray, others: np.ndarray) -> None:
        """Take in a batch of rows (n_samples, n), and of the others."""
        rows, others = rows.astype(np.float64), others.astype(np.float64)
        if not self._pairs:
            self._exponent = binary_exponent(rows, "what the network gives for X")
            self._shift = np.ldexp(rows, -self._exponent).mean(axis=0)
            self._sum, self._energy, self._missed = np.zeros(rows.shape[1]), 0.0, 0.0
        self._missed += float(np.sum(np.ldexp(others - rows, -self._exponent) ** 2))
        rows = np.ldexp(rows, -self._exponent) - self._shift
        self._pairs += len(rows)
        self._sum += rows.sum(axis=0)
        self._energy += float(np.sum(rows**2))

    @property
    def relative_error(self) -> float | None:
        """Root of the mean square of the difference over that of the rows around their mean.

        None where there were no rows.
        """
        if not self._pairs:
            return None
        varied = self._energy - float(np.sum(self._sum**2)) / self._pairs
        return math.sqrt(self._missed / varied) if varied > 0 else 0.0


def root(second: np.ndarray) -> np.ndarray:
    """R (k, n) with R^T R the matrix of second moments, and no more rows than its rank."""
    second = (second + second.T) / 2
    try:
        upper: np.ndarray = np.linalg.cholesky(second).T
        return upper
    except np.linalg.LinAlgError:  # not definite
        values, vectors = np.linalg.eigh(second)
    kept = values > len(values) * np.finfo(float).eps * max(values[-1], 0.0)
    if not kept.any():
        return np.zeros((1, len(values)))
    return np.sqrt(values[kept])[:, None] * vectors[:, kept].T
