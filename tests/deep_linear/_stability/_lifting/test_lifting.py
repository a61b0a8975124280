"""The lifting operator: columns, products, adjoint, singular values."""

from itertools import product as tuples

import numpy as np
import pytest
import scipy.sparse.linalg
from numpy.testing import assert_allclose, assert_array_equal

from skfact.deep_linear import ToeplitzFactor, lifting_operator, rank_one_tensor
from skfact.deep_linear._stability._lifting import lifting
from skfact.deep_linear._stability._lifting.structure import as_structure
from skfact.supports import Chain
from tests.arrays import DTYPES, gaussian
from tests.asserts import assert_like, for_each
from tests.deep_linear._stability.parameters import draw
from tests.deep_linear._stability.structures import TABLE, circular, of_lift, random_structure


@for_each("seed", range(40))
def test_columns_are_products_of_unit_vectors(seed):
    structure = as_structure(random_structure(np.random.default_rng(seed)))
    dense = lifting_operator(structure).toarray()
    assert dense.shape == (structure.n_entries, structure.n_columns)
    units = [np.eye(size) for size in structure.sizes]
    for column, h in zip(dense.T, tuples(*units)):
        assert_allclose(column, structure.product(h).ravel(), atol=1e-14)


@pytest.mark.parametrize("dtype", DTYPES)
@for_each("seed", range(25))
def test_products_and_adjoint(seed, dtype):
    random = np.random.default_rng(seed)
    lift = lifting_operator(random_structure(random))
    dense, eps = lift.toarray(), np.finfo(dtype).eps
    tensor, matrix = (gaussian(random, n, dtype) for n in (lift.shape[1], lift.shape[0]))
    image, back = lift.matvec(tensor), lift.rmatvec(matrix)
    assert image.dtype == back.dtype == dtype
    size = np.linalg.norm(dense) * np.linalg.norm(tensor) * np.linalg.norm(matrix) + 1
    assert abs(np.vdot(matrix, image) - np.vdot(back, tensor)) <= 50 * eps * size
    assert_allclose(image, dense @ tensor, atol=50 * eps * size)
    assert_allclose(back, dense.T @ matrix, atol=50 * eps * size)
    both = lift.matmat(np.stack([tensor, 2 * tensor], axis=1))
    assert_allclose(both, np.stack([image, 2 * image], axis=1), atol=50 * eps * size)


@for_each("seed", range(20))
def test_rank_one_tensors_become_products(seed):
    random = np.random.default_rng(seed)
    structure = as_structure(random_structure(random))
    h = draw(random, structure.sizes)
    found = lifting_operator(structure).matvec(rank_one_tensor(h))
    assert_allclose(found, structure.product(h).ravel(), rtol=1e-10, atol=1e-13)


def test_large_tensors_go_slice_by_slice(monkeypatch):
    structure = TABLE["convolutions of 11"].structure
    lift = lifting_operator(structure)
    tensor = np.random.default_rng(0).standard_normal(lift.shape[1])
    whole = lift.matvec(tensor)
    monkeypatch.setattr(lifting, "TOGETHER", 1)
    assert_allclose(lift.matvec(tensor), whole, rtol=1e-13)


def test_tensors_of_every_library(asarray):
    lift = lifting_operator([np.ones((2, 3)), (1, 3, 2, 1)])
    tensor = np.random.default_rng(0).standard_normal(lift.sizes)
    matrix = np.random.default_rng(1).standard_normal((2, 2))
    found, back = lift.matvec(asarray(tensor)), lift.rmatvec(asarray(matrix))
    assert_like(found, asarray(tensor), lift.toarray() @ tensor.ravel(), rtol=1e-13)
    assert_like(back, asarray(tensor), lift.toarray().T @ matrix.ravel(), rtol=1e-13)


def test_integers_are_read_as_float64():
    lift = lifting_operator(Chain.butterfly(4))
    assert lift.matvec(np.ones(64, dtype=int)).dtype == np.float64


@for_each("seed", range(30))
def test_singular_values_are_those_of_the_matrix(seed):
    lift = lifting_operator(random_structure(np.random.default_rng(seed)))
    wanted = np.linalg.svd(lift.toarray(), compute_uv=False)
    wanted = wanted[wanted > 1e-8 * max(wanted[0], 1e-300)]
    assert_allclose(lift.singular_values(), wanted, rtol=1e-8)
    assert_allclose(lift._gram(), lift.toarray() @ lift.toarray().T, atol=1e-12)


@for_each(
    "supports, n",
    [
        ([[0, 1, 2], [0, 3], [0, 6]], 12),
        ([[0, 1, 2], [0, 3], [0, 6]], 11),
        ([[0, 1, 3], [0, 2, 5]], 16),
        ([[0, 1], [0, 1], [0, 1]], 16),
    ],
)
def test_convolutions_have_roots_of_size_times_multiplicity(supports, n):
    sums = [sum(combination) % n for combination in tuples(*supports)]
    wanted = np.sqrt(n * np.sort(np.unique(sums, return_counts=True)[1])[::-1])
    found = lifting_operator([circular(s, n) for s in supports]).singular_values()
    assert_allclose(found, wanted, rtol=1e-10)


def test_singular_values_through_the_gram_matrix():
    lift = lifting_operator([circular([0, 1], 8)] * 22)  # of 4 million columns
    # the multiplicities of sums mod 8: binomial numbers, folded
    counts = np.zeros(8)
    for k in range(23):
        counts[k % 8] += scipy.special.comb(22, k)
    assert_allclose(lift.singular_values(), np.sqrt(8 * np.sort(counts)[::-1]), rtol=1e-8)


def test_of_a_chain_they_count_paths():
    lift = lifting_operator(Chain.low_rank(5, 4, 3))
    assert_allclose(lift.singular_values(), np.full(20, 3**0.5))
    assert lifting_operator(Chain.butterfly(1024)).singular_values().shape == (2**20,)


def test_as_an_operator_of_scipy():
    lift = lifting_operator([circular([0, 1, 2], 11), circular([0, 4], 11)])
    operator = lift.aslinearoperator()
    tensor = np.random.default_rng(0).standard_normal(6)
    assert_array_equal(operator @ tensor, lift.matvec(tensor))
    largest = scipy.sparse.linalg.svds(operator, k=1, return_singular_vectors=False)
    assert_allclose(largest, lift.singular_values()[0])


def test_dense_matrices_are_refused_beyond_a_memory():
    with pytest.raises(ValueError, match=r"matvec and rmatvec.*or raise max_bytes"):
        lifting_operator(Chain.butterfly(1024)).toarray()
    with pytest.raises(ValueError, match="max_bytes=10"):
        lifting_operator(Chain.butterfly(4)).toarray(max_bytes=10)
    with pytest.raises(ValueError, match="take too much memory"):
        lifting_operator([ToeplitzFactor(70, 70)] * 3).singular_values()


def test_any_operator_is_one_of_a_structure():
    lift = np.random.default_rng(0).standard_normal((5, 12))
    assert_allclose(lifting_operator(of_lift(lift, 2, 3, 2)).toarray(), lift)
