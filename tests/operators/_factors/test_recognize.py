"""Sparse matrices become the factors that they could be."""

import numpy as np
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from skfact.operators import (
    KroneckerFactor,
    PartialPermutation,
    SparseFactor,
    recognize_factor,
)
from tests.asserts import at_most

sizes = st.integers(1, 4)


@given(sizes, sizes, sizes, sizes, st.integers(0, 99))
@at_most(100)
def test_patterns_are_found_again(a, b, c, d, seed):
    values = np.random.default_rng(seed).standard_normal((a, d, b, c))
    factor = KroneckerFactor(values, (a, b, c, d))
    found = recognize_factor(factor.to_csr())
    assert isinstance(found, KroneckerFactor) and found.nnz == factor.nnz
    assert_array_equal(found.toarray(), factor.toarray())


def test_other_kinds():
    permutation = PartialPermutation([2, -1, 0], 4)
    found = recognize_factor(permutation.to_csr())
    assert isinstance(found, PartialPermutation)
    assert_array_equal(found.index, permutation.index)
    scattered = scipy.sparse.random_array((30, 30), density=0.1, rng=0)
    assert isinstance(recognize_factor(scattered), SparseFactor)
    nothing = scipy.sparse.csr_array((3, 4))
    assert_array_equal(recognize_factor(nothing).toarray(), np.zeros((3, 4)))


def test_some_zeros_are_filled():
    block = np.array([[1.0, 2.0, 0.0], [0.0, 3.0, 4.0]])
    matrix = np.kron(np.eye(2), np.kron(block, np.eye(5)))
    found = recognize_factor(matrix)
    assert tuple(found.pattern) == (2, 2, 3, 5)
    assert_array_equal(found.toarray(), matrix)
    stored = scipy.sparse.csr_array(matrix)
    stored.data[:] = 0  # stored zeros are none
    assert recognize_factor(stored).toarray().max() == 0
