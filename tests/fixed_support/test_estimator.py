"""FixedSupportMF: what the estimator adds to the functions."""

import copy
import pickle
import re
import warnings

import numpy as np
import pandas as pd
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
from skfact._backend import to_numpy
from skfact.exceptions import IllPosedWarning, StructureWarning
from skfact.fixed_support import FAMILIES, fixed_support_factorize
from skfact.supports import SupportFamily
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
    model = FixedSupportMF(3, alpha=0.0, missing_values=np.nan).fit(X)
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
        3, alpha=0.0, missing_values=missing_values, tol=1e-8, max_iter=5000, random_state=0
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


# ---- codes of the problem that was fitted ------------------------------------------------------


def test_codes_with_a_penalty():
    """x H^T (H H^T + alpha I)^-1, with all features and with those that are observed."""
    model = FixedSupportMF(1, alpha=1.0).fit([[2.0, 0], [0, 1]])
    assert_allclose(model.components_, [[1, 0]], atol=1e-12)
    assert_allclose(model.transform([[2.0, 0], [0, 1]]), [[1], [0]], atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("alpha", [1e-3, 0.5, 10.0])
def test_codes_minimize_what_fit_minimizes(asarray, alpha, dtype):
    holes = X.astype(dtype)
    missing = RANDOM.random(X.shape) < 0.4
    missing[0] = True
    model = FixedSupportMF(supports=(None, GROUPS), alpha=alpha, missing_values=np.nan)
    model.fit(asarray(holes))
    H = to_numpy(model.components_).astype(float)
    eye, atol = np.eye(len(H)), 1e4 * np.finfo(dtype).eps
    codes = to_numpy(model.transform(asarray(holes)))
    assert codes.dtype == dtype
    assert_allclose(codes, X @ H.T @ np.linalg.inv(H @ H.T + alpha * eye), atol=atol)
    if alpha < 1:  # the factors of one are the codes by the other
        assert_allclose(codes, to_numpy(model.left_factor_), atol=1e-3)
    holes[missing] = np.nan
    codes = to_numpy(model.transform(asarray(holes)))
    for x, w, gone in zip(X, codes, missing, strict=True):
        h = H[:, ~gone]
        assert_allclose(w, x[~gone] @ h.T @ np.linalg.inv(h @ h.T + alpha * eye), atol=atol)
    rest, energy = (np.where(missing, 0, part) for part in (X - codes @ H, X))
    assert_allclose(model.score(asarray(holes)), 1 - np.sum(rest**2) / np.sum(energy**2), rtol=atol)


@pytest.mark.parametrize(
    "dtype, size", [("float32", 1e-14), ("float64", 1e-30), ("float64", 1e-110)]
)
def test_codes_beside_a_penalty_that_is_all_there_is(dtype, size):
    """x H^T / alpha for components that are next to nothing, with no flag raised on the way."""
    model = FixedSupportMF(2, alpha=1e3, missing_values=np.nan).fit(X.astype(dtype))
    model.components_ = (size * RANDOM.standard_normal((2, 12))).astype(dtype)
    model._make_operators()
    holes = np.where(RANDOM.random(X.shape) < 0.2, np.nan, X).astype(dtype)
    expected = np.nan_to_num(holes).astype(float) @ model.components_.T.astype(float) / 1e3
    rtol = 100 * np.finfo(dtype).eps
    assert_allclose(model.transform(holes) / size, expected / size, rtol=rtol, atol=rtol / 1e3)


def test_codes_of_ill_conditioned_components():
    """Normal equations would lose them: these samples take singular values."""
    model = FixedSupportMF(3, alpha=0.0, missing_values=np.nan).fit(X)
    U, V = (np.linalg.qr(RANDOM.standard_normal(shape))[0] for shape in ((3, 3), (12, 3)))
    H = (U * [1, 1e-4, 1e-7]) @ V.T
    model.components_ = H
    model._make_operators()
    codes = RANDOM.standard_normal((30, 3))
    holes = codes @ H
    holes[RANDOM.random(holes.shape) < 0.2] = np.nan
    assert_allclose(model.transform(holes), codes, atol=1e-6)


def test_samples_whose_observed_features_determine_no_code():
    model = FixedSupportMF(supports=(None, GROUPS), alpha=0.0, missing_values=np.nan).fit(X)
    holes = X.copy()
    holes[2, :4], holes[7] = np.nan, np.nan
    for call in (model.transform, model.score):
        with pytest.warns(StructureWarning, match=r"^FixedSupportMF: .* 2 samples, \[2, 7\]") as w:
            call(holes)
        assert {warning.filename for warning in w} == {__file__}
    with pytest.warns(StructureWarning):
        codes = model.transform(holes)
    assert codes[2, 0] == 0 and not codes[7].any()
    penalized = FixedSupportMF(supports=(None, GROUPS), alpha=0.1, missing_values=np.nan).fit(X)
    assert penalized.transform(holes)[2, 0] == 0  # that of least penalty


def test_holes_of_a_table_are_filled_with_the_penalty_of_the_fit():
    """Breast cancer, 10 % missing, triples of features: mean, error and worst of a quantity."""
    data = StandardScaler().fit_transform(load_breast_cancer(return_X_y=True)[0])
    missing = np.random.default_rng(0).random(data.shape) < 0.1
    holes = np.where(missing, np.nan, data)

    def rmse(found):
        return np.sqrt(np.mean((found - data)[missing] ** 2))

    assert_allclose(rmse(np.nanmean(holes, axis=0) + 0 * data), 1.11, atol=0.01)
    # the table of the user guide
    for r, alpha, expected in [(2, 1.0, 0.83), (2, 10.0, 0.80), (3, 1.0, 0.77), (3, 10.0, 0.80)]:
        triples = np.repeat(np.tile(np.eye(10), 3), r, axis=0)
        model = FixedSupportMF(supports=(None, triples), alpha=alpha, missing_values=np.nan)
        codes = model.fit_transform(holes)
        assert np.abs(codes).max() < 3
        assert_allclose(rmse(model.inverse_transform(codes)), expected, atol=0.01)
        assert_allclose(rmse(model.left_factor_ @ model.components_), expected, atol=0.01)


@on_any_matrix
@pytest.mark.filterwarnings("ignore::skfact.exceptions.IllPosedWarning")
@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_codes_of_fit_stay_in_the_mask_of_the_samples(alpha):
    left, right = RANDOM.random((30, 3)) < 0.5, np.ones((3, 12))
    options = {"alpha": alpha, "tol": 1e-2}
    expected = FixedSupportMF(3, **options).fit(X, left_support=left).left_factor_
    for codes in (
        FixedSupportMF(3, **options).fit_transform(X, left_support=left),
        FixedSupportMF(supports=(left, right), **options).fit_transform(X),
        FixedSupportMF(supports=lambda *_: (left, right), **options).fit_transform(X),
    ):
        assert not codes[~left].any()
        assert_array_equal(codes, expected)
    arrow = FixedSupportMF(3, supports="arrow", **options)
    assert_array_equal(arrow.fit_transform(X) == 0, arrow.left_factor_ == 0)


@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_without_a_mask_of_the_samples_fit_transform_is_transform(alpha):
    model = FixedSupportMF(3, supports="disjoint-groups", alpha=alpha)
    codes = model.fit_transform(X)
    assert_array_equal(codes, model.transform(X))
    assert_allclose(codes, model.left_factor_, atol=1e-10)


# ---- masks as data frames ----------------------------------------------------------------------


@on_any_matrix
def test_masks_are_read_by_their_labels():
    pd = pytest.importorskip("pandas")
    random = np.random.default_rng(0)
    names, parts, people = list("pqrs"), list("ab"), [f"person {i}" for i in range(12)]
    table = pd.DataFrame(random.standard_normal((12, 4)) + 2, people, names)
    right = pd.DataFrame([[1, 1, 0, 0], [0, 1, 1, 1]], parts, names)
    left = pd.DataFrame(random.random((12, 2)) < 0.7, people, parts)
    expected = FixedSupportMF(supports=(left.to_numpy(), right.to_numpy()), alpha=0.1).fit(table)
    mixed = left.sample(frac=1, random_state=0)
    for model, given in (
        (FixedSupportMF(supports=(left, right[list("srqp")]), alpha=0.1), None),
        (FixedSupportMF(supports=(mixed, right), alpha=0.1), None),
        (FixedSupportMF(supports=(left[["b", "a"]], right), alpha=0.1), None),
        (FixedSupportMF(supports=(None, right[list("qpsr")]), alpha=0.1), mixed[["b", "a"]]),
        (FixedSupportMF(supports=lambda *_: (mixed, right[list("qpsr")]), alpha=0.1), None),
    ):
        model.fit(table, left_support=given)
        assert_array_equal(model.left_factor_, expected.left_factor_)
        assert_array_equal(model.components_, expected.components_)
    by_position = FixedSupportMF(supports=(mixed.to_numpy(), right), alpha=0.1).fit(table)
    assert (by_position.left_factor_ != expected.left_factor_).any()


def test_labels_that_do_not_match_are_refused():
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame(X, columns=[f"x{j}" for j in range(12)])
    right = pd.DataFrame(GROUPS, columns=[f"y{j}" for j in range(12)])
    with pytest.raises(
        ValueError, match=r"right mask of supports has labels.*those of X.*'y0'.*'x0'"
    ):
        FixedSupportMF(supports=(None, right)).fit(table)
    FixedSupportMF(supports=(None, right)).fit(X)  # by position: an array has no labels
    FixedSupportMF(supports=(None, pd.DataFrame(GROUPS))).fit(table)
    left = pd.DataFrame(np.ones((30, 3)), columns=list("abc"))
    right = pd.DataFrame(GROUPS, index=list("abd"))
    with pytest.raises(
        ValueError, match=r"left mask of supports has labels.*those of the right mask"
    ):
        FixedSupportMF(supports=(left, right)).fit(X)


def test_polars_masks_are_read_by_the_names_of_their_columns():
    pl = pytest.importorskip("polars")
    names = [f"x{j}" for j in range(12)]
    table = pl.DataFrame(X, schema=names)
    right = pl.DataFrame(GROUPS, schema=names)
    expected = FixedSupportMF(supports=(None, GROUPS)).fit(X).components_
    for given in (right, right[names[::-1]], pl.DataFrame(GROUPS)):
        assert_array_equal(FixedSupportMF(supports=(None, given)).fit(table).components_, expected)


# ---- warnings ----------------------------------------------------------------------------------


def test_useless_factors_warn():
    """What plain low rank reaches with as many numbers; of missing entries, the error alone."""
    random = np.random.default_rng(0)
    A = random.standard_normal((32, 32))
    model = FixedSupportMF(4, supports="butterfly")
    with pytest.warns(StructureWarning, match=r"^FixedSupportMF: .*low rank reaches") as found:
        model.fit(A)
    assert {warning.filename for warning in found} == {__file__}
    holes = np.where(random.random(A.shape) < 0.1, np.nan, A)
    with pytest.warns(StructureWarning, match=r"^FixedSupportMF: .*on the observed entries"):
        FixedSupportMF(4, supports="butterfly", missing_values=np.nan).fit(holes)
    FixedSupportMF(2, missing_values=np.nan).fit(holes)
    FixedSupportMF(4).fit(3 + A)
    FixedSupportMF(1).fit(A)  # plain low rank itself: it keeps what a component can


@pytest.mark.parametrize("missing", [False, True])
def test_supports_of_ones_own_are_not_compared_with_low_rank(missing):
    """Groups and masks are there to be read: a warning only where next to nothing is kept."""
    random = np.random.default_rng(0)
    X = random.standard_normal((90, 60))
    X[0, 0] = np.nan if missing else X[0, 0]
    options = {"missing_values": np.nan if missing else None, "alpha": 0.0}
    thirds, whole = np.arange(60) // 3, np.arange(60) // 30
    masks = np.arange(20)[:, None] == thirds
    for supports in (
        thirds,
        (None, masks),
        SupportFamily([(None, masks)]),
        lambda *_: (None, masks),
    ):
        model = FixedSupportMF(supports=supports, **options).fit(X)
        assert model.reconstruction_err_ > 0.6 * np.linalg.norm(np.nan_to_num(X))
    with pytest.warns(StructureWarning, match="low rank|on the observed entries"):
        FixedSupportMF(20, supports="disjoint-groups", **options).fit(X)
    seen = "the observed entries of X" if missing else "X"
    message = (
        rf"^FixedSupportMF: On these supports the factors keep 0\.0\d+ of the squares of {seen}\."
    )
    with pytest.warns(StructureWarning, match=message):
        FixedSupportMF(supports=whole, **options).fit(X)
    with pytest.warns(StructureWarning, match="low rank|on the observed entries"):
        FixedSupportMF(2, supports="disjoint-groups", **options).fit(X)


def test_warnings_call_columns_of_a_data_frame_by_their_names():
    random = np.random.default_rng(0)
    truth = np.outer(random.uniform(1, 2, 20), random.uniform(1, 2, 6))
    table = pd.DataFrame(truth, columns=list("UVWXYZ"))
    table.loc[:9, "X":], table.loc[10:, :"W"] = np.nan, np.nan
    options = {"alpha": 0.0, "missing_values": np.nan}
    with pytest.warns(StructureWarning, match=r"join the columns \['U', 'V', 'W'\] and \['X', "):
        FixedSupportMF(1, **options).fit(table)
    with pytest.warns(StructureWarning, match=r"join the columns \['U', 'V', 'W'\] and \['X', "):
        fixed_support_factorize(table, np.ones((20, 1)), np.ones((1, 6)), **options)
    table = pd.DataFrame(truth, columns=list("UVWXYZ"))
    table["W"] = np.nan
    with pytest.warns(StructureWarning, match=r"Columns \['W'\] have too few observed entries"):
        FixedSupportMF(1, **options).fit(table)
    groups = {"one": list("UVW"), "two": list("WXY")}
    whole = pd.DataFrame(random.standard_normal((20, 6)), columns=list("UVWXYZ"))
    with pytest.warns(IllPosedWarning, match=r"columns \['U', 'W', 'X'\]"):
        FixedSupportMF(supports=groups).fit(whole)


def test_columns_that_are_never_observed_together_are_named():
    random = np.random.default_rng(0)
    truth = np.outer(random.uniform(1, 2, 20), random.uniform(1, 2, 6))
    holes = truth.copy()
    holes[:10, 3:], holes[10:, :3] = np.nan, np.nan
    model = FixedSupportMF(1, alpha=0.0, missing_values=np.nan)
    with pytest.warns(StructureWarning, match=r"join the columns \[0, 1, 2\] and \[3, 4, 5\]"):
        model.fit(holes)
    holes[4, 5] = truth[4, 5]  # one entry joins them
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.set_params(tol=1e-8, max_iter=5000).fit(holes)
    assert_allclose(model.inverse_transform(model.transform(holes)), truth, rtol=1e-3)
    holes[:, 2] = np.nan
    with pytest.warns(StructureWarning, match=r"Columns \[2\] have too few observed entries"):
        model.fit(holes)


@pytest.mark.parametrize("supports", ["disjoint-groups", "overlapping-groups"])
@pytest.mark.parametrize("load", [load_digits, load_breast_cancer])
@on_any_matrix
@pytest.mark.filterwarnings("ignore::skfact.exceptions.IllPosedWarning")
def test_defaults_converge(load, supports):
    data = load().data
    for X in (data, StandardScaler().fit_transform(data)):
        for n_components in (None, 10):
            FixedSupportMF(n_components, supports=supports).fit(X)


def test_the_first_start_is_not_random():
    data = np.random.default_rng(0).random((200, 30))
    model = FixedSupportMF(5, supports="overlapping-groups", alpha=0.1)
    first, second = (clone(model).fit_transform(data) for _ in range(2))
    seeded = clone(model).set_params(random_state=3).fit_transform(data)
    assert_array_equal(first, second)
    assert_array_equal(first, seeded)


# ---- pickles, refusals -------------------------------------------------------------------------


def test_pickles_hold_the_numbers_once():
    data = np.random.default_rng(0).standard_normal((2000, 50)) + 2
    model = FixedSupportMF(5).fit(data)
    text = repr(model.support_report_)
    pickled = pickle.dumps(model)
    assert len(pickled) < model.left_factor_.nbytes + model.components_.nbytes + 8000
    loaded = pickle.loads(pickled)
    assert repr(loaded.support_report_) == text
    assert_array_equal(loaded.operator_ @ np.eye(50), model.operator_ @ np.eye(50))
    assert_array_equal(loaded.transform(data), model.transform(data))
    sparse = FixedSupportMF(supports="butterfly").fit(data[:64, :32] + 5)
    loaded = pickle.loads(pickle.dumps(sparse))
    for side in ("left_support", "right_support"):
        found, expected = (
            getattr(report, side) for report in (loaded.support_report_, sparse.support_report_)
        )
        assert (found != expected).nnz == 0 and found.format == expected.format
    assert_array_equal(loaded.components_, sparse.components_)
    result = fixed_support_factorize(data, np.ones((2000, 5)), np.ones((5, 50)))
    size = result.left.nbytes + result.operator.factors[1].nnz * 8
    assert len(pickle.dumps(result)) < size + 8000


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("share", [0.02, 0.2])
def test_pickles_hold_no_zeros_outside_the_masks(share):
    random = np.random.default_rng(0)
    masks = random.random((600, 40)) < share, random.random((40, 300)) < share
    data = np.matmul(*(random.standard_normal(mask.shape) * mask for mask in masks))
    model = FixedSupportMF(40, supports=masks, alpha=1.0, max_iter=2).fit(data)
    numbers = sum(mask.sum() for mask in masks)
    of_masks = sum(min(mask.size // 8, 8 * len(mask) + 4 * mask.sum()) for mask in masks)
    pickled = pickle.dumps(model)
    assert len(pickled) < 8 * numbers + 2 * of_masks + 8000  # those of the report and as given
    loaded, blank = pickle.loads(pickled), pickle.loads(pickle.dumps(FixedSupportMF(40)))
    for name in ("left_factor_", "components_"):
        assert_array_equal(getattr(loaded, name), getattr(model, name), strict=True)
    assert_array_equal(loaded.transform(data), model.transform(data))
    for copied in (loaded, copy.copy(model), clone(loaded)):
        for found, mask in zip(copied.supports, masks):
            assert_array_equal(found, mask, strict=True)
    assert blank.supports == "dense" and not hasattr(blank, "components_")


def test_a_table_of_which_nothing_is_observed():
    nothing = np.full((5, 3), np.nan)
    with pytest.raises(ValueError, match=r"Every entry of X is missing.*missing_values=nan"):
        FixedSupportMF(1, missing_values=np.nan).fit(nothing)
    with pytest.raises(ValueError, match=r"Every entry of A is missing.*missing_values=-1"):
        fixed_support_factorize(0 * X - 1, np.ones((30, 1)), np.ones((1, 12)), missing_values=-1)


def test_nan_is_refused_with_the_parameter_that_takes_it():
    holes = np.where(X > 4, np.nan, X)
    with pytest.raises(ValueError, match=r"\AX contains NaN: pass missing_values=np.nan to have"):
        FixedSupportMF(2).fit(holes)
    with pytest.raises(ValueError, match=r"\AX contains NaN: .* in place of missing_values=-1"):
        FixedSupportMF(2, missing_values=-1).fit(holes)
    with pytest.raises(ValueError, match=r"\AX contains NaN: pass missing_values=np.nan to have"):
        FixedSupportMF(2).fit(X).transform(holes)


@on_any_matrix
@pytest.mark.filterwarnings("ignore::skfact.exceptions.IllPosedWarning")
@pytest.mark.parametrize("supports", ["dense", "disjoint-groups", "overlapping-groups"])
@pytest.mark.parametrize(
    ("dtype", "scale"),
    [
        ("float32", 1e-42), ("float32", 1e-38), ("float32", 1e37), ("float64", 1e-320),
        ("float64", 1e-160), ("float64", 1e160), ("float64", 1e307),
    ],
)  # fmt: skip
def test_the_ends_of_the_number_range(dtype, scale, supports):
    """Codes, samples and scores as those of ordinary numbers, with and without missing ones."""
    # the same numbers whichever tests run: of other ones the best factors may be infinite
    ordinary = np.random.default_rng(0).integers(1, 9, (8, 6)) / 8
    Z = (ordinary * scale).astype(dtype)
    for missing in (np.zeros(Z.shape, dtype=bool), np.eye(8, 6, dtype=bool)):
        model = FixedSupportMF(3, supports=supports, alpha=0.0, missing_values=np.nan, tol=1e-2)
        holes = np.where(missing, np.nan, Z).astype(dtype)
        codes = model.fit_transform(holes)
        score, back = model.score(holes), model.inverse_transform(codes)
        reference = clone(model).fit(np.where(missing, np.nan, ordinary))
        assert np.isfinite(codes).all() and np.isfinite(back).all()
        assert codes.dtype == dtype
        expected = reference.score(np.where(missing, np.nan, ordinary))
        assert_allclose(score, expected, atol=0.02)  # of 1e-320 few digits are left


def test_largest_numbers_of_both_signs():
    """Their norm is no finite number, and everything else is."""
    Z = np.sign(RANDOM.standard_normal((8, 6))) * 1.7e308
    model = FixedSupportMF(6).fit(Z)
    assert_allclose(model.score(Z), 1)
    assert np.isfinite(model.components_).all() and np.isfinite(model.transform(Z)).all()
