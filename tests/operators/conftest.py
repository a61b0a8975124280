from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from skfact.operators import FactorizedOperator, KroneckerFactor, PartialPermutation
from skfact.supports import Chain
from tests.arrays import gaussian

# one chain of every family; the prime and rectangular ones too
CHAINS = {
    "butterfly 1": Chain.butterfly(1),
    "butterfly 2": Chain.butterfly(2),
    "butterfly 16": Chain.butterfly(16),
    "butterfly 64": Chain.butterfly(64),
    "butterfly 6": Chain.butterfly(6),
    "butterfly 12": Chain.butterfly(12),
    "butterfly 30": Chain.butterfly(30),
    "monarch": Chain.monarch(12, 20),
    "deformable": Chain.deformable((2, 3, 2), (3, 2, 2), (2, 3)),
    "deformable, wide": Chain.deformable((1, 2), (5, 3), 1),
    "low rank": Chain.low_rank(9, 7, 3),
    "dense": Chain.dense(5, 8),
}


def random_operator(
    chain: Chain, dtype: str = "float64", seed: int = 0, permuted: bool = False
) -> FactorizedOperator:
    """Operator with random factors; with `permuted`, permuted and cropped on both sides."""
    rng = np.random.default_rng(seed)
    factors: list[Any] = [
        KroneckerFactor(gaussian(rng, (p.a, p.d, p.b, p.c), dtype), p) for p in chain
    ]
    if permuted:
        m, n = chain.shape
        rows = rng.permutation(m)[: max(m - 1, 1)]
        columns = np.concatenate([np.arange(n - 1, 0, -1), [-1, 0]])
        factors = [
            PartialPermutation(rows, m),
            *factors,
            PartialPermutation(columns, n).T if n > 1 else PartialPermutation([0], 1),
        ]
        if n > 1:  # (n_in = n + 1) -> n
            assert factors[-1].shape == (n, n + 1)
    return FactorizedOperator(factors)


def dense(operator: FactorizedOperator) -> np.ndarray:
    """Product of the operator's factors, by plain matrix products of their dense forms."""
    product = np.eye(operator.shape[0])
    for factor in operator.factors:
        product = product @ factor.to_csr().toarray()
    return product


@pytest.fixture(params=CHAINS, name="chain")
def chain_of_every_family(request: pytest.FixtureRequest) -> Chain:
    return CHAINS[request.param]


@pytest.fixture
def make_operator() -> Callable[..., FactorizedOperator]:
    return random_operator


@pytest.fixture
def as_dense() -> Callable[[FactorizedOperator], np.ndarray]:
    return dense
