"""butterfly_factorize and split_errors against oracles, optima and other methods."""

import math
from functools import partial
from itertools import takewhile

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skfact._backend import to_numpy
from skfact.butterfly import butterfly_factorize, split_errors
from skfact.butterfly._factorize import factorize
from skfact.operators import KroneckerFactor
from skfact.supports import Chain, digit_reversal, resolve_supports
from tests.arrays import DTYPES, gaussian
from tests.asserts import assert_like, for_each, on_any_matrix
from tests.butterfly.chains import (
    ORDERS,
    chains,
    member,
    noisy_member,
    seeds,
    two_factor_optimum,
)


def dft(n):
    return np.fft.fft(np.eye(n))


def error_of(A, operator):
    return float(np.linalg.norm(A - operator.toarray()))


def relative(A, operator):
    return error_of(A, operator) / float(np.linalg.norm(A))


def pad(A, shape):
    padded = np.zeros(shape, A.dtype)
    padded[: A.shape[0], : A.shape[1]] = A
    return padded


def supports_of(operator):
    return Chain([f.pattern for f in operator.factors if isinstance(f, KroneckerFactor)])


# ---- oracles ------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("orthonormalize", [True, False])
class TestTransforms:
    @for_each("n, nnz", [(2, 4), (4, 16), (8, 48), (16, 128), (64, 768)])
    def test_hadamard_is_exact(self, n, nnz, order, orthonormalize):
        H = scipy.linalg.hadamard(n)
        operator = butterfly_factorize(H, order=order, orthonormalize=orthonormalize)
        assert operator.nnz == nnz
        assert operator.dtype == np.float64
        assert relative(H, operator) < 2e-15
        assert_allclose(split_errors(H), 0, atol=1e-14 * n)

    @for_each("n", [1, 2, 3, 4, 6, 8, 12, 16, 30, 60, 64])
    def test_dft_is_exact_with_reversed_digits(self, n, order, orthonormalize):
        F = dft(n)
        options = {"supports": Chain.butterfly(n), "permutation": "digit-reversal"}
        operator = butterfly_factorize(F, order=order, orthonormalize=orthonormalize, **options)
        assert relative(F, operator) < 2e-15
        assert_allclose(split_errors(F, **options), 0, atol=1e-14 * n)


@on_any_matrix
@pytest.mark.parametrize("n", [8, 12, 16, 30])
def test_a_wrong_permutation_does_not_make_a_dft_exact(n):
    chain = Chain.butterfly(n)
    reversal = digit_reversal(chain.in_radices)
    assert relative(dft(n), butterfly_factorize(dft(n), chain, permutation=None)) > 0.4
    rows_only = butterfly_factorize(dft(n), chain, permutation=(reversal, None))
    assert relative(dft(n), rows_only) > 0.4


@pytest.mark.parametrize(
    "n, expected", [(8, [0.5**0.5, 0.5**0.5]), (16, [0.5**0.5, 0.75**0.5, 0.5**0.5])]
)
def test_split_errors_of_the_dft(n, expected):
    errors = split_errors(dft(n), permutation=None)
    assert_allclose(errors / np.linalg.norm(dft(n)), expected, rtol=1e-12)


def test_outer_product_plus_identity():
    A = np.outer([1, 2, 3, 4], [1, 1, 2, 2]) + np.eye(4)
    operator, errors = butterfly_factorize(A, Chain.butterfly(4), return_errors=True)
    assert_allclose(error_of(A, operator), 0.9434409758545, rtol=1e-12)
    assert_allclose(errors, [0.9434409758545], rtol=1e-12)


def test_sine():
    A = np.sin(np.arange(64.0)).reshape(8, 8)
    assert_allclose(split_errors(A), [1.6247981724, 1.6119594053], rtol=1e-10)
    assert_allclose(np.linalg.norm(split_errors(A)), 2.2887512371, rtol=1e-10)
    run = partial(butterfly_factorize, A, order="left-to-right", return_errors=True)
    operator, errors = run()
    assert_allclose(error_of(A, operator), 1.7796962650, rtol=3e-10)
    assert_allclose(np.linalg.norm(errors), 1.7796962650, rtol=3e-10)
    operator, errors = run(orthonormalize=False)
    assert_allclose(error_of(A, operator), 1.7797680744, rtol=3e-10)


