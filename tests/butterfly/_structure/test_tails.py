"""Tails are exact errors of two factors, and bounds for longer chains."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skfact.butterfly._factorize import factorize
from skfact.butterfly._structure.nodes import (
    ARRANGEMENTS,
    Node,
    chain_through,
    lattice,
    nodes_of,
)
from skfact.butterfly._structure.tails import Tails
from skfact.supports import Chain
from tests.arrays import DTYPES, gaussian
from tests.asserts import on_any_matrix
from tests.butterfly.chains import noisy_member, seeds

SHAPES = [(12, 12), (8, 18), (30, 4), (16, 16), (6, 1)]


@on_any_matrix
@pytest.mark.parametrize("name", ARRANGEMENTS)
@given(st.sampled_from(SHAPES), seeds, st.sampled_from(DTYPES))
def test_the_error_of_every_chain_of_two_factors(name, shape, random, dtype):
    A = gaussian(random, shape, dtype)
    norm, eps = float(np.linalg.norm(A)), float(np.finfo(dtype).eps)
    for place in lattice(shape):
        tails = Tails(A).exact(Node(*place, 1), ARRANGEMENTS[name])
        assert len(tails) == 1 + min(shape[0] // place[0], shape[1] // place[1])
        assert tails[0] == pytest.approx(norm, rel=1e2 * eps) and tails[-1] == 0
        for r in range(1, len(tails) - 1):
            chain = chain_through([Node(*place, r)], shape)
            error = factorize(A, chain, permutation=name).error
            assert error == pytest.approx(tails[r], rel=0, abs=max(1e-6, 1e2 * eps) * norm)


@on_any_matrix
@given(st.sampled_from([((2, 2, 3), (3, 2, 2)), ((2, 2, 2, 2), (2, 2, 2, 2))]), seeds)
def test_bounds_of_longer_chains(radices, random):
    for ranks in (1, 2):
        chain = Chain.deformable(*radices, ranks)
        for A in (gaussian(random, chain.shape), noisy_member(random, chain)):
            plain = ARRANGEMENTS[None]
            tails = [Tails(A).exact(node, plain)[node.r] for node in nodes_of(chain)]
            found = factorize(A, chain, order="left-to-right", permutation=None)
            rounding = 1e-7 * found.norm
            assert max(tails) - rounding <= found.error <= np.linalg.norm(tails) + rounding


@given(seeds, st.sampled_from(["float32", "complex128"]))
def test_sampled_tails(random, dtype):
    """Right on average, and exact where all blocks are alike or few."""
    A = gaussian(random, (32, 32), dtype) * np.linspace(0.1, 3, 32)
    node, plain = Node(8, 4, 1), ARRANGEMENTS["rows"]
    exact = Tails(A).exact(node, plain)
    np.testing.assert_array_equal(Tails(A).sampled(node, plain, 32, random), exact)
    squares = [Tails(A).sampled(node, plain, 8, random) ** 2 for _ in range(300)]
    np.testing.assert_allclose(np.mean(squares, axis=0), exact**2, rtol=0.1)
    np.testing.assert_allclose(np.stack(squares)[:, 0], exact[0] ** 2, rtol=1e-5)
    repeated = np.tile(A[:4, :8], (8, 4))
    sampled = Tails(repeated).sampled(node, plain, 2, random)
    np.testing.assert_allclose(sampled, Tails(repeated).exact(node, plain), rtol=1e-5)


def test_zeros_have_no_tails(asarray):
    zeros, both = Tails(asarray(np.zeros((8, 8)))), ARRANGEMENTS["both"]
    np.testing.assert_array_equal(zeros.exact(Node(4, 2, 1), both), 0)
    random = np.random.default_rng(0)
    np.testing.assert_array_equal(zeros.sampled(Node(4, 2, 1), both, 2, random), 0)


def test_arrays_of_any_library(asarray):
    host = gaussian(np.random.default_rng(0), (12, 17), "complex64")
    theirs, ours = Tails(asarray(host), (12, 18)), Tails(host, (12, 18))
    for arrangement in ARRANGEMENTS.values():
        at = Node(3, 6, 1), arrangement
        np.testing.assert_allclose(theirs.exact(*at), ours.exact(*at), rtol=1e-5)
        found, expected = (
            tails.sampled(*at, 3, np.random.default_rng(0)) for tails in (theirs, ours)
        )
        np.testing.assert_allclose(found, expected, rtol=1e-5)
