"""Families: a sensible chain for every shape, by name, by callable, or given."""

from functools import cache, reduce
from itertools import combinations_with_replacement, pairwise
from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.fft import next_fast_len

from skfact.supports import FAMILIES, Chain, resolve_supports
from skfact.supports._families import aligned_chain
from skfact.supports._radices import (
    balanced_factors,
    is_prime,
    next_smooth,
    padded_size,
    prime_factors,
)
from tests.asserts import for_each

SIDES = range(1, 65)
RANKS = (1, 2, 3)


@cache
def table(family):
    """Chains of a family for all shapes and ranks."""
    return {
        (m, n, rank): Chain.for_shape(m, n, family=family, rank=rank)
        for rank in RANKS
        for m in SIDES
        for n in SIDES
    }


def test_family_names():
    assert set(FAMILIES) == {"butterfly", "monarch", "low-rank", "dense"}


@pytest.mark.parametrize("family", FAMILIES)
def test_table_of_shapes(family):
    for (m, n, rank), chain in table(family).items():
        rows, columns = chain.shape
        assert rows >= m, (m, n, rank)
        assert columns >= n, (m, n, rank)
        assert chain.nnz <= m * n, (m, n, rank)
        assert not chain.is_redundant(), (m, n, rank)
        assert max(chain.ranks, default=1) <= rank, (m, n, rank)
        # every entry of the rectangle is connected; test_chain.py holds `product` to the masks
        assert tuple(chain.product) == (1, rows, columns, 1), (m, n, rank)
        # padding only to the stated sizes, and not at all for one dense pattern
        assert rows in (m, padded_size(m)), (m, n, rank)
        assert columns in (n, padded_size(n)), (m, n, rank)
        if len(chain) == 1:
            assert chain == Chain.dense(m, n), (m, n, rank)


@pytest.mark.parametrize("family", FAMILIES)
def test_masks_of_the_table_connect_every_entry(family):
    checked = {chain for (m, n, _), chain in table(family).items() if m <= 32 and n <= 32}
    for chain in checked:
        product = reduce(np.matmul, (pattern.mask().astype(float) for pattern in chain))
        assert np.all(product > 0), chain


def test_table_is_not_all_dense():
    lengths = {family: [len(chain) for chain in table(family).values()] for family in FAMILIES}
    assert max(lengths["butterfly"]) == 6
    assert set(lengths["monarch"]) == set(lengths["low-rank"]) == {1, 2}
    assert set(lengths["dense"]) == {1}
    # with rank 1 more than five shapes of six have a proper butterfly
    factored = [len(chain) > 1 for (_, _, r), chain in table("butterfly").items() if r == 1]
    assert np.mean(factored) > 5 / 6


@pytest.mark.parametrize("family", ["butterfly", "monarch"])
def test_radices_ascend_and_are_never_one(family):
    for (m, n, rank), chain in table(family).items():
        if rank == 1 and len(chain) > 1:
            for radices in (chain.out_radices, chain.in_radices):
                assert min(radices) >= 2, (m, n)
                assert list(radices) == sorted(radices), (m, n)


@for_each("n", [n for n in SIDES if max(prime_factors(n), default=1) <= 7])
def test_square_smooth_sizes_give_the_butterfly(n):
    assert Chain.for_shape(n, n) == Chain.butterfly(n)


def test_worked_examples():
    assert Chain.for_shape(4, 4) == Chain.butterfly(4)  # 16 non-zeros, as many as dense
    assert len(Chain.for_shape(4, 4)) == 2
    assert Chain.for_shape(1, 1) == Chain.dense(1, 1)
    assert Chain.for_shape(7, 64) == Chain.dense(7, 64)  # a prime side has a single radix
    assert Chain.for_shape(13, 13).shape == (15, 15)
    assert Chain.for_shape(31, 31) == Chain.butterfly(32)
    chain = Chain.for_shape(10, 64)
    assert chain.out_radices == (2, 5)
    assert chain.in_radices == (8, 8)
    assert Chain.for_shape(64, 64, family="monarch") == Chain.monarch(64, 64)
    assert Chain.for_shape(64, 64, family="low-rank", rank=3) == Chain.low_rank(64, 64, 3)
    assert Chain.for_shape(64, 32, family="low-rank", rank=32) == Chain.dense(64, 32)
    assert Chain.for_shape(64, 64, family="dense", rank=3) == Chain.dense(64, 64)


