"""Chains: what they accept, what they represent, how redundancy is merged."""

import copy
import pickle
from collections.abc import Sequence
from dataclasses import FrozenInstanceError
from functools import reduce
from itertools import pairwise
from math import prod

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from skfact.supports import Chain, KroneckerSparse, digit_reversal
from tests.asserts import for_each


@st.composite
def deformable_arguments(draw, max_length=4):
    length = draw(st.integers(1, max_length))
    radices = st.lists(st.integers(1, 3), min_size=length, max_size=length)
    ranks = st.lists(st.integers(1, 3), min_size=length - 1, max_size=length - 1)
    return draw(radices), draw(radices), draw(ranks)


@st.composite
def chains(draw, max_length=4):
    """Every chain is a deformable one between I_a and I_d, so these are all chains."""
    chain = Chain.deformable(*draw(deformable_arguments(max_length)))
    a, d = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    return Chain([(a * p.a, p.b, p.c, d * p.d) for p in chain])


def mask_product(chain):
    return reduce(lambda x, y: (x @ y > 0).astype(float), (p.mask().astype(float) for p in chain))


@given(deformable_arguments())
def test_deformable_chain_has_the_stated_shape_ranks_and_radices(arguments):
    q, p, ranks = arguments
    chain = Chain.deformable(q, p, ranks)
    assert chain.shape == (prod(q), prod(p))
    assert chain.ranks == tuple(ranks)
    assert chain.out_radices == tuple(q)
    assert chain.in_radices == tuple(p)
    assert chain.product == KroneckerSparse(1, prod(q), prod(p), 1)
    r = [1, *ranks, 1]
    redundant = any(r[l] >= min(q[l - 1] * r[l - 1], p[l] * r[l + 1]) for l in range(1, len(q)))
    assert chain.is_redundant() == redundant


@given(chains())
def test_product_pattern_is_the_support_of_the_product_of_the_masks(chain):
    assert_array_equal(chain.product.mask(), mask_product(chain))
    assert chain.product == reduce(KroneckerSparse.product, chain)
    assert chain.shape == chain.product.shape
    assert chain.nnz == sum(int(p.mask().sum()) for p in chain)
    assert chain.ranks == tuple(left.rank_with(right) for left, right in pairwise(chain))


