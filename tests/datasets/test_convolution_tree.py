"""make_convolution_tree: trees of the shape asked for, recoverable or not."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skfact.datasets import make_convolution_tree
from skfact.deep_linear import convolution_tree_is_recoverable
from tests.arrays import DTYPES
from tests.asserts import for_each

CASES = [
    {},
    {"size": 1, "n_leaves": 1, "depth": 1, "kernel_size": 1},
    {"size": 4096, "n_leaves": 4, "depth": 6, "kernel_size": 4},  # each entry is one sum
    {"size": 64, "n_leaves": 5, "depth": 4, "kernel_size": (2, 3, 1, 2)},
    {"size": (8, 9), "n_leaves": 3, "depth": 3, "kernel_size": 2},
    {"size": (8, 4), "n_leaves": 3, "depth": 5, "kernel_size": 2},
]


@for_each("options", CASES)
def test_trees_are_as_asked_for(options):
    for seed in range(3):
        X, tree, kernels = make_convolution_tree(random_state=seed, **options)
        assert tree.size == options.get("size", 64)
        assert tree.depth == options.get("depth", 3)
        assert len(tree.leaves) == options.get("n_leaves", 2)
        lengths = options.get("kernel_size", 3)
        for path in tree.paths:
            for level, e in enumerate(path):
                expected = lengths if isinstance(lengths, int) else lengths[level]
                assert len(kernels[e]) == len(tree.supports[e]) == expected
        assert all(np.all((abs(kernel) >= 0.5) & (abs(kernel) <= 1.5)) for kernel in kernels)
        assert convolution_tree_is_recoverable(tree)
        assert_array_equal(X, tree.product(kernels))


@for_each("options", [{}, {"size": (6, 7), "kernel_size": 2, "n_leaves": 4}, {"depth": 2}])
def test_trees_that_are_not_recoverable(options):
    for seed in range(10):
        _, tree, kernels = make_convolution_tree(recoverable=False, random_state=seed, **options)
        assert not convolution_tree_is_recoverable(tree)
        assert [len(s) for s in tree.supports] == [len(kernel) for kernel in kernels]


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtype_and_noise(dtype):
    X, tree, kernels = make_convolution_tree(noise=0.5, dtype=dtype, random_state=0)
    product = tree.product(kernels)
    assert X.dtype == product.dtype == dtype and all(kernel.dtype == dtype for kernel in kernels)
    assert_allclose(np.linalg.norm(X - product) / np.linalg.norm(product), 0.5, rtol=1e-6)


def test_seed_decides():
    first, second, other = (make_convolution_tree(random_state=seed) for seed in (0, 0, 1))
    assert first[1] == second[1] != other[1]
    assert_array_equal(first[0], second[0])


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"size": 0}, ValueError, "size must be at least 1"),
        ({"size": (4, 4, 4)}, ValueError, "size must be an int or a pair"),
        ({"n_leaves": 0}, ValueError, "n_leaves must be at least 1"),
        ({"depth": 1.5}, TypeError, "depth must be an integer"),
        ({"kernel_size": 65}, ValueError, "kernel_size=65 is more than the 64 entries"),
        ({"kernel_size": (2, 2)}, ValueError, "one for each of the 3 depths"),
        ({"size": 26}, ValueError, "too short.*27 sums"),
        ({"recoverable": 1}, TypeError, "recoverable must be True or False"),
        ({"recoverable": False, "kernel_size": 1}, ValueError, "takes two kernels"),
        ({"recoverable": False, "depth": 1}, ValueError, "takes two kernels"),
        ({"noise": float("inf")}, ValueError, "noise must be finite"),
        ({"dtype": "int64"}, TypeError, "dtype must be float32"),
    ],
)
def test_refusals(arguments, error, message):
    with pytest.raises(error, match=message):
        make_convolution_tree(**arguments)
