"""Fusing neighbours is exact algebra, and the cost model chooses among all ways to do it."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skfact.operators import FactorizedOperator, KroneckerFactor, PartialPermutation
from skfact.operators._fuse import (
    BLOCK_COST,
    FACTOR_COST,
    cheapest_partition,
    fuse_runs,
    numpy_cost,
    product_pattern,
)
from skfact.supports import Chain
from tests.asserts import for_each


def assert_same(op, other):
    expected = op.toarray()
    scale = np.abs(expected).max()
    np.testing.assert_allclose(other.toarray() / scale, expected / scale, atol=1e-13)


@for_each("transposed", [False, True])
def test_fuse_to_any_number(chain, transposed, make_operator, as_dense):
    op = make_operator(chain)
    op = op.T if transposed else op
    for n in range(1, len(op.factors) + 3):
        fused = op.fuse(n)
        assert len(fused.factors) == min(n, len(op.factors))
        np.testing.assert_allclose(fused.toarray(), as_dense(op), atol=1e-12)
    assert_same(op, op.fuse())


def test_pattern_of_a_pair_is_the_one_of_the_product(make_operator):
    op = make_operator(Chain.deformable((2, 3, 2), (3, 2, 2), (2, 3)))
    first, second = op.fuse(2).factors
    assert first.pattern.product(second.pattern) == Chain([f.pattern for f in op.factors]).product
    (whole,) = op.fuse(1).factors
    assert whole.pattern == Chain([f.pattern for f in op.factors]).product


def test_fuse_leaves_what_cannot_be_fused(make_operator):
    op = make_operator(Chain.butterfly(8))
    twice = op @ op  # butterflies one after the other are not chainable in the middle
    assert len(twice.fuse(1).factors) == 2
    assert_same(twice, twice.fuse(1))
    with_dense_between = op @ FactorizedOperator([PartialPermutation([1, 0, *range(2, 8)], 8)]) @ op
    fused = with_dense_between.fuse(1)
    assert [type(f).__name__ for f in fused.factors] == [
        "KroneckerFactor",
        "PartialPermutation",
        "KroneckerFactor",
    ]
    assert_same(with_dense_between, fused)


def test_permutations_are_composed():
    rng = np.random.default_rng(0)
    op = FactorizedOperator(PartialPermutation(rng.permutation(5), 5) for _ in range(4))
    assert len(op.fuse().factors) == 1
    np.testing.assert_array_equal(op.fuse().toarray(), op.toarray())


@pytest.mark.parametrize("n, error", [(0, ValueError), (-1, ValueError), (1.5, TypeError)])
def test_fuse_refuses(n, error, make_operator):
    with pytest.raises(error, match="n must be"):
        make_operator(Chain.butterfly(4)).fuse(n)


@pytest.mark.parametrize("n", [True, None, "all"])
def test_fuse_refuses_other_types(n, make_operator):
    with pytest.raises(TypeError, match="'auto'"):
        make_operator(Chain.butterfly(4)).fuse(n)


def cost_of(runs, factors, batch):
    """Cost of a partition, run by run, as the model states it."""
    total = 0.0
    for start, stop in runs:
        pattern = factors[start].pattern
        for factor in factors[start + 1 : stop]:
            pattern = product_pattern(pattern, factor.pattern)
        a, b, c, d = pattern
        total += FACTOR_COST + a * d * BLOCK_COST["float64"](b, c, batch)
    return total


@for_each("batch", [1, 16, 256])
@pytest.mark.parametrize("n", [8, 64, 256])
def test_partition_is_the_cheapest_of_all(n, batch, make_operator):
    factors = make_operator(Chain.butterfly(n)).factors
    length = len(factors)
    all_costs = {}
    for count in range(1, length + 1):
        for cuts in combinations(range(1, length), count - 1):
            bounds = (0, *cuts, length)
            runs = tuple(pairwise(bounds))
            all_costs.setdefault(count, []).append(cost_of(runs, factors, batch))
    best = cheapest_partition(factors, numpy_cost(np.float64, batch))
    assert np.isclose(cost_of(best, factors, batch), min(map(min, all_costs.values())))
    for count, costs in all_costs.items():
        runs = cheapest_partition(factors, numpy_cost(np.float64, batch), count)
        assert len(runs) == count
        assert np.isclose(cost_of(runs, factors, batch), min(costs))


def test_true_factors_stay_as_they_are(make_operator):
    op = make_operator(Chain.butterfly(64))
    op.matmat(np.ones((64, 64)))
    assert len(op.factors) == 6
    assert op.nnz == 6 * 128
    assert len(op._products.plan(op.dtype, 64)) < 6


def test_plan_for_one_vector_and_for_many_may_differ_but_not_their_results(make_operator):
    op = make_operator(Chain.butterfly(1024))
    X = np.random.default_rng(0).standard_normal((1024, 64))
    one_by_one = np.stack([op @ x for x in X.T], axis=1)
    np.testing.assert_allclose(
        op @ X, one_by_one, rtol=1e-10, atol=1e-10 * np.abs(one_by_one).max()
    )


@pytest.mark.parametrize("scale", [1e200, 1e-200])
def test_fusing_never_overflows_or_underflows(scale):
    """Values that are fine one after the other are not multiplied out where that would fail."""
    patterns = Chain.butterfly(4)
    factors = [KroneckerFactor(np.full((p.a, p.d, p.b, p.c), scale), p) for p in patterns]
    op = FactorizedOperator(factors)
    with np.errstate(over="ignore"):
        assert not fuse_runs(factors, [(0, 2)])[0]._is_safe()
    x = np.full(4, 1 / scale)
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(op.matvec(x), np.full(4, 4 * scale))


@given(st.integers(0, 999))
def test_fuse_of_random_deformable_chains(seed):
    rng = np.random.default_rng(seed)
    length = int(rng.integers(1, 5))
    out_radices = [int(q) for q in rng.integers(1, 4, length)]
    in_radices = [int(p) for p in rng.integers(1, 4, length)]
    ranks = [int(r) for r in rng.integers(1, 3, length - 1)]
    chain = Chain.deformable(out_radices, in_radices, ranks)
    op = FactorizedOperator(
        KroneckerFactor(rng.standard_normal((p.a, p.d, p.b, p.c)), p) for p in chain
    )
    matrix = np.eye(op.shape[0])
    for factor in op.factors:
        matrix = matrix @ factor.toarray()
    for n in range(1, length + 1):
        np.testing.assert_allclose(op.fuse(n).toarray(), matrix, atol=1e-11)
        np.testing.assert_allclose(op.T.fuse(n).toarray(), matrix.T, atol=1e-11)