@on_any_matrix
@for_each("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(7, 5), (5, 9), (12, 12), (1, 6), (64, 40)])
def test_low_rank_family_is_the_theorem_of_eckart_and_young(shape, dtype):
    A = gaussian(np.random.default_rng(0), shape, dtype)
    s = np.linalg.svd(A.astype("complex128"), compute_uv=False)
    for rank in range(1, min(shape) + 2):
        operator, errors = butterfly_factorize(A, "low-rank", rank=rank, return_errors=True)
        # too many parameters for two factors: one dense factor, without error
        tail = float(np.linalg.norm(s[rank:])) if len(errors) else 0.0
        assert len(errors) == (rank * sum(shape) <= math.prod(shape) and rank < min(shape))
        tolerance = 1e-12 * tail + 100 * np.finfo(dtype).eps * s[0]
        assert abs(error_of(A, operator) - tail) <= tolerance
        assert_allclose(errors, tail, rtol=1e-12, atol=tolerance)


def test_prime_radices_with_one_are_plain_low_rank():
    A = gaussian(np.random.default_rng(1), (7, 5))
    chain = Chain.deformable((7, 1), (1, 5), (2,))
    s = np.linalg.svd(A, compute_uv=False)
    operator = butterfly_factorize(A, chain)
    assert_allclose(error_of(A, operator), np.linalg.norm(s[2:]), rtol=1e-12)


def test_radices_of_a_rectangular_chain_from_the_literature():
    chain = Chain.deformable((2, 3, 2), (3, 2, 2), (1, 1))
    A = member(np.random.default_rng(2), chain)
    operator = butterfly_factorize(A, chain)
    assert operator.nnz == 96
    assert relative(A, operator) < 1e-14


# ---- recovery and optimality --------------------------------------------------------------


@on_any_matrix
@given(chains(), seeds, st.booleans(), st.sampled_from(DTYPES), st.data())
def test_members_are_recovered(chain, random, orthonormalize, dtype, data):
    """Any chain, redundant ones as well, any order of all its splits."""
    order = data.draw(st.permutations(range(1, len(chain))) | st.sampled_from(ORDERS))
    A = member(random, chain, dtype)
    before = A.copy()
    operator, errors = butterfly_factorize(
        A, chain, order=order, orthonormalize=orthonormalize, return_errors=True
    )
    assert_array_equal(A, before)
    eps = np.finfo(dtype).eps
    assert error_of(A, operator) <= 500 * len(chain) * eps
    assert errors.shape == (len(chain) - 1,) and errors.dtype == np.float64
    assert (errors <= 500 * eps).all()
    assert operator.shape == chain.shape and operator.dtype == A.dtype
    assert supports_of(operator) == chain


@on_any_matrix
@given(chains(min_length=2, max_rank=6), seeds)
def test_redundant_chains_lose_only_what_the_merged_chain_loses(chain, random):
    A = noisy_member(random, chain)
    merged, groups = chain.merge_redundant()
    operator, errors = butterfly_factorize(A, chain, order="left-to-right", return_errors=True)
    shorter = butterfly_factorize(A, merged, order="left-to-right")
    assert_allclose(operator.toarray(), shorter.toarray(), rtol=0, atol=1e-13 * np.linalg.norm(A))
    ends = {stop for _, stop in groups[:-1]}
    for split, norm in enumerate(errors, start=1):
        assert split in ends or norm == 0


@on_any_matrix
@given(chains(min_length=2, max_length=2), seeds, st.sampled_from(["float64", "complex128"]))
def test_two_factors_are_optimal(chain, random, dtype):
    """Also counting what no product of the two patterns can reach."""
    A = noisy_member(random, chain, dtype)
    optimum = two_factor_optimum(A, *chain)
    operator = butterfly_factorize(A, chain, permutation=None)
    assert abs(error_of(A, operator) - optimum) <= 1e-12 * optimum + 1e-13


@given(chains(), seeds)
def test_split_errors_are_two_factor_optima(chain, random):
    A = noisy_member(random, chain)
    expected = [
        two_factor_optimum(A, chain[:s].product, chain[s:].product) for s in range(1, len(chain))
    ]
    found = split_errors(A, chain, permutation=None)
    assert_allclose(found, expected, rtol=1e-12, atol=1e-13)


@on_any_matrix
@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.sampled_from(["butterfly", "monarch", "low-rank", "dense"]),
    st.integers(1, 3),
    st.sampled_from(ORDERS),
    seeds,
)
@example((1, 1), "butterfly", 1, "balanced", np.random.default_rng(0))
@example((31, 1), "monarch", 2, "balanced", np.random.default_rng(0))
def test_every_shape_and_family(shape, family, rank, order, random):
    A = gaussian(random, shape)
    chain = resolve_supports(family, *shape, rank=rank)
    plain = {"rank": rank, "permutation": None}
    operator, errors = butterfly_factorize(A, family, **plain, order=order, return_errors=True)
    assert operator.shape == shape
    assert operator.nnz == chain.nnz <= A.size
    norm = np.linalg.norm(A)
    error = error_of(A, operator)
    # the entries cut off from a padded product only lower the error
    assert error <= errors.sum() + 1e-13 * norm
    if order != "balanced" and chain.shape == shape:
        assert_allclose(error, np.linalg.norm(errors), rtol=1e-10, atol=1e-13 * norm)
    padded = pad(A, chain.shape)
    largest = split_errors(padded, chain, permutation=None)
    assert (errors <= largest * (1 + 1e-12) + 1e-13 * norm).all()
    assert_allclose(split_errors(A, family, **plain), largest, rtol=1e-12)
    chosen = butterfly_factorize(A, family, rank=rank, order=order)
    assert chosen.nnz <= min(A.size, 2 * chain.nnz)
    assert error_of(A, chosen) <= error * (1 + 1e-12) + 1e-13 * norm


