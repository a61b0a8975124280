"""Factors without negative entries: where they are certified, and codes."""

import warnings
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize, nnls
from sklearn.decomposition import NMF

from skfact import FixedSupportMF
from skfact._backend import to_numpy
from skfact.exceptions import IllPosedWarning, StructureWarning
from skfact.fixed_support import fixed_support_factorize
from tests.asserts import for_each, on_any_matrix

RANDOM = np.random.default_rng(0)
GROUPS = np.repeat(np.eye(3), 4, axis=1)
X = RANDOM.random((30, 3)) @ (RANDOM.random((3, 12)) + GROUPS) + 0.1


@pytest.mark.parametrize("positive", ["components", "codes", True])
@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_one_component_each_of_a_matrix_without_negative_entries_is_certified(positive, alpha):
    """Perron and Frobenius: no factors of any sign are better."""
    options = {"supports": (None, GROUPS), "alpha": alpha}
    model = FixedSupportMF(positive=positive, solver="exact", **options).fit(X)
    plain = FixedSupportMF(**options).fit(X)
    assert model.optimal_ and model.solver_ == "blockwise"
    assert model.left_factor_.min() >= 0 and model.components_.min() >= 0
    assert_allclose(model.reconstruction_err_, plain.reconstruction_err_)
    product = model.left_factor_ @ model.components_
    assert_allclose(product, plain.left_factor_ @ plain.components_, atol=1e-12)


def test_largest_singular_values_that_are_equal():
    """Singular vectors may have any signs then; their magnitudes are as good."""
    A = np.kron(np.eye(2), np.ones((2, 2)))
    result = fixed_support_factorize(A, np.ones((4, 1)), np.ones((1, 4)), positive=True)
    assert result.optimal
    assert_allclose(np.linalg.norm(A - result.left @ result.right) ** 2, 4)


@pytest.mark.parametrize(
    ("data", "supports"),
    [(X - 1, (None, GROUPS)), (X, (None, np.repeat(GROUPS, 2, axis=0))), (X, "dense")],
)
def test_otherwise_there_is_no_closed_form(data, supports):
    model = FixedSupportMF(
        None if supports != "dense" else 3, supports=supports, positive=True, solver="exact"
    )
    with pytest.raises(ValueError, match=r"with positive factors only disjoint .* one component"):
        model.fit(data)
    model.set_params(solver="auto", tol=1e-2).fit(data)
    assert not model.optimal_ and model.solver_ == "alternating"
    assert model.left_factor_.min() >= 0 and model.components_.min() >= 0


@on_any_matrix
def test_about_as_good_as_nmf():
    """On dense supports it is the problem of NMF, which has many minima."""
    data = np.maximum(RANDOM.standard_normal((60, 5)), 0) @ RANDOM.random((5, 20))
    data += 0.1 * RANDOM.random(data.shape)
    ours = FixedSupportMF(5, positive=True, tol=1e-3, max_iter=3000).fit(data)
    theirs = NMF(5, init="nndsvda", tol=1e-5, max_iter=3000).fit(data)
    assert ours.reconstruction_err_ < 1.03 * theirs.reconstruction_err_


