"""Diagonal blocks that are the same memory: the same operator, in less memory."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skfact.operators import FactorizedOperator, KroneckerFactor
from skfact.operators._factors import repeated, shares_values
from skfact.supports import Chain, KroneckerSparse
from skfact.transforms import dct, dft, hadamard, kron
from tests.arrays import DTYPES, gaussian
from tests.asserts import for_each

CHAINS = [Chain.butterfly(256), Chain.deformable((4, 9, 5), (3, 8, 4), (2, 3)), Chain.butterfly(45)]


def shared_and_copied(chain, dtype):
    """An operator whose factors share blocks, and the same one with blocks of their own."""
    random = np.random.default_rng(0)
    shared, copied = [], []
    for a, b, c, d in chain:
        values = repeated(gaussian(random, (1, d, b, c), dtype), a)
        shared.append(KroneckerFactor._wrap(values, KroneckerSparse(a, b, c, d)))
        copied.append(KroneckerFactor(values, (a, b, c, d)))
    return FactorizedOperator(shared), FactorizedOperator(copied)


@for_each("chain", CHAINS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_products_are_the_same(chain, dtype):
    shared, copied = shared_and_copied(chain, dtype)
    for batch in (1, 3, 40):
        X = gaussian(np.random.default_rng(batch), (batch, shared.shape[1]), dtype)
        for one, other in ((shared, copied), (shared.fuse(2), copied.fuse(2))):
            assert_array_equal(one.apply(X), other.apply(X))
            assert_array_equal(one @ X.T, other @ X.T)
            assert_array_equal(one.matvec(X[0]), other.matvec(X[0]))
    Y = gaussian(np.random.default_rng(0), (shared.shape[0], 5), dtype)
    assert_array_equal(shared.rmatmat(Y), copied.rmatmat(Y))
    assert_array_equal(shared.toarray(), copied.toarray())


def test_memory_stays_shared():
    op = dft(2**12)
    relatives = [op, op.H, op.conj(), 2 * op, op.astype("complex64"), op.fuse(3), op.T]
    for relative in relatives:
        for factor in relative.factors:
            assert (
                factor.dtype is None
                or factor.shape[0] < 2
                or factor.pattern.a == 1
                or (shares_values(factor.values))
            )
    assert op.nbytes < 16 * 12 * 2**12 < 16 * op.nnz
    wide = kron(hadamard(2**8), dct(2**8))
    assert wide.nbytes < 8 * wide.nnz / 6


def test_large_transforms_are_small():
    n = 2**20
    op = hadamard(n, dtype="float32")
    assert op.nnz == 2 * n * 20 and op.nbytes < 4 * 5 * n
    x = np.zeros(n, np.float32)
    x[5] = 1
    signs = 1.0 - 2 * (np.bitwise_count(np.arange(n) & 5) % 2)
    assert_array_equal(op @ x, signs)


@pytest.mark.parametrize("n", [16, 48])
def test_inverses(n):
    op, x = dct(n), np.random.default_rng(0).standard_normal(n)
    assert_allclose(op.solve(op @ x), x, atol=1e-12)
