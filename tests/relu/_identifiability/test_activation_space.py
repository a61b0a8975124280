"""The span of path activations, against the list of all paths."""

import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_array_equal
from sklearn.neural_network import MLPRegressor

from skfact.relu import (
    ReLUPathEmbedding,
    activation_space,
    identifiability_report,
    path_count,
    path_kernel,
)
from tests.asserts import for_each
from tests.relu.networks import random_factors, random_network, scaled, seeds, shuffled, sizes


def activations(network, X):
    return ReLUPathEmbedding(network).fit(X).transform(X)


@given(sizes, seeds)
def test_the_rank_of_all_activations(widths, seed):
    network = random_network(widths, seed)
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((int(rng.integers(1, 80)), widths[0]))
    space = activation_space(network, X, return_basis=True)
    F = activations(network, X)
    assert space.dimension == np.linalg.matrix_rank(F, rtol=1e-10)
    assert space.n_paths == F.shape[1] == path_count(network) // widths[-1]
    assert (space.n_samples, space.n_on_kinks) == (len(X), 0)
    assert len(set(space.basis)) == space.dimension <= min(len(X), space.n_paths)
    assert np.linalg.matrix_rank(F[list(space.basis)], rtol=1e-10) == space.dimension
    other = shuffled(scaled(network, random_factors(widths, seed, 3.0)), seed)
    assert activation_space(other, X).dimension == space.dimension
    # the kernel of the activations, whose rank is less clear
    assert np.linalg.matrix_rank(path_kernel(network, X), rtol=1e-7) <= space.dimension


@for_each("scale", [1e-150, 1e-3, 1e150])
def test_any_scale_of_samples_and_weights(scale):
    coefs, intercepts = random_network([3, 4, 3, 2], 0)
    X = np.random.default_rng(0).standard_normal((60, 3))
    expected = activation_space((coefs, intercepts), X).dimension
    moved = [coefs[0], coefs[1] / scale, coefs[2]], [intercepts[0] * scale, *intercepts[1:]]
    assert activation_space(moved, X * scale).dimension == expected
    moved = [coefs[0] / [[scale], [1.0], [1.0]], *coefs[1:]]
    X = X * [scale, 1.0, 1.0]
    assert activation_space((moved, intercepts), X).dimension == expected


def test_kinks_are_left_out():
    network = [[[1.0, -1.0]], [[1.0], [1.0]]], None
    X = np.array([[-2.0], [-1.0], [0.0], [1.0], [0.0], [3.0]])
    space = activation_space(network, X, return_basis=True)
    assert (space.dimension, space.n_samples, space.n_on_kinks) == (4, 4, 2)
    assert sorted(space.basis) == [0, 1, 3, 5]
    # a neuron that is active on no sample has no kink, and the output bias a path
    alone = activation_space(network, X[2:3], return_basis=True)
    assert (alone.dimension, alone.basis, alone.n_on_kinks) == (1, (0,), 0)
    network = [np.array([[1.0, -1.0]]), np.ones((2, 1))], [np.array([1.0, 1.0]), np.zeros(1)]
    nothing = activation_space(network, [[1.0], [-1.0]], return_basis=True)
    assert (nothing.dimension, nothing.basis, nothing.n_on_kinks) == (0, (), 2)


def test_neurons_active_on_no_sample_have_no_kinks():
    """The input -relu(x) is zero for x < 0, and the bias can open it there, but also close it."""
    X = np.array([[-2.0], [-1.0], [1.0], [2.0]])

    def network(bias):
        coefs = [np.array([[1.0]]), np.array([[-1.0]]), np.array([[1.0]])]
        return coefs, [np.zeros(1), np.array([bias]), np.zeros(1)]

    space = activation_space(network(0.0), X)
    assert (space.dimension, space.n_samples, space.n_on_kinks) == (1, 4, 0)
    assert activation_space(network(-1e-3), X).dimension == 1
    assert activation_space(network(1e-3), X).dimension == 2  # 1 alone, and 1 with the bias
    report = identifiability_report(network(0.0), X)
    assert report.local.n_on_kinks == 0 and report.layers[1].dead == (0,)
    assert report.local_identifiability.answer is False
    # relu(x) is active on some, and has kinks on the others
    flipped = [np.array([[1.0]]), np.array([[1.0]]), np.array([[1.0]])], None
    assert activation_space(flipped, X).n_on_kinks == 2


@given(seeds)
def test_a_basis_of_the_samples_tells_as_much(seed):
    """n_outputs dim V equations: the rank of the derivative is the same on dim V of the samples."""
    network = random_network([3, 4, 3, 2], seed)
    X = np.random.default_rng(seed).uniform(-3, 3, size=(120, 3))
    space = activation_space(network, X, return_basis=True)
    local = identifiability_report(network, X).local
    assert local.activation_dimension == space.dimension
    assert local.rank <= local.n_equations == 2 * space.dimension
    few = identifiability_report(network, X[list(space.basis)]).local
    assert few.rank == local.rank and few.activation_dimension == local.activation_dimension


def test_networks_without_gates():
    X = np.random.default_rng(0).standard_normal((30, 3))
    assert activation_space(([np.ones((3, 2))], None), X).dimension == 4
    mlp = MLPRegressor(
        hidden_layer_sizes=(4,), activation="identity", solver="lbfgs", max_iter=5000
    ).fit(X, X[:, 0])
    space = activation_space(mlp, X)
    # each of the 4 neurons has the paths (x, 1), all open
    assert (space.dimension, space.n_paths, space.n_on_kinks) == (4, 17, 0)


def test_more_than_may_be_held():
    network = random_network([6, 30, 30, 1], 0)
    X = np.random.default_rng(0).standard_normal((700, 6))
    with pytest.raises(ValueError, match=r"dimension 256 or more.*512 columns.*max_size=100,000"):
        activation_space(network, X, max_size=100_000)
    with pytest.raises(ValueError, match=r"A basis needs.*700 samples by"):
        activation_space(([np.ones((6, 2))], None), X, return_basis=True, max_size=3_000)
    space = activation_space(network, X)
    assert space.dimension == 700 and space.smallest_kept > 1e-8


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_array_library(asarray, dtype):
    network = random_network([3, 4, 3, 2], 0, dtype)
    X = np.random.default_rng(0).standard_normal((60, 3)).astype(dtype)
    arrays = tuple([asarray(x) for x in part] for part in network)
    expected = activation_space(network, X, return_basis=True)
    found = activation_space(arrays, asarray(X), return_basis=True)
    assert found.dimension == expected.dimension
    assert_array_equal(np.sort(found.basis), np.sort(expected.basis))