@on_any_matrix
def test_no_independent_optimizer_finds_better_factors():
    """L-BFGS-B on all entries, from random starts: two components on overlapping groups."""
    right = np.array([[1] * 8 + [0] * 4, [0] * 4 + [1] * 8])
    result = fixed_support_factorize(
        X, np.ones((30, 2)), right, positive=True, alpha=0.1, n_init=5, tol=1e-10, max_iter=2000,
        random_state=0,
    )  # fmt: skip
    j = np.nonzero(right)

    def loss(z):
        W, H = z[:60].reshape(30, 2), np.zeros((2, 12))
        H[j] = z[60:]
        R = W @ H - X
        slope = np.concatenate([(R @ H.T + 0.1 * W).ravel(), (W.T @ R + 0.1 * H)[j]])
        return np.sum(R**2) + 0.1 * (np.sum(W**2) + np.sum(H**2)), 2 * slope

    found = [
        minimize(
            loss, RANDOM.random(60 + 16), jac=True, method="L-BFGS-B", bounds=[(0, None)] * 76,
            options={"maxiter": 2000, "ftol": 1e-14},
        ).fun
        for _ in range(5)
    ]  # fmt: skip
    assert result.loss < min(found) * (1 + 1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("alpha", [0.0, 0.3])
def test_codes_are_non_negative_least_squares(asarray, alpha, dtype):
    """With all features, with those that are observed, and with weights."""
    model = FixedSupportMF(3, positive="codes", alpha=alpha, missing_values=np.nan, tol=1e-2)
    data = X.astype(dtype)
    model.fit(asarray(data))
    H = to_numpy(model.components_).astype(float)
    missing = RANDOM.random(X.shape) < 0.2
    weights = RANDOM.uniform(0.2, 3, X.shape).astype(dtype)
    holes = np.where(missing, np.nan, data).astype(dtype)
    for given, w, codes in (
        (data, np.ones_like(X), model.transform(asarray(data))),
        (data, ~missing * 1.0, model.transform(asarray(holes))),
        (data, ~missing * weights, model.transform(asarray(holes), entry_weight=weights)),
    ):
        codes = to_numpy(codes)
        assert codes.dtype == dtype and codes.min() >= 0
        for x, code, own in zip(given, codes, w, strict=True):
            rows = np.concatenate([(H * np.sqrt(own)).T, np.sqrt(alpha) * np.eye(3)])
            rhs = np.concatenate([x * np.sqrt(own), np.zeros(3)])
            residual = np.linalg.norm(rows @ code - rhs)
            assert residual <= nnls(rows, rhs)[1] + 100 * np.finfo(dtype).eps * np.linalg.norm(x)


@pytest.mark.parametrize("positive", ["codes", True])
def test_codes_of_fit_are_those_of_transform(positive):
    model = FixedSupportMF(2, positive=positive, alpha=0.1, tol=1e-8, max_iter=3000)
    codes = model.fit_transform(X)
    assert_array_equal(codes, model.transform(X))
    assert_allclose(codes, model.left_factor_, atol=1e-2)
    assert (model.transform(-X) == 0).all()


@on_any_matrix
def test_missing_entries_and_a_mask_of_the_samples():
    holes = np.where(RANDOM.random(X.shape) < 0.2, np.nan, X)
    left = RANDOM.random((30, 3)) < 0.7
    model = FixedSupportMF(3, positive=True, missing_values=np.nan, alpha=0.1, tol=1e-4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StructureWarning)
        codes = model.fit_transform(holes, left_support=left)
    assert codes.min() >= 0 and not codes[~left].any()
    full = FixedSupportMF(3, positive=True, missing_values=np.nan, alpha=0.1).fit(holes)
    filled = full.impute(holes)
    assert filled.min() >= 0
    assert np.mean((filled - X)[np.isnan(holes)] ** 2) < 0.02


@pytest.mark.parametrize(
    ("dtype", "scale"), [("float64", 1e-150), ("float64", 1e150), ("float32", 1e-30)]
)
def test_scale_does_not_matter(dtype, scale):
    options = {"positive": True, "tol": 1e-3}
    reference = FixedSupportMF(2, **options).fit(X.astype(dtype))
    model = FixedSupportMF(2, **options).fit((X * scale).astype(dtype))
    codes, expected = (
        model.transform((X * scale).astype(dtype)),
        reference.transform(X.astype(dtype)),
    )
    assert codes.dtype == dtype
    rtol = 1e-3 if dtype == "float32" else 1e-6
    score = model.score((X * scale).astype(dtype))
    assert_allclose(score, reference.score(X.astype(dtype)), rtol=rtol)
    back, whole = model.inverse_transform(codes) / scale, reference.inverse_transform(expected)
    assert_allclose(back, whole, rtol=rtol, atol=rtol)


@for_each("positive, exponent", product((True, "codes"), (0, 99, 101, 150, 204, -150, -300)))
@on_any_matrix
def test_codes_of_every_magnitude(positive, exponent):
    """Of X and alpha times s they are sqrt(s) as large, however large alpha is beside H or one."""
    A, s = X[:6, :5], 2.0**exponent
    model = FixedSupportMF(2, positive=positive, alpha=0.2 * s, tol=1e-2).fit(A * s)
    rows = np.concatenate([model.components_.T / s**0.5, 0.2**0.5 * np.eye(2)])
    expected = [nnls(rows, np.append(a, [0, 0]))[0] for a in A]
    assert_allclose(model.transform(A * s) / s**0.5, expected, rtol=1e-8, atol=1e-12)


def test_a_matrix_of_which_nothing_can_be_fitted():
    """The best non-negative factors of negative numbers are zero."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StructureWarning)
        result = fixed_support_factorize(-X, np.ones((30, 2)), np.ones((2, 12)), positive=True)
    assert_allclose(result.left @ result.right, 0)
    zero = fixed_support_factorize(0 * X, np.ones((30, 2)), np.ones((2, 12)), positive=True)
    assert_array_equal(zero.left @ zero.right, 0)


def test_samples_that_see_nothing_of_a_component():
    options = {"positive": "codes", "alpha": 0.0, "missing_values": np.nan}
    model = FixedSupportMF(supports=(None, GROUPS), **options).fit(X)
    holes = X.copy()
    holes[2, :4] = np.nan
    with pytest.warns(StructureWarning, match=r"determine no code"):
        codes = model.transform(holes)
    assert codes[2, 0] == 0


def test_complex_matrices_have_no_signs():
    with pytest.raises(ValueError, match=r"positive='codes' is for real matrices, but A has dtype"):
        fixed_support_factorize(X + 1j, np.ones((30, 1)), np.ones((1, 12)), positive="codes")


LOWER = np.tri(2)
ANTIDIAGONAL = np.array([[0.0, 1], [1, 0]])


def test_with_both_factors_non_negative_there_is_a_best_pair():
    """On supports on which factors of any sign diverge, and no warning says that these would."""
    with pytest.warns(StructureWarning, match="relative error of 0.707") as caught:
        result = fixed_support_factorize(ANTIDIAGONAL, LOWER, LOWER.T, positive=True)
    assert len(caught) == 1
    assert max(result.left.max(), result.right.max()) < 2
    # p^2 + (q - 1)^2 + (r - 1)^2 + (q r / p)^2 is at least 2 q r + (q - 1)^2 + (r - 1)^2 >= 1
    assert_allclose(result.loss, 1, rtol=1e-3)


@pytest.mark.parametrize("positive", ["codes", "components"])
def test_with_one_of_them_factors_may_still_diverge(positive):
    with pytest.warns(IllPosedWarning, match="grow while the loss falls"):
        fixed_support_factorize(
            ANTIDIAGONAL, LOWER, LOWER.T, positive=positive, n_init=5, random_state=0
        )
