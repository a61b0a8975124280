"""Ranks of the lifting operator and of the derivative of the product."""

import numpy as np
import pytest

from skfact.deep_linear import (
    CirculantFactor,
    ToeplitzFactor,
    lifting_operator,
    lifting_rank,
    rank_one_tensor,
)
from skfact.deep_linear._stability._lifting import lifting_rank as module
from skfact.deep_linear._stability._lifting.lifting_rank import (
    certain_rank,
    jacobian,
    jacobian_rank,
    random_rank,
    thresholds,
)
from skfact.deep_linear._stability._lifting.structure import as_structure
from skfact.supports import Chain
from tests.asserts import for_each
from tests.deep_linear._stability.structures import TABLE, circular, random_structure


def seeded():
    return np.random.RandomState(0)


@for_each("name", TABLE)
def test_known_ranks(name):
    row = TABLE[name]
    structure = as_structure(row.structure)
    assert structure.sizes == row.sizes
    assert lifting_rank(row.structure, random_state=0) == row.rank
    assert random_rank(structure, seeded()) == row.rank
    assert jacobian_rank(structure, seeded()) == row.jacobian_rank
    assert thresholds(structure.sizes) == row.thresholds


@for_each(
    "supports, n, rank",
    [
        ([[0, 1], [0, 1], [0, 1]], 16, 4),
        ([[0, 1], [0, 2], [0, 4]], 16, 8),
        ([[0, 1], [0, 2], [0, 4]], 7, 7),
        ([[0, 1], [0, 1]], 8, 3),
    ],
)
def test_convolutions_have_as_many_as_distinct_sums(supports, n, rank):
    assert lifting_rank([circular(s, n) for s in supports], random_state=0) == rank


@for_each("seed", range(60))
def test_it_is_that_of_the_matrix(seed):
    structure = as_structure(random_structure(np.random.default_rng(seed)))
    wanted = np.linalg.matrix_rank(lifting_operator(structure).toarray())
    assert lifting_rank(structure, random_state=seed) == wanted
    assert random_rank(structure, np.random.RandomState(seed)) == wanted


def test_combinations_of_entries_keep_the_rank(monkeypatch):
    structure = as_structure([ToeplitzFactor(34, 1), ToeplitzFactor(1, 34), CirculantFactor(34)])
    wanted = random_rank(structure, seeded())
    monkeypatch.setattr(module, "ALL_ENTRIES", 1000)
    assert random_rank(structure, seeded()) == wanted
    assert random_rank(as_structure([(1, 90, 3, 1), (1, 3, 90, 1)]), seeded(), 500) is None
    assert random_rank(as_structure([ToeplitzFactor(70, 1), ToeplitzFactor(1, 20)]), seeded()) == (
        70 * 20
    )


def test_a_thousand_and_more():
    assert lifting_rank([CirculantFactor(1200)], random_state=0) == 1200
    assert lifting_rank([ToeplitzFactor(34, 1), ToeplitzFactor(1, 33)], random_state=0) == 34 * 33
    assert lifting_rank(Chain.butterfly(1024)) == 2**20


def test_beyond_reach():
    with pytest.raises(ValueError, match=r"takes too long to find.*smaller structure"):
        lifting_rank([ToeplitzFactor(1000, 1000)] * 3)


@for_each(
    "chain",
    [
        Chain.butterfly(8),
        Chain.butterfly(12),
        Chain.low_rank(5, 6, 2),
        Chain.low_rank(2, 6, 3),
        Chain.monarch(6, 8, rank=2),
        Chain.deformable((2, 2, 2), (2, 2, 2), 2),
        Chain.deformable((2, 3, 2), (3, 2, 2), (2, 1)),
        Chain.dense(3, 4),
    ],
)
def test_the_derivative_of_chains_by_formula(chain):
    structure = as_structure(chain)
    wanted = np.linalg.matrix_rank(jacobian(structure, structure.draw(seeded())))
    assert jacobian_rank(structure, seeded()) == wanted


@for_each("seed", range(20))
def test_the_derivative_of_combinations_of_entries(seed):
    structure = as_structure(random_structure(np.random.default_rng(seed)))
    h = structure.draw(np.random.RandomState(seed))
    whole = jacobian(structure, h)
    step = [1e-6 * x for x in structure.draw(np.random.RandomState(seed + 1))]
    moved = structure.product([x + s for x, s in zip(h, step)]) - structure.product(h)
    assert np.linalg.norm(whole @ np.concatenate(step) - moved.ravel()) <= 1e-10
    tall = as_structure([np.ones((30, 1)), np.ones((1, 30))])
    h = tall.draw(np.random.RandomState(seed))
    short = jacobian(tall, h, np.random.RandomState(seed))
    assert short.shape[0] < 900
    assert certain_rank(short) == certain_rank(jacobian(tall, h)) == 59


def test_doubtful_ranks_are_not_given():
    assert certain_rank(np.diag([1.0, 1.0])) == 2
    assert certain_rank(np.zeros((2, 2))) == 0
    assert certain_rank(np.array([[1.0, 1.0], [0.0, 1e-9]])) is None


@for_each(
    "sizes, wanted",
    [
        ((1, 1), (1, 1)),
        ((5,), (5, 5)),
        ((1, 5, 1), (5, 5)),
        ((3, 3), (5, 8)),
        ((2, 2), (3, 4)),
        ((2, 1, 7), (8, 14)),
        ((2, 2, 2), (4, 8)),
        ((3, 2, 2), (5, 10)),
        ((3, 3, 3), (7, 14)),
    ],
)
def test_thresholds_are_the_dimensions_of_rank_one_and_of_differences(sizes, wanted):
    assert thresholds(sizes) == wanted
    random = np.random.default_rng(0)

    def tangent():
        h = [random.standard_normal(size) for size in sizes]
        rows = [
            rank_one_tensor([e if j == k else x for j, x in enumerate(h)]).ravel()
            for k, size in enumerate(sizes)
            for e in np.eye(size)
        ]
        return np.stack(rows)

    first = tangent()
    assert np.linalg.matrix_rank(first) == wanted[0]
    # by Terracini's lemma the differences have the dimension of two tangent spaces
    assert np.linalg.matrix_rank(np.concatenate([first, tangent()])) == wanted[1]
