"""What is factored and applied."""

import numpy as np
from scipy.linalg import hadamard

from skfact.datasets import make_butterfly
from skfact.operators import FactorizedOperator, KroneckerFactor
from skfact.supports import Chain

# "butterfly" is a random product of butterfly factors, whose entries are not as special as ±1
EXACT = ("Hadamard", "butterfly", "DFT")


def make_matrix(name: str, n: int) -> np.ndarray:
    rng = np.random.default_rng(n)
    if name == "DFT":
        return np.fft.fft(np.eye(n))
    if name == "Gaussian":
        return rng.normal(size=(n, n))
    if name == "butterfly":
        return make_butterfly(n, random_state=n)[0]
    A = hadamard(n, dtype=float)
    if name == "noisy":
        A += 0.1 * rng.normal(size=(n, n))
    return A


def permutation(name: str) -> str | None:
    """The permutation under which the matrix is a butterfly product."""
    return "digit-reversal" if name == "DFT" else None


def random_operator(chain: Chain) -> FactorizedOperator:
    rng = np.random.default_rng(0)
    shapes = [(a, d, b, c) for a, b, c, d in chain]
    return FactorizedOperator(
        KroneckerFactor(rng.normal(size=shape), pattern) for shape, pattern in zip(shapes, chain)
    )