@on_any_matrix
def test_entries_outside_the_support_count_as_lost():
    chain = Chain([(2, 2, 2, 3), (4, 3, 3, 1)])  # block-diagonal product
    A = gaussian(np.random.default_rng(3), chain.shape)
    operator, errors = butterfly_factorize(A, chain, return_errors=True)
    outside = np.linalg.norm(A[~chain.product.mask()])
    assert outside > 1
    assert_allclose(error_of(A, operator), math.hypot(outside, *errors), rtol=1e-13)
    assert_array_equal(operator.toarray()[~chain.product.mask()], 0)


# ---- options ------------------------------------------------------------------------------


@on_any_matrix
def test_order_names_and_sequences_agree():
    A = gaussian(np.random.default_rng(4), (16, 16))

    def run(order):
        return butterfly_factorize(A, order=order).toarray()

    assert_array_equal(run("left-to-right"), run([1, 2, 3]))
    assert_array_equal(run("right-to-left"), run((3, 2, 1)))
    assert_array_equal(run("balanced"), run(np.array([2, 1, 3])))
    assert np.abs(run("left-to-right") - run("right-to-left")).max() > 1e-6


@on_any_matrix
@pytest.mark.parametrize("family", ["butterfly", "monarch", "low-rank"])
@for_each("tol", [0.95, 0.7, 0.4, 0.1, 1e-3, 1e-13])
def test_tol_picks_the_smallest_rank_that_reaches_it(family, tol):
    random = np.random.default_rng(5)
    decaying = scipy.linalg.hilbert(32) + 1e-3 * np.diag(np.arange(32.0))
    for A in (gaussian(random, (32, 32)), decaying, gaussian(random, (24, 36), "complex128")):
        result = factorize(A, family, tol=tol, permutation=None)
        assert relative(A, result.operator) <= tol
        # every smaller rank misses it
        misses = (
            factorize(A, family, rank=rank, permutation=None).relative_error > tol
            for rank in range(1, 40)
        )
        first = 1 + sum(takewhile(bool, misses))
        assert result.chain == resolve_supports(family, *A.shape, rank=first)
        other = factorize(A, family, tol=tol)
        assert other.relative_error <= tol and other.unit.nnz <= result.unit.nnz


def test_tol_of_a_matrix_that_needs_rank_one_only():
    H = scipy.linalg.hadamard(32).astype(float)
    assert max(factorize(H, tol=1e-12).chain.ranks) == 1
    assert factorize(np.zeros((32, 32)), tol=1e-12).chain.ranks == (1, 1, 1, 1)


def test_tol_holds_at_every_scale_and_for_permuted_matrices():
    random = np.random.default_rng(6)
    A, columns = gaussian(random, (16, 16)), np.arange(16)[::-1]
    chain = factorize(A, tol=0.3).chain
    for scale in (2.0**-1000, 2.0**900):
        assert factorize(A * scale, tol=0.3).chain == chain
    assert factorize(A[:, columns], tol=0.3, permutation=(None, columns)).chain == chain


