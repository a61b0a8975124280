"""Weights of entries: known uncertainties, from the half steps to metadata of cross-validation."""

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.model_selection import KFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skfact import FixedSupportMF
from skfact._backend import to_numpy
from skfact.fixed_support import fixed_support_factorize
from tests.asserts import for_each, on_any_matrix
from tests.fixed_support.independent import random_matrix

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((30, 3)) @ RANDOM.standard_normal((3, 12)) + 2
X += 0.1 * RANDOM.standard_normal(X.shape)
WEIGHTS = RANDOM.uniform(0.1, 3, X.shape)
DENSE = np.ones((30, 3)), np.ones((3, 12))


@pytest.mark.parametrize("is_complex", [False, True])
def test_half_steps_are_weighted_least_squares(is_complex):
    """Row by row and column by column, of ridge rows below the weighted factor."""
    A, alpha = random_matrix(RANDOM, 10, 9, is_complex), 0.2
    w = RANDOM.uniform(0.1, 3, A.shape) * (RANDOM.random(A.shape) < 0.8)
    left, right = RANDOM.random((10, 3)) < 0.8, RANDOM.random((3, 9)) < 0.8
    result = fixed_support_factorize(
        A, left, right, alpha=alpha, entry_weight=w, tol=1e-13, max_iter=20000
    )
    L, R = result.left, result.right
    rest = A - L @ R
    assert_allclose(result.error**2, np.sum(w * abs(rest) ** 2))
    penalty = alpha * (np.linalg.norm(L) ** 2 + np.linalg.norm(R) ** 2)
    assert_allclose(result.loss, result.error**2 + penalty)
    for factor, given, target, weights, mask in (
        (R, L, A, w, right),
        (L.T, R.T, A.T, w.T, left.T),
    ):
        for j in range(target.shape[1]):
            root, own = np.sqrt(weights[:, j]), mask[:, j]
            rows = np.concatenate([given[:, own] * root[:, None], alpha**0.5 * np.eye(own.sum())])
            rhs = np.concatenate([target[:, j] * root, np.zeros(own.sum())])
            if own.any():
                assert_allclose(factor[own, j], np.linalg.lstsq(rows, rhs)[0], atol=1e-4)


@on_any_matrix
def test_whole_numbers_repeat_rows():
    """A row of weight two is a row that is there twice: the closed form knows the best error."""
    w = RANDOM.integers(1, 4, 30)
    weighted = fixed_support_factorize(
        X, *DENSE, entry_weight=np.repeat(w[:, None], 12, axis=1), tol=1e-10, max_iter=5000
    )
    repeated = np.repeat(X, w, axis=0)
    best = fixed_support_factorize(repeated, np.ones((len(repeated), 3)), DENSE[1])
    assert best.optimal
    assert_allclose(weighted.error, best.error, rtol=1e-6)


def test_weight_zero_is_missing(asarray):
    """Whatever stands there; and together with entries that are declared missing."""
    gone, holes = RANDOM.random(X.shape) < 0.1, RANDOM.random(X.shape) < 0.1
    options = {"alpha": 0.1, "tol": 1e-2, "missing_values": np.nan}
    both = asarray(np.where(gone | holes, np.nan, X))
    expected = FixedSupportMF(3, **options).fit(both)
    some = asarray(np.where(holes, np.nan, X + 1e3 * gone))
    found = FixedSupportMF(3, **options).fit(some, entry_weight=1.0 - gone)
    assert_array_equal(to_numpy(found.components_), to_numpy(expected.components_))
    codes = found.transform(some, entry_weight=asarray(1.0 - gone))
    assert_array_equal(to_numpy(codes), to_numpy(expected.transform(both)))


