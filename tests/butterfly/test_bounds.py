"""What is proved about the error, held against every run and against independent products."""

import math
from functools import reduce

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from skfact.butterfly import ButterflyFactorizer, split_errors
from skfact.butterfly._bounds import error_bound, rounding_allowance
from skfact.butterfly._factorize import factorize
from skfact.supports import Chain
from tests.arrays import DTYPES, gaussian
from tests.asserts import for_each, on_any_matrix
from tests.butterfly.chains import (
    ORDERS,
    alternate,
    chains,
    long_chains,
    masked_factors,
    noisy_member,
    seeds,
)


def bound_of(A, chain, result, orthonormalize):
    n_factors = len(chain.merge_redundant()[0])
    bound = error_bound(
        result.discarded,
        result.outside,
        in_order=result.in_order,
        orthonormalize=orthonormalize,
        split_errors=lambda: split_errors(A, chain, permutation=result.plan.permutation),
        n_factors=n_factors,
    )
    return bound, rounding_allowance(n_factors, np.finfo(A.dtype).eps, np.linalg.norm(A))


@given(
    chains(max_length=5) | long_chains(), seeds, st.booleans(), st.sampled_from(DTYPES), st.data()
)
def test_the_bound_is_never_violated(chain, random, orthonormalize, dtype, data):
    """Random chains, redundant ones too; noise levels from everything to nothing; all orders."""
    order = data.draw(st.permutations(range(1, len(chain))) | st.sampled_from(ORDERS))
    A = noisy_member(random, chain, dtype)
    result = factorize(A, chain, order=order, orthonormalize=orthonormalize)
    bound, allowance = bound_of(A, chain, result, orthonormalize)
    error = np.linalg.norm(A - result.operator.toarray())
    assert error <= bound + allowance
    if orthonormalize and result.in_order:  # it is the error
        eps = np.finfo(dtype).eps
        assert error >= bound * (1 - 1e5 * eps) - allowance - 300 * eps


@on_any_matrix
@pytest.mark.parametrize("orthonormalize", [True, False])
@pytest.mark.parametrize("order", ORDERS)
def test_the_estimator_reports_the_bound(order, orthonormalize):
    random = np.random.default_rng(0)
    for shape in [(16, 16), (13, 20), (32, 8), (7, 7), (1, 4)]:
        for supports in ("butterfly", "monarch", "low-rank"):
            A = gaussian(random, shape)
            fitted = ButterflyFactorizer(
                supports=supports, order=order, orthonormalize=orthonormalize
            ).fit(A)
            error = np.linalg.norm(A - fitted.operator_.toarray())
            assert_allclose(fitted.reconstruction_err_, error, rtol=1e-12, atol=1e-13)
            assert error <= fitted.error_bound_
            # it means something: below the norm times the factors' number
            assert fitted.error_bound_ <= 2 ** len(fitted.chain_) * np.linalg.norm(A)


@given(chains(min_length=2, max_rank=2), seeds)
def test_no_product_beats_the_largest_split_error(chain, random):
    A = noisy_member(random, chain)
    lower = split_errors(A, chain, permutation=None).max()
    slack = 1e-12 * np.linalg.norm(A)
    # a random product, at its best scale
    guess = reduce(np.matmul, masked_factors(random, chain))
    energy = np.sum(guess**2)
    if energy > 0:
        guess = guess * (np.sum(guess * A) / energy)
    assert np.linalg.norm(A - guess) >= lower - slack
    # the algorithm's
    result = factorize(A, chain)
    assert np.linalg.norm(A - result.operator.toarray()) >= lower - slack


CHAINS = [
    Chain.butterfly(8),
    Chain.deformable((2, 2, 2), (2, 3, 2)),
    Chain.deformable((3, 2, 2), (2, 2, 3), (1, 2)),
    Chain.butterfly(12),
    Chain.butterfly(16),
    Chain.deformable((2, 3, 2, 2), (2, 2, 2, 2)),
]


@pytest.mark.parametrize("chain", CHAINS, ids=str)
@for_each("level", [0.0, 1e-2, 1.0])
def test_guarantees_relative_to_the_optimum(chain, level):
    """Against the best product that alternating least squares finds from the algorithm's result.

    max E_l <= E* <= found, and the algorithm is within sqrt(L-1) E* in order and (L-1) E* always.
    """
    random = np.random.default_rng(1)
    A = reduce(np.matmul, masked_factors(random, chain))
    noise = gaussian(random, A.shape)
    A = A + level * np.linalg.norm(A) / np.linalg.norm(noise) * noise
    slack = 1e-12 * np.linalg.norm(A)
    length = len(chain)
    E = split_errors(A, chain, permutation=None)
    for order in (*ORDERS, [*range(2, length), 1], [length - 1, *range(1, length - 1)]):
        for orthonormalize in (True, False):
            result = factorize(
                A, chain, order=order, orthonormalize=orthonormalize, permutation=None
            )
            error = np.linalg.norm(A - result.operator.toarray())
            start = [f.toarray() for f in result.operator.factors]
            _, found = alternate(A, start, chain, 10)
            assert E.max() - slack <= found <= error + slack
            if not orthonormalize:
                assert error <= (2 ** (length - 1) - 1) * found + slack
            elif result.in_order:
                assert error <= math.sqrt(length - 1) * found + slack
                assert error <= np.linalg.norm(E) + slack
            else:
                assert error <= (length - 1) * found + slack


def test_random_starts_find_no_better_product_than_the_lower_bound():
    chain = Chain.butterfly(8)
    random = np.random.default_rng(2)
    for _ in range(4):
        A = gaussian(random, (8, 8))
        lower = split_errors(A, chain, permutation=None).max()
        _, found = alternate(A, masked_factors(random, chain), chain, 30)
        assert lower <= found <= 2 * lower  # close enough for the bound to be at stake


@pytest.mark.parametrize(
    "options, expected",
    [
        ({"in_order": True, "orthonormalize": True}, math.hypot(3, 4, 12)),
        ({"in_order": False, "orthonormalize": True}, math.hypot(7, 12)),
        ({"in_order": True, "orthonormalize": False}, 3 * math.hypot(6, 8, 12)),
        ({"in_order": False, "orthonormalize": False}, 3 * math.hypot(6, 8, 12)),
    ],
)
def test_formulas(options, expected):
    found = error_bound(
        np.array([3.0, 4.0]),
        12.0,
        split_errors=lambda: np.array([6.0, 8.0]),
        n_factors=3,
        **options,
    )
    assert_allclose(found, expected, rtol=1e-15)


def test_split_errors_are_computed_only_where_they_count():
    def never():
        raise AssertionError("needless")

    for in_order in (True, False):
        bound = error_bound(
            np.array([1.0]),
            0.0,
            in_order=in_order,
            orthonormalize=True,
            split_errors=never,
            n_factors=2,
        )
        assert bound == 1.0


def test_the_unorthonormalized_error_can_exceed_what_holds_for_the_other():
    """So the larger bound is not only caution: err^2 > sum E_l^2 does happen."""
    random = np.random.default_rng(3)
    worst = 0.0
    for _ in range(300):
        chain = Chain.deformable((2, 2, 2), (2, 2, 2))
        A = reduce(np.matmul, masked_factors(random, chain))
        A = A + 0.3 * np.linalg.norm(A) / 8 * gaussian(random, A.shape)
        error = np.linalg.norm(
            A
            - factorize(
                A, chain, orthonormalize=False, order=[1, 2], permutation=None
            ).operator.toarray()
        )
        worst = max(worst, error / np.linalg.norm(split_errors(A, chain, permutation=None)))
    assert 1.001 < worst <= 3
