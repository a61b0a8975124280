"""A tree as a product of structured factors: its matrix, adjoints, and learning it."""

import numpy as np
from numpy.testing import assert_allclose

from skfact.deep_linear import CirculantFactor, ConvolutionTree, SparseDeepLinearNet
from skfact.deep_linear._structured import check_adjoint
from tests.arrays import gaussian
from tests.asserts import assert_like, for_each, on_any_matrix
from tests.deep_linear._stability.parameters import draw
from tests.deep_linear._stability.trees import random_tree

SMALL = ConvolutionTree([("r", "a"), ("a", "x"), ("a", "y")], [(0, 1), (2, 3), (4,)], 6)
IMAGE = ConvolutionTree([(0, 1), (1, 2), (0, 3)], [[(0, 0), (1, 2)], [(0, 1)], [(2, 2)]], (3, 4))


@for_each("tree", [SMALL, IMAGE, *(random_tree(np.random.default_rng(s), s % 2) for s in range(8))])
def test_factors_multiply_to_the_circulant_blocks_of_the_columns(tree):
    random = np.random.default_rng(5)
    factors = tree.factors()
    assert len(factors) == tree.depth
    for k, factor in enumerate(factors):
        check_adjoint(factor, np.empty(0), f"factors[{k}]")
        h = gaussian(random, factor.n_parameters)
        assert_allclose(factor.project(factor.matrix(h)), factor.matrix(h), atol=1e-14)
    kernels = draw(random, map(len, tree.supports))
    depths = {e: k for path in tree.paths for k, e in enumerate(path)}
    product = None
    for k, factor in enumerate(factors):
        here = [kernels[e] for e in range(len(kernels)) if depths[e] == k]
        ended = sum(len(path) <= k for path in tree.paths)
        h = np.concatenate([*here, np.ones(ended)])
        matrix = factor.matrix(h)
        product = matrix if product is None else product @ matrix
    n = product.shape[0]
    columns = tree.product(kernels).reshape(n, -1)
    assert product.shape == (n, n * len(tree.leaves))
    assert_allclose(product[:, ::n], columns, atol=1e-13)
    if not isinstance(tree.size, tuple):
        for j, column in enumerate(columns.T):
            block = CirculantFactor(n).matrix(column)
            assert_allclose(product[:, n * j : n * (j + 1)], block, atol=1e-13)


def test_factors_of_every_library(asarray):
    for factor in SMALL.factors():
        h = gaussian(np.random.default_rng(6), factor.n_parameters)
        found = factor.matrix(asarray(h))
        assert_like(found, asarray(h), factor.matrix(h))
        assert_like(factor.adjoint(found), asarray(h), factor.adjoint(factor.matrix(h)), rtol=1e-14)


@on_any_matrix
def test_a_tree_is_learned_as_a_structure():
    random = np.random.default_rng(7)
    tree = ConvolutionTree([(0, 1), (1, 2), (1, 3)], [(0, 1), (0, 2), (0, 3)], 8)
    kernels = [np.array([1.0, 0.5]), np.array([1.0, -0.5]), np.array([0.5, 1.0])]
    matrix = np.concatenate(
        [CirculantFactor(8).matrix(column) for column in tree.product(kernels).T], axis=1
    )
    X = random.standard_normal((40, 16))
    net = SparseDeepLinearNet(tree.factors(), fit_intercept=False, tol=1e-12, max_iter=2000)
    net.fit(X, X @ matrix.T)
    assert_allclose(net.coef_, matrix, atol=1e-3)
