"""supports="auto": budgets and tolerances are kept, and low rank is never better."""

import numpy as np
import pytest
import scipy.fft
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skfact import ButterflyFactorizer
from skfact._backend import to_numpy
from skfact.butterfly import butterfly_factorize
from skfact.supports import resolve_supports
from tests.arrays import DTYPES, gaussian
from tests.asserts import for_each, on_any_matrix
from tests.butterfly.chains import seeds

N = 48
DISTANCE = np.abs(np.subtract.outer(np.arange(float(N)), np.arange(float(N))))
MATRICES = {
    "dft": np.fft.fft(np.eye(N)),
    "dct": scipy.fft.dct(np.eye(N), norm="ortho"),
    "peak": 1 / (1 + DISTANCE),
    "smooth": np.exp(-((DISTANCE / N) ** 2)),
    "gaussian": gaussian(np.random.default_rng(0), (N, 20)),
    "outer": np.outer(np.arange(1.0, 20), np.arange(1.0, 8)),
    "zero": np.zeros((6, 9)),
}
pytestmark = pytest.mark.filterwarnings("ignore::skfact.exceptions.StructureWarning")


def relative(A, operator):
    scale = np.max(np.abs(A)) or 1.0
    return np.linalg.norm((operator.toarray() - A) / scale) / (np.linalg.norm(A / scale) or 1.0)


