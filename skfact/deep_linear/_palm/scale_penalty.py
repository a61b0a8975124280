"""A ridge penalty on factors of unit norm and a scale: a penalty on the scale alone.

Of all factors with the same product, those of equal norms have the least sum of squares. With
J unit factors and the scale t, the norms are |t|^(1/J), so that alpha sum_j ||S_j||_F^2 becomes
alpha J |t|^(2/J): J = 2 is a soft threshold of the scale, more factors a bridge penalty.
"""

from __future__ import annotations

from typing import NamedTuple

from scipy.optimize import brentq


class ScalePenalty(NamedTuple):
    """``weight * |t|**(2 / n_factors)``."""

    weight: float = 0.0
    n_factors: int = 1

    @classmethod
    def ridge(cls, alpha: float, n_factors: int, unit: float) -> ScalePenalty:
        """That of ``alpha * sum ||S_j||_F^2`` where the scale is in multiples of `unit`."""
        return cls(alpha * n_factors / unit ** (2 / n_factors), n_factors)

    def __call__(self, scale: float) -> float:
        return self.weight * abs(scale) ** (2 / self.n_factors)

    def best_scale(self, inner: float, size: float) -> float:
        """The minimizer of ``size t^2 - 2 inner t + weight |t|^(2/J)``; zero where that is best.

        With s = |t|^(1/J) a minimizer other than zero is the largest root of
        g(s) = J size s^(2J-2) - J |inner| s^(J-2) + weight.
        """
        count, weight, pull = self.n_factors, self.weight, abs(inner)
        sign = 1.0 if inner >= 0 else -1.0
        if not weight or not pull:
            return inner / size
        if count == 1:
            return inner / (size + weight)

        def g(s: float) -> float:
            return count * size * s ** (2 * count - 2) - count * pull * s ** (count - 2) + weight

        lowest = (pull * (count - 2) / (size * (2 * count - 2))) ** (1 / count)
        if g(lowest) >= 0:
            return 0.0
        root = brentq(g, lowest, (pull / size) ** (1 / count), xtol=1e-300, rtol=1e-15)
        t = root**count
        return sign * t if size * t * t - 2 * pull * t + self(t) < 0 else 0.0


FREE = ScalePenalty()
