"""Means and second moments of rows that come in batches, for any magnitude of ordinary floats."""

from __future__ import annotations

import math

import numpy as np
from scipy.sparse import csr_array

from skfact._exponents import binary_exponent

WIDE = 4096  # columns from which on no matrix of all products is made, and rows that are kept then
TOGETHER = 2**22  # entries of a batch that are taken in at a time
VARIES = 8  # roundings of the mean, less than which is no variance


class Moments:
    """What rows (n_samples, n) were like: no more is kept than tells their second moments.

    As many rows as columns are kept as they are; of more, the sum of the outer products. With over
    `WIDE` columns so many rows are kept, and of more, sums of rows with random signs: these have
    the same second moments in expectation (Charikar, Chen and Farach-Colton, 2004). Columns may be
    those of several `sides`, which count one by one.

    Around the mean of the first batch, so that a large mean costs no digits, and over a power of
    two, so that squares are numbers.
    """

    def __init__(self, sides: int = 1) -> None:
        self.n_samples = 0
        self._sides = sides
        self._exponent = 0

    def add(self, rows: np.ndarray) -> None:
        """Take in a batch."""
        step = max(TOGETHER // rows.shape[1], 1)
        for start in range(0, len(rows), step):
            self._add(rows[start : start + step])

    def _add(self, rows: np.ndarray) -> None:
        eps = float(np.finfo(rows.dtype).eps) if rows.dtype.kind == "f" else 0.0
        rows = rows.astype(np.float64)
        if not self.n_samples:
            self._exponent = binary_exponent(rows, "X, or what a layer makes of it,")
            self._shift = np.ldexp(rows, -self._exponent).mean(axis=0)
            self._sum = np.zeros(rows.shape[1])
            self._eps, self._n = eps, rows.shape[1] // self._sides
            self._rows: list[np.ndarray] = []
            self._squares: np.ndarray | None = None
            self._mixed: np.ndarray | None = None
        rows = np.ldexp(rows, -self._exponent) - self._shift
        self.n_samples += len(rows)
        self._sum += rows.sum(axis=0)
        if self.n_samples <= min(self._n, WIDE):
            self._rows.append(rows)
            return
        if self._rows:
            earlier, self._rows = self._rows, []
            rows = np.concatenate([*earlier, rows])
            del earlier
        if self._n <= WIDE:
            squares = rows.T @ rows
            self._squares = squares if self._squares is None else self._squares + squares
        else:
            self._mix(rows)

    def _mix(self, rows: np.ndarray) -> None:
        """Add rows with random signs to those that are kept, of which there are `WIDE`."""
        if self._mixed is None:
            self._mixed, self._ones = rows[:WIDE].copy(), np.ones(WIDE)
            self._random = np.random.default_rng(0)
            rows = rows[WIDE:]
        to = self._random.integers(WIDE, size=len(rows))
        signs = self._random.choice([-1.0, 1.0], size=len(rows))
        mixing = csr_array((signs, (to, np.arange(len(rows)))), shape=(WIDE, len(rows)))
        self._mixed += mixing @ rows
        self._ones += mixing.sum(axis=1)

    @property
    def mean(self) -> np.ndarray:
        """Mean of the rows."""
        mean: np.ndarray = np.ldexp(self._shift + self._sum / self.n_samples, self._exponent)
        return mean

    @property
    def n_rows(self) -> int:
        """How many rows the second moments could be those of."""
        return self.n_samples if self._n <= WIDE else min(self.n_samples, WIDE)

    @property
    def is_few(self) -> bool:
        """Whether there are rows, no more than columns of a side, and no products of columns."""
        return self._squares is None

    def root(self, *, centred: bool) -> np.ndarray:
        """R (k, n) with R^T R = `second`, and for one side no more rows than columns."""
        around = self._sum / self.n_samples if centred else -self._shift
        if centred and not self._varies:
            return np.zeros((1, len(self._sum)))
        if self._squares is not None:
            return root(self.second(centred=centred))
        if self._mixed is not None:
            rows = self._mixed - np.outer(self._ones, around)
        else:
            rows = np.concatenate(self._rows) - around
        found: np.ndarray = rows / math.sqrt(self.n_samples)
        return found

    def second(self, *, centred: bool) -> np.ndarray:
        """Mean of the outer products of the rows over `scale`, around their mean or around zero."""
        if self._squares is None:
            half = self.root(centred=centred)
            product: np.ndarray = half.T @ half
            return product
        mean = self._sum / self.n_samples
        if self._varies:
            around_mean = self._squares / self.n_samples - np.outer(mean, mean)
        else:
            around_mean = np.zeros_like(self._squares)
        if not centred:
            around_mean += np.outer(self._shift + mean, self._shift + mean)
        return around_mean

    @property
    def _varies(self) -> bool:
        """Whether rows are further from their mean than by rounding."""
        mean = self._sum / self.n_samples
        if self._squares is not None:
            energy = float(np.trace(self._squares)) / self.n_samples - float(mean @ mean)
        else:
            around = np.outer(self._ones, mean) if self._mixed is not None else mean
            rows = self._rows if self._mixed is None else [self._mixed]
            energy = sum(float(np.sum((part - around) ** 2)) for part in rows) / self.n_samples
        whole = float(np.sum((self._shift + mean) ** 2))
        return energy > (VARIES * self._eps) ** 2 * whole

    @property
    def scale(self) -> float:
        """The power of two that is left out of the rows, in `root` and `second`."""
        return math.ldexp(1.0, self._exponent)

    def equal(self, other: Moments) -> bool:
        """Whether all is the same: that of the same rows is."""
        if self.n_samples != other.n_samples or self._exponent != other._exponent:
            return False
        return len(self._kept) == len(other._kept) and all(
            np.array_equal(one, two) for one, two in zip(self._kept, other._kept)
        )

    @property
    def _kept(self) -> list[np.ndarray]:
        kept = [self._shift, self._sum, *self._rows, self._squares, self._mixed]
        return [array for array in kept if array is not None]


class Missed:
    """How much rows differ from others, beside how much these vary."""

    def __init__(self) -> None:
        self._pairs = 0
        self._exponent = 0

    def add(self, rows: np.ndarray, others: np.ndarray) -> None:
        """Take in a batch of rows (n_samples, n), and of the others."""
        if not rows.size:
            return
        eps = float(np.finfo(rows.dtype).eps) if rows.dtype.kind == "f" else 0.0
        rows, others = rows.astype(np.float64), others.astype(np.float64)
        if not self._pairs:
            self._exponent = binary_exponent(rows, "what the network gives for X")
            self._shift = np.ldexp(rows, -self._exponent).mean(axis=0)
            self._sum, self._energy, self._missed = np.zeros(rows.shape[1]), 0.0, 0.0
            self._eps, self._size = eps, 0.0
        self._missed += float(np.sum(np.ldexp(others - rows, -self._exponent) ** 2))
        rows = np.ldexp(rows, -self._exponent)
        self._size += float(np.sum(rows**2))
        rows -= self._shift
        self._pairs += len(rows)
        self._sum += rows.sum(axis=0)
        self._energy += float(np.sum(rows**2))

    @property
    def relative_error(self) -> float | None:
        """Root of the mean square of the difference over that of the rows around their mean.

        None where there were no rows. Of rows that vary by rounding only, over that of the rows.
        """
        if not self._pairs:
            return None
        varied = self._energy - float(np.sum(self._sum**2)) / self._pairs
        return relative(self._missed, varied, self._size, self._eps)


def relative(missed: float, varied: float, size: float, eps: float) -> float:
    """Root of what is missed as a share of what varied; of the size where that is rounding.

    All are squares. Infinite where anything is missed of zeros.
    """
    rounding = (VARIES * eps) ** 2 * size
    if varied > rounding:
        return math.sqrt(missed / varied)
    if missed <= rounding:
        return 0.0
    return math.sqrt(missed / size) if size > 0 else math.inf


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