class TestPermutation:
    random = np.random.default_rng(7)
    rows, columns = random.permutation(12), random.permutation(18)
    chain = Chain.deformable((2, 2, 3), (3, 2, 3))
    plain = member(random, chain)
    scrambled = plain[np.argsort(rows)][:, np.argsort(columns)]  # [rows][:, columns] is plain

    def test_the_test_needs_the_permutation(self):
        assert relative(self.scrambled, butterfly_factorize(self.scrambled, self.chain)) > 0.1

    def test_pair(self):
        permutation = (self.rows, self.columns)
        operator = butterfly_factorize(self.scrambled, self.chain, permutation=permutation)
        assert relative(self.scrambled, operator) < 1e-14
        assert_allclose(
            split_errors(self.scrambled, self.chain, permutation=permutation), 0, atol=1e-14
        )

    def test_lists(self):
        permutation = [self.rows.tolist(), self.columns.tolist()]
        operator = butterfly_factorize(self.scrambled, self.chain, permutation=permutation)
        assert relative(self.scrambled, operator) < 1e-14

    @pytest.mark.parametrize("side", [0, 1])
    def test_one_side(self, side):
        A = (
            self.plain[np.argsort(self.rows)]
            if side == 0
            else self.plain[:, np.argsort(self.columns)]
        )
        permutation = (self.rows, None) if side == 0 else (None, self.columns)
        assert relative(A, butterfly_factorize(A, self.chain, permutation=permutation)) < 1e-14
        other = (None, None)
        assert relative(A, butterfly_factorize(A, self.chain, permutation=other)) > 0.1

    def test_digit_reversal_is_a_pair_too(self):
        F = dft(12)
        reversal = digit_reversal(Chain.butterfly(12).in_radices)
        named = butterfly_factorize(F, permutation="digit-reversal").toarray()
        assert_array_equal(butterfly_factorize(F, permutation=(None, reversal)).toarray(), named)

    @pytest.mark.parametrize("shape", [(11, 13), (12, 17), (5, 18)])
    def test_with_padding(self, shape):
        """The operator has the shape of A and approximates it, whatever was padded and permuted."""
        random = np.random.default_rng(8)
        m, n = shape
        rows, columns = random.permutation(m), random.permutation(n)
        A = self.plain[:m, :n][np.argsort(rows)][:, np.argsort(columns)]
        # a corner of a member padded with zeros is no member: compare with the padded problem
        padded = pad(self.plain[:m, :n], self.chain.shape)
        expected = butterfly_factorize(padded, self.chain).toarray()[:m, :n]
        operator = butterfly_factorize(A, self.chain, permutation=(rows, columns))
        assert operator.shape == shape
        assert_allclose(operator.toarray()[rows][:, columns], expected, atol=1e-14)
        assert_allclose(
            split_errors(A, self.chain, permutation=(rows, columns)),
            split_errors(padded, self.chain),
            rtol=1e-12,
            atol=1e-15,
        )

    def test_digit_reversal_of_a_padded_matrix(self):
        """The DFT of 15 of 16 samples: columns of the 16-point DFT, padded on the rows' side."""
        A = dft(16)[:, :15]
        chain = Chain.butterfly(16)
        operator = butterfly_factorize(A, chain, permutation="digit-reversal")
        full = pad(A, (16, 16))
        reversal = digit_reversal((2, 2, 2, 2))
        expected = butterfly_factorize(full[:, reversal], chain).toarray()
        assert_allclose(operator.toarray(), expected[:, np.argsort(reversal)][:, :15], atol=1e-13)


@on_any_matrix
@for_each("scale", [5e-324, 1e-310, 1e-200, 1e-100, 1e100, 1e200, 1e300])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("orthonormalize", [True, False])
def test_scales(scale, order, orthonormalize):
    """Entries from the smallest to the largest number: the same factorization, scaled."""
    options = {"order": order, "orthonormalize": orthonormalize}
    H = scipy.linalg.hadamard(16) * scale
    operator = butterfly_factorize(H, **options)
    unit = scale
    assert_allclose(operator.toarray() / unit, H / unit, rtol=1e-14)
    values = [f.values for f in operator.factors]
    assert all(np.isfinite(v).all() and (np.abs(v).max() > 0) for v in values)
    if 1e-300 < scale < 1e299:
        power = 2.0 ** round(math.log2(scale))
        A = gaussian(np.random.default_rng(9), (16, 16))
        reference, errors = butterfly_factorize(A, return_errors=True, **options)
        operator, scaled_errors = butterfly_factorize(A * power, return_errors=True, **options)
        assert_allclose(operator.toarray() / power, reference.toarray(), atol=1e-13)
        if orthonormalize:  # otherwise only the first split discards from a part of A's scale
            assert_allclose(scaled_errors / power, errors, rtol=1e-12)
        assert_allclose(split_errors(A * power) / power, split_errors(A), rtol=1e-12)


