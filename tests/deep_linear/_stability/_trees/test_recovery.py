"""Kernels from the product of a tree: exact without noise, within the bound with it."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning

from skfact._backend import to_numpy
from skfact.datasets import make_convolution_tree
from skfact.deep_linear import (
    ConvolutionTree,
    convolution_tree_is_recoverable,
    factor_distance,
    indistinguishable_kernels,
    recover_convolution_tree,
    tensor_stability_bound,
)
from tests.arrays import DTYPES, FEW, gaussian
from tests.asserts import assert_like, for_each
from tests.deep_linear._stability.parameters import draw
from tests.deep_linear._stability.trees import random_tree

TIMES = 60 if FEW else 220
SMALL = ConvolutionTree([(0, 1), (1, 2), (1, 3)], [(0, 1), (0, 2), (0, 4)], 8)


def on_paths(tree, kernels):
    return [[to_numpy(kernels[e]) for e in path] for path in tree.paths]


def trees(seed):
    random = np.random.default_rng(seed)
    for i in range(TIMES):
        tree = random_tree(random, images=bool(i % 2))
        kind = "complex128" if i % 3 == 0 else "float64"
        yield tree, draw(random, map(len, tree.supports), kind), random


def test_recoverable_trees_are_recovered_without_noise():
    count = 0
    for tree, kernels, _ in trees(0):
        if not convolution_tree_is_recoverable(tree):
            continue
        count += 1
        X = tree.product(kernels)
        recovery = recover_convolution_tree(X, tree, noise=0)
        assert_allclose(tree.product(recovery.kernels), X, atol=1e-13 * np.max(np.abs(X)))
        assert np.max(recovery.residuals) < 1e-13 * np.linalg.norm(X)
        true, shared = on_paths(tree, kernels), on_paths(tree, recovery.kernels)
        for j, h in enumerate(true):
            size = factor_distance(h, [0 * x for x in h])
            distance = factor_distance(h, shared[j])
            assert distance < 1e-10 * size
            assert factor_distance(h, recovery.path_kernels[j]) < 1e-10 * size
            assert distance <= recovery.distance_bounds[j] < 1e-11 * size
        for e, kernel in enumerate(recovery.kernels):
            at_leaf = any(path[-1] == e for path in tree.paths)
            assert at_leaf or abs(np.linalg.norm(kernel) - 1) < 1e-12
    assert count > TIMES / 3


def test_errors_stay_within_the_bound_with_noise():
    worst = 0.0
    for tree, kernels, random in trees(1):
        if not convolution_tree_is_recoverable(tree):
            continue
        X = tree.product(kernels)
        E = gaussian(random, X.shape) * 10 ** random.uniform(-6, -1)
        noise = np.linalg.norm(E.reshape(-1, X.shape[-1]), axis=0)
        recovery = recover_convolution_tree(X + E, tree, noise=noise)
        columns = tree.product(recovery.kernels)
        gap = np.linalg.norm((X + E - columns).reshape(-1, X.shape[-1]), axis=0)
        assert_allclose(recovery.residuals, gap, rtol=1e-9)
        true, shared = on_paths(tree, kernels), on_paths(tree, recovery.kernels)
        for j, h in enumerate(true):
            distance = factor_distance(h, shared[j])
            assert distance <= recovery.distance_bounds[j]
            worst = max(worst, distance / recovery.distance_bounds[j])
            # a best rank-one tensor is within twice the noise
            bound = tensor_stability_bound(h, recovery.path_kernels[j])
            own = factor_distance(h, recovery.path_kernels[j])
            level = max(np.prod([np.max(np.abs(x)) for x in one]) for one in
                        (h, recovery.path_kernels[j]))  # fmt: skip
            factor = 2 if np.isrealobj(h[0]) else 1 + 2**0.5
            theory = factor * sum(map(len, h)) ** 0.5 * level ** (1 / len(h) - 1) * 2 * noise[j]
            assert own <= bound <= theory * (1 + 1e-9)
    assert worst < 0.5  # 0.33 among 400 trees, with much noise


@for_each("size", [1e-150, 1.0, 1e150])
def test_errors_that_other_entries_show_do_not_count(size):
    X, tree, kernels = make_convolution_tree(64, n_leaves=2, kernel_size=3, random_state=0)
    random = np.random.default_rng(8)
    cells = tree.product([np.ones(3)] * len(tree.edges)) != 0
    E = random.standard_normal(X.shape)
    kernels[tree.paths[0][-1]] = size * kernels[tree.paths[0][-1]]
    kernels[tree.paths[1][-1]] = size * kernels[tree.paths[1][-1]]
    # the bound is that of the errors in entries that are read, whatever is in the others
    inside = np.linalg.norm(E * cells, axis=0) * size
    expected = recover_convolution_tree(size * (X + E * cells), tree, noise=inside)
    noise = np.linalg.norm(E, axis=0) * size
    found = recover_convolution_tree(size * (X + E), tree, noise=noise)
    assert_allclose(found.distance_bounds, expected.distance_bounds, rtol=1e-9)
    # all of it outside: next to nothing is left, and never less than nothing
    noise = np.linalg.norm(E * ~cells, axis=0) * size
    nothing = recover_convolution_tree(size * (X + E * ~cells), tree, noise=noise)
    assert np.all(nothing.distance_bounds < 1e-5 * found.distance_bounds)
    for h, g, bound in zip(
        on_paths(tree, kernels), on_paths(tree, nothing.kernels), nothing.distance_bounds
    ):
        assert factor_distance(h, g) <= bound
    less = recover_convolution_tree(size * (X + E * ~cells), tree, noise=0.5 * noise)
    assert np.all(less.distance_bounds >= 0)


def test_failing_trees_have_two_solutions():
    count = 0
    for tree, _, _ in trees(2):
        pair = indistinguishable_kernels(tree)
        if convolution_tree_is_recoverable(tree):
            assert pair is None
            continue
        count += 1
        h, g = pair
        assert_array_equal(tree.product(h), tree.product(g))
        apart = [factor_distance(*paths) for paths in zip(on_paths(tree, h), on_paths(tree, g))]
        assert max(apart) >= 1
        with pytest.raises(ValueError, match=r"is not recoverable.*both add up to"):
            recover_convolution_tree(tree.product(h), tree)
    assert count > TIMES / 5


def test_the_error_names_what_collides():
    tree = ConvolutionTree([("r", "a"), ("a", "b")], [(0, 1), (3, 2)], 9)
    with pytest.raises(ValueError, match=r"leaf 'b' the indices \(0, 3\) and \(1, 2\) .* to 3"):
        recover_convolution_tree(np.ones((9, 1)), tree)


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes(dtype):
    random = np.random.default_rng(3)
    kernels = draw(random, (2, 2, 2), dtype)
    recovery = recover_convolution_tree(SMALL.product(kernels), SMALL, noise=0.0)
    for h, g, own, bound in zip(
        on_paths(SMALL, kernels),
        on_paths(SMALL, recovery.kernels),
        recovery.path_kernels,
        recovery.distance_bounds,
    ):
        assert all(x.dtype == dtype for x in (*g, *own))
        assert factor_distance(h, g) <= bound < 1000 * np.finfo(dtype).eps


def test_arrays_of_every_library(asarray):
    random = np.random.default_rng(4)
    kernels = draw(random, (2, 2, 2))
    X = SMALL.product(kernels)
    recovery = recover_convolution_tree(asarray(X), SMALL)
    assert recovery.distance_bounds is None
    for kernel in (*recovery.kernels, *recovery.path_kernels[0]):
        assert_like(kernel, asarray(X))
    for h, g in zip(on_paths(SMALL, kernels), on_paths(SMALL, recovery.kernels)):
        assert factor_distance(h, g) < 1e-14


@for_each("scales", [(1e-150, 1e-150), (1e150, 1e150), (1e150, 1e-150), (1e-300, 1.0)])
def test_columns_of_every_scale(scales):
    random = np.random.default_rng(5)
    kernels = draw(random, (2, 2, 2))
    kernels[1] *= scales[0]
    kernels[2] *= scales[1]
    recovery = recover_convolution_tree(SMALL.product(kernels), SMALL, noise=0.0)
    for h, g, bound in zip(
        on_paths(SMALL, kernels), on_paths(SMALL, recovery.kernels), recovery.distance_bounds
    ):
        assert factor_distance(h, g) <= bound < 1e-12 * factor_distance(h, [0 * x for x in h])


def test_a_start_orthogonal_to_what_is_read():
    tree = ConvolutionTree([(0, 1), (1, 2), (2, 3)], [(0, 1), (0, 2), (0, 4)], 8)
    column = np.array([0, 0, 1.0, 1, 1, 1, 0, 0])[:, None]
    found = recover_convolution_tree(column, tree)
    assert_allclose(np.linalg.norm(tree.product(found.path_kernels[0]) - column), 2**0.5)
    assert_allclose(found.residuals, 2**0.5)


def test_columns_of_zeros_give_the_zero_class():
    kernels = [np.array([1.0, 2.0]), np.array([1.0, -1.0]), np.zeros(2)]
    X = SMALL.product(kernels)
    recovery = recover_convolution_tree(X, SMALL, noise=0.0)
    assert_array_equal(recovery.kernels[2], [0, 0])
    assert_allclose(SMALL.product(recovery.kernels), X, atol=1e-15)
    assert recovery.distance_bounds[1] == 0
    nothing = recover_convolution_tree(0 * X, SMALL, noise=1.0)
    assert all(not np.any(kernel) for kernel in nothing.kernels)
    # everything within the noise is as near as the bound says
    for h in on_paths(SMALL, [np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array([1.0, 0.0])]):
        assert factor_distance(h, [0 * x for x in h]) <= nothing.distance_bounds[0]


@for_each("images", [False, True])
def test_the_matrix_is_averaged(images):
    random = np.random.default_rng(6)
    size = (4, 5) if images else 12
    X, tree, kernels = make_convolution_tree(size, depth=2, kernel_size=2, random_state=0)
    columns = X.reshape(-1, len(tree.leaves))
    n = columns.shape[0]
    grid = np.stack(np.unravel_index(np.arange(n), tree.shape[:-1]), axis=-1)
    M = np.zeros((n, n * len(tree.leaves)))
    for j in range(len(tree.leaves)):
        for shift in range(n):
            rows = np.ravel_multi_index(tuple(((grid + grid[shift]) % size).T), tree.shape[:-1])
            M[rows, j * n + shift] = columns[:, j]
    for h, g in zip(
        on_paths(tree, kernels), on_paths(tree, recover_convolution_tree(M, tree).kernels)
    ):
        assert factor_distance(h, g) < 1e-13
    E = 0.1 * random.standard_normal(M.shape)
    noise = np.linalg.norm(E)
    recovery = recover_convolution_tree(M + E, tree, noise=noise)
    for h, g, bound in zip(
        on_paths(tree, kernels), on_paths(tree, recovery.kernels), recovery.distance_bounds
    ):
        assert factor_distance(h, g) <= bound
    single = recover_convolution_tree(M[:, ::n].reshape(X.shape), tree, noise=noise)
    assert np.all(recovery.distance_bounds < single.distance_bounds)  # sqrt(n) of it


def test_shared_kernels_are_better_than_those_of_one_path():
    errors = []
    for seed in range(30):
        X, tree, kernels = make_convolution_tree(
            64, n_leaves=4, kernel_size=3, noise=0.3, random_state=seed
        )
        recovery = recover_convolution_tree(X, tree)
        product = tree.product(kernels)
        own = np.stack(
            [
                tree.product(_placed(tree, path, one))[:, j]
                for j, (path, one) in enumerate(zip(tree.paths, recovery.path_kernels))
            ],
            axis=1,
        )
        errors.append(
            [
                np.linalg.norm(product - tree.product(recovery.kernels)),
                np.linalg.norm(product - own),
            ]
        )
    assert np.mean(np.array(errors)[:, 0]) < np.mean(np.array(errors)[:, 1])


def _placed(tree, path, one):
    kernels = [np.zeros(len(support)) for support in tree.supports]
    for e, kernel in zip(path, one):
        kernels[e] = kernel
    return kernels


def test_a_run_that_is_cut_off_says_so():
    X, tree, _ = make_convolution_tree(64, depth=3, noise=1.0, random_state=0)
    with pytest.warns(ConvergenceWarning, match="increase max_iter"):
        cut = recover_convolution_tree(X, tree, max_iter=1)
    assert cut.n_iter == 1


def test_depth_six_with_four_leaves():
    X, tree, kernels = make_convolution_tree(
        4096, n_leaves=4, depth=6, kernel_size=4, random_state=0
    )
    recovery = recover_convolution_tree(X, tree)
    for h, g in zip(on_paths(tree, kernels), on_paths(tree, recovery.kernels)):
        assert factor_distance(h, g) < 1e-13