def low_rank_error(A, numbers):
    s = np.linalg.svd(A, compute_uv=False)
    return np.linalg.norm(s[numbers // sum(A.shape) :]) / (np.linalg.norm(s) or 1.0)


@on_any_matrix
@pytest.mark.parametrize("name", MATRICES)
@for_each("share", [0.2, 0.4, 0.8])
def test_a_budget(name, share):
    A = MATRICES[name]
    budget = int(share * A.size)
    if budget < sum(A.shape):
        pytest.skip("nothing is so small")
    operator = butterfly_factorize(A, "auto", max_density=share)
    assert operator.nnz <= budget
    assert relative(A, operator) <= low_rank_error(A, budget) + 1e-13


@on_any_matrix
@pytest.mark.parametrize("name", MATRICES)
@for_each("tol", [0.5, 0.1, 1e-3, 1e-12])
def test_a_tolerance(name, tol):
    A = MATRICES[name]
    operator = butterfly_factorize(A, "auto", tol=tol)
    assert relative(A, operator) <= max(tol, 1e-13)
    s = np.linalg.svd(A, compute_uv=False)
    tails = np.sqrt(np.append(np.cumsum(s[::-1] ** 2)[::-1], 0)) / (np.linalg.norm(s) or 1.0)
    rank = max(1, int(np.argmax(tails <= max(tol, 1e-13))))
    slack = 1.0 if tol > 1e-6 else 1.3  # Gram matrices do not tell ranks below 1e-7
    assert operator.nnz <= min(slack * rank * sum(A.shape), A.size)


@for_each("name, numbers", [("dft", 2 * N * 2 * 4 + N * 3), ("outer", 26)])
def test_exact_ones_take_few_numbers(name, numbers):
    A = MATRICES[name]
    for options in ({"tol": 1e-6}, {"tol": 1e-12}, {"max_density": 0.6}):
        operator = butterfly_factorize(A, "auto", **options)
        assert operator.nnz <= numbers and relative(A, operator) < 1e-13


@on_any_matrix
@given(st.sampled_from([(1, 1), (1, 7), (2, 2), (5, 1), (3, 4), (11, 6)]), seeds)
def test_all_shapes_and_types(shape, random):
    for dtype in DTYPES:
        A = gaussian(random, shape, dtype)
        plain = butterfly_factorize(A, "auto")
        assert plain.dtype == A.dtype and plain.nnz <= A.size
        whole = butterfly_factorize(A, "auto", max_density=1.0)
        assert relative(A, whole) <= 1e3 * np.finfo(dtype).eps


@for_each("scale", [1e-150, 1e150])
def test_every_scale(scale):
    A = MATRICES["peak"]
    ordinary, scaled = (butterfly_factorize(B, "auto") for B in (A, scale * A))
    assert relative(A, ordinary) == pytest.approx(relative(scale * A, scaled), rel=0.02)


def test_arrays_of_any_library(asarray):
    A = MATRICES["dct"]
    expected = butterfly_factorize(A, "auto").toarray()
    found = butterfly_factorize(asarray(A), "auto").toarray()
    np.testing.assert_allclose(to_numpy(found), expected, atol=1e-10)


@for_each("supports", ["butterfly", "monarch", "low-rank"])
def test_a_named_family_takes_the_largest_rank(supports):
    A = MATRICES["peak"]
    for share in (0.4, 0.5, 0.9):
        operator = butterfly_factorize(A, supports, max_density=share)
        most = max(
            (rank for rank in range(1, N) if _numbers(supports, rank) <= share * A.size),
        )
        by_rank = butterfly_factorize(A, supports, rank=most)
        assert operator.nnz == by_rank.nnz <= share * A.size
        np.testing.assert_array_equal(operator.toarray(), by_rank.toarray())


def _numbers(supports, rank):
    return resolve_supports(supports, N, N, rank=rank).nnz


def test_half_a_spectrum_keeps_the_budget():
    """Its own chain has more numbers than the family's."""
    A = np.fft.rfft(np.eye(60))
    for share in (0.28, 0.3, 0.5):
        assert butterfly_factorize(A, "butterfly", max_density=share).nnz <= share * A.size


def test_the_estimator():
    A = MATRICES["dct"]
    found = ButterflyFactorizer(supports="auto", max_density=0.3).fit(A)
    operator = butterfly_factorize(A, "auto", max_density=0.3)
    np.testing.assert_array_equal(found.components_, operator.toarray())
    assert found.relative_error_ == pytest.approx(relative(A, operator), rel=1e-9)
    assert found.reconstruction_err_ <= found.error_bound_
    assert found.chain_.nnz == operator.nnz and found.permutation_ in (
        None,
        "rows",
        "columns",
        "both",
    )
    assert found.level_errors_.shape == (len(found.chain_) - 1,)
    copy = clone(found)
    assert copy.max_density == 0.3 and copy.supports == "auto"


def test_a_row_space():
    X = gaussian(np.random.default_rng(0), (100, 16)) @ gaussian(np.random.default_rng(1), (16, 16))
    found = ButterflyFactorizer(8, supports="auto", max_density=0.6, criterion="subspace").fit(X)
    assert found.operator_.nnz <= 0.6 * 8 * 16


def test_a_grid_search_over_budgets():
    X = gaussian(np.random.default_rng(0), (60, 16)) * np.linspace(2, 0.1, 16)
    grid = {"max_density": [0.4, 0.8], "supports": ["auto", "low-rank"]}
    model = ButterflyFactorizer(operator=np.eye(16) + 0.1)
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(X)
    operator = search.best_estimator_.operator_
    assert operator.density <= search.best_params_["max_density"] and search.best_score_ > 0.5


def test_what_half_the_budget_leads_to_is_looked_at():
    """A cosine transform is exact in 40 % of its numbers: auto finds it at a half, too."""
    A = scipy.fft.dct(np.eye(192), norm="ortho")
    operator = butterfly_factorize(A, "auto", max_density=0.5)
    assert relative(A, operator) < 1e-13


def test_a_tolerance_considers_entries():
    random = np.random.default_rng(0)
    A = np.exp(-np.abs(np.subtract.outer(random.random(60), random.random(50))) * 200)
    for tol in (0.3, 0.05):
        operator = butterfly_factorize(A, "auto", tol=tol)
        entries = np.sort(np.abs(A).ravel())[::-1] ** 2
        count = int(np.argmax(np.sqrt(1 - np.cumsum(entries) / entries.sum()) <= tol)) + 1
        assert relative(A, operator) <= tol
        assert operator.nnz <= 1.1 * 2 * count
