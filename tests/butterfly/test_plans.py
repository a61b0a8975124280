"""permutation="auto": what it finds, that it does no harm, and what it costs."""

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st

from skfact import ButterflyFactorizer
from skfact.butterfly import _factorize, butterfly_factorize, split_errors
from skfact.butterfly._factorize import factorize
from skfact.butterfly._structure.tails import Tails
from skfact.butterfly._subspace.bases import RESTARTS
from skfact.operators import FactorizedOperator
from skfact.supports import Chain, digit_reversal, resolve_supports
from tests.arrays import gaussian
from tests.asserts import assert_like, for_each, on_any_matrix
from tests.butterfly.chains import member, noisy_member, seeds

NAMES = (None, "columns", "rows", "both")
RADICES = [((2, 3, 2), (3, 2, 2)), ((4, 4), (4, 4)), ((2, 2, 2, 2), (2, 2, 4, 2))]


def dft(n):
    return np.fft.fft(np.eye(n))


def reordered(matrix, chain, name):
    """The matrix that becomes the given one where the digits of that name are reversed."""
    matrix = matrix.copy()
    if name in ("rows", "both"):
        matrix = matrix[np.argsort(digit_reversal(chain.out_radices))]
    if name in ("columns", "both"):
        matrix = matrix[:, np.argsort(digit_reversal(chain.in_radices))]
    return matrix


@on_any_matrix
@for_each("radices", RADICES)
@pytest.mark.parametrize("noise", [0.0, 0.1])
@pytest.mark.parametrize("name", NAMES)
def test_each_order_is_found_and_has_a_name(radices, noise, name):
    random, chain = np.random.default_rng(0), Chain.deformable(*radices)
    A = member(random, chain)
    size = np.linalg.norm(A) / A.size**0.5
    A = reordered(A, chain, name) + noise * size * gaussian(random, A.shape)
    found = factorize(A, chain)
    assert found.plan.permutation == name
    named = butterfly_factorize(A, chain, permutation=name)
    np.testing.assert_array_equal(found.operator.toarray(), named.toarray())
    assert found.relative_error <= max(1e-14, noise)
    estimator = ButterflyFactorizer(supports=chain).fit(A)
    assert estimator.permutation_ == name
    np.testing.assert_allclose(split_errors(A, chain), split_errors(A, chain, permutation=name))


@for_each("n", [2, 4, 8, 12, 16, 30, 60, 64, 128, 240])
def test_a_fourier_matrix_is_exact(n):
    for supports in ("butterfly", "monarch"):
        for options in ({}, {"rank": 1}, {"tol": 1e-10}):
            found = factorize(dft(n), supports, **options)
            assert found.relative_error < 5e-15
            assert found.chain.nnz <= resolve_supports(supports, n, n).nnz
    assert np.linalg.norm(split_errors(dft(n))) <= 1e-13 * n


@for_each("n", [32, 48, 64, 120, 240, 256])
@for_each("supports", ["butterfly", "monarch"])
def test_parts_of_a_fourier_matrix_are_exact(n, supports):
    F, half = dft(n), n // 2
    parts = [F[:half], F[: half + 1], F[:, :half], F[:, : half + 1], F[3 : half + 3], F[::2]]
    for part in parts:
        for options in ({}, {"tol": 1e-9}):
            found = factorize(part, supports, **options)
            assert found.relative_error < 1e-14
            assert found.unit.nnz < 0.7 * part.size
        if n > 128:  # a cosine is the sum of two exponentials
            fixed = ButterflyFactorizer(operator=part.real, supports=supports, rank=2)
            assert fixed.fit(np.eye(part.shape[1])).relative_error_ < 1e-14


def test_the_half_spectrum_of_real_signals():
    found = factorize(np.fft.rfft(np.eye(256)).T)
    assert found.relative_error < 1e-14 and found.plan.permutation == "columns"
    assert found.chain.shape == (160, 256) and found.chain.nnz == 3840


@on_any_matrix
@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.sampled_from(["butterfly", "monarch", "low-rank", "dense"]),
    st.integers(1, 3),
    st.booleans(),
    seeds,
)
def test_never_worse_than_no_permutation(shape, family, rank, orthonormalize, random):
    rows, cols = np.indices(shape)
    for A in (gaussian(random, shape), np.exp(1j * rows * cols * random.uniform(0, 3))):
        plain = factorize(
            A, family, rank=rank, permutation=None, orthonormalize=bool(orthonormalize)
        )
        found = factorize(A, family, rank=rank, orthonormalize=bool(orthonormalize))
        assert found.relative_error <= plain.relative_error * (1 + 1e-12) + 1e-13
        assert found.unit.nnz <= min(A.size, 2 * plain.unit.nnz)


