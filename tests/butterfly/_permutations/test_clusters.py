"""permutation="cluster": like stands beside like."""

import numpy as np
import pytest
from sklearn.neighbors import kneighbors_graph

from skfact import ButterflyFactorizer
from skfact.butterfly import butterfly_factorize
from skfact.butterfly._factorize import factorize
from skfact.butterfly._permutations.clusters import clustered_orders
from tests.arrays import gaussian
from tests.asserts import assert_like, for_each, on_any_matrix


def haar(n):
    if n == 1:
        return np.ones((1, 1))
    coarse, fine = np.kron(haar(n // 2), [1.0, 1.0]), np.kron(np.eye(n // 2), [1.0, -1.0])
    return np.concatenate([coarse, fine]) / np.sqrt(2)


def potentials(shape, seed=0):
    """Sources inside a ball seen by sensors around it, neither in any order."""
    random = np.random.default_rng(seed)
    sensors, sources = (random.normal(size=(n, 3)) for n in shape)
    sensors /= np.linalg.norm(sensors, axis=1, keepdims=True)
    sources *= 0.8 / np.linalg.norm(sources, axis=1, keepdims=True)
    return 1 / np.linalg.norm(sensors[:, None] - sources, axis=2)


def vertices_in_no_order(n=128, seed=0):
    """Eigenvectors of a graph of points in the plane."""
    points = np.random.default_rng(seed).uniform(size=(n, 2))
    graph = kneighbors_graph(points, 6).toarray()
    graph = np.maximum(graph, graph.T)
    return np.linalg.eigh(np.diag(graph.sum(axis=0)) - graph)[1]


@for_each("shape", [(1, 1), (1, 5), (7, 1), (12, 30)])
def test_orders_are_permutations(shape):
    random = np.random.default_rng(0)
    for A in (gaussian(random, shape), gaussian(random, shape, "complex64"), np.zeros(shape)):
        for pair in clustered_orders(A):
            for order, n in zip(pair, shape, strict=True):
                np.testing.assert_array_equal(np.sort(order), np.arange(n))


def test_multiples_of_a_row_become_neighbours():
    random = np.random.default_rng(0)
    patterns = gaussian(random, (4, 60))
    owner = random.permutation(np.repeat(np.arange(4), 8))
    A = random.uniform(0.5, 2, size=(32, 1)) * patterns[owner]
    rows, _ = clustered_orders(A)[0]
    assert np.count_nonzero(np.diff(owner[rows])) == 3


@for_each(
    "A, gain",
    [
        (haar(256), 0.5),
        (potentials((96, 120)), 0.7),
        (potentials((61, 131)), 0.75),  # padded to 63 x 135
        (vertices_in_no_order(), 0.92),
    ],
)
def test_what_clusters_win(A, gain):
    options = {"supports": "monarch", "rank": 2}
    plain = factorize(A, **options)
    found = factorize(A, permutation="cluster", **options)
    assert found.unit.nnz == plain.unit.nnz
    assert found.relative_error <= gain * plain.relative_error
    error = np.linalg.norm(A - found.operator.toarray()) / np.linalg.norm(A)
    np.testing.assert_allclose(error, found.relative_error)


@on_any_matrix
@for_each("shape", [(1, 1), (9, 16), (13, 11), (40, 24)])
@pytest.mark.parametrize("options", [{}, {"supports": "monarch", "rank": 2}, {"tol": 0.3}])
def test_never_worse_than_auto(shape, options):
    A = gaussian(np.random.default_rng(0), shape)
    auto = factorize(A, **options)
    found = factorize(A, permutation="cluster", **options)
    if "tol" in options:
        assert found.relative_error <= 0.3 and found.unit.nnz <= auto.unit.nnz
    else:
        assert found.relative_error <= auto.relative_error * (1 + 1e-12) + 1e-13


@for_each("exponent", [-1000, 900])
def test_every_scale(exponent):
    A = potentials((48, 64))
    found = factorize(A * 2.0**exponent, "monarch", rank=2, permutation="cluster")
    plain = factorize(A, "monarch", rank=2, permutation="cluster")
    for index, expected in zip(found.plan.permutation, plain.plan.permutation, strict=True):
        np.testing.assert_array_equal(index, expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_arrays_of_any_library(asarray, dtype):
    A = potentials((61, 131)).astype(dtype)
    options = {"supports": "monarch", "rank": 2}
    operator = butterfly_factorize(asarray(A), permutation="cluster", **options)
    assert_like(operator.toarray(), asarray(A), rtol=0, atol=0.6)
    estimator = ButterflyFactorizer(permutation="cluster", **options).fit(A)
    again = butterfly_factorize(A, permutation=estimator.permutation_, **options)
    np.testing.assert_array_equal(again.toarray(), estimator.components_)