def test_rank_two_merges_the_redundant_ends_of_a_dyadic_chain():
    chain = Chain.for_shape(64, 64, rank=2)
    assert chain.in_radices == (4, 2, 2, 4)
    assert chain.ranks == (2, 2, 2)


@pytest.mark.parametrize("family", FAMILIES)
def test_huge_ranks_give_dense(family):
    assert Chain.for_shape(24, 36, family=family, rank=10**12) == Chain.dense(24, 36)


@for_each("n", [11, 13, 22, 62, 121, 997, 1023])
def test_padded_sizes(n):
    assert padded_size(n) == next_fast_len(n, real=True) > n
    assert max(prime_factors(padded_size(n))) <= 5


@for_each("n", range(1, 400))
def test_prime_factors(n):
    primes = prime_factors(n)
    assert prod(primes) == n
    assert list(primes) == sorted(primes)
    assert all(p > 1 and all(p % q for q in range(2, p)) for p in primes)


@for_each("n", [4, 36, 60, 64, 72, 96, 210, 360])
def test_balanced_factors_have_the_smallest_sum(n):
    for count in range(1, len(prime_factors(n)) + 1):
        factors = balanced_factors(n, count)
        divisors = [d for d in range(2, n + 1) if n % d == 0]
        sums = [sum(c) for c in combinations_with_replacement(divisors, count) if prod(c) == n]
        assert prod(factors) == n
        assert len(factors) == count
        assert sum(factors) == min(sums)


def test_balanced_factors_are_not_greedy():
    assert balanced_factors(72, 2) == (8, 9)
    assert balanced_factors(96, 2) == (8, 12)


@pytest.mark.parametrize("family", FAMILIES)
def test_resolve_by_name(family):
    assert resolve_supports(family, 24, 36) == Chain.for_shape(24, 36, family=family)
    assert resolve_supports(family, 24, 36, rank=np.int64(2)) == Chain.for_shape(
        24, 36, family=family, rank=2
    )


def test_resolve_callable_and_chain():
    calls = []

    def own_family(n_out, n_in):
        calls.append((n_out, n_in))
        return Chain.low_rank(n_out + 1, n_in, 2)

    assert resolve_supports(own_family, 6, 5) == Chain.low_rank(7, 5, 2)
    assert calls == [(6, 5)]
    chain = Chain.butterfly(8)
    assert resolve_supports(chain, 8, 8) is chain
    assert resolve_supports(chain, 3, 7) is chain


@pytest.mark.parametrize(
    "supports, arguments, error, message",
    [
        ("buterfly", {}, ValueError, "'buterfly' is not a family .*Did you mean 'butterfly'"),
        ("zzz", {}, ValueError, r"'butterfly', 'dense', 'low-rank', 'monarch'\]\.$"),
        ("Monarch", {}, ValueError, "Did you mean 'monarch'"),
        (None, {}, TypeError, "supports must be one of the names .* got NoneType"),
        (3, {}, TypeError, "got int"),
        ([(1, 6, 6, 1)], {}, TypeError, "got list"),
        (Chain.butterfly(6), {"rank": 1}, ValueError, "rank=1 .* a Chain, which carries its own"),
        (lambda m, n: Chain.dense(m, n), {"rank": 2}, ValueError, "rank=2 .* a callable, which"),
        (Chain.dense(5, 6), {}, ValueError, r"shape \(5, 6\), smaller than the matrix \(6, 6\)"),
        (Chain.dense(60, 5), {}, ValueError, r"shape \(60, 5\), smaller than the matrix"),
        (lambda m, n: Chain.dense(m, n - 1), {}, ValueError, "smaller than the matrix"),
        (lambda m, n: [(1, m, n, 1)], {}, TypeError, "must return a Chain, got list"),
        ("butterfly", {"rank": 0}, ValueError, "rank must be at least 1"),
        ("butterfly", {"rank": -2}, ValueError, "rank must be at least 1"),
        ("butterfly", {"rank": 2.0}, TypeError, "rank must be an integer"),
        ("butterfly", {"rank": True}, TypeError, "rank must be an integer"),
        ("dense", {"rank": "2"}, TypeError, "rank must be an integer"),
        (Chain.butterfly(6), {"rank": 1.5}, TypeError, "rank must be an integer"),
    ],
)
def test_resolve_refuses_with_the_reason(supports, arguments, error, message):
    with pytest.raises(error, match=message):
        resolve_supports(supports, 6, 6, **arguments)


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ((0, 4), ValueError, "n_out must be at least 1"),
        ((4, 2.0), TypeError, "n_in must be an integer"),
    ],
)
def test_sizes_are_checked(arguments, error, message):
    with pytest.raises(error, match=message):
        Chain.for_shape(*arguments)
    with pytest.raises(error, match=message):
        resolve_supports("butterfly", *arguments)
    with pytest.raises(error, match=message):
        resolve_supports(Chain.butterfly(8), *arguments)


