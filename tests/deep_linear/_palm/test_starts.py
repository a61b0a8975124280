"""Where PALM and its hierarchical form start, and the sets of what is not split yet."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from skfact._stopping import Stopping
from skfact.butterfly import butterfly_factorize
from skfact.deep_linear._factor_sets.factor_set import factor_set
from skfact.deep_linear._palm.hierarchical import Budgets, best_split, resolve_budgets
from skfact.deep_linear._palm.palm4msa import assembled, shared, transposed
from skfact.deep_linear._palm.start import (
    Splits,
    best_scaled,
    grouped,
    nearest_factors,
    starting_point,
)
from skfact.deep_linear._palm.sweeps import suffix_products
from skfact.deep_linear._structured import ToeplitzFactor
from skfact.supports import Chain, FixedMask, KSparse

RANDOM = np.random.default_rng(0)
A = RANDOM.standard_normal((8, 8))
SUPPORTS = [KSparse(9), FixedMask(np.tri(8)), ToeplitzFactor(8, 8)]
SETS = [factor_set(support, (8, 8)) for support in SUPPORTS]


def product(sets, start):
    return start.scale * suffix_products(sets, start.values)[0]


def test_starts_are_unit_factors_of_the_sets():
    matrices = [RANDOM.standard_normal((8, 8)) for _ in SETS]
    nearest = [support.project(matrix) for support, matrix in zip(SUPPORTS, matrices)]
    given = nearest_factors(SETS, matrices)
    assert_allclose([one.norm(value) for one, value in zip(SETS, given.values)], 1)
    assert_allclose(product(SETS, given), nearest[0] @ nearest[1] @ nearest[2])
    scaled = starting_point(A, SETS, matrices, 0, 3, RANDOM)  # A is a matrix over 2**3
    assert scaled.feasible and scaled.scale == given.scale / 8
    best = best_scaled(A, SETS, given)
    assert_allclose(np.sum((A - product(SETS, best)) * product(SETS, best)), 0, atol=1e-12)
    usual = starting_point(A, SETS, None, -1, 0, RANDOM)
    assert not usual.feasible and not usual.values[-1].any()
    assert_allclose(usual.scale, np.sqrt(np.mean(A**2)))
    assert_array_equal(SETS[1].dense(usual.values[1]), np.eye(8))


def test_products_are_shared_out_and_transposed():
    values = nearest_factors(SETS, [A, A, A]).values
    for scale, exponent in ((3.0, 0), (-3.0, 700)):
        factors = shared(values, scale, exponent)
        whole = assembled(SETS, factors, (8, 5)).toarray()
        expected = suffix_products(SETS, values)[0][:, :5] * scale
        assert_allclose(np.ldexp(whole, -exponent), expected)
        norms = [one.norm(factor) for one, factor in zip(SETS, factors)]
        assert max(norms) <= 2.001 * min(norms)  # up to a power of two
    turned = [one.T for one in reversed(SETS)]
    flipped = suffix_products(turned, transposed(SETS, values))[0]
    assert_allclose(flipped, suffix_products(SETS, values)[0].T)


def test_splits_follow_a_chain_and_an_identity():
    budgets = resolve_budgets(A, [KSparse(2, axis=(0, 1))] * 3, None, None, 2, "left")
    assert [one.support.k for one in budgets.residuals] == [4]
    pair = [budgets.residuals[0], budgets.factors[-1]]
    counts = {}
    for init in ("auto", "identity", "chain"):
        splits = Splits.of(A, budgets.factors, init)
        starts = list(splits.starts(A, pair, 2))
        counts[init] = [start.feasible for start in starts]
        if init == "chain":  # all budgets hold the patterns of the chain
            two = Chain([splits.chain[:2].product, splits.chain[2]])
            best = butterfly_factorize(A, two).toarray()
            assert_allclose(product(pair, starts[0]), best, atol=1e-12)
            found = best_split(A, pair, starts, Stopping(3, 0))
            assert found.losses[-1] <= np.sum((A - best) ** 2) * (1 + 1e-12)
    assert counts == {"auto": [True, False], "identity": [False], "chain": [True]}
    other = Splits.of(A[:, :7], [factor_set(KSparse(9), (8, 8))] * 2, "auto")
    assert other.chain is None and other.from_identity
    whole = Chain.butterfly(16)
    assert grouped(whole, 5) is None and grouped(whole, 2).product == whole.product


def test_budgets_transposed_twice_are_themselves():
    budgets = Budgets(SETS, [factor_set(KSparse(2, axis=0), (8, 8))], "right")
    assert budgets.T.residual == "left" and budgets.T.residuals[0].support == KSparse(2, axis=1)
    again = budgets.T.T
    assert again.residual == "right"
    values = nearest_factors(SETS, [A, A, A]).values
    for one, other, value in zip(SETS, again.factors, values):
        assert_array_equal(one.dense(value), other.dense(value))
