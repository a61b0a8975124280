"""Operators of every kind, for all exports."""

import numpy as np
import scipy.sparse

from skfact.operators import FactorizedOperator, KroneckerFactor, PartialPermutation

KINDS = [
    "chain", "rank one", "low rank", "diagonal", "selections", "pad and crop", "permuted",
    "no common axes", "not fused", "sparse", "mostly zero", "empty rows", "sum", "1x1",
]  # fmt: skip


def make(kind: str, dtype: str = "float64", seed: int = 0) -> FactorizedOperator:
    """An operator of a kind, with Gaussian numbers."""
    rng = np.random.default_rng(seed)

    def numbers(*shape: int) -> np.ndarray:
        array = rng.standard_normal(shape)
        return array + 1j * rng.standard_normal(shape) if "complex" in dtype else array

    def factor(a: int, b: int, c: int, d: int) -> KroneckerFactor:
        return KroneckerFactor(numbers(a, d, b, c), (a, b, c, d))

    def sparse(m: int, n: int, nnz: int) -> scipy.sparse.csr_array:
        places = rng.choice(m * n, nnz, replace=False)
        return scipy.sparse.csr_array((numbers(nnz), np.divmod(places, n)), shape=(m, n))

    chain = [factor(1, 3, 2, 4), factor(2, 2, 2, 2), factor(4, 2, 3, 1)]  # 12 x 12
    factors = {
        "chain": chain,
        "rank one": [numbers(5, 1), numbers(1, 7)],
        "low rank": [numbers(9, 2), numbers(2, 12)],
        "diagonal": [factor(3, 1, 1, 4), *chain, factor(12, 1, 1, 1)],
        "selections": [PartialPermutation([2, -1, 0], 4), numbers(4, 4)],
        "pad and crop": [PartialPermutation.crop(9, 12), *chain, PartialPermutation.pad(12, 7)],
        "permuted": [
            PartialPermutation([3, 1, -1, 0, 5, 11, 2], 12),
            *chain,
            PartialPermutation(rng.permutation(12), 12),
        ],
        "no common axes": [factor(1, 3, 4, 3), factor(2, 3, 2, 2)],
        "not fused": [factor(1, 8, 8, 16), factor(8, 16, 16, 1), factor(1, 16, 16, 8)],
        "sparse": [factor(2, 2, 2, 2), sparse(8, 12, 20)],
        "mostly zero": [sparse(40, 200, 60), sparse(200, 12, 20)],
        "empty rows": [sparse(5, 200, 4), factor(100, 2, 2, 1)],
        "1x1": [numbers(1, 1)],
    }
    if kind == "sum":
        low_rank = FactorizedOperator([numbers(12, 1), numbers(1, 12)])
        return (FactorizedOperator(chain) + sparse(12, 12, 9) + low_rank).astype(dtype)
    return FactorizedOperator(factors[kind]).astype(dtype)


def samples(operator: FactorizedOperator, shape: tuple[int, ...] = (5,)) -> np.ndarray:
    """Rows that the operator takes, in its dtype."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((*shape, operator.shape[1]))
    if operator.dtype.kind == "c":
        X = X + 1j * rng.standard_normal(X.shape)
    return X.astype(operator.dtype)
