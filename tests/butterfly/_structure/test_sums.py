"""A product and entries: each turn lowers the error, and planted ones are found."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skfact.butterfly._structure.sums import (
    PER_ENTRY,
    alternate,
    best_low_rank_sum,
    entries_alone,
    largest_entries,
    low_rank_fit,
    splits_of_budget,
)
from tests.arrays import gaussian
from tests.butterfly.chains import seeds


@given(seeds, st.sampled_from(["float64", "complex128"]), st.integers(1, 4), st.integers(0, 20))
def test_no_round_is_worse(random, dtype, rank, n_entries):
    A = gaussian(random, (12, 9), dtype)
    directions = np.linalg.svd(A)[2].conj().T
    fit, errors = low_rank_fit(directions[:, :rank]), []
    for rounds in range(1, 6):
        found = alternate(A, fit, n_entries, rounds)
        product = found.state[0] @ found.state[1]
        rest = (A - product).ravel()
        np.testing.assert_array_equal(product.ravel()[found.places], found.there)
        rest[found.places] = 0
        assert found.error2 == pytest.approx(np.linalg.norm(rest) ** 2, rel=1e-9, abs=1e-20)
        assert np.linalg.matrix_rank(product) <= rank and len(found.places) == n_entries
        assert 1 <= found.n_iter <= rounds
        errors.append(found.error2)
    assert np.all(np.diff(errors) <= 1e-12)
    alone = np.linalg.norm(np.linalg.svd(A, compute_uv=False)[rank:]) ** 2
    assert errors[-1] <= alone * (1 + 1e-9)


def test_planted_entries_are_found():
    random = np.random.default_rng(0)
    A = gaussian(random, (40, 3)) @ gaussian(random, (3, 30))
    places = random.choice(A.size, 20, replace=False)
    A.ravel()[places] += 50
    directions = np.linalg.svd(A)[2].conj().T
    found = alternate(A, low_rank_fit(directions[:, :3]), 40, 50, entries_first=True)
    assert set(places) <= set(found.places) and found.error2 < 1e-3 * np.linalg.norm(A) ** 2
    budget = 3 * 70 + PER_ENTRY * 40
    sum_ = best_low_rank_sum(A, budget, directions, np.inf)
    assert len(sum_.places) * PER_ENTRY + sum(A.shape) * len(sum_.state[1]) <= budget
    assert best_low_rank_sum(A, budget, directions, 1e-9) is None


@given(st.integers(1, 500), st.integers(1, 100))
def test_budgets(budget, least):
    for numbers, n_entries in splits_of_budget(budget, least):
        assert numbers + PER_ENTRY * n_entries == budget and numbers >= least and n_entries >= 1


def test_largest_entries():
    assert list(largest_entries(np.array([[1.0, -5.0], [3.0, 0.0]]), 2)) == [1, 2]
    assert len(largest_entries(np.ones((2, 2)), 0)) == 0


def test_no_product_is_among_them():
    random = np.random.default_rng(0)
    A = np.where(random.random((30, 20)) < 0.1, gaussian(random, (30, 20)), 0)
    directions = np.linalg.svd(A)[2].T
    whole = best_low_rank_sum(A, 400, directions, np.inf)
    assert whole.state is None and whole.error2 == 0
    assert len(whole.places) == np.count_nonzero(A) and A.ravel()[whole.places].all()
    few = entries_alone(A, 10)
    assert few.error2 == pytest.approx(np.sum(np.sort(A.ravel() ** 2)[:-10]))