@given(chains())
def test_every_chain_is_a_deformable_one_between_identities(chain):
    a, d = chain[0].a, chain[-1].d
    core = Chain([(p.a // a, p.b, p.c, p.d // d) for p in chain])
    assert Chain.deformable(core.out_radices, core.in_radices, core.ranks) == core


@given(chains())
def test_merging_keeps_the_class_and_removes_entries(chain):
    merged, groups = chain.merge_redundant()
    assert not merged.is_redundant()
    assert merged.nnz <= chain.nnz
    assert (merged == chain) == (not chain.is_redundant())
    assert (merged.nnz == chain.nnz) == (merged == chain)
    assert merged.product == chain.product
    # the groups cut the original chain, and each merged pattern is the product of its group
    assert groups[0][0] == 0
    assert groups[-1][1] == len(chain)
    assert all(left[1] == right[0] for left, right in pairwise(groups))
    assert [chain[start:stop].product for start, stop in groups] == list(merged)
    # the gaps that stay keep their ranks
    assert merged.ranks == tuple(chain.ranks[stop - 1] for _, stop in groups[:-1])


@given(chains(), st.integers(0, 2**32 - 1))
def test_a_redundant_gap_does_not_constrain_the_product(chain, seed):
    """Each class block of a redundant pair has full rank for generic factors."""
    left_right = [(p, q) for p, q in pairwise(chain) if p.is_redundant_with(q)]
    assume(left_right)
    left, right = left_right[0]
    rng = np.random.default_rng(seed)
    X, Y = rng.standard_normal(left.shape), rng.standard_normal(right.shape)
    A = left.project(X) @ right.project(Y)
    rows, columns = np.flatnonzero(left.mask()[:, 0]), np.flatnonzero(right.mask()[0])
    assert np.linalg.matrix_rank(A[np.ix_(rows, columns)]) == min(left.b, right.c)


@given(chains(max_length=6), st.randoms(use_true_random=False))
def test_merged_chain_does_not_depend_on_the_order_of_the_merges(chain, random):
    patterns = list(chain)
    while Chain(patterns).is_redundant():
        i = random.choice(
            [i for i, (p, q) in enumerate(pairwise(patterns)) if p.is_redundant_with(q)]
        )
        patterns[i : i + 2] = [patterns[i].product(patterns[i + 1])]
    assert Chain(patterns) == chain.merge_redundant()[0]


def test_smallest_product_is_merged_first():
    # the middle pattern is an identity: either neighbour can take it, the right one is smaller
    chain = Chain([(1, 8, 2, 1), (1, 2, 2, 1), (1, 2, 6, 1)])
    assert all(left.is_redundant_with(right) for left, right in pairwise(chain))
    merged, groups = chain.merge_redundant()
    assert merged == Chain.low_rank(8, 6, 2)
    assert groups == ((0, 1), (1, 3))
    # and the left one here
    _, groups = Chain([(1, 6, 2, 1), (1, 2, 2, 1), (1, 2, 8, 1)]).merge_redundant()
    assert groups == ((0, 2), (2, 3))


def test_theory_oracle():
    chain = Chain.deformable((2, 3, 2), (3, 2, 2), (1, 1))
    assert [tuple(p) for p in chain] == [(1, 2, 3, 6), (3, 3, 2, 2), (6, 2, 2, 1)]
    assert chain.shape == (12, 12)
    assert chain.nnz == 96


@for_each("exponent", range(1, 8))
def test_dyadic_chain(exponent):
    n = 2**exponent
    chain = Chain.butterfly(n)
    expected = [(2 ** (l - 1), 2, 2, n // 2**l) for l in range(1, exponent + 1)]
    assert [tuple(p) for p in chain] == expected
    assert chain.nnz == 2 * n * exponent
    assert set(chain.ranks) <= {1}


@for_each(
    "n, radices",
    [(1, (1,)), (2, (2,)), (6, (2, 3)), (7, (7,)), (12, (2, 2, 3)), (30, (2, 3, 5)), (13, (13,))],
)
def test_butterfly_radices_are_the_prime_factors(n, radices):
    chain = Chain.butterfly(n)
    assert chain.in_radices == chain.out_radices == radices
    assert chain.shape == (n, n)
    assert chain.nnz == n * sum(radices)
    assert not chain.is_redundant()


@given(*[st.integers(1, 5)] * 4, st.integers(1, 3))
def test_monarch_formula(p, q, s, t, rank):
    """With rank 1: (1, p, q, m/p) and (q, m/p, n/q, 1)."""
    m, n = p * s, q * t
    chain = Chain.monarch(m, n, rank=rank, out_radices=(p, s), in_radices=(q, t))
    expected = [(1, p, q * rank, m // p), (q, rank * m // p, n // q, 1)]
    assert [tuple(pattern) for pattern in chain] == expected
    assert chain.shape == (m, n)
    assert chain.ranks == (rank,)


@pytest.mark.parametrize(
    "n_out, n_in, out_radices, in_radices",
    [
        (16, 16, (4, 4), (4, 4)),
        (6, 8, (2, 3), (2, 4)),
        (36, 30, (6, 6), (5, 6)),
        (7, 8, (7, 1), (2, 4)),
        (8, 7, (2, 4), (1, 7)),
        (7, 5, (7, 1), (1, 5)),
    ],
)
def test_monarch_defaults_are_near_equal_and_never_worse_than_dense(
    n_out, n_in, out_radices, in_radices
):
    chain = Chain.monarch(n_out, n_in)
    assert chain.out_radices == out_radices
    assert chain.in_radices == in_radices
    assert chain.nnz <= n_out * n_in
    assert not chain.is_redundant()


@given(st.integers(1, 60), st.integers(1, 60))
def test_monarch_fits_every_shape_without_padding(n_out, n_in):
    chain = Chain.monarch(n_out, n_in)
    assert len(chain) == 2
    assert chain.shape == (n_out, n_in)


def test_low_rank_and_dense():
    assert [tuple(p) for p in Chain.low_rank(7, 5, 2)] == [(1, 7, 2, 1), (1, 2, 5, 1)]
    assert Chain.low_rank(7, 5, 2) == Chain.deformable((7, 1), (1, 5), (2,))
    assert [tuple(p) for p in Chain.dense(7, 5)] == [(1, 7, 5, 1)]
    assert not Chain.low_rank(7, 5, 4).is_redundant()
    assert Chain.low_rank(7, 5, 5).is_redundant()
    assert Chain.low_rank(7, 5, 5).merge_redundant() == (Chain.dense(7, 5), ((0, 2),))


def test_int_rank_stands_for_every_gap():
    assert Chain.deformable((4, 4, 4), (4, 4, 4), 2) == Chain.deformable(
        (4, 4, 4), (4, 4, 4), np.array([2, 2])
    )


@given(chains())
def test_chain_is_a_sequence(chain):
    assert isinstance(chain, Sequence)
    assert Chain(list(chain)) == Chain(tuple(p) for p in chain) == Chain(chain) == chain
    assert tuple(chain) == chain.patterns
    assert chain[-1] is chain.patterns[-1]
    assert list(reversed(chain)) == list(chain.patterns[::-1])
    assert chain[0] in chain
    assert chain.index(chain[0]) == 0
    for start in range(len(chain)):
        for stop in range(start + 1, len(chain) + 1):
            part = chain[start:stop]
            assert isinstance(part, Chain)
            assert part.patterns == chain.patterns[start:stop]


@given(chains())
def test_round_trips(chain):
    assert eval(repr(chain)) == chain
    for other in (pickle.loads(pickle.dumps(chain)), copy.copy(chain), copy.deepcopy(chain)):
        assert type(other) is Chain
        assert other == chain
        assert hash(other) == hash(chain)


def test_chains_of_other_patterns_differ():
    """Even where their masks, or the products of these, are the same."""
    of_four = [Chain.dense(4, 4), Chain.butterfly(4), Chain.low_rank(4, 4, 1)]
    identities = [Chain([(1, 1, 1, 4)]), Chain([(4, 1, 1, 1)]), Chain([(4, 1, 1, 1)] * 2)]
    assert len({*of_four, *identities, Chain.low_rank(4, 4, 2)}) == 7


@pytest.mark.parametrize(
    "other",
    [3, None, "butterfly", [], [(1, 2, 2, 2), (2, 2, 2, 1)], np.arange(2), np.eye(4), np.array(3)],
)
def test_comparison_with_anything_else_is_false(other):
    chain = Chain.butterfly(4)
    assert (chain == other) is False
    assert (other == chain) is False
    assert (chain != other) is True


def test_comparison_with_arrays_of_any_namespace_is_false(asarray):
    chain = Chain.butterfly(4)
    assert (chain == asarray(np.eye(4))) is False


def test_chain_is_not_equal_to_its_patterns():
    chain = Chain.butterfly(4)
    assert chain != list(chain)
    assert chain != chain.patterns


def test_chains_are_immutable():
    chain = Chain.butterfly(4)
    with pytest.raises(FrozenInstanceError):
        chain.patterns = ()
    with pytest.raises((AttributeError, TypeError)):
        chain.name = "mine"
    with pytest.raises(TypeError):
        chain[0] = KroneckerSparse(1, 2, 2, 2)
    assert not hasattr(chain, "__dict__")
    assert not hasattr(chain, "T")


def test_a_list_that_changes_later_does_not_change_the_chain():
    patterns = [KroneckerSparse(1, 2, 2, 2), KroneckerSparse(2, 2, 2, 1)]
    chain = Chain(patterns)
    patterns.pop()
    assert len(chain) == 2


@pytest.mark.parametrize(
    "patterns, error, message",
    [
        ([], ValueError, "patterns is empty"),
        (None, TypeError, "got None of type NoneType"),
        (3, TypeError, "got 3 of type int"),
        ("butterfly", TypeError, "got 'butterfly' of type str"),
        (KroneckerSparse(1, 2, 2, 1), TypeError, "of type KroneckerSparse"),
        ((1, 2, 2, 1), TypeError, r"patterns\[0\] must be a KroneckerSparse .* got 1"),
        ([(1, 2, 2)], TypeError, r"patterns\[0\] .* got \(1, 2, 2\)"),
        ([(1, 2, 2, 1), "abcd"], TypeError, r"patterns\[1\] .* got 'abcd'"),
        ([(1, 2, 2, 0)], ValueError, "d of the pattern .* got 0"),
        ([(1, 2.0, 2, 1)], TypeError, "b of the pattern .* got 2.0"),
        ([(1, 2, 2, 1)] * 2 + [(1, 3, 3, 1)], ValueError, r"patterns\[1\] .* 2 columns, .* 3 rows"),
        ([(2, 2, 3, 1), (3, 2, 2, 1)], ValueError, "a = 2 on the left does not divide a = 3"),
        ([(1, 2, 4, 2), (1, 2, 2, 4)], ValueError, "d = 4 on the right does not divide d = 2"),
        ([(1, 2, 2, 4), (8, 1, 2, 1)], ValueError, "rank a1 .* is not an integer"),
    ],
)
def test_refusals_say_why(patterns, error, message):
    with pytest.raises(error, match=message):
        Chain(patterns)


def test_the_transpose_of_a_butterfly_is_not_chainable():
    transposed = [p.T for p in reversed(Chain.butterfly(8))]
    with pytest.raises(ValueError, match=r"patterns\[0\] .* a = 4 on the left does not divide a"):
        Chain(transposed)


def test_is_chainable_answers_for_any_sequence():
    left, right = Chain.butterfly(4)
    assert Chain.butterfly(4).is_chainable()
    assert Chain.is_chainable([left, right])
    assert Chain.is_chainable(((1, 2, 2, 2), (2, 2, 2, 1)))
    assert not Chain.is_chainable([right, left])
    assert not Chain.is_chainable([left, KroneckerSparse(1, 3, 3, 1)])
    assert not Chain.is_chainable([])
    with pytest.raises(TypeError, match=r"patterns\[0\]"):
        Chain.is_chainable([3])


@pytest.mark.parametrize("part", [slice(0, 0), slice(2, 1), slice(None, None, -1)])
def test_slices_that_are_no_chain_are_refused(part):
    with pytest.raises(ValueError, match=r"empty|not chainable"):
        Chain.butterfly(8)[part]


def test_radices_need_a_dense_product():
    chain = Chain.butterfly(8)
    for part in (chain[1:], chain[:2], Chain([(2, 2, 2, 2)])):
        with pytest.raises(ValueError, match="out_radices needs a chain whose product is dense"):
            _ = part.out_radices
        with pytest.raises(ValueError, match="in_radices needs a chain whose product is dense"):
            _ = part.in_radices


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: Chain.butterfly(0), ValueError, "n must be at least 1"),
        (lambda: Chain.butterfly(4.0), TypeError, "n must be an integer"),
        (lambda: Chain.butterfly(True), TypeError, "n must be an integer"),
        (lambda: Chain.deformable((2, 2), (2,), 1), ValueError, "same length.* got 2 and 1"),
        (lambda: Chain.deformable((), (), 1), ValueError, "at least 1, got 0 and 0"),
        (lambda: Chain.deformable((2, 0), (2, 2), 1), ValueError, r"out_radices\[1\]"),
        (lambda: Chain.deformable((2, 2), (2, 2.0), 1), TypeError, r"in_radices\[1\]"),
        (lambda: Chain.deformable(4, (2, 2), 1), TypeError, "out_radices must be a sequence"),
        (lambda: Chain.deformable((2, 2), "22", 1), TypeError, "in_radices must be a sequence"),
        (lambda: Chain.deformable((2, 2), (2, 2), (1, 1)), ValueError, "ranks .* 1 for 2 .* got 2"),
        (lambda: Chain.deformable((2, 2), (2, 2), 0), ValueError, "ranks must be at least 1"),
        (lambda: Chain.deformable((2, 2), (2, 2), (1.5,)), TypeError, r"ranks\[0\]"),
        (lambda: Chain.deformable((2,), (2,), None), TypeError, "ranks must be an integer"),
        (lambda: Chain.monarch(6, 6, out_radices=(2, 2)), ValueError, "out_radices .* product 6"),
        (lambda: Chain.monarch(6, 6, in_radices=(1, 2, 3)), ValueError, "in_radices .* two"),
        (lambda: Chain.monarch(6, 6, rank=0), ValueError, "rank must be at least 1"),
        (lambda: Chain.monarch(6.5, 6), TypeError, "n_out must be an integer"),
        (lambda: Chain.low_rank(6, -1, 1), ValueError, "n_in must be at least 1"),
        (lambda: Chain.low_rank(6, 6, "2"), TypeError, "rank must be an integer"),
        (lambda: Chain.dense(0, 6), ValueError, "n_out must be at least 1"),
    ],
)
def test_constructors_refuse_by_name(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_long_redundant_chains_are_merged_in_linear_effort(monkeypatch):
    asked = []
    product = KroneckerSparse.product
    monkeypatch.setattr(KroneckerSparse, "product", lambda *pair: asked.append(1) or product(*pair))
    for length in (100, 200, 400):
        asked.clear()
        chain = Chain([(1, 4, 4, 1)] * length)
        merged, groups = chain.merge_redundant()
        assert merged == Chain.dense(4, 4)
        assert groups == ((0, length),)
        assert len(asked) <= 4 * length


@pytest.mark.parametrize("container", [set, frozenset, dict.fromkeys])
def test_what_has_no_order_is_refused(container):
    """Also where the order that comes out would be accepted."""
    for name, call in {
        "patterns": Chain,
        "out_radices": lambda radices: Chain.deformable(radices, (2, 3)),
        "in_radices": lambda radices: Chain.deformable((2, 3), radices),
        "ranks": lambda ranks: Chain.deformable((2, 3, 2), (3, 2, 2), ranks),
    }.items():
        items = [(1, 2, 2, 2), (2, 2, 2, 1)] if name == "patterns" else [1, 2]
        with pytest.raises(TypeError, match=f"{name} must be a sequence"):
            call(container(items))
    with pytest.raises(TypeError, match="out_radices must be a sequence"):
        Chain.monarch(6, 6, out_radices=container([2, 3]))
    with pytest.raises(TypeError, match="radices must be a sequence"):
        digit_reversal(container([2, 3]))


@given(st.lists(st.integers(1, 4), min_size=1, max_size=6))
def test_deformable_is_its_formula(radices):
    chain = Chain.deformable(radices, radices[::-1])
    for i, pattern in enumerate(chain):
        assert pattern.a == prod(radices[::-1][:i])
        assert pattern.d == prod(radices[i + 1 :])
