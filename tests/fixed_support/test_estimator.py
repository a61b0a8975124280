"""FixedSupportMF: what the estimator adds to the functions."""

import pickle
import re

import numpy as np
import pytest
import scipy.sparse
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.decomposition import TruncatedSVD
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skfact import FixedSupportMF
from skfact.exceptions import IllPosedWarning
from skfact.fixed_support import FAMILIES, fixed_support_factorize
from tests.asserts import on_any_matrix
from tests.butterfly.test_estimator import Recorder

SKLEARN = tuple(map(int, sklearn.__version__.split(".")[:2]))
RANDOM = np.random.default_rng(0)
# most of it is one component of all features
X = RANDOM.standard_normal((30, 12)) + 4 * RANDOM.choice([-1, 1], size=(30, 1))
GROUPS = np.repeat(np.eye(3), 4, axis=1)


def test_attributes():
    model = FixedSupportMF(3, supports=(None, GROUPS)).fit(X)
    assert model.solver_ == "blockwise" and model.optimal_ and model.n_iter_ == 1
    assert model.left_factor_.shape == (30, 3) and model.components_.shape == (3, 12)
    assert not model.components_[GROUPS == 0].any()
    product = model.left_factor_ @ model.components_
    assert_allclose(model.operator_.toarray(), product, atol=1e-14)
    assert_allclose(model.reconstruction_err_, np.linalg.norm(X - product))
    expected = [np.sum(np.linalg.svd(X[:, g == 1])[1][1:] ** 2) for g in GROUPS]
    assert_allclose(model.reconstruction_err_**2, np.sum(expected))
    assert model.support_report_.is_tractable
    assert model.loss_curve_ == pytest.approx([model.reconstruction_err_**2])


def test_dense_supports_are_the_truncated_svd():
    model = FixedSupportMF(4).fit(X)
    svd = TruncatedSVD(4, algorithm="arpack", random_state=0).fit(X)
    assert_allclose(
        model.inverse_transform(model.transform(X)),
        svd.inverse_transform(svd.transform(X)),
        atol=1e-10,
    )


@on_any_matrix
@pytest.mark.filterwarnings("ignore::skfact.exceptions.IllPosedWarning")
@pytest.mark.parametrize("name", FAMILIES)
def test_codes_are_least_squares_of_minimum_norm(name):
    """Also where components are linearly dependent."""
    model = FixedSupportMF(5, supports=name).fit(X)
    codes = model.transform(X)
    assert_allclose(codes, X @ np.linalg.pinv(model.components_, rcond=1e-14), atol=1e-8)
    assert_allclose(model.inverse_transform(codes), codes @ model.components_, atol=1e-12)
    lost = X - codes @ model.components_
    assert_allclose(model.score(X), 1 - np.sum(lost**2) / np.sum(X**2), atol=1e-10)


def test_rank_deficient_components():
    right = np.array([[1.0] * 12, [1.0] * 12, [1.0] * 12])
    rank_one = np.outer(RANDOM.standard_normal(30), RANDOM.standard_normal(12))
    model = FixedSupportMF(supports=(None, right)).fit(rank_one)
    assert np.linalg.matrix_rank(model.components_) == 1
    codes = model.transform(rank_one)
    assert_allclose(codes @ model.components_, rank_one, atol=1e-12)
    assert_array_equal(codes[:, 1:], 0)


def test_codes_use_the_features_that_are_observed():
    model = FixedSupportMF(3, missing_values=np.nan).fit(X)
    H, holes = model.components_, X.copy()
    missing = RANDOM.random(X.shape) < 0.3
    holes[missing] = np.nan
    codes = model.transform(holes)
    for x, w, gone in zip(holes, codes, missing, strict=True):
        expected = np.linalg.lstsq(H[:, ~gone].T, x[~gone])[0]
        assert_allclose(w, expected, atol=1e-10)
    rest = np.where(missing, 0, X - codes @ H)
    energy = np.where(missing, 0, X)
    assert_allclose(model.score(holes), 1 - np.sum(rest**2) / np.sum(energy**2))


@pytest.mark.parametrize("missing_values", [np.nan, -1])
def test_missing_values_are_imputed(missing_values):
    truth = RANDOM.standard_normal((40, 2)) @ RANDOM.standard_normal((2, 10)) + 20
    holes = np.where(RANDOM.random(truth.shape) < 0.1, missing_values, truth)
    model = FixedSupportMF(
        3, missing_values=missing_values, tol=1e-8, max_iter=5000, random_state=0
    ).fit(holes)
    assert not model.optimal_
    assert_allclose(model.inverse_transform(model.transform(holes)), truth, atol=1e-3)


# ---- supports that belong to samples -----------------------------------------------------------


@on_any_matrix
def test_left_support_is_the_left_mask():
    left = RANDOM.random((30, 3)) < 0.5
    for mask in (left, left.astype(int), scipy.sparse.csr_array(left), left.tolist()):
        model = FixedSupportMF(supports="disjoint-groups").fit(X, left_support=mask)
        assert_array_equal(model.left_factor_ != 0, left)
    pair = FixedSupportMF(supports=(left, FAMILIES["disjoint-groups"](30, 12, 3)[1])).fit(X)
    assert_allclose(pair.left_factor_, model.left_factor_)


