"""A ridge penalty on factors of unit norm and a scale: a penalty on the scale alone.

Of all factors with the same product, those of equal norms have the least sum of squares. With
J unit factors and the scale t, the norms are |t|^(1/J), so that alpha sum_j ||S_j||_F^2 becomes
alpha J |t|^(2/J): J = 2 is a soft threshold of the scale, more factors a bridge penalty.
"""

from __future__ import annotations

import math
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

        With t0 = inner / size and t = t0 u^J a minimizer other than zero is the largest root of
        g(u) = u^(2J-2) - u^(J-2) + w, w = weight / (J size |t0|^(2-2/J)), and between 0 and 1.
        """
        count, free = self.n_factors, inner / size
        if not self.weight or not free:
            return free
        if count == 1:
            return inner / (size + self.weight)
        logarithm = math.log(self.weight) - math.log(count * size)
        w = math.exp(min(700.0, logarithm - (2 - 2 / count) * math.log(abs(free))))

        def g(u: float) -> float:
            return float(u ** (2 * count - 2) - u ** (count - 2) + w)

        lowest = ((count - 2) / (2 * count - 2)) ** (1 / count)
        if g(lowest) >= 0:
            return 0.0
        u = brentq(g, lowest, 1.0, xtol=1e-300, rtol=1e-15)
        return free * u**count if u ** (2 * count) - 2 * u**count + count * w * u * u < 0 else 0.0


FREE = ScalePenalty()