@on_any_matrix
def test_the_plain_order_wins_where_another_is_as_good():
    H = scipy.linalg.hadamard(16).astype(float)
    np.testing.assert_array_equal(reordered(H, Chain.butterfly(16), "both"), H)
    assert factorize(H).plan.permutation is None
    assert factorize(np.zeros((16, 16))).plan.permutation is None
    distance = np.abs(np.subtract.outer(np.arange(64.0), np.arange(64.0)))
    assert factorize(1 / (1 + distance)).plan.permutation is None  # "both" is the same


class TestPasses:
    """What is looked at, counted."""

    @pytest.fixture
    def counted(self, monkeypatch):
        counts = {"factorizations": 0, "looks": 0, "products": 0}

        def counting(owner, name, what):
            function = getattr(owner, name)

            def wrapped(*args, **options):
                counts[what] += 1
                return function(*args, **options)

            monkeypatch.setattr(owner, name, wrapped)

        counting(_factorize, "_factorize_scaled", "factorizations")
        counting(Tails, "sampled", "looks")
        counting(FactorizedOperator, "toarray", "products")
        return counts

    @pytest.mark.parametrize("orthonormalize", [True, False])
    def test_an_exact_matrix_is_factored_once(self, counted, orthonormalize):
        H = scipy.linalg.hadamard(64).astype(float)
        for A in (H, H.astype("float32"), 1e-5 * H, H @ np.diag(np.arange(1, 65.0))):
            factorize(A, orthonormalize=orthonormalize)
        once = dict(counted)
        assert once["factorizations"] == 4 and once["looks"] == 0
        assert once["products"] == (0 if orthonormalize else 4)  # which the warning needs anyway

    def test_low_rank_has_no_order(self, counted):
        A = gaussian(np.random.default_rng(0), (64, 64))
        for supports in ("low-rank", "dense", Chain.dense(64, 64)):
            factorize(A, supports)
        factorize(A, permutation=None)
        factorize(A, permutation="rows")
        assert counted == {"factorizations": 5, "looks": 0, "products": 0}

    def test_a_fourier_matrix_is_factored_twice(self, counted):
        factorize(dft(64))
        assert counted == {"factorizations": 2, "looks": 4, "products": 0}

    def test_noise_is_factored_once(self, counted):
        for shape in ((16, 16), (64, 64), (100, 90)):
            factorize(gaussian(np.random.default_rng(0), shape))
        assert counted == {"factorizations": 3, "looks": 4 + 4 + 8, "products": 0}

    def test_rotations_look_at_the_matrix_only(self, counted):
        A = gaussian(np.random.default_rng(0), (16, 64)) @ dft(64).real
        estimator = ButterflyFactorizer(
            operator=A, criterion="subspace", supports="monarch", max_iter=1000
        )
        estimator.fit(np.eye(64))
        assert estimator.n_iter_ > 1
        # once in the basis given, in that of the row space, and in each rotation of that
        assert counted["looks"] == 8 * (2 + RESTARTS)


def test_chains_without_a_dense_product_have_no_digits():
    chain = Chain([(2, 2, 2, 2), (4, 2, 2, 1)])
    A = noisy_member(np.random.default_rng(0), chain)
    assert factorize(A, chain).plan.permutation is None


@for_each("exponent", [-1000, -300, 300, 900])
def test_every_scale(exponent):
    F = dft(32) * 2.0**exponent
    found = factorize(F)
    assert found.plan.permutation == "columns" and found.relative_error < 1e-14


def test_a_given_sequence_of_splits_keeps_the_chain():
    F = dft(64)[:33]
    chain = resolve_supports("butterfly", 33, 64)
    found = factorize(F, order=range(1, len(chain)))
    assert found.chain == chain


@pytest.mark.parametrize("dtype", ["float32", "complex64", "float64", "complex128"])
def test_arrays_of_any_library(asarray, dtype):
    reversed_bits = reordered(scipy.linalg.hadamard(32), Chain.butterfly(32), "columns")
    A = (reversed_bits if "float" in dtype else dft(32)[:17]).astype(dtype)
    found = factorize(asarray(A))
    assert found.plan.permutation == "columns"
    assert_like(found.product, asarray(A), rtol=0, atol=1e-5)
