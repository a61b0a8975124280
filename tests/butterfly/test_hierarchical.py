"""The hierarchical algorithm on values of product patterns."""

import math
from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skfact._backend import to_numpy
from skfact._kernels.low_rank_blocks import generic
from skfact.butterfly._hierarchical import (
    expand_redundant,
    hierarchical_factorization,
    splits_in_order,
    two_factor_step,
)
from skfact.supports import Chain
from tests.arrays import DTYPES, gaussian
from tests.asserts import assert_like, for_each
from tests.butterfly.chains import (
    alternate,
    chains,
    dense,
    long_chains,
    masked_factors,
    member,
    noisy_member,
    product,
    seeds,
    two_factor_optimum,
    values_on,
)


@given(chains(min_length=2, max_length=2), seeds, st.booleans(), st.sampled_from(DTYPES))
def test_two_factor_step_is_optimal(chain, random, leftwards, dtype):
    matrix = noisy_member(random, chain, dtype)
    matrix = chain.product.project(matrix)
    values = values_on(matrix, chain.product)
    x, y, lost = two_factor_step(values, *chain, leftwards)
    assert x.dtype == y.dtype == matrix.dtype
    norm, eps = np.linalg.norm(matrix), np.finfo(matrix.dtype).eps
    error = np.linalg.norm(matrix - product([x, y], chain))
    optimum = two_factor_optimum(matrix, *chain)
    floor = 200 * eps * norm
    assert abs(error - optimum) <= 4000 * eps * optimum + floor
    assert abs(lost - optimum) <= 4000 * eps * optimum + floor


@for_each("seed", range(12))
def test_alternating_least_squares_is_never_better_than_the_two_factor_step(seed):
    random = np.random.default_rng(seed)
    chain = [
        Chain.butterfly(4),
        Chain.monarch(6, 9),
        Chain.deformable((3, 2), (2, 3), 2),
        Chain.low_rank(5, 6, 2),
    ][seed % 4]
    matrix = gaussian(random, chain.shape)
    _, _, lost = two_factor_step(values_on(matrix, chain.product), *chain)
    for _ in range(3):
        _, found = alternate(matrix, masked_factors(random, chain), chain, 60)
        assert found >= lost * (1 - 1e-12)
        reached = found <= lost * (1 + 1e-3)
        if reached:
            break
    assert reached  # so the comparison means something


@given(chains(min_length=2, max_length=2), seeds, st.booleans())
def test_one_side_of_a_step_is_orthonormal_and_the_other_what_it_keeps(chain, random, leftwards):
    left, right = chain
    matrix = chain.product.project(gaussian(random, chain.shape))
    x, y, _ = two_factor_step(values_on(matrix, chain.product), left, right, leftwards)
    x, y = dense(x, left), dense(y, right)
    # columns of the same class are orthonormal (or zero), of different classes have other rows or
    # other columns of the partner: the product by the adjoint is checked class by class
    supports = np.concatenate([left.mask(), right.mask().T]).T
    basis = x if not leftwards else y.T
    for support in np.unique(supports, axis=0):
        block = basis[:, (supports == support).all(axis=1)]
        gram = block.T @ block
        assert_allclose(gram, np.diag(np.round(np.diagonal(gram))), atol=1e-13)
    # the step is a projection: doing it again changes nothing
    again = two_factor_step(values_on(x @ y, chain.product), left, right, leftwards)
    assert again[2] <= 1e-13 * np.linalg.norm(matrix)


@given(chains(max_length=5, max_rank=6), seeds)
def test_redundant_chains_expand_any_matrix_exactly(chain, random):
    merged, _ = chain.merge_redundant()
    assume(len(merged) == 1)
    matrix = chain.product.project(gaussian(random, chain.shape))
    factors = expand_redundant(values_on(matrix, chain.product), chain)
    assert [f.shape for f in factors] == [(p.a, p.d, p.b, p.c) for p in chain]
    error = np.linalg.norm(matrix - product(factors, chain))
    assert error <= 1e-14 * len(chain) * np.linalg.norm(matrix)


def test_expanding_needs_redundancy_throughout():
    chain = Chain.butterfly(8)
    with pytest.raises(ValueError, match="not redundant"):
        expand_redundant(np.ones((1, 1, 8, 8)), chain)


