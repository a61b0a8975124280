"""Trees of convolutions: their product, their factors, and when they are recoverable."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skfact.deep_linear import (
    ConvolutionTree,
    convolution_tree_is_recoverable,
)
from tests.arrays import DTYPES, FEW
from tests.asserts import assert_like, for_each
from tests.deep_linear._stability.parameters import draw
from tests.deep_linear._stability.trees import by_fourier, random_tree

# edges, supports, size, the numbers of distinct sums, whether it is recoverable
TABLE = [
    ([(0, 1), (0, 2), (1, 3), (2, 4)], [(0, 1), (0, 1), (0, 2), (0, 2)], 16, [4, 4], True),
    ([(0, 1), (1, 2), (1, 3)], [(0, 1), (0, 1), (0, 2)], 8, [3, 4], False),
    ([(0, 1), (1, 2)], [(0, 5, 9), (0, 1)], 11, [6], True),
    ([(0, 1), (1, 2), (0, 3)], [(0, 1), (0, 3), (2,)], 4, [3, 1], False),
    ([(0, 1), (1, 2), (2, 3)], [(0, 1, 2), (0, 3), (0, 6)], 12, [12], True),
    ([(0, 1), (1, 2), (2, 3)], [(0, 1, 2), (0, 3), (0, 6)], 11, [11], False),
]
SMALL = ConvolutionTree([("r", "a"), ("a", "x"), ("a", "y")], [(0, 1), (2, 3), (4,)], 6)
IMAGE = ConvolutionTree([(0, 1), (1, 2), (0, 3)], [[(0, 0), (1, 2)], [(0, 1)], [(2, 2)]], (3, 4))


@for_each("edges, supports, size, sums, recoverable", TABLE)
def test_table_of_known_trees(edges, supports, size, sums, recoverable):
    tree = ConvolutionTree(edges, supports, size)
    for method in ("index sums", "all ones"):
        assert convolution_tree_is_recoverable(tree, method) is recoverable
    assert [len(np.unique(tree._path_sums(path))) for path in tree.paths] == sums
    assert (tree.collision() is None) is recoverable
    # the lifting of each path has singular values sqrt(N) times roots of the multiplicities
    for path in tree.paths:
        columns = np.eye(size)[tree._path_sums(path).ravel()]
        values = np.linalg.svd(columns, compute_uv=False) * size**0.5
        distinct = len(np.unique(tree._path_sums(path)))
        assert_allclose(np.min(values[:distinct]), size**0.5)
        assert_allclose(values[distinct:], 0, atol=1e-12)


@for_each("images", [False, True])
def test_two_characterisations_are_one(images):
    random = np.random.default_rng(0)
    verdicts = []
    for _ in range(60 if FEW else 250):
        tree = random_tree(random, images)
        recoverable = convolution_tree_is_recoverable(tree)
        assert convolution_tree_is_recoverable(tree, "all ones") is recoverable
        verdicts.append(recoverable)
        sums = [tree._path_sums(path) for path in tree.paths]
        assert recoverable == all(len(np.unique(x)) == x.size for x in sums)
    assert 0.2 < np.mean(verdicts) < 0.9


@for_each("images", [False, True])
def test_collisions_are_two_choices_with_one_sum(images):
    random = np.random.default_rng(1)
    found = 0
    for _ in range(60):
        tree = random_tree(random, images)
        collision = tree.collision()
        if collision is None:
            continue
        found += 1
        path = tree.paths[tree.leaves.index(collision.leaf)]
        assert collision.first != collision.second
        for indices in (collision.first, collision.second):
            assert all(index in tree.supports[e] for e, index in zip(path, indices, strict=True))
            total = np.sum(np.array(indices), axis=0) % tree.size
            assert_array_equal(total, collision.total)
    assert found > 10


def test_more_choices_than_entries_collide_without_being_listed():
    n = 100_000
    tree = ConvolutionTree([(0, 1), (1, 2), (2, 3)], [range(n)] * 3, n)
    assert tree.collision() is not None
    assert not convolution_tree_is_recoverable(ConvolutionTree([(0, 1), (1, 2)], [range(9)] * 2, 9))


@pytest.mark.parametrize("dtype", DTYPES)
@for_each("images", [False, True])
def test_product_is_that_of_fourier_transforms(images, dtype):
    random = np.random.default_rng(2)
    for _ in range(10):
        tree = random_tree(random, images)
        kernels = draw(random, map(len, tree.supports), dtype)
        product = tree.product(kernels)
        assert product.dtype == dtype and product.shape == tree.shape
        assert_allclose(product, by_fourier(tree, kernels), atol=100 * np.finfo(dtype).eps)


def test_product_on_a_recoverable_path_has_products_of_values_only():
    random = np.random.default_rng(3)
    tree = ConvolutionTree([(0, 1), (1, 2), (2, 3)], [(0, 1, 2), (0, 3), (0, 6)], 12)
    a, b, c = draw(random, (3, 2, 2))
    column = tree.product([a, b, c])[:, 0]
    expected = a[:, None, None] * b[:, None] * c
    assert_allclose(column[tree._path_sums((0, 1, 2))], expected, rtol=1e-15)


def test_product_at_every_scale():
    kernels = [np.array([1.0, 2.0]), np.array([3.0, 1.0]), np.array([5.0])]
    expected = SMALL.product(kernels)
    shifted = [kernels[0] * 2.0**1000, kernels[1] * 2.0**-1000, kernels[2] * 2.0**-900]
    assert_array_equal(SMALL.product(shifted), expected * [1, 2.0**100])
    with pytest.raises(ValueError, match="beyond the largest float64"):
        SMALL.product([kernels[0] * 1e200, kernels[1] * 1e200, kernels[2]])
    zero = SMALL.product([0 * kernels[0], *kernels[1:]])
    assert_array_equal(zero, np.zeros((6, 2)))


def test_product_of_every_library(asarray):
    random = np.random.default_rng(4)
    for given in (SMALL, IMAGE):
        tree = ConvolutionTree(given.edges, given.supports, given.size)
        kernels = draw(random, map(len, tree.supports))
        found = tree.product([asarray(kernel) for kernel in kernels])
        assert_like(found, asarray(kernels[0]), tree.product(kernels), rtol=1e-14)


def test_parts_of_a_tree():
    assert SMALL.root == "r" and SMALL.leaves == ("x", "y") and SMALL.depth == 2
    assert SMALL.paths == ((0, 1), (0, 2)) and SMALL.shape == (6, 2)
    assert IMAGE.leaves == (2, 3) and IMAGE.paths == ((0, 1), (2,)) and IMAGE.shape == (3, 4, 2)
    assert repr(IMAGE) == "ConvolutionTree(size=(3, 4), edges=3, leaves=2, depth=2)"
    # edges may come in any order; leaves are in the order in which they appear
    mixed = ConvolutionTree([("a", "y"), ("a", "x"), ("r", "a")], [(4,), (2, 3), (0, 1)], 6)
    assert mixed.leaves == ("y", "x") and mixed.paths == ((2, 0), (2, 1)) and mixed.root == "r"
    kernels = [np.array([1.0, 2.0]), np.array([3.0, 1.0]), np.array([5.0])]
    assert_array_equal(mixed.product(kernels[::-1])[:, ::-1], SMALL.product(kernels))


def test_it_is_a_value():
    same = ConvolutionTree(
        (["r", "a"], ["a", "x"], ["a", "y"]), [np.array([0, 1]), (2, 3), range(4, 5)], np.int64(6)
    )
    assert same == SMALL and hash(same) == hash(SMALL) and same != IMAGE
    assert pickle.loads(pickle.dumps(SMALL)) == SMALL
    assert type(same.supports[0][0]) is int and type(same.size) is int
    with pytest.raises(AttributeError):
        SMALL.size = 7
