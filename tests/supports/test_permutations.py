"""Digit reversal: which column order makes a DFT a product of sparse factors."""

from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from skfact.supports import Chain, digit_reversal
from tests.asserts import for_each


def split_blocks(A, chain, split):
    """The class blocks of A at a split: one matrix per rank-one support of the two sides."""
    left, right = chain[:split].product.mask(), chain[split:].product.mask()
    for k in range(left.shape[1]):
        yield A[np.ix_(np.flatnonzero(left[:, k]), np.flatnonzero(right[k]))]


def is_in_class(A, chain):
    return all(
        np.linalg.matrix_rank(block, tol=1e-9) <= 1
        for split in range(1, len(chain))
        for block in split_blocks(A, chain, split)
    )


def dft(n):
    return np.fft.fft(np.eye(n))


@for_each("n", [2, 4, 6, 8, 12, 16, 30, 32, 36])
def test_dft_fits_the_butterfly_with_columns_in_digit_reversal(n):
    chain = Chain.butterfly(n)
    assert is_in_class(dft(n)[:, digit_reversal(chain.in_radices)], chain)


@for_each("n", [4, 6, 8, 12, 30])
def test_dft_fits_neither_unpermuted_nor_with_permuted_rows(n):
    chain = Chain.butterfly(n)
    p = digit_reversal(chain.in_radices)
    assert not is_in_class(dft(n), chain)
    assert not is_in_class(dft(n)[p], chain)


@for_each("n", [6, 12, 30])
def test_the_other_digit_order_does_not_fit(n):
    chain = Chain.butterfly(n)
    wrong = digit_reversal(chain.in_radices[::-1])
    assert not is_in_class(dft(n)[:, wrong], chain)


@for_each("radices", [(3, 2), (2, 3, 2), (4, 2), (2, 4), (6, 5), (5, 2, 3), (1, 4)])
def test_dft_fits_in_any_order_of_the_radices(radices):
    chain = Chain.deformable(radices, radices)
    assert is_in_class(dft(prod(radices))[:, digit_reversal(radices)], chain)


def test_hadamard_fits_without_permutation():
    hadamard = np.array([[1.0]])
    for _ in range(4):
        hadamard = np.kron([[1, 1], [1, -1]], hadamard)
    assert is_in_class(hadamard, Chain.butterfly(16))


@for_each("bits", range(1, 8))
def test_powers_of_two_give_bit_reversal(bits):
    reversed_bits = [int(f"{i:0{bits}b}"[::-1], 2) for i in range(2**bits)]
    p = digit_reversal((2,) * bits)
    assert_array_equal(p, reversed_bits)
    assert_array_equal(p[p], np.arange(2**bits))


@given(st.lists(st.integers(1, 4), max_size=4))
def test_reversed_radices_give_the_inverse(radices):
    p, inverse = digit_reversal(radices), digit_reversal(radices[::-1])
    assert p.dtype == np.intp
    assert_array_equal(np.sort(p), np.arange(prod(radices)))
    assert_array_equal(p[inverse], np.arange(prod(radices)))


def test_formula():
    """Column j with digits (j1, j2, j3) is column j1 + p1 j2 + p1 p2 j3 of the DFT."""
    p1, p2, p3 = 2, 3, 5
    j1, j2, j3 = np.indices((p1, p2, p3))
    assert_array_equal(digit_reversal((p1, p2, p3)), (j1 + p1 * j2 + p1 * p2 * j3).ravel())


@pytest.mark.parametrize(
    "radices, error, message",
    [
        (8, TypeError, "radices must be a sequence"),
        ("22", TypeError, "radices must be a sequence"),
        ((2, 0), ValueError, r"radices\[1\] must be at least 1"),
        ((2, 2.0), TypeError, r"radices\[1\] must be an integer"),
    ],
)
def test_wrong_radices_are_refused(radices, error, message):
    with pytest.raises(error, match=message):
        digit_reversal(radices)
