"""The divergence of two coins, its inverse, and its moments: the arithmetic of PAC-Bayes bounds."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import gammaln, logsumexp, xlogy


def binary_kl(q: float, p: float) -> float:
    """kl(q || p) of coins with probabilities q and p; infinite where q has what p has not."""
    if (p == 0 and q > 0) or (p == 1 and q < 1):
        return math.inf
    ones = q * math.log(q / p) if q > 0 else 0.0
    zeros = (1 - q) * (math.log1p(-q) - math.log1p(-p)) if q < 1 else 0.0
    return max(0.0, ones + zeros)


def binary_kl_inverse(q: float, budget: float) -> float:
    """Largest p with kl(q || p) <= budget, rounded up; it grows with q and with the budget."""
    low, high = q, 1.0
    while True:
        middle = 0.5 * (low + high)
        if not low < middle < high:
            return high
        if binary_kl(q, middle) <= budget:
            low = middle
        else:
            high = middle


def log_moment(n: int) -> float:
    """log of xi(n) = sum_k C(n, k) (k/n)^k (1 - k/n)^(n - k), at most log(2 sqrt(n)).

    This is E exp(n kl(k/n || p)) for k ~ Binomial(n, p), the same for every 0 < p < 1.
    """
    k = np.arange(n + 1)
    combinations = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    return float(logsumexp(combinations + xlogy(k, k / n) + xlogy(n - k, 1 - k / n)))