@given(chains(min_length=1), seeds, st.booleans(), st.sampled_from(DTYPES), st.data())
def test_members_are_recovered_in_every_order_of_splits(chain, random, orthonormalize, dtype, data):
    chain, _ = chain.merge_redundant()
    splits = data.draw(st.permutations(range(1, len(chain))))
    matrix = member(random, chain, dtype)
    factors, discarded = hierarchical_factorization(
        values_on(matrix, chain.product), chain, splits, orthonormalize=orthonormalize
    )
    assert all(f.dtype == matrix.dtype for f in factors)
    eps = np.finfo(dtype).eps
    assert np.linalg.norm(matrix - product(factors, chain)) <= 500 * len(chain) * eps
    assert sorted(discarded) == list(range(1, len(chain)))
    assert all(norm <= 500 * eps for norm in discarded.values())


@given(chains(min_length=2), seeds, st.booleans(), st.sampled_from(DTYPES))
def test_discarded_norms_of_an_orderly_run_add_up_to_the_error(chain, random, backwards, dtype):
    """From one end to the other, each split discards something orthogonal to all before."""
    chain, _ = chain.merge_redundant()
    splits = list(range(1, len(chain)))
    matrix = chain.product.project(noisy_member(random, chain, dtype))
    factors, discarded = hierarchical_factorization(
        values_on(matrix, chain.product), chain, splits[::-1] if backwards else splits
    )
    error = np.linalg.norm(matrix - product(factors, chain))
    expected = math.hypot(*discarded.values())
    norm, eps = np.linalg.norm(matrix), np.finfo(dtype).eps
    assert abs(error - expected) <= 1e5 * eps * expected + 500 * len(chain) * eps * norm


@given(chains(min_length=2, max_length=5) | long_chains(), seeds, st.data())
def test_discarded_norms_bound_the_error_in_any_order(chain, random, data):
    """error <= sum of the discarded, and each split discards at most what it would from A."""
    chain, _ = chain.merge_redundant()
    splits = data.draw(st.permutations(range(1, len(chain))))
    matrix = chain.product.project(noisy_member(random, chain))
    factors, discarded = hierarchical_factorization(values_on(matrix, chain.product), chain, splits)
    error = np.linalg.norm(matrix - product(factors, chain))
    slack = 1e-13 * np.linalg.norm(matrix)
    assert error <= sum(discarded.values()) + slack
    for split, norm in discarded.items():
        own = two_factor_optimum(matrix, chain[:split].product, chain[split:].product)
        assert norm <= own * (1 + 1e-12) + slack
        if split == splits[0]:
            assert abs(norm - own) <= 1e-12 * own + slack


@for_each("splits", list(permutations([1, 2, 3])))
@pytest.mark.parametrize("level", [1e-6, 1e-2, 1.0])
def test_each_split_discards_what_it_changes(splits, level):
    """With the other parts orthonormal, the norm discarded from a part is that of the product."""
    random = np.random.default_rng(1)
    chain = Chain.deformable((2, 2, 3, 2), (2, 3, 2, 2))
    matrix = member(random, chain) + level / 24 * gaussian(random, chain.shape)
    before = matrix
    for i in range(len(splits)):
        # the parts after i + 1 splits, multiplied: the first splits with a shorter chain
        ends = [0, *sorted(splits[: i + 1]), 4]
        parts = Chain([chain[a:b].product for a, b in pairwise(ends)])
        order = [sorted(splits[: i + 1]).index(s) + 1 for s in splits[: i + 1]]
        factors, discarded = hierarchical_factorization(
            values_on(matrix, chain.product), parts, order
        )
        after = product(factors, parts)
        assert_allclose(discarded[order[-1]], np.linalg.norm(after - before), rtol=1e-9)
        before = after


@for_each("splits", list(permutations([1, 2, 3, 4])))
def test_no_order_loses_a_member_with_structural_zeros(splits):
    """Zero blocks and zero factors: nothing to normalize, and no noise in their place."""
    random = np.random.default_rng(0)
    chain = Chain.butterfly(32)
    factors = masked_factors(random, chain)
    factors[1][::3] = 0
    factors[3][:, :16] = 0
    matrix = np.linalg.multi_dot(factors)
    for orthonormalize in (True, False):
        found, _ = hierarchical_factorization(
            values_on(matrix, chain.product), chain, splits, orthonormalize=orthonormalize
        )
        assert all(np.isfinite(f).all() for f in found)
        error = np.linalg.norm(matrix - product(found, chain))
        assert error <= 1e-14 * np.linalg.norm(matrix)


