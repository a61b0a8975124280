"""Digit reversal: which column order makes a DFT a product of sparse factors."""

from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import block_diag

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


@for_each("n", [2, 4, 8, 16, 64])
def test_the_last_level_of_cooley_and_tukey(n):
    """F_n = B diag(F, F) P: B on the first support, P takes even columns before odd ones."""
    half = dft(n // 2)
    even_odd = np.concatenate([np.arange(0, n, 2), np.arange(1, n, 2)])
    B = dft(n)[:, even_odd] @ np.linalg.inv(block_diag(half, half))
    twiddles = np.exp(-2j * np.pi * np.arange(n // 2) / n)
    expected = np.block([[np.eye(n // 2), np.diag(s * twiddles)] for s in (1, -1)])
    assert_allclose(B, expected, atol=1e-12)
    pattern = Chain.butterfly(n)[0]
    assert_array_equal(abs(B) > 1e-9, pattern.mask())
    # and so on for the halves: bit reversal is all of these orders of columns
    both = np.concatenate(
        [digit_reversal((2,) * (n.bit_length() - 2)) + n // 2 * i for i in (0, 1)]
    )
    assert_array_equal(even_odd[both], digit_reversal((2,) * (n.bit_length() - 1)))


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
