"""The map that is read off an estimator: how it is fitted, and where it is probed."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skfact import ButterflyFactorizer
from tests.asserts import for_each

RANDOM = np.random.default_rng(0)
D = RANDOM.standard_normal((60, 5)) @ np.diag([1, 2, 3, 4, 5]) + 3
Y = D @ RANDOM.standard_normal((5, 2)) + RANDOM.standard_normal((60, 2))


def exactly(operator, **options):
    """Dense supports: the map itself."""
    return ButterflyFactorizer(supports="dense", operator=operator, **options)


class NeedsTarget(TransformerMixin, BaseEstimator):
    """A transformer whose fit has y without a default, and makes nothing of it."""

    def fit(self, X, y):  # noqa: ARG002
        self.mean_ = X.mean(axis=0)
        return self

    def transform(self, X):
        return X - self.mean_


class KnowsNoTarget(TransformerMixin, BaseEstimator):
    """And one whose fit has no y."""

    def fit(self, data):
        self.mean_ = data.mean(axis=0)
        return self

    def transform(self, data):
        return data - self.mean_


@pytest.mark.parametrize(
    "operator",
    [
        FrozenEstimator(PCA(2).fit(D)),
        FrozenEstimator(Ridge().fit(D, Y)),
        make_pipeline(FrozenEstimator(StandardScaler().fit(D)), PCA(2)),
        make_pipeline(StandardScaler(), FrozenEstimator(Ridge().fit(D, Y))),
        NeedsTarget(),
        KnowsNoTarget(),
    ],
    ids=lambda operator: repr(operator)[:60],
)
@pytest.mark.parametrize("random_state", [None, 0])
def test_estimators_are_fitted_without_a_target(operator, random_state):
    estimator = exactly(operator, random_state=random_state).fit(D)
    reference = operator.fit(D) if isinstance(operator, KnowsNoTarget) else operator.fit(D, None)
    method = "transform" if hasattr(reference, "transform") else "predict"
    assert_allclose(estimator.transform(D), getattr(reference, method)(D), atol=1e-12)


def test_what_is_frozen_stays_as_it_was_fitted():
    """Also where the samples are others, and beside a target."""
    fitted = PCA(2, svd_solver="randomized").fit(D)
    before = fitted.get_params()
    for y in (None, Y):
        estimator = exactly(FrozenEstimator(fitted), random_state=0).fit(3 * D[:20] + 1, y)
        assert_allclose(estimator.components_, fitted.components_, atol=1e-12)
    assert fitted.get_params() == before


def test_an_estimator_that_needs_a_target_says_so():
    for operator in (Ridge(), LinearRegression(), make_pipeline(StandardScaler(), Ridge())):
        with pytest.raises(ValueError, match=r"(?s)operator=.*requires y to be passed"):
            exactly(operator).fit(D)


def test_what_an_estimator_refuses_names_it():
    with pytest.raises(ValueError, match=r"operator=PCA\(n_comp.*=9\) could not be fitted on X:"):
        exactly(PCA(9)).fit(D)
    with pytest.raises(ValueError, match=r"operator=Ridge\(\) .* on X and y: .*'good'"):
        exactly(Ridge()).fit(D, ["good"] * 60)


@pytest.mark.parametrize("library", ["pandas", "polars"])
class TestFrames:
    names = ["age", "height", "weight", "pulse", "income"]

    @pytest.fixture
    def frame(self, library):
        module = pytest.importorskip(library)
        argument = {"pandas": "columns", "polars": "schema"}[library]
        return module.DataFrame(D, **{argument: self.names})

    def test_columns_chosen_by_name(self, frame):
        scaled = ("scaled", StandardScaler(), ["height", "age"])
        operator = ColumnTransformer([scaled, ("kept", "passthrough", ["income"])])
        try:
            expected = np.asarray(operator.fit(frame).transform(frame))
        except AttributeError:  # scikit-learn 1.6 with current versions of polars
            pytest.skip("this version of scikit-learn does not select columns of such frames")
        estimator = exactly(operator).fit(frame)
        assert_allclose(estimator.transform(frame), expected, atol=1e-12)
        assert_array_equal(estimator.components_ != 0, np.eye(5)[[1, 0, 4]] != 0)

    def test_no_warning_of_names_that_are_missing(self, frame):
        """It would be an error here."""
        fitted = PCA(2).fit(frame)
        for operator in (FrozenEstimator(fitted), PCA(2), make_pipeline(StandardScaler(), PCA(2))):
            exactly(operator).fit(frame)
        estimator = exactly(FrozenEstimator(fitted)).fit(frame)
        assert_allclose(estimator.transform(frame), fitted.transform(frame), atol=1e-12)


def test_columns_chosen_by_dtype():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"count": np.arange(60), "size": D[:, 0], "mass": D[:, 1]})
    operator = ColumnTransformer([("s", StandardScaler(), make_column_selector(dtype_include=int))])
    assert_array_equal(exactly(operator).fit(frame).components_[:, 1:], [[0, 0]])


@pytest.mark.parametrize("frame", [False, True])
def test_estimators_may_write_to_what_they_are_given(frame):
    X = pytest.importorskip("pandas").DataFrame(D, columns=list("abcde")) if frame else D
    before = D.copy()
    operator = make_pipeline(StandardScaler(copy=False), PCA(2, copy=False))
    estimator = exactly(operator).fit(X)
    assert_array_equal(np.asarray(X), before)
    expected = make_pipeline(StandardScaler(), PCA(2)).fit_transform(before)
    assert_allclose(estimator.transform(X), expected, atol=1e-12)


@for_each("value", [0.0, 1.0, -0.1, 1e-300, 123456.789, -5e17, 5e17, 1e150])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_constant_feature_changes_nothing(value, dtype):
    """An id or a time stamp: a step as far as the others spread would be lost in it."""
    if dtype == "float32" and abs(value) > 1e30:
        return
    operator = make_pipeline(StandardScaler(), PCA(2))
    plain = D.astype(dtype)
    wider = np.c_[plain, np.full(60, value, dtype)]
    found, expected = exactly(operator).fit(wider), exactly(operator).fit(plain)
    tolerance = 50 * np.finfo(dtype).eps
    assert_allclose(found.components_[:, :5], expected.components_, rtol=0, atol=tolerance)
    assert_allclose(found.components_[:, 5] * value, 0, atol=tolerance * max(1, abs(value)) ** 0.5)
    assert_allclose(found.transform(wider), expected.transform(plain), rtol=0, atol=10 * tolerance)


def test_features_of_very_different_spread():
    scales = np.array([1e-12, 1e-3, 1.0, 1e6, 1e14])
    operator = make_pipeline(StandardScaler(), PCA(3))
    found, expected = exactly(operator).fit(D * scales), exactly(operator).fit(D)
    assert_allclose(found.components_ * scales, expected.components_, rtol=0, atol=1e-12)
    extreme = D * [1e-200, 1, 1, 1, 1e200]
    assert_allclose(
        exactly(StandardScaler()).fit(extreme[:, :4]).transform(extreme[:, :4]),
        StandardScaler().fit_transform(extreme[:, :4]),
        atol=1e-12,
    )


def test_an_estimator_that_is_not_affine_in_the_feature_beside_an_id():
    """The size of one feature must not hide what happens to the others."""

    class Folds(KnowsNoTarget):
        def transform(self, data):
            return np.abs(data[:, :5])

    with pytest.raises(ValueError, match="not affine"):
        exactly(Folds()).fit(np.c_[D, np.full(60, 5e17)])


@for_each("seed", range(40))
def test_samples_that_are_all_alike(seed):
    random = np.random.default_rng(seed)
    X = np.tile(random.standard_normal(6) * 10.0 ** random.integers(-6, 7), (11, 1))
    for operator in (StandardScaler(), TruncatedSVD(2, random_state=0), GaussianMap()):
        estimator = exactly(operator).fit(X)
        assert_allclose(estimator.transform(X), operator.fit_transform(X), rtol=1e-9, atol=1e-9)


class GaussianMap(KnowsNoTarget):
    """A linear map that does not look at its samples."""

    def transform(self, data):
        return data @ np.random.default_rng(0).standard_normal((data.shape[1], 3))


def test_constant_samples_have_no_leading_component(asarray):
    """Any is as good as another, and no warning leaks."""
    X = asarray(np.full((10, 4), 0.1))
    estimator = ButterflyFactorizer(2, supports="dense").fit(X)
    assert estimator.score(X) == 1.0
    assert float(sum(estimator.explained_variance_ratio_)) == 0.0


def test_a_share_may_be_a_number_of_numpy():
    dense, single = (
        ButterflyFactorizer(share, supports="dense").fit(D) for share in (0.5, np.float32(0.5))
    )
    assert_array_equal(dense.components_, single.components_)