@for_each("scale", [1e-44, 1e-38, 1e-30, 1e30, 1e38])
def test_scales_in_single_precision(scale):
    H = (scipy.linalg.hadamard(16) * scale).astype("float32")
    operator = butterfly_factorize(H)
    assert operator.dtype == np.float32
    found, expected = operator.toarray().astype(float), H.astype(float)
    assert_allclose(found / abs(expected[0, 0]), expected / abs(expected[0, 0]), rtol=1e-5)


def test_blocks_of_very_different_scales():
    """The small ones are exact relative to the whole, and nothing overflows on the way."""
    chain = Chain.butterfly(16)
    random = np.random.default_rng(10)
    for low, high in [(-300, 0), (-150, 150), (0, 300)]:
        A = gaussian(random, (16, 16)) * np.logspace(low, high, 16)[:, None]
        operator = butterfly_factorize(A, chain)
        top = np.abs(A).max()
        assert np.isfinite(operator.toarray()).all()
        errors = split_errors(A, chain)
        assert np.linalg.norm((A - operator.toarray()) / top) <= np.sum(errors / top) + 1e-14


@on_any_matrix
@pytest.mark.parametrize("dtype", DTYPES)
def test_precision_is_kept(dtype):
    random = np.random.default_rng(11)
    A = gaussian(random, (16, 12), dtype)
    for family in ("butterfly", "monarch", "low-rank", "dense"):
        operator = butterfly_factorize(A, family)
        assert operator.dtype == A.dtype
        assert operator.toarray().dtype == A.dtype
        wide = butterfly_factorize(
            A.astype("complex128" if A.dtype.kind == "c" else "float64"), family
        )
        assert_allclose(error_of(A, operator), error_of(A, wide), rtol=1e-4, atol=1e-5)


@on_any_matrix
def test_transposition_by_hand():
    """What the documentation of Chain says: factor A.T and transpose the factors in reverse."""
    A = gaussian(np.random.default_rng(12), (8, 12))
    chain = Chain.deformable((3, 2, 2), (2, 2, 2))
    operator = butterfly_factorize(A.T, chain)
    factors = [f.toarray().T for f in reversed(operator.factors)]
    assert_allclose(np.linalg.multi_dot(factors), operator.toarray().T, atol=1e-14)


def test_integers_and_lists():
    A = [[1, 2, 3, 4], [2, 4, 6, 8], [0, 1, 0, 1], [5, 5, 5, 5]]
    expected = butterfly_factorize(np.array(A, dtype=float)).toarray()
    assert_array_equal(butterfly_factorize(A).toarray(), expected)
    for dtype in ("int8", "uint64", "int32"):
        assert_array_equal(butterfly_factorize(np.array(A, dtype=dtype)).toarray(), expected)
    boolean = np.tri(4, dtype=bool)
    assert_array_equal(
        butterfly_factorize(boolean).toarray(), butterfly_factorize(np.tri(4)).toarray()
    )


@pytest.mark.parametrize("orthonormalize", [True, False])
def test_zero_matrix(orthonormalize):
    for shape in [(8, 8), (6, 9), (1, 1), (11, 3)]:
        operator, errors = butterfly_factorize(
            np.zeros(shape), return_errors=True, orthonormalize=orthonormalize
        )
        assert_array_equal(operator.toarray(), np.zeros(shape))
        assert_array_equal(errors, 0)
        assert_array_equal(split_errors(np.zeros(shape)), 0)


@on_any_matrix
def test_same_input_same_bits():
    A = gaussian(np.random.default_rng(13), (48, 40), "complex128")
    first, second = butterfly_factorize(A), butterfly_factorize(A.copy())
    assert_array_equal(first.toarray(), second.toarray())


