"""The rank profile of a matrix, against singular values of its blocks."""

import numpy as np
import pytest
import scipy.fft

from skfact.butterfly import butterfly_factorize, complementary_ranks
from skfact.butterfly._structure.nodes import ARRANGEMENTS, blocks_at
from skfact.supports import Chain
from tests.arrays import gaussian
from tests.asserts import for_each, on_any_matrix
from tests.butterfly.chains import member


@on_any_matrix
@for_each("shape", [(12, 18), (16, 16), (5, 8), (7, 3)])
@pytest.mark.parametrize("name", ARRANGEMENTS)
def test_ranks_are_those_of_the_singular_values(shape, name):
    A = gaussian(np.random.default_rng(0), shape)
    for tol in (0.9, 0.5, 0.1, 0.0):
        found = complementary_ranks(A, tol, permutation=name)
        assert found.shape == shape and found.permutation == name and found.tol == tol
        for place, rank in found.ranks.items():
            s = np.linalg.svd(blocks_at(A, (*place, 1), ARRANGEMENTS[name]), compute_uv=False)
            missed = [np.linalg.norm(s[..., r:]) for r in range(s.shape[-1] + 1)]
            least = next(r for r, m in enumerate(missed) if m <= tol * np.linalg.norm(A))
            assert rank == least


@for_each("n", [8, 12, 30, 64])
def test_the_profile_of_a_fourier_matrix(n):
    found = complementary_ranks(np.fft.fft(np.eye(n)))
    assert found.permutation == "columns"
    for (Q, P), rank in found.ranks.items():
        # blocks are Fourier matrices of what Q P lacks to n, and their parts
        common = np.gcd(Q * P, n)
        assert rank == min(n // Q, n // P, n // common)


@on_any_matrix
def test_a_member_gives_its_chain():
    chain = Chain.deformable((2, 2, 2, 2), (2, 2, 2, 2))
    A = member(np.random.default_rng(0), chain)
    found = complementary_ranks(A)
    assert found.permutation is None and found.chain.nnz == chain.nnz == 128
    operator = butterfly_factorize(A, found.chain, permutation=found.permutation)
    assert np.linalg.norm(operator.toarray() - A) < 1e-13 * np.linalg.norm(A)


def test_the_error_of_the_chain():
    A = scipy.fft.dct(np.eye(64), norm="ortho")
    for tol in (0.3, 0.1, 0.01):
        found = complementary_ranks(A, tol)
        options = {"order": "left-to-right", "permutation": found.permutation}
        operator = butterfly_factorize(A, found.chain, **options)
        missed = np.linalg.norm(operator.toarray() - A) / np.linalg.norm(A)
        assert missed <= tol * (len(found.chain) - 1) ** 0.5
        assert found.chain.nnz < A.size


@on_any_matrix
def test_what_has_no_structure_stays_dense():
    assert complementary_ranks(gaussian(np.random.default_rng(0), (16, 16))).chain.nnz == 256
    assert complementary_ranks(np.ones((7, 5))).chain == Chain.low_rank(7, 5, 1)
    assert complementary_ranks(np.ones((1, 5))).chain == Chain.dense(1, 5)
    assert set(complementary_ranks(np.zeros((4, 4))).ranks.values()) == {0}


@for_each("exponent", [-1000, 0, 900])
def test_every_scale(exponent):
    F = np.fft.fft(np.eye(8)) * 2.0**exponent
    assert complementary_ranks(F).ranks == complementary_ranks(np.fft.fft(np.eye(8))).ranks


def test_padding_and_words():
    found = complementary_ranks(np.eye(11), permutation="rows")
    assert found.shape == (12, 12)
    text = str(found).splitlines()
    assert text[0].startswith("ranks of Q x P blocks of a 12 x 12 matrix, permutation='rows'")
    assert text[1].split() == ["Q", "\\", "P", "1", "2", "3", "4", "6"]
    assert len(text) == 7 and text[-1].split() == ["1", "11", "6", "4", "3", "2"]


def test_arrays_of_any_library(asarray):
    A = np.fft.fft(np.eye(12))
    assert complementary_ranks(asarray(A)).ranks == complementary_ranks(A).ranks