def test_weights_of_one_change_nothing():
    for one in (1, 1.0, True):
        result = fixed_support_factorize(X, *DENSE, entry_weight=np.full(X.shape, one))
        assert result.optimal and result.solver == "blockwise"
    with pytest.raises(ValueError, match=r"no closed form: entries are missing, or weighted"):
        fixed_support_factorize(X, *DENSE, entry_weight=WEIGHTS, solver="exact")


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1e300])
def test_scale_of_the_weights_is_that_of_the_penalty(scale):
    options = {"tol": 1e-4}
    expected = FixedSupportMF(3, alpha=0.1, **options).fit(X, entry_weight=WEIGHTS)
    found = FixedSupportMF(3, alpha=0.1 * scale, **options).fit(X, entry_weight=WEIGHTS * scale)
    assert_allclose(found.components_, expected.components_, rtol=1e-9, atol=1e-12)
    error = found.reconstruction_err_ / scale**0.5
    assert_allclose(error, expected.reconstruction_err_, rtol=1e-12)
    codes = found.transform(X, entry_weight=WEIGHTS * scale)
    assert_allclose(codes, expected.transform(X, entry_weight=WEIGHTS), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("alpha", [0.0, 0.3])
def test_codes_are_weighted_least_squares(asarray, alpha, dtype):
    weights = asarray(WEIGHTS.astype(dtype))
    model = FixedSupportMF(3, alpha=alpha, tol=1e-2).fit(asarray(X.astype(dtype)))
    codes = to_numpy(model.transform(asarray(X.astype(dtype)), entry_weight=weights))
    assert codes.dtype == dtype
    H = to_numpy(model.components_).astype(float)
    for x, w, code in zip(X, WEIGHTS, codes, strict=True):
        expected = np.linalg.solve((H * w) @ H.T + alpha * np.eye(3), (H * w) @ x)
        assert_allclose(code, expected, atol=1e4 * np.finfo(dtype).eps)
    rest = X - codes @ H
    score = model.score(asarray(X.astype(dtype)), entry_weight=weights)
    expected = 1 - np.sum(WEIGHTS * rest**2) / np.sum(WEIGHTS * X**2)
    assert_allclose(score, expected, rtol=1e-4)


def test_codes_of_samples_whose_weights_are_far_apart():
    """They take singular values, as normal equations would lose them."""
    model = FixedSupportMF(3).fit(X)
    codes = RANDOM.standard_normal((30, 3))
    weights = np.where(RANDOM.random(X.shape) < 0.5, 1e-12, 1.0)
    found = model.transform(codes @ model.components_, entry_weight=weights)
    assert_allclose(found, codes, atol=1e-6)


@on_any_matrix
def test_codes_of_fit_are_those_of_transform():
    model = FixedSupportMF(3, alpha=0.1, tol=1e-10, max_iter=5000)
    codes = model.fit_transform(X, entry_weight=WEIGHTS)
    assert_array_equal(codes, model.transform(X, entry_weight=WEIGHTS))
    assert_allclose(codes, model.left_factor_, atol=1e-3)


@on_any_matrix
def test_uncertain_entries_count_less():
    """Noise of known size: weights of 1 / variance bring the components closer to the truth."""
    random = np.random.default_rng(0)
    truth = random.standard_normal((200, 2)) @ random.standard_normal((2, 12))
    size = np.where(random.random(truth.shape) < 0.3, 3.0, 0.1)
    noisy = truth + size * random.standard_normal(truth.shape)
    plain, weighted = (
        np.linalg.norm(model.left_factor_ @ model.components_ - truth)
        for model in (
            FixedSupportMF(2).fit(noisy),
            FixedSupportMF(2).fit(noisy, entry_weight=1 / size**2),
        )
    )
    assert weighted < 0.2 * plain


# ---- metadata ----------------------------------------------------------------------------------


def test_cross_validation_slices_the_weights():
    seen = []

    class Watched(FixedSupportMF):
        def fit(self, X, y=None, left_support=None, entry_weight=None):
            seen.append((X, entry_weight))
            return super().fit(X, y, left_support=left_support, entry_weight=entry_weight)

    with sklearn.config_context(enable_metadata_routing=True):
        model = Watched(2, tol=1e-2).set_fit_request(entry_weight=True)
        model = model.set_score_request(entry_weight=True)
        found = cross_validate(model, X, cv=KFold(3), params={"entry_weight": WEIGHTS})
    for (train, test), score, (part, weights) in zip(
        KFold(3).split(X), found["test_score"], seen, strict=True
    ):
        assert_array_equal(part, X[train])
        assert_array_equal(weights, WEIGHTS[train])
        alone = FixedSupportMF(2, tol=1e-2).fit(X[train], entry_weight=WEIGHTS[train])
        assert_allclose(score, alone.score(X[test], entry_weight=WEIGHTS[test]))


def test_weights_go_through_a_pipeline():
    with sklearn.config_context(enable_metadata_routing=True):
        step = FixedSupportMF(3, tol=1e-2).set_fit_request(entry_weight=True)
        step = step.set_transform_request(entry_weight=True)
        pipeline = make_pipeline(StandardScaler(with_mean=False), step)
        codes = pipeline.fit_transform(X, entry_weight=WEIGHTS)
        again = pipeline.transform(X, entry_weight=WEIGHTS)
    scaled = StandardScaler(with_mean=False).fit_transform(X)
    expected = FixedSupportMF(3, tol=1e-2).fit_transform(scaled, entry_weight=WEIGHTS)
    assert_allclose(codes, expected)
    assert_allclose(again, expected)


def test_data_frames_are_put_in_the_order_of_X():
    pd = pytest.importorskip("pandas")
    names, people = [f"x{j}" for j in range(12)], [f"p{i}" for i in range(30)]
    table = pd.DataFrame(X, people, names)
    weights = pd.DataFrame(WEIGHTS, people, names)
    mixed = weights.sample(frac=1, random_state=0)[names[::-1]]
    model = FixedSupportMF(3, tol=1e-2)
    expected = model.fit_transform(table, entry_weight=WEIGHTS)
    assert_array_equal(model.fit_transform(table, entry_weight=mixed), expected)
    found = fixed_support_factorize(table, *DENSE, entry_weight=mixed, tol=1e-2)
    assert_array_equal(found.right, model.components_)
    with pytest.raises(ValueError, match=r"entry_weight has labels that do not match those of X"):
        model.fit(table, entry_weight=weights.rename(columns={"x0": "y0"}))


@pytest.mark.parametrize(
    ("weights", "error", "message"),
    [
        (WEIGHTS[:, :5], ValueError, r"must have the shape of X, \(30, 12\).*got shape \(30, 5\)"),
        (WEIGHTS[:, 0], ValueError, r"must have the shape of X"),
        (-WEIGHTS, ValueError, r"must be finite and not negative"),
        (np.where(WEIGHTS > 2, np.nan, 1), ValueError, r"must be finite and not negative"),
        (np.where(WEIGHTS > 2, np.inf, 1), ValueError, r"must be finite and not negative"),
        (1j * WEIGHTS, TypeError, r"entry_weight has dtype complex"),
        (WEIGHTS.astype(str), TypeError, r"entry_weight has dtype"),
        (0 * WEIGHTS, ValueError, r"Every entry of X has weight 0"),
    ],
)
def test_weights_that_make_no_sense_are_refused(weights, error, message):
    with pytest.raises(error, match=message):
        FixedSupportMF(2).fit(X, entry_weight=weights)
    if weights.any():
        with pytest.raises(error, match=message):
            FixedSupportMF(2).fit(X).transform(X, entry_weight=weights)


@for_each("exponent", (0, 50, 99, 101, 130, 160, 203, 300, -100, -200, -400))
@on_any_matrix
def test_weighted_ridge_codes_of_every_magnitude(exponent):
    """Of X and alpha times s they are sqrt(s) as large, however large alpha is beside H or one."""
    A, w, s = X[:6, :5], WEIGHTS[:6, :5] / 4, 2.0**exponent
    model = FixedSupportMF(2, alpha=s).fit(A * s, entry_weight=w)
    H = model.components_ / s**0.5
    codes = model.transform(A * s, entry_weight=w) / s**0.5
    expected = [np.linalg.solve((H * v) @ H.T + np.eye(2), (H * v) @ a) for v, a in zip(w, A)]
    assert_allclose(codes, expected, rtol=1e-10)


@for_each("weight", (4.0, 0.25, 3.0, 2.0**-1000))
@on_any_matrix
def test_one_weight_for_all_divides_the_penalty(weight):
    A, w = X[:6, :5], np.full((6, 5), weight)
    model = FixedSupportMF(2, alpha=weight / 3, tol=1e-9).fit(A, entry_weight=w)
    plain = FixedSupportMF(2, alpha=1 / 3).fit(A)
    codes = model.transform(A, entry_weight=w)
    H = model.components_
    product = model.left_factor_ @ H
    assert_allclose(product, plain.left_factor_ @ plain.components_, atol=1e-4)
    assert_allclose(codes, np.linalg.solve(H @ H.T + np.eye(2) / 3, H @ A.T).T, rtol=1e-10)
    kept = 1 - np.sum((A - codes @ H) ** 2) / np.sum(A**2)
    assert_allclose(model.score(A, entry_weight=w), kept, rtol=1e-10)


@for_each("exponent", (0.0, 99.9, 150.0))
@on_any_matrix
def test_a_large_penalty_beside_larger_singular_values(exponent):
    """Of a constant matrix, weighted nearly alike, it takes 2 alpha from the singular value."""
    s = 2.0**exponent
    w = np.full((256, 256), 0.5) + 0.01 * np.eye(256)
    model = FixedSupportMF(1, alpha=s * 16).fit(np.full(w.shape, s), entry_weight=w)
    norm = np.linalg.norm(model.left_factor_ / s**0.5) * np.linalg.norm(model.components_ / s**0.5)
    assert_allclose(norm, 256 - 2 * 16, rtol=1e-3)
