"""Structures: what stands for one, and the product of factors as a function of parameters."""

import pickle
from functools import reduce

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skfact import SparseDeepLinearNet
from skfact.deep_linear import CirculantFactor, ConvolutionTree, ToeplitzFactor
from skfact.deep_linear._stability._lifting.structure import as_structure
from skfact.supports import Chain, FixedMask, KroneckerSparse
from tests.asserts import assert_like, for_each, on_any_matrix
from tests.deep_linear._stability.structures import random_structure


def drawn(structure):
    return structure.draw(np.random.RandomState(0))


@for_each("seed", range(30))
def test_product_is_that_of_the_factors_and_linear_in_each(seed):
    structure = as_structure(random_structure(np.random.default_rng(seed)))
    h = drawn(structure)
    assert tuple(x.size for x in h) == structure.sizes
    product = structure.product(h)
    assert_allclose(product, reduce(np.matmul, structure.matrices(h)), rtol=1e-12, atol=1e-14)
    for k, x in enumerate(h):
        found = structure.contraction(h, k) @ x
        assert_allclose(found, product.ravel(), rtol=1e-12, atol=1e-14)


def test_parameters_stand_in_the_order_of_the_documentation():
    mask = np.array([[0, 1], [1, 1]])
    h = np.array([1.0, 2.0, 3.0])
    assert_allclose(as_structure([FixedMask(mask)]).product([h]), [[0, 1], [2, 3]])
    pattern = KroneckerSparse(2, 1, 2, 2)
    values = np.arange(1.0, 9).reshape(2, 2, 1, 2)  # (a, d, b, c)
    dense = as_structure([pattern]).product([values.ravel()])
    assert_allclose(dense[1], [0, 3, 0, 4, 0, 0, 0, 0])  # a = 0, d = 1


def test_lists_and_chains_are_the_same():
    chain = Chain.butterfly(6)
    for listed in (list(chain), [tuple(p) for p in chain], [p.mask() for p in chain]):
        found = as_structure(listed)
        assert (found.sizes, found.shape) == (as_structure(chain).sizes, (6, 6))
        assert [m.toarray().tolist() for m in found.masks] == [p.mask().tolist() for p in chain]
    assert as_structure(list(chain)).chain == chain
    assert as_structure(list(chain)[::-1]).chain is None


def test_products_of_arrays_of_other_libraries(asarray):
    structure = as_structure([ToeplitzFactor(3, 2), np.ones((2, 2))])
    h = drawn(structure)
    found = structure.product([asarray(x) for x in h])
    assert_like(found, asarray(h[0]), structure.product(h), rtol=1e-14)


@on_any_matrix
def test_estimators_stand_for_their_supports():
    random = np.random.default_rng(0)
    X, y = random.standard_normal((30, 6)), random.standard_normal((30, 3))
    net = SparseDeepLinearNet([ToeplitzFactor(3, 2), np.ones((2, 6))])
    assert as_structure(net).sizes == (4, 12)  # known before it is fitted
    assert as_structure(net.fit(X, y)).sizes == (4, 12)
    assert as_structure(SparseDeepLinearNet(Chain.butterfly(4))).sizes == (8, 8)
    net = SparseDeepLinearNet("butterfly", hidden_layer_sizes=5).fit(X, y)
    found = as_structure(net)
    assert found.shape == (3, 6)
    # the entries that padding adds are left out
    whole = sum(value.size for value in net.parameters_)
    assert found.masks is not None and sum(found.sizes) <= whole


@pytest.mark.parametrize("size", [1, 2, 7])
def test_draws_are_not_small(size):
    h = as_structure([np.ones((1, size))]).draw(np.random.RandomState(0))
    assert 1 <= np.linalg.norm(h[0]) <= 2


def test_the_tree_of_its_factors_is_known():
    tree = ConvolutionTree([(0, 1), (1, 2), (1, 3)], [(0, 1), (0, 2), (0, 4)], 8)
    factors = tree.factors()
    assert as_structure(factors).tree == tree
    assert as_structure(pickle.loads(pickle.dumps(factors))).tree == tree
    assert as_structure(SparseDeepLinearNet(factors)).tree == tree
    for others in (factors[:1], [ToeplitzFactor(8, 8), *factors], [CirculantFactor(8)]):
        assert as_structure(others).tree is None
    other = ConvolutionTree(tree.edges, [(0, 1), (0, 2), (0, 5)], 8).factors()
    assert as_structure([factors[0], other[1]]).tree is None