@on_any_matrix
@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_cross_validation_slices_the_left_support(kind):
    """Metadata routing: each fold gets the rows of its own samples."""
    seen = []

    class Watched(FixedSupportMF):
        def fit(self, X, y=None, left_support=None):
            seen.append((X, left_support))
            return super().fit(X, y, left_support=left_support)

    left = RANDOM.random((30, 3)) < 0.7
    given = left if kind == "dense" else scipy.sparse.csr_array(left)
    with sklearn.config_context(enable_metadata_routing=True):
        model = Watched(3, supports="disjoint-groups").set_fit_request(left_support=True)
        found = cross_validate(model, X, cv=KFold(3), params={"left_support": given})
    assert len(found["test_score"]) == len(seen) == 3
    for (train, _), (part, mask) in zip(KFold(3).split(X), seen, strict=True):
        assert_array_equal(part, X[train])
        mask = mask.toarray() if scipy.sparse.issparse(mask) else mask
        assert_array_equal(mask, left[train])


@on_any_matrix
def test_left_support_goes_through_a_pipeline():
    left = RANDOM.random((30, 3)) < 0.7
    with sklearn.config_context(enable_metadata_routing=True):
        step = FixedSupportMF(3, alpha=0.1).set_fit_request(left_support=True)
        pipeline = make_pipeline(StandardScaler(), step).fit(X, left_support=left)
    assert not pipeline[-1].left_factor_[~left].any()


def test_callables_get_the_shape():
    calls = []

    def supports(*arguments):
        calls.append(arguments)
        return np.ones((30, 2)), np.ones((2, 12))

    FixedSupportMF(supports=supports).fit(X)
    FixedSupportMF(2, supports=supports).fit(X)
    assert calls == [(30, 12, None), (30, 12, 2)]


@on_any_matrix
def test_grid_search_over_families():
    data, y = load_breast_cancer(return_X_y=True)
    pipeline = make_pipeline(
        StandardScaler(), FixedSupportMF(6, alpha=1.0, random_state=0), LogisticRegression()
    )
    grid = {"fixedsupportmf__supports": ["dense", "disjoint-groups", "butterfly"]}
    search = GridSearchCV(pipeline, grid, cv=3, error_score="raise").fit(data, y)
    assert (search.cv_results_["mean_test_score"] > 0.9).all()


def test_groups_of_pixels_give_local_components():
    data, _ = load_digits(return_X_y=True)
    image = np.arange(64).reshape(8, 8)
    quadrant = (image // 8 >= 4) * 2 + (image % 8 >= 4)
    right = np.stack([quadrant.ravel() == k // 2 for k in range(8)])
    model = FixedSupportMF(supports=(None, right)).fit(data)
    assert model.optimal_
    assert_array_equal(model.components_[~right], 0)


# ---- scikit-learn ------------------------------------------------------------------------------


def test_warnings_reach_the_caller():
    lower = np.tri(2)
    with pytest.warns(IllPosedWarning, match="alpha > 0"):
        FixedSupportMF(supports=(lower, lower.T), random_state=0).fit([[0.0, 1], [1, 0]])
    with pytest.warns(ConvergenceWarning, match="max_iter=1 "):
        model = FixedSupportMF(3, supports="overlapping-groups", max_iter=1).fit(X)
    assert model.n_iter_ == 1


def test_ridge_reaches_a_finite_optimum_of_the_lu_instance():
    lower = np.tri(2)
    model = FixedSupportMF(supports=(lower, lower.T), alpha=0.01, random_state=0, tol=1e-8)
    model.fit([[0.0, 1], [1, 0]])
    assert np.abs(model.components_).max() < 3 and not model.optimal_


def test_exact_only_where_there_is_a_closed_form():
    assert FixedSupportMF(2, solver="exact").fit(X).optimal_
    with pytest.raises(ValueError, match=r"solver='exact' has no closed form"):
        FixedSupportMF(3, solver="exact", supports="overlapping-groups").fit(X)
    with pytest.raises(ValueError, match=r"entries are missing"):
        FixedSupportMF(3, solver="exact", missing_values=X[0, 0]).fit(X)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_verbose_prints_a_line_for_each_sweep(capsys):
    model = FixedSupportMF(3, supports="overlapping-groups", max_iter=4, verbose=1, random_state=0)
    model.fit(X)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert all(re.match(r"\[FixedSupportMF\] start 0, sweep \d, loss: ", line) for line in lines)
    assert float(lines[-1].split()[-1]) == pytest.approx(model.loss_curve_[-1], rel=1e-3)
    model.set_params(verbose=0).fit(X)
    assert capsys.readouterr().out == ""


@pytest.mark.skipif(SKLEARN < (1, 9), reason="scikit-learn has no callbacks yet")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_callbacks_see_every_sweep_and_can_stop():
    recorder = Recorder()
    model = FixedSupportMF(3, supports="overlapping-groups", max_iter=4, random_state=0)
    model.set_callbacks(recorder).fit(X)
    assert recorder.events[0] == "setup" and recorder.events[-1] == "teardown"
    assert [event[1] for event in recorder.events if event[0] == "begin"].count("sweep") == 4

    class Stopper(Recorder):
        def on_fit_task_end(self, estimator, context, **kwargs):
            super().on_fit_task_end(estimator, context, **kwargs)
            return context.task_name == "sweep" and context.task_id >= 1

    assert clone(model).set_callbacks(Stopper()).fit(X).n_iter_ == 2


def test_pickle_and_names():
    model = FixedSupportMF(3, supports="disjoint-groups").fit(X)
    model.transform(X)
    loaded = pickle.loads(pickle.dumps(model))
    assert_array_equal(loaded.transform(X), model.transform(X))
    assert list(model.get_feature_names_out()) == [f"fixedsupportmf{k}" for k in range(3)]


def test_the_function_gives_the_same():
    model = FixedSupportMF(3, supports="arrow", alpha=0.1, random_state=0).fit(X)
    left, right = FAMILIES["arrow"](30, 12, 3)
    result = fixed_support_factorize(X, left, right, alpha=0.1, random_state=0)
    assert_array_equal(result.right, model.components_)
    assert_array_equal(result.left, model.left_factor_)