def test_for_shape_refuses_unknown_families():
    with pytest.raises(ValueError, match="Did you mean 'low-rank'"):
        Chain.for_shape(4, 4, family="low_rank")
    with pytest.raises(TypeError, match="family must be a str"):
        Chain.for_shape(4, 4, family=Chain.butterfly(4))


@for_each("n", [2**61 - 1, 2**31 - 1, 10**18 + 9, 1, 2, 2**18 + 3])
def test_large_primes_are_recognized(n):
    """They give one dense pattern, and no search for divisors up to their root."""
    assert prime_factors(n) == (() if n == 1 else (n,))
    assert Chain.butterfly(n).shape == (n, n)
    assert Chain.monarch(n, 4).shape == (n, 4)
    assert Chain.for_shape(n, n).shape[0] >= n


@for_each("factors", [(2, 3, 2**61 - 1), (7, 7, 1_000_003), (262_139, 262_147), (2,) * 62])
def test_factors_of_large_numbers(factors):
    assert prime_factors(prod(factors)) == factors


@for_each("n", [1_000_003 * 1_000_033, (2**31 - 1) ** 2, 2 * (2**89 - 1)])
def test_sizes_that_would_take_long_are_refused_at_once(n):
    """Two large prime factors, or one beyond what a test of primes is certain of."""
    with pytest.raises(ValueError, match=f"The size {n} has no radices that are found soon"):
        Chain.butterfly(n)
    with pytest.raises(ValueError, match="found soon"):
        Chain.monarch(n, 4)
    assert Chain.for_shape(n, 4).shape[0] >= n  # which pads


@given(st.integers(1, 10**12))
def test_padded_sizes_are_the_next_smooth_ones(n):
    assert next_smooth(n) == next_fast_len(n, real=True)


@for_each("p", [41 * 43, 2047 * 4093, 3_215_031_751, 3_825_123_056_546_413_051])
def test_pseudoprimes_are_no_primes(p):
    assert not is_prime(p)


@for_each("n_out, n_in", [(2**18 * 3**9 * 5**5 * 7**3, 2**19 * 3**9 * 5**5 * 7**3), (2**62, 2**61)])
def test_highly_composite_shapes(n_out, n_in):
    """Each divisor as each factor would be tried in vain: the smallest comes first."""
    chain = Chain.for_shape(n_out, n_in)
    assert chain.shape == (n_out, n_in)
    assert max(chain.out_radices) <= 7 * min(chain.out_radices)


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 3))
def test_aligned_chains(n_out, n_in, rank):
    """The condition for a part of a DFT, and the rules that hold for every family."""
    for family in ("butterfly", "monarch"):
        chain = aligned_chain(family, n_out, n_in, rank)
        assert chain.shape[0] >= n_out and chain.shape[1] >= n_in
        assert chain.nnz <= n_out * n_in and not chain.is_redundant()
        longer = max(chain.shape)
        assert all(left.d * right.a == longer for left, right in pairwise(chain))
        assert len(chain) > 1 or chain == Chain.dense(n_out, n_in)
        assert len(chain) <= 2 or family == "butterfly"
    assert aligned_chain("low-rank", n_out, n_in, rank) is None
