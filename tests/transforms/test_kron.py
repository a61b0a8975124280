"""Kronecker products of all kinds of operators, against NumPy's."""

import numpy as np
import scipy.fft
import scipy.sparse
from numpy.testing import assert_allclose

from skfact.operators import FactorizedOperator, PartialPermutation
from skfact.transforms import dct, haar, hadamard, kron, rfft

RANDOM = np.random.default_rng(0)
FACTORS = [
    dct(6),
    rfft(5),
    hadamard(4)[[0, 2], :],
    FactorizedOperator([PartialPermutation([1, 0, -1], 2)]),
    RANDOM.standard_normal((3, 2)),
    scipy.sparse.random_array((4, 5), density=0.5, rng=0),
    dct(6)[1:, 1:] @ dct(5),  # selections inside
    dct(4) + dct(4, 3),
]


def dense(operator):
    return operator if isinstance(operator, np.ndarray) else operator.toarray()


def test_all_pairs_of_kinds():
    for left in FACTORS:
        for right in FACTORS:
            found = kron(left, right)
            assert_allclose(found.toarray(), np.kron(dense(left), dense(right)), atol=1e-13)


def test_transforms_of_images():
    image = RANDOM.standard_normal((24, 36))
    op = kron(dct(24), dct(36))
    assert op.nnz == 36 * dct(24).nnz + 24 * dct(36).nnz
    assert_allclose((op @ image.ravel()).reshape(24, 36), scipy.fft.dctn(image), atol=1e-11)


def test_the_cheaper_order_is_taken():
    tall, wide = RANDOM.standard_normal((20, 2)), RANDOM.standard_normal((2, 20))
    for left, right in [(tall, wide), (wide, tall)]:
        assert kron(left, right).nnz == 40 * 2 * 2


def test_products_of_chains_are_compiled_as_chains():
    factors = kron(haar(8), dct(12)).factors
    kinds = [factor.dtype is None for factor in factors]
    assert not any(kinds[1:-1])