# ---- conflicts of arguments ---------------------------------------------------------------


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"rank": 2, "tol": 0.1}, ValueError, "rank=2.*tol=0.1"),
        ({"supports": Chain.butterfly(8), "rank": 2}, ValueError, "rank=2"),
        ({"supports": Chain.butterfly(8), "tol": 0.1}, ValueError, "tol=0.1"),
        ({"supports": lambda m, n: Chain.dense(m, n), "rank": 1}, ValueError, "rank=1"),
        ({"supports": lambda m, n: Chain.dense(m, n), "tol": 0.1}, ValueError, "tol=0.1"),
        ({"supports": lambda m, n: Chain.dense(4, 4)}, ValueError, r"\(4, 4\)"),
        ({"supports": lambda m, n: None}, TypeError, "supports must return a Chain"),
        ({"supports": Chain.butterfly(4)}, ValueError, r"\(4, 4\), smaller"),
        (
            {"permutation": "digit-reversal", "supports": Chain([(2, 2, 2, 2), (4, 2, 2, 1)])},
            ValueError,
            "in_radices",
        ),
    ],
)
def test_arguments_that_exclude_each_other(options, error, message):
    with pytest.raises(error, match=message):
        butterfly_factorize(np.eye(8), **options)


@on_any_matrix
def test_callable_supports_get_the_shape():
    seen = []

    def family(n_out, n_in):
        seen.append((n_out, n_in))
        return Chain.low_rank(n_out, n_in, 2)

    A = gaussian(np.random.default_rng(14), (6, 9))
    operator = butterfly_factorize(A, family)
    assert set(seen) == {(6, 9)}
    assert_array_equal(
        operator.toarray(), butterfly_factorize(A, Chain.low_rank(6, 9, 2)).toarray()
    )


# ---- array libraries ----------------------------------------------------------------------


@on_any_matrix
@for_each("dtype", DTYPES)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"supports": "monarch", "rank": 2},
        {"order": "right-to-left", "orthonormalize": False},
        {"permutation": "digit-reversal"},
        {"supports": Chain.butterfly(16)},
        {"tol": 0.5},
    ],
    ids=str,
)
def test_results_come_back_in_the_library_of_the_matrix(asarray, dtype, options):
    host = gaussian(np.random.default_rng(15), (12, 15), dtype)
    A = asarray(host)
    expected, lost = butterfly_factorize(host, return_errors=True, **options)
    operator, errors = butterfly_factorize(A, return_errors=True, **options)
    dense = operator.toarray()
    for array in (dense, *(f.values for f in operator.factors if isinstance(f, KroneckerFactor))):
        assert_like(array, A)
    tolerance = 1e3 * np.finfo(dtype).eps
    found = np.linalg.norm(to_numpy(dense) - host)
    assert_allclose(found, error_of(host, expected), rtol=tolerance)
    # the singular vectors of nearly tied values are a matter of rounding, what they lose is not
    nearly_tied = 1 if np.finfo(dtype).eps < 1e-10 else 1e3
    assert_allclose(to_numpy(dense), expected.toarray(), rtol=0, atol=tolerance * nearly_tied)
    assert_allclose(errors, lost, rtol=tolerance)
    assert_array_equal(to_numpy(A), host)
    if "tol" not in options:
        options = {k: v for k, v in options.items() if k in ("supports", "rank", "permutation")}
        assert_allclose(split_errors(A, **options), split_errors(host, **options), rtol=tolerance)


@for_each("as_index", [list, np.array, lambda p: np.array(p, dtype="uint8")])
def test_permutations_of_every_kind(asarray, as_index):
    host = gaussian(np.random.default_rng(16), (4, 6))
    rows, columns = [2, 0, 3, 1], [5, 0, 4, 1, 3, 2]
    expected = butterfly_factorize(host, permutation=(rows, columns)).toarray()
    operator = butterfly_factorize(asarray(host), permutation=(as_index(rows), as_index(columns)))
    assert_allclose(to_numpy(operator.toarray()), expected, atol=1e-14)


def test_a_permutation_in_the_library_of_the_matrix(asarray):
    host, columns = gaussian(np.random.default_rng(17), (4, 4)), [2, 0, 3, 1]
    operator = butterfly_factorize(asarray(host), permutation=(None, asarray(columns)))
    expected = butterfly_factorize(host, permutation=(None, columns)).toarray()
    assert_allclose(to_numpy(operator.toarray()), expected, atol=1e-14)
