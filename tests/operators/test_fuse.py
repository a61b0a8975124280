"""Fusing neighbours is exact algebra, and the cost model chooses among all ways to do it."""

import gc
import weakref
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skfact.operators import FactorizedOperator, KroneckerFactor, PartialPermutation, _fuse
from skfact.operators._fuse import (
    BLOCK_COST,
    FACTOR_COST,
    cheapest_partition,
    fuse_runs,
    numpy_cost,
    product_pattern,
)
from skfact.supports import Chain
from tests.arrays import DTYPES
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


def count_products(monkeypatch, call):
    """How many products of patterns a call asks for."""
    asked = []
    product = _fuse.product_pattern
    monkeypatch.setattr(_fuse, "product_pattern", lambda *pair: asked.append(1) or product(*pair))
    call()
    monkeypatch.undo()
    return len(asked)


@for_each("block", [np.eye(4), np.ones((2, 2)), np.array([[2.0]])])
def test_the_effort_for_long_products_is_linear(block, monkeypatch):
    rng = np.random.default_rng(0)
    n = len(block)
    counts = []
    for length in (200, 400, 800):
        factors = [block * rng.choice([-1.0, 1.0]) / n for _ in range(length)]
        for call in (
            lambda op: op @ np.ones(n),
            lambda op: op.apply(np.ones((70, n))),
            lambda op: op.fuse(),
            lambda op: op.fuse(3),
            lambda op: op.fuse(len(op.factors) // 2),
        ):
            op = FactorizedOperator(factors)
            counts.append(count_products(monkeypatch, lambda call=call, op=op: call(op)))
    assert max(counts) <= 20 * 800


@for_each("n", [1, 2, 60, 100, 129, 130, 500])
def test_long_products_have_as_many_factors_as_asked_for(n):
    rng = np.random.default_rng(1)
    factors = [np.linalg.qr(rng.standard_normal((3, 3)))[0] for _ in range(130)]
    factors.insert(70, PartialPermutation([2, 0, 1], 3))
    factors.insert(70, PartialPermutation([1, 0, 2], 3))
    op = FactorizedOperator(factors)
    fused = op.fuse(n)
    count = sum(factor.dtype is not None for factor in fused.factors)
    assert count == min(max(n, 2), 130)  # a selection stands between
    np.testing.assert_allclose(
        fused.toarray(),
        np.linalg.multi_dot(
            [factor if isinstance(factor, np.ndarray) else factor.toarray() for factor in factors]
        ),
        atol=1e-10,
    )
    np.testing.assert_allclose(op @ np.eye(3), fused.toarray(), atol=1e-10)


def test_long_products_that_cannot_be_shortened(make_operator):
    """Butterflies after one another: only factors of one of them can be fused."""
    op = make_operator(Chain.butterfly(4))
    long = FactorizedOperator([factor for _ in range(60) for factor in op.factors])
    assert len(long.factors) == 120
    assert 60 <= len(long.fuse(60).factors) <= 120
    x = np.ones(4)
    expected = x
    for _ in range(60):
        expected = op @ expected
    np.testing.assert_allclose(long @ x, expected, rtol=1e-9)


def numbers_kept(op):
    """Numbers in all that an operator keeps, its true factors aside."""
    products = op._products
    kept = [*products._converted.values(), *products._fused.values()]
    return sum(factor.nnz for factors in kept for factor in factors)


def test_what_is_kept_is_bounded(make_operator):
    op = make_operator(Chain.butterfly(64))
    for dtype in DTYPES:
        for batch in (1, 2, 5, 17, 65, 257, 1025):
            op._products.plan(np.dtype(dtype), batch)
            op.apply(np.ones((batch, 64), dtype))
    products = op._products
    assert len(products._fused) <= 8
    assert len(products._programs) <= 4
    assert len(products._converted) <= 2
    assert numbers_kept(op) <= 10 * 64 * 64


def test_there_and_back_is_the_same_operator(asarray, make_operator):
    op = make_operator(Chain.butterfly(8), "complex64")
    like = asarray(np.ones(1))
    assert op.T.T is op
    assert op.H.H is op
    assert op.H.H.H is op.H
    assert op.to_device(like).to_device("numpy") is op
    assert op.to_device(like).to_device("numpy").to_device(like) is op.to_device(like)


def test_operators_are_freed_at_once(make_operator):
    op = make_operator(Chain.butterfly(8))
    op @ np.ones(8)
    op.matmat(np.ones((8, 100)))
    transposed, gone = op.T, weakref.ref(op)
    gc.disable()
    try:
        del op
        assert gone() is None
    finally:
        gc.enable()
    assert transposed.T.shape == (8, 8)
