"""What is minimized: missing entries do not count, and the scale of the matrix does not matter."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skfact.fixed_support import FAMILIES, FixedSupportMF, fixed_support_factorize
from tests.asserts import on_any_matrix
from tests.fixed_support.independent import random_masks, random_matrix
from tests.fixed_support.seeds import over_seeds

ignore_cut_off = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


ignore_ill_posed = pytest.mark.filterwarnings("ignore::skfact.exceptions.IllPosedWarning")


@pytest.mark.parametrize("missing_values", [np.nan, -99.0])
@pytest.mark.parametrize("name", ["dense", "disjoint-groups", "butterfly"])
def test_exact_products_are_completed(missing_values, name):
    random = np.random.default_rng(0)
    left, right = FAMILIES[name](30, 24, 4 if name == "butterfly" else 2)
    truth = (left * random.standard_normal(left.shape)) @ (
        right * random.standard_normal(right.shape)
    )
    A = np.where(random.random(truth.shape) < 0.2, missing_values, truth)
    result = fixed_support_factorize(
        A, left, right, missing_values=missing_values, n_init=3, tol=1e-8, max_iter=3000,
        random_state=0,
    )  # fmt: skip
    assert not result.optimal and result.solver == "alternating"
    assert_allclose(result.left @ result.right, truth, atol=1e-4)


@on_any_matrix
@ignore_cut_off
@ignore_ill_posed
@over_seeds(20)
def test_missing_entries_do_not_count(seed):
    """The loss is that of the observed entries, and falls. No optimum is certified then."""
    random = np.random.default_rng(seed)
    left, right = random_masks(random, "anything")
    A = random_matrix(random, left.shape[0], right.shape[1], is_complex=bool(seed % 2))
    missing = random.random(A.shape) < 0.3
    missing[0, 0] = False
    options = {"missing_values": np.nan, "max_iter": 20, "random_state": 0}
    options["alpha"] = 0.05 * (seed % 2)
    result = fixed_support_factorize(np.where(missing, np.nan, A), left, right, **options)
    if not missing.any():
        return
    assert not result.optimal
    if not np.iscomplexobj(A):
        fitted = FixedSupportMF(supports=(left, right), **options).fit(np.where(missing, np.nan, A))
        assert not fitted.optimal_
    rest = np.where(missing, 0, A - result.left @ result.right)
    assert_allclose(result.error, np.linalg.norm(rest), rtol=1e-9, atol=1e-12)
    assert np.diff(result.loss_curve).max(initial=0) <= 1e-12 * np.linalg.norm(A) ** 2


def test_nothing_missing_stays_exact():
    A = np.random.default_rng(0).standard_normal((5, 4))
    result = fixed_support_factorize(A, np.ones((5, 2)), np.ones((2, 4)), missing_values=np.nan)
    assert result.optimal


@on_any_matrix
@ignore_cut_off
@pytest.mark.parametrize("exponent", [-1000, -500, 500, 1000])
@pytest.mark.parametrize("name", ["dense", "disjoint-groups", "overlapping-groups"])
def test_scale_of_the_matrix_does_not_matter(exponent, name):
    A = np.random.default_rng(0).standard_normal((8, 9))
    left, right = FAMILIES[name](8, 9, 3)
    reference = fixed_support_factorize(A, left, right, max_iter=30, random_state=0)
    result = fixed_support_factorize(A * 2.0**exponent, left, right, max_iter=30, random_state=0)
    half = 2.0 ** (exponent // 2)
    assert_allclose(result.left / half, reference.left, rtol=1e-9, atol=1e-12)
    assert_allclose(result.right / half, reference.right, rtol=1e-9, atol=1e-12)
    assert_allclose(result.error / 2.0**exponent, reference.error, rtol=1e-12)


@on_any_matrix
def test_ridge_scales_with_the_matrix():
    A = np.random.default_rng(0).standard_normal((8, 9))
    left, right = FAMILIES["disjoint-groups"](8, 9, 3)
    reference = fixed_support_factorize(A, left, right, alpha=0.5)
    result = fixed_support_factorize(A * 2.0**400, left, right, alpha=0.5 * 2.0**400)
    assert_allclose(result.left / 2.0**200, reference.left, rtol=1e-12, atol=1e-14)
    shrunk = fixed_support_factorize(A * 1e-200, left, right, alpha=0.5)
    assert_array_equal(shrunk.left, 0)


def test_complete_classes_at_extreme_scales():
    A = np.array([[1.0, 2, 3], [2, 4, 7], [1, 1, 1]])
    left, right = np.array([[1, 0], [1, 0], [1, 1]]), np.ones((2, 3))
    reference = fixed_support_factorize(A, left, right)
    for scale in (1e-150, 1e150):
        result = fixed_support_factorize(A * scale, left, right)
        assert_allclose(result.error / scale, reference.error, rtol=1e-12)
        assert_allclose(result.left @ result.right / scale, reference.left @ reference.right)