def test_without_orthonormalization_the_result_is_another():
    """So the option does something: theory's numbers for a sine, left to right."""
    matrix = np.sin(np.arange(64.0)).reshape(8, 8)
    chain = Chain.butterfly(8)
    errors = {}
    for orthonormalize in (True, False):
        factors, discarded = hierarchical_factorization(
            matrix[None, None], chain, [1, 2], orthonormalize=orthonormalize
        )
        errors[orthonormalize] = np.linalg.norm(matrix - product(factors, chain))
        assert_allclose(discarded[1], 1.6247981724, rtol=1e-9)
    assert_allclose(errors[True], 1.7796962650, rtol=1e-9)
    assert_allclose(errors[False], 1.7797680744, rtol=1e-9)


def test_splits_are_reported_in_the_order_made():
    chain = Chain.butterfly(16)
    matrix = gaussian(np.random.default_rng(0), (16, 16))
    seen = []
    _, discarded = hierarchical_factorization(
        matrix[None, None], chain, [2, 3, 1], on_split=lambda *report: seen.append(report)
    )
    assert seen == [(s, discarded[s]) for s in (2, 3, 1)]


@pytest.mark.parametrize("chunk", [1, 7, 64, 1000])
@pytest.mark.parametrize("leftwards", [False, True])
def test_blocks_are_treated_alike_in_chunks_of_any_size(monkeypatch, chunk, leftwards):
    random = np.random.default_rng(1)
    for left, right in [
        Chain.butterfly(16)[1:3],
        Chain.monarch(12, 8),
        [(3, 4, 6, 2), (9, 4, 5, 1)],
    ]:
        pair = Chain([left, right])
        values = gaussian(random, values_on(np.zeros(pair.shape), pair.product).shape)
        monkeypatch.setattr(generic, "CHUNK", 2**40)
        whole = two_factor_step(values, *pair, leftwards)
        monkeypatch.setattr(generic, "CHUNK", chunk)
        parts = two_factor_step(values, *pair, leftwards)
        assert_allclose(product(parts[:2], pair), product(whole[:2], pair), atol=1e-13)
        assert_allclose(parts[2], whole[2], rtol=1e-13)


@for_each("n", range(1, 20))
def test_splits_in_order(n):
    forward = list(range(1, n))
    assert splits_in_order("left-to-right", n) == forward
    assert splits_in_order("right-to-left", n) == forward[::-1]
    assert splits_in_order(forward[::-1], n) == forward[::-1]
    assert splits_in_order(np.array(forward, dtype=int), n) == forward
    balanced = splits_in_order("balanced", n)
    assert sorted(balanced) == forward
    # the tree of halves: its depth is the logarithm, each split inside one part
    parts = {(0, n): 0}
    for split in balanced:
        (start, stop) = next(p for p in parts if p[0] < split < p[1])
        depth = parts.pop((start, stop)) + 1
        parts |= {(start, split): depth, (split, stop): depth}
    assert max(parts.values()) == math.ceil(math.log2(n))


@pytest.mark.parametrize(
    "order, error",
    [
        ("upside-down", ValueError),
        ([1, 2], ValueError),
        ([1, 2, 2], ValueError),
        ([0, 1, 2], ValueError),
        ([1, 2, 3, 4], ValueError),
        ([1, 2.5, 3], TypeError),
        ([1.0, 2.0, 3.0], TypeError),
        (np.array([1.0, 2.0, 3.0]), TypeError),
        ([True, 2, 3], TypeError),
        ([1, "2", 3], TypeError),
        ({1, 2, 3}, TypeError),
        (iter([1, 2, 3]), TypeError),
        ([], ValueError),
        (3, TypeError),
        (None, TypeError),
        ([None, 1, 2], TypeError),
    ],
)
def test_orders_that_are_none(order, error):
    with pytest.raises(error, match="order"):
        splits_in_order(order, 4)


@pytest.mark.parametrize("orthonormalize", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "complex128"])
def test_every_array_library(asarray, dtype, orthonormalize):
    random = np.random.default_rng(2)
    chain = Chain.deformable((2, 3, 2), (2, 2, 3), (1, 2))
    for host in (member(random, chain, dtype), gaussian(random, chain.shape, dtype)):
        reference, lost = hierarchical_factorization(
            host[None, None], chain, [2, 1], orthonormalize=orthonormalize
        )
        values = asarray(host[None, None])
        factors, discarded = hierarchical_factorization(
            values, chain, [2, 1], orthonormalize=orthonormalize
        )
        for factor in factors:
            assert_like(factor, values)
        found = product([to_numpy(f) for f in factors], chain)
        tolerance = 1e3 * np.finfo(dtype).eps * np.linalg.norm(host)
        assert_allclose(found, product(reference, chain), rtol=0, atol=tolerance)
        assert_allclose(list(discarded.values()), list(lost.values()), rtol=0, atol=tolerance)
        assert_array_equal(to_numpy(values)[0, 0], host)
