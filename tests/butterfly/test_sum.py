"""supports="..+sparse": budgets, errors, scales, the estimator."""

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

from skfact import ButterflyFactorizer
from skfact.butterfly import butterfly_factorize
from skfact.operators import OperatorSum
from tests.arrays import gaussian
from tests.asserts import for_each

RANDOM = np.random.default_rng(0)
SPIKES = np.where(RANDOM.random((48, 32)) < 0.03, 20.0, 0.0)
PLANTED = gaussian(RANDOM, (48, 2)) @ gaussian(RANDOM, (2, 32)) + SPIKES
pytestmark = pytest.mark.filterwarnings("ignore::skfact.exceptions.StructureWarning")


def relative(A, operator):
    return np.linalg.norm(operator.toarray() - A) / np.linalg.norm(A)


def numbers(operator):
    *product, entries = operator.terms
    return sum(term.nnz for term in product) + 2 * entries.nnz


@for_each("supports", ["low-rank", "monarch", "butterfly"])
def test_within_the_budget_and_better_than_the_product(supports):
    for A in (PLANTED, PLANTED.astype("float32"), PLANTED + 1j * SPIKES.T.reshape(48, 32)):
        budget = 0.45
        operator = butterfly_factorize(A, f"{supports}+sparse", max_density=budget)
        assert isinstance(operator, OperatorSum) and operator.dtype == A.dtype
        assert numbers(operator) <= budget * A.size
        alone = butterfly_factorize(A, supports, max_density=budget)
        assert relative(A, operator) < relative(A, alone)


@for_each("supports", ["low-rank+sparse", "monarch+sparse", "auto"])
def test_every_scale(supports):
    options = {"supports": supports, "max_density": 0.4}
    ordinary = butterfly_factorize(PLANTED, **options)
    for scale in (2.0**-500, 2.0**500):
        scaled = butterfly_factorize(scale * PLANTED, **options)
        np.testing.assert_allclose(scaled.toarray() / scale, ordinary.toarray(), rtol=1e-9)


def test_auto_adds_entries_where_they_pay():
    found = butterfly_factorize(PLANTED, "auto", max_density=0.4)
    assert isinstance(found, OperatorSum) and numbers(found) <= 0.4 * PLANTED.size
    assert relative(PLANTED, found) < 0.05
    smooth = np.exp(-(np.subtract.outer(np.linspace(0, 1, 40), np.linspace(0, 1, 30)) ** 2))
    assert not isinstance(butterfly_factorize(smooth, "auto"), OperatorSum)
    assert not isinstance(butterfly_factorize(np.fft.fft(np.eye(32)), "auto"), OperatorSum)


@for_each("supports", ["low-rank+sparse", "monarch+sparse"])
def test_the_estimator(supports):
    found = ButterflyFactorizer(supports=supports, max_density=0.4).fit(PLANTED)
    assert found.n_iter_ >= 1
    missed = np.linalg.norm(PLANTED - found.components_)
    assert found.reconstruction_err_ == pytest.approx(missed, rel=1e-9)
    assert found.reconstruction_err_ <= found.error_bound_
    assert sum(values.size for values in found.factors_) == found.chain_.nnz
    np.testing.assert_allclose(found.transform(PLANTED), PLANTED @ found.components_.T)
    assert found.inverse_transform(found.transform(PLANTED)).shape == PLANTED.shape


def test_a_grid_search():
    grid = {"supports": ["low-rank", "low-rank+sparse"], "max_density": [0.4]}
    model = ButterflyFactorizer(operator=PLANTED)
    search = GridSearchCV(model, grid, cv=2, error_score="raise")
    search.fit(gaussian(RANDOM, (40, 32)))
    assert search.best_estimator_.operator_.shape == (48, 32)


@for_each("scale", [1.0, 1e-150, 1e150])
def test_entries_alone_are_one_term(scale):
    A = scale * np.where(RANDOM.random((40, 40)) < 0.05, 1.0, 0.0)
    for supports in ("auto", "low-rank+sparse"):
        operator = butterfly_factorize(A, supports, max_density=0.3)
        assert isinstance(operator, OperatorSum) and len(operator.terms) == 1
        assert operator.nnz == np.count_nonzero(A)
        np.testing.assert_array_equal(operator.toarray(), A)
    found = ButterflyFactorizer(supports="auto", max_density=0.1).fit(A)
    assert 2 * found.operator_.nnz <= 0.1 * A.size
    missed = np.linalg.norm(A / scale - found.components_ / scale) * scale
    assert found.reconstruction_err_ == pytest.approx(missed, rel=1e-9)
    assert found.reconstruction_err_ <= found.error_bound_


def test_zero():
    for supports in ("auto", "low-rank+sparse"):
        operator = butterfly_factorize(np.zeros((40, 40)), supports, max_density=0.3)
        assert not operator.toarray().any()


@for_each("supports", ["low-rank+sparse", "monarch+sparse", "butterfly+sparse"])
@for_each("dtype", ["float32", "float64"])
def test_one_entry_that_dwarfs_the_rest(supports, dtype):
    for largest in (1e10, 1e18) if dtype == "float32" else (1e10, 1e60, 1e100, 1e160):
        A = gaussian(np.random.default_rng(0), (16, 16), dtype)
        A[0, 0] = largest
        operator = butterfly_factorize(A, supports, max_density=0.8)
        # divided: squares are no numbers
        missed = np.linalg.norm(A / largest - operator.toarray() / largest)
        assert missed <= max(40 / largest, np.finfo(dtype).eps)


@for_each("supports", ["low-rank", "monarch", "butterfly"])
def test_no_sum_misses_more_than_one_of_its_terms(supports):
    transform = np.fft.fft(np.eye(24)).real
    for A in (transform, gaussian(RANDOM, (24, 24)), np.eye(24)):
        found = butterfly_factorize(A, f"{supports}+sparse", max_density=0.95)
        alone = butterfly_factorize(A, supports, max_density=0.95)
        few = np.sort(np.abs(A).ravel())[: A.size - int(0.475 * A.size)]
        least = min(relative(A, alone), np.linalg.norm(few) / np.linalg.norm(A))
        assert relative(A, found) <= least * (1 + 1e-6) + 1e-14


@for_each("permutation", ["auto", "cluster", "search", None])
@for_each("supports", ["low-rank+sparse", "monarch+sparse"])
def test_a_matrix_of_few_entries(supports, permutation):
    operator = butterfly_factorize(np.eye(32), supports, max_density=0.9, permutation=permutation)
    np.testing.assert_allclose(operator.toarray(), np.eye(32), atol=1e-14)


def test_the_least_budget_is_enough():
    A = gaussian(RANDOM, (24, 36))
    with pytest.raises(ValueError, match=r"max_density=0\.05 allows 43 numbers") as raised:
        butterfly_factorize(A, "monarch+sparse", max_density=0.05)
    least = float(str(raised.value).split()[-1].rstrip("."))
    operator = butterfly_factorize(A, "monarch+sparse", max_density=least)
    assert operator.shape == A.shape
    with pytest.raises(ValueError, match="more than the 25 of the matrix: pass other supports"):
        butterfly_factorize(np.ones((5, 5)), "monarch+sparse", max_density=0.6)
