"""Nodes of chains, and the blocks into which they cut a matrix."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skfact.butterfly._reading import arrange
from skfact.butterfly._structure.nodes import (
    ARRANGEMENTS,
    blocks_at,
    chain_through,
    lattice,
    nodes_of,
    padded,
)
from skfact.butterfly._structure.paths import numbers_of
from skfact.supports import Chain
from skfact.supports._radices import divisors
from tests.arrays import gaussian
from tests.butterfly.chains import chains


@given(chains())
def test_a_chain_is_its_nodes(chain):
    if chain.product.a > 1 or chain.product.d > 1:
        return
    nodes = nodes_of(chain)
    assert chain_through(nodes, chain.shape) == chain
    assert numbers_of(nodes, chain.shape) == chain.nnz


def test_low_rank_and_monarch():
    assert nodes_of(Chain.low_rank(6, 8, 3)) == [(1, 1, 3)]
    assert nodes_of(Chain.monarch(6, 8, rank=2)) == [(3, 2, 2)]
    assert nodes_of(Chain.butterfly(8)) == [(4, 2, 1), (2, 4, 1)]
    assert len(lattice((12, 8))) == 5 * 3 and (12, 1) not in lattice((12, 8))


@pytest.mark.parametrize("name", ARRANGEMENTS)
@given(st.sampled_from([((2, 3, 2), (3, 2, 2)), ((4, 3), (2, 9)), ((1, 6, 2), (5, 1, 2))]))
def test_blocks_are_those_of_the_chain(name, radices):
    """The entries of each block, found by the masks of the chain on the permuted matrix."""
    chain = Chain.deformable(*radices)
    A = np.arange(float(np.prod(chain.shape))).reshape(chain.shape)
    permuted = arrange(A, chain, name).toarray()
    for split, node in enumerate(nodes_of(chain), start=1):
        left, right = chain[:split].product.mask(), chain[split:].product.mask()
        expected = {
            tuple(sorted(permuted[np.ix_(left[:, k] > 0, right[k] > 0)].ravel()))
            for k in range(left.shape[1])
        }
        blocks = blocks_at(A, node, ARRANGEMENTS[name])
        assert blocks.shape[:2] == node[:2]
        found = {tuple(sorted(block.ravel())) for row in blocks for block in row}
        assert found == expected


def test_padded():
    A = gaussian(np.random.default_rng(0), (3, 5))
    assert padded(A, (3, 5)) is A
    wider = padded(A, (4, 8))
    assert wider.shape == (4, 8) and not wider[3:].any() and not wider[:, 5:].any()
    np.testing.assert_array_equal(wider[:3, :5], A)


def test_divisors():
    assert divisors(12) == (1, 2, 3, 4, 6, 12)
