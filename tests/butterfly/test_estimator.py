"""ButterflyFactorizer: what it approximates and reports, and how it behaves among estimators."""

import copy
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.cross_decomposition import PLSRegression
from sklearn.datasets import load_breast_cancer, load_digits, load_iris
from sklearn.decomposition import NMF, PCA, FastICA, KernelPCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer, MinMaxScaler, Normalizer, StandardScaler
from sklearn.random_projection import GaussianRandomProjection

from skfact import ButterflyFactorizer
from skfact._backend import to_numpy
from skfact.butterfly import butterfly_factorize
from skfact.operators import FactorizedOperator
from skfact.supports import Chain, resolve_supports
from tests.asserts import for_each, on_any_matrix
from tests.butterfly.chains import ORDERS

DIGITS, LABELS = load_digits(return_X_y=True)
DIGITS, LABELS = DIGITS[:300], LABELS[:300]
IRIS, SPECIES = load_iris(return_X_y=True)
RANDOM = np.random.default_rng(0)
A = RANDOM.standard_normal((12, 16))
SAMPLES = RANDOM.standard_normal((40, 16)) @ np.diag(np.linspace(1, 3, 16)) + 5

SKLEARN = tuple(map(int, sklearn.__version__.split(".")[:2]))


def exactly(**options):
    """Dense supports: the map itself, so that what surrounds it can be compared."""
    return ButterflyFactorizer(supports="dense", **options)


# ---- X is the matrix ----------------------------------------------------------------------


@on_any_matrix
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"supports": "monarch", "rank": 2},
        {"supports": "low-rank", "tol": 0.5},
        {"supports": Chain.deformable((3, 4), (4, 4), 2)},
        {"permutation": (RANDOM.permutation(12), None), "orthonormalize": False},
    ],
    ids=str,
)
def test_it_is_butterfly_factorize(options, order):
    estimator = ButterflyFactorizer(order=order, **options).fit(A)
    operator, errors = butterfly_factorize(A, order=order, return_errors=True, **options)
    assert isinstance(estimator.operator_, FactorizedOperator)
    assert_array_equal(estimator.components_, operator.toarray())
    assert_array_equal(estimator.level_errors_, errors)
    error = np.linalg.norm(A - operator.toarray())
    assert_allclose(estimator.reconstruction_err_, error, rtol=1e-12)
    assert_allclose(estimator.relative_error_, error / np.linalg.norm(A), rtol=1e-12)
    assert estimator.reconstruction_err_ <= estimator.error_bound_
    assert [f.shape for f in estimator.factors_] == [(p.a, p.d, p.b, p.c) for p in estimator.chain_]
    assert_array_equal(estimator.mean_, np.zeros(16))
    assert_array_equal(estimator.offset_, np.zeros(12))
    assert estimator.n_iter_ == 1 and estimator.n_features_in_ == 16
    assert not hasattr(estimator, "explained_variance_ratio_")
    assert_allclose(estimator.transform(SAMPLES), SAMPLES @ operator.toarray().T, rtol=1e-12)


@on_any_matrix
def test_the_matrix_named_as_operator_gives_the_same():
    by_x = ButterflyFactorizer().fit(A)
    by_operator = ButterflyFactorizer(operator=A).fit(SAMPLES)
    by_list = ButterflyFactorizer(operator=A.tolist()).fit(SAMPLES)
    by_callable = ButterflyFactorizer(operator=lambda n: A[:, :n]).fit(SAMPLES)
    for estimator in (by_operator, by_list, by_callable):
        assert_array_equal(estimator.transform(SAMPLES), by_x.transform(SAMPLES))
        assert not hasattr(estimator, "explained_variance_ratio_")
        assert_array_equal(estimator.mean_, 0)


def test_a_callable_is_told_the_number_of_features():
    told = []
    ButterflyFactorizer(operator=lambda n: told.append(n) or np.eye(n)).fit(SAMPLES)
    assert told == [16]


def test_a_complex_operator_gives_complex_codes():
    F = np.fft.fft(np.eye(16))
    estimator = ButterflyFactorizer(operator=F, permutation="digit-reversal").fit(SAMPLES)
    codes = estimator.transform(SAMPLES)
    assert codes.dtype == np.complex128
    assert_allclose(codes, np.fft.fft(SAMPLES), rtol=0, atol=1e-12)
    assert estimator.relative_error_ < 2e-15
    assert_allclose(estimator.inverse_transform(codes), SAMPLES, atol=1e-12)
    assert estimator.score(SAMPLES) > 1 - 1e-12
    single = SAMPLES.astype("float32")
    assert clone(estimator).fit(single).transform(single).dtype == np.complex64


def test_hadamard_transform():
    H = scipy.linalg.hadamard(16)
    estimator = ButterflyFactorizer().fit(H)
    assert estimator.relative_error_ < 1e-15
    assert estimator.operator_.nnz == 128
    assert_allclose(estimator.inverse_transform(estimator.transform(SAMPLES)), SAMPLES, rtol=1e-12)


# ---- affine estimators --------------------------------------------------------------------

AFFINE = [
    (PCA(5), DIGITS, None),
    (PCA(5, whiten=True), DIGITS, None),
    (PCA(0.9), DIGITS, None),
    (PCA(3, svd_solver="randomized", random_state=0), DIGITS, None),
    (TruncatedSVD(5, random_state=0), DIGITS, None),
    (FastICA(2, random_state=0, max_iter=1000), IRIS, None),
    (LinearDiscriminantAnalysis(), IRIS, SPECIES),
    (Ridge(), DIGITS, LABELS.astype(float)),
    (LinearRegression(), IRIS[:, :3], IRIS[:, [3, 0]]),
    (Ridge(alpha=3.0, fit_intercept=False), IRIS, np.eye(3)[SPECIES]),
    (StandardScaler(), IRIS, None),
    (MinMaxScaler(), IRIS, None),
    (PLSRegression(2), IRIS, np.eye(3)[SPECIES]),
    (make_pipeline(StandardScaler(), PCA(3)), IRIS, None),
    (make_pipeline(StandardScaler(), PCA(3), Ridge()), IRIS, np.eye(3)[SPECIES]),
    (GaussianRandomProjection(4, random_state=0), DIGITS, None),
]


@pytest.mark.parametrize("operator, X, y", AFFINE, ids=lambda value: repr(value)[:40])
def test_affine_estimators_are_read_exactly(operator, X, y):
    """The matrix, and the offset: with dense supports the transform is the estimator's own."""
    estimator = exactly(operator=operator).fit(X, y)
    reference = clone(operator).fit(X) if y is None else clone(operator).fit(X, y)
    expected = reference.transform(X) if hasattr(reference, "transform") else reference.predict(X)
    expected = np.asarray(expected).reshape(len(X), -1)
    scale = np.abs(expected).max()
    assert_allclose(estimator.transform(X) / scale, expected / scale, rtol=0, atol=1e-10)
    elsewhere = X[:5] + 1.0
    found = estimator.transform(elsewhere)
    again = getattr(reference, "transform", getattr(reference, "predict", None))(elsewhere)
    assert_allclose(found / scale, np.reshape(again, found.shape) / scale, rtol=0, atol=1e-10)
    assert_allclose(estimator.mean_, X.mean(axis=0), rtol=1e-12)
    assert not hasattr(operator, "n_features_in_")  # a copy was fitted


def test_explained_variance_of_an_exact_pca():
    for whiten in (False, True):
        pca = PCA(6, whiten=whiten).fit(DIGITS)
        estimator = exactly(operator=PCA(6, whiten=whiten)).fit(DIGITS)
        assert_allclose(
            estimator.explained_variance_ratio_, pca.explained_variance_ratio_, rtol=1e-9
        )
        for name in ("explained_variance_", "singular_values_"):
            assert_allclose(getattr(estimator, name), getattr(pca, name), rtol=1e-9)
        # what survives transform and inverse_transform is what is explained
        assert_allclose(estimator.score(DIGITS), pca.explained_variance_ratio_.sum(), rtol=1e-10)
        assert_allclose(
            estimator.inverse_transform(estimator.transform(DIGITS)),
            pca.inverse_transform(pca.transform(DIGITS)),
            atol=1e-10,
        )


@on_any_matrix
def test_explained_variance_of_an_approximation_is_its_score():
    estimator = ButterflyFactorizer(operator=PCA(16), supports="monarch").fit(DIGITS)
    assert estimator.relative_error_ > 0.1
    assert (estimator.explained_variance_ratio_ >= 0).all()
    assert_allclose(estimator.explained_variance_ratio_.sum(), estimator.score(DIGITS), rtol=1e-10)
    best = PCA(16).fit(DIGITS).explained_variance_ratio_.sum()
    assert estimator.score(DIGITS) <= best + 1e-12


def test_affine_far_from_the_origin():
    """Off-centre data: the matrix is read around the mean, where the rounding is smallest."""
    X = IRIS + 1e6
    estimator = exactly(operator=PCA(2)).fit(X)
    assert_allclose(estimator.transform(X), PCA(2).fit(X).transform(X), atol=1e-8)


@pytest.mark.parametrize(
    "operator, y, message",
    [
        (NMF(2, init="random", random_state=0, max_iter=2000), None, "NMF.*affine"),
        (KernelPCA(2, kernel="rbf"), None, "KernelPCA.*not affine"),
        (Normalizer(), None, "Normalizer.*not affine"),
        (Binarizer(threshold=2.0), None, "Binarizer.*not affine"),
        (MinMaxScaler(clip=True), None, "MinMaxScaler.*not affine"),
        (
            MLPRegressor(hidden_layer_sizes=(8,), random_state=0, max_iter=5000),
            SPECIES.astype(float),
            "MLPRegressor.*not affine",
        ),
        (LogisticRegression(max_iter=5000), SPECIES, "LogisticRegression.*not affine"),
        (
            LogisticRegression(max_iter=5000),
            np.array(["a", "b", "c"])[SPECIES],
            "LogisticRegression.*affine.*labels",
        ),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_is_not_affine_is_refused_with_the_reason(operator, y, message):
    with pytest.raises(ValueError, match=f"(?s)operator={message}"):
        ButterflyFactorizer(operator=operator).fit(IRIS, y)


def test_an_estimator_that_needs_y_says_so():
    with pytest.raises(ValueError, match=r"Ridge.*requires y"):
        ButterflyFactorizer(operator=Ridge()).fit(IRIS)
    tags = sklearn.utils.get_tags(ButterflyFactorizer(operator=Ridge()))
    assert tags.target_tags.required
    assert not sklearn.utils.get_tags(ButterflyFactorizer(operator=PCA())).target_tags.required


def test_random_state_is_passed_on():
    def fit(seed, own=None):
        operator = make_pipeline(StandardScaler(), GaussianRandomProjection(4, random_state=own))
        return exactly(operator=operator, random_state=seed).fit(DIGITS).components_

    assert_array_equal(fit(0), fit(0))
    assert np.abs(fit(0) - fit(1)).max() > 0.01
    assert_array_equal(fit(0, own=3), fit(1, own=3))
    state = np.random.RandomState(0)
    assert_array_equal(fit(np.random.RandomState(0)), fit(state))


# ---- principal components and the row space -----------------------------------------------


def test_n_components_alone_is_the_span_of_pca():
    for n_components in (1, 4, 16):
        estimator = exactly(n_components=n_components).fit(SAMPLES)
        pca = PCA(n_components).fit(SAMPLES)
        assert estimator.components_.shape == (n_components, 16)
        assert_allclose(estimator.mean_, pca.mean_)
        # orthonormal rows with the same span; the score is that of PCA
        projection = estimator.components_.T @ estimator.components_
        assert_allclose(projection, pca.components_.T @ pca.components_, atol=1e-12)
        assert_allclose(estimator.score(SAMPLES), pca.explained_variance_ratio_.sum(), rtol=1e-10)
        assert estimator.n_iter_ >= 1


def test_n_components_may_be_a_share_of_the_variance(asarray):
    for share in (0.3, 0.8, 0.95, 0.9999999):
        expected = PCA(share).fit(SAMPLES)
        estimator = exactly(n_components=share).fit(asarray(SAMPLES))
        assert tuple(estimator.components_.shape) == expected.components_.shape
        assert_allclose(estimator.relative_error_, 0, atol=1e-12)
        for name in ("explained_variance_ratio_", "explained_variance_", "singular_values_"):
            found = np.asarray(to_numpy(getattr(estimator, name)))
            power = 2 if name == "singular_values_" else 1  # of any basis of the span
            assert_allclose(np.sum(found**power), np.sum(getattr(expected, name) ** power))
    constant = exactly(n_components=0.5).fit(asarray(np.ones((4, 3))))
    assert tuple(constant.components_.shape) == (1, 3)


def test_n_components_beside_an_operator_keeps_its_first_rows():
    estimator = exactly(n_components=3, operator=A).fit(SAMPLES)
    assert_allclose(estimator.components_, A[:3], atol=1e-13)
    estimator = exactly(n_components=2, operator=PCA(5)).fit(SAMPLES)
    assert_allclose(estimator.transform(SAMPLES), PCA(5).fit_transform(SAMPLES)[:, :2], atol=1e-10)


@on_any_matrix
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("supports, rank", [("butterfly", None), ("monarch", 2), ("low-rank", 2)])
@pytest.mark.parametrize("operator", [A, PCA(8), np.eye(16)[:6]], ids=["A", "PCA", "eye"])
def test_subspace_is_never_worse_than_matrix(supports, rank, operator):
    options = {"supports": supports, "rank": rank, "operator": operator}
    matrix = ButterflyFactorizer(**options).fit(SAMPLES)
    subspace = ButterflyFactorizer(criterion="subspace", **options).fit(SAMPLES)
    assert subspace.reconstruction_err_ <= matrix.reconstruction_err_ * (1 + 1e-12) + 1e-13
    assert subspace.reconstruction_err_ <= subspace.error_bound_
    # the error is the distance to the row space, by least squares
    W = operator if isinstance(operator, np.ndarray) else PCA(8).fit(SAMPLES).components_
    mixed, *_ = np.linalg.lstsq(subspace.components_.T, W.T, rcond=None)
    outside = np.linalg.norm(W - mixed.T @ subspace.components_)
    assert_allclose(subspace.reconstruction_err_, outside, rtol=1e-8, atol=1e-12)


@on_any_matrix
def test_subspace_gains_where_rotation_helps():
    W = np.random.default_rng(1).standard_normal((16, 16))
    matrix = ButterflyFactorizer(operator=W).fit(SAMPLES)
    subspace = ButterflyFactorizer(operator=W, criterion="subspace", max_iter=500).fit(SAMPLES)
    assert matrix.relative_error_ > 0.6
    assert subspace.relative_error_ < 0.6 * matrix.relative_error_
    assert subspace.n_iter_ > 1


@on_any_matrix
def test_the_rotation_turns_the_offset_too():
    random = np.random.default_rng(2)
    W, intercept = random.standard_normal((8, 16)), 10 * random.standard_normal(8)
    y = SAMPLES @ W.T + intercept
    estimator = ButterflyFactorizer(
        operator=LinearRegression(), criterion="subspace", supports="monarch", max_iter=500
    ).fit(SAMPLES, y)
    # at convergence the rotation is the one that brings W closest to the components
    u, _, vh = np.linalg.svd(estimator.components_ @ W.T)
    expected = u @ vh @ y.mean(axis=0)
    assert_allclose(np.linalg.norm(estimator.offset_), np.linalg.norm(expected), rtol=1e-9)
    assert np.linalg.norm(estimator.offset_ - expected) < 0.01 * np.linalg.norm(expected)
    assert np.linalg.norm(y.mean(axis=0) - expected) > 0.3 * np.linalg.norm(expected)


@on_any_matrix
def test_convergence_warning():
    estimator = ButterflyFactorizer(criterion="subspace", max_iter=2)
    for fit in (estimator.fit, make_pipeline(StandardScaler(), estimator).fit):
        with pytest.warns(ConvergenceWarning, match="^ButterflyFactorizer: .*max_iter=2") as caught:
            fit(A)
        assert {w.filename for w in caught if w.category is ConvergenceWarning} == {__file__}
    assert estimator.n_iter_ == 4  # rotations, then steps
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        converged = exactly(criterion="subspace").fit(A)
    assert converged.n_iter_ == 1


@on_any_matrix
@pytest.mark.parametrize("load", [load_digits, load_breast_cancer], ids=["digits", "cancer"])
@pytest.mark.parametrize("supports, rank", [("butterfly", 1), ("monarch", 1), ("monarch", 2)])
def test_defaults_converge_on_ordinary_data(load, supports, rank):
    """Without a ConvergenceWarning, which would be an error."""
    X = load().data
    for samples in (X, StandardScaler().fit_transform(X)):
        for n_components in (8, 24):
            estimator = ButterflyFactorizer(n_components, supports=supports, rank=rank).fit(samples)
            assert estimator.n_iter_ < 500


# ---- transform and back -------------------------------------------------------------------


@on_any_matrix
def test_inverse_transform_is_the_least_norm_solution():
    for matrix in (A, A.T @ np.eye(12), np.vstack([A, A])):
        estimator = exactly(operator=matrix).fit(RANDOM.standard_normal((3, matrix.shape[1])))
        codes = RANDOM.standard_normal((5, matrix.shape[0]))
        expected = codes @ np.linalg.pinv(matrix).T
        assert_allclose(estimator.inverse_transform(codes), expected, atol=1e-12)
    estimator = ButterflyFactorizer(operator=PCA(8)).fit(SAMPLES)
    codes = estimator.transform(SAMPLES)
    # a projection: the second round trip changes nothing, the codes stay
    back = estimator.inverse_transform(codes)
    assert_allclose(estimator.transform(back), codes, atol=1e-10)
    assert_allclose(estimator.inverse_transform(estimator.transform(back)), back, atol=1e-10)


@on_any_matrix
def test_score_is_the_share_of_energy_kept():
    estimator = ButterflyFactorizer(operator=PCA(8)).fit(SAMPLES)
    back = estimator.inverse_transform(estimator.transform(SAMPLES))
    centred = SAMPLES - SAMPLES.mean(axis=0)
    expected = 1 - np.sum((SAMPLES - back) ** 2) / np.sum(centred**2)
    assert_allclose(estimator.score(SAMPLES), expected, rtol=1e-10)
    assert 0 < expected < 1
    assert exactly(operator=np.eye(16)).fit(SAMPLES).score(SAMPLES) == 1.0
    constant = np.ones((5, 3))
    assert exactly(operator=PCA(1)).fit(constant + np.eye(5, 3)).score(constant) <= 1.0


@on_any_matrix
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@for_each("scale", [2.0**-700, 2.0**700])
@pytest.mark.parametrize(
    "options",
    [{}, {"n_components": 4}, {"operator": A}, {"criterion": "subspace", "max_iter": 3}],
    ids=str,
)
def test_numbers_whose_squares_are_none(scale, options):
    reference = ButterflyFactorizer(**options).fit(SAMPLES)
    estimator = ButterflyFactorizer(**options).fit(SAMPLES * scale)
    assert_allclose(estimator.relative_error_, reference.relative_error_, rtol=1e-9)
    assert_allclose(estimator.score(SAMPLES * scale), reference.score(SAMPLES), rtol=1e-9)
    assert estimator.reconstruction_err_ <= estimator.error_bound_
    if "n_components" in options:
        shares = reference.explained_variance_ratio_
        assert_allclose(estimator.explained_variance_ratio_, shares, rtol=1e-9)


@on_any_matrix
@for_each("format", ["csr", "csc", "coo"])
@pytest.mark.parametrize("operator", [None, PCA(5)], ids=["matrix", "PCA"])
def test_sparse_samples(format, operator):
    X = scipy.sparse.random_array(
        (30, 64), density=0.1, format=format, rng=np.random.default_rng(0)
    )
    estimator = ButterflyFactorizer(operator=operator).fit(DIGITS)
    codes = estimator.transform(X)
    assert isinstance(codes, np.ndarray)
    assert_allclose(codes, estimator.transform(X.toarray()), atol=1e-10)
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        estimator.fit(X)


def test_single_precision_stays():
    X = DIGITS.astype("float32")
    for options in ({}, {"n_components": 4}, {"operator": PCA(4)}, {"operator": np.eye(64)}):
        estimator = ButterflyFactorizer(supports="dense", **options).fit(X)
        codes = estimator.transform(X)
        assert codes.dtype == np.float32
        assert estimator.inverse_transform(codes).dtype == np.float32
        for name in ("components_", "mean_", "offset_", "level_errors_"):
            assert getattr(estimator, name).dtype == np.float32, name
        double = ButterflyFactorizer(supports="dense", **options).fit(X.astype(float))
        expected = double.transform(X.astype(float))
        assert_allclose(np.abs(codes), np.abs(expected), atol=1e-3 * np.abs(expected).max())


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("n_components", [2, None])
def test_many_rows_in_single_precision(order, n_components):
    """As in double precision, in either order of the memory, far from the origin."""
    random = np.random.default_rng(1)
    double = (2000 + random.standard_normal((200_000, 2)) * [1, 2]).astype("f4").astype("f8")
    operator = StandardScaler() if n_components is None else None
    estimator = exactly(n_components=n_components, operator=operator)
    single = np.asarray(double, dtype="f4", order=order)
    expected = clone(estimator).fit(double)
    found = estimator.fit(single)
    for name in ("mean_", "explained_variance_ratio_"):
        assert getattr(found, name).dtype == np.float32
        assert_allclose(getattr(found, name), getattr(expected, name), rtol=2e-7)
    assert_allclose(found.score(single), expected.score(double), atol=1e-6)


@on_any_matrix
@pytest.mark.parametrize(
    "dtype, exponent", [("f4", -140), ("f4", 110), ("f8", -1065), ("f8", 1005)]
)
def test_the_ends_of_the_number_range(dtype, exponent):
    """Scores and inverses are numbers, where those of the matrix itself are none."""
    for seed in range(20):
        plain = np.random.default_rng(seed).integers(-9, 10, (8, 8)).astype(dtype)
        X = np.ldexp(plain, exponent)
        estimator, reference = ButterflyFactorizer().fit(X), ButterflyFactorizer().fit(plain)
        tolerance = 1e4 * np.finfo(dtype).eps
        assert_allclose(estimator.relative_error_, reference.relative_error_, rtol=tolerance)
        assert estimator.reconstruction_err_ <= estimator.error_bound_
        error = np.ldexp(
            np.linalg.norm(plain - np.ldexp(estimator.components_, -exponent)), exponent
        )
        assert error <= estimator.error_bound_
        assert_allclose(estimator.score(X), reference.score(plain), atol=1e2 * tolerance)
        codes = reference.transform(plain)
        back = estimator.inverse_transform(np.ldexp(codes, exponent))
        assert_allclose(back, reference.inverse_transform(codes), rtol=0.05, atol=1)


@for_each("options", [{"n_components": 2}, {"criterion": "subspace"}])
def test_sums_beyond_the_largest_number(options):
    """Finite samples are not called infinite."""
    X = np.sign(A) * 1.7e308
    with pytest.raises(ValueError, match=r"exceeds? the largest number of float64: divide"):
        ButterflyFactorizer(**options).fit(X)


# ---- among estimators ---------------------------------------------------------------------


@on_any_matrix
def test_parameters_are_not_touched_by_fit_nor_state_by_transform():
    operator = PCA(4)
    permutation = (np.arange(4)[::-1], None)
    estimator = ButterflyFactorizer(operator=operator, permutation=permutation, order=[1])
    parameters = estimator.get_params(deep=False)
    before = pickle.dumps(parameters)
    estimator.fit(SAMPLES)
    after = estimator.get_params(deep=False)
    assert all(after[name] is parameters[name] for name in parameters)
    assert pickle.dumps(after) == before
    assert not hasattr(operator, "components_")

    state, names = pickle.dumps(estimator), set(vars(estimator))
    codes = estimator.transform(SAMPLES)
    estimator.inverse_transform(codes)
    estimator.score(SAMPLES)
    _ = estimator.components_, estimator.factors_
    assert set(vars(estimator)) == names
    assert pickle.dumps(estimator) == state


@on_any_matrix
def test_refitting_forgets_the_earlier_fit():
    estimator = ButterflyFactorizer(operator=PCA(4)).fit(SAMPLES)
    assert hasattr(estimator, "explained_variance_ratio_")
    estimator.set_params(operator=None).fit(A)
    assert not hasattr(estimator, "explained_variance_ratio_")
    assert set(vars(estimator)) == set(vars(ButterflyFactorizer().fit(A)))


def test_unfitted():
    estimator = ButterflyFactorizer()
    for name in ("components_", "factors_"):
        with pytest.raises((NotFittedError, AttributeError)):
            getattr(estimator, name)
    assert not hasattr(estimator, "operator_")


@on_any_matrix
def test_clone_and_copy():
    estimator = ButterflyFactorizer(
        operator=PCA(4), supports=Chain.low_rank(4, 16, 2), order="right-to-left"
    ).fit(SAMPLES)
    unfitted = clone(estimator)
    assert not hasattr(unfitted, "operator_")
    assert_array_equal(unfitted.fit(SAMPLES).components_, estimator.components_)
    for duplicate in (copy.copy(estimator), copy.deepcopy(estimator)):
        assert_array_equal(duplicate.transform(SAMPLES), estimator.transform(SAMPLES))


@on_any_matrix
def test_another_process_gives_the_same_output(tmp_path):
    pipeline = make_pipeline(
        StandardScaler(), ButterflyFactorizer(operator=PCA(8)), LogisticRegression(max_iter=2000)
    )
    pipeline = clone(pipeline).fit(IRIS @ RANDOM.standard_normal((4, 16)), SPECIES)
    X = RANDOM.standard_normal((20, 16))
    expected = pipeline.predict_proba(X)
    (tmp_path / "pipeline.pkl").write_bytes(pickle.dumps(pipeline))
    np.save(tmp_path / "X.npy", X)
    script = """
import pickle, sys
from pathlib import Path
import numpy as np
folder = Path(sys.argv[1])
pipeline = pickle.loads((folder / "pipeline.pkl").read_bytes())
np.save(folder / "found.npy", pipeline.predict_proba(np.load(folder / "X.npy")))
"""
    subprocess.run([sys.executable, "-W", "error", "-c", script, tmp_path], check=True)
    assert_array_equal(np.load(tmp_path / "found.npy"), expected)


@on_any_matrix
def test_a_fitted_operator_is_pickled_unfitted():
    """Its numbers are in `operator_` already; one that is frozen is needed again."""
    fitted, fresh = PCA(48).fit(DIGITS), PCA(48)
    sizes = [
        len(
            pickle.dumps(ButterflyFactorizer(operator=pca, supports="low-rank", rank=8).fit(DIGITS))
        )
        for pca in (fitted, fresh)
    ]
    assert sizes[0] == sizes[1]
    assert hasattr(fitted, "components_")
    for operator in (fitted, fresh, FrozenEstimator(fitted), np.eye(64), None):
        estimator = exactly(operator=operator).fit(DIGITS)
        duplicate = pickle.loads(pickle.dumps(estimator))
        assert_array_equal(duplicate.transform(DIGITS), estimator.transform(DIGITS))
        assert_array_equal(duplicate.fit(DIGITS).components_, estimator.components_)
    assert pickle.loads(pickle.dumps(ButterflyFactorizer(operator=PCA))).operator is PCA


def test_feature_names_and_data_frames():
    pd = pytest.importorskip("pandas")
    names = [f"pixel {i}" for i in range(16)]
    frame = pd.DataFrame(SAMPLES, columns=names)
    estimator = ButterflyFactorizer(operator=PCA(3)).fit(frame)
    assert_array_equal(estimator.feature_names_in_, names)
    out = [f"butterflyfactorizer{i}" for i in range(3)]
    assert_array_equal(estimator.get_feature_names_out(), out)
    codes = estimator.transform(frame)
    assert isinstance(codes, np.ndarray)
    assert estimator.score(frame) <= 1.0  # and no warning about feature names
    with pytest.raises(ValueError, match="feature names"):
        estimator.transform(frame[names[::-1]])

    estimator.set_output(transform="pandas")
    output = estimator.transform(frame)
    assert isinstance(output, pd.DataFrame) and list(output.columns) == out
    assert_array_equal(output.to_numpy(), codes)
    assert_array_equal(output.index, frame.index)
    assert_array_equal(estimator.inverse_transform(output), estimator.inverse_transform(codes))
    assert estimator.score(frame) <= 1.0


def test_polars_output():
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame(SAMPLES, schema=[f"x{i}" for i in range(16)])
    estimator = ButterflyFactorizer(operator=PCA(3)).set_output(transform="polars").fit(frame)
    output = estimator.transform(frame)
    assert isinstance(output, pl.DataFrame)
    assert output.columns == [f"butterflyfactorizer{i}" for i in range(3)]
    expected = ButterflyFactorizer(operator=PCA(3)).fit(SAMPLES).transform(SAMPLES)
    assert_allclose(output.to_numpy(), expected, atol=1e-10)


@on_any_matrix
def test_grid_search():
    pipeline = make_pipeline(
        StandardScaler(),
        ButterflyFactorizer(operator=PCA(8)),
        LogisticRegression(max_iter=2000),
    )
    step = "butterflyfactorizer__"
    grid = [
        {step + "supports": ["butterfly", "low-rank"], step + "rank": [1, 3]},
        {step + "operator__n_components": [4, 16]},
        {
            step + "operator": [
                PCA(6),
                TruncatedSVD(6, random_state=0),
                LinearDiscriminantAnalysis(),
            ]
        },
        {step + "operator": [None], step + "n_components": [4], step + "supports": ["dense"]},
    ]
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(DIGITS, LABELS)
    scores = search.cv_results_["mean_test_score"]
    assert scores.shape == (4 + 2 + 3 + 1,)
    by_parameters = {str(p): s for p, s in zip(search.cv_results_["params"], scores, strict=True)}
    assert by_parameters[str({step + "operator__n_components": 16})] > 0.5
    assert len(set(scores.round(6))) >= 6  # the parameters reach the estimator
    assert search.best_score_ == scores.max()


@on_any_matrix
def test_parameters_search_by_the_estimators_own_score():
    grid = {"rank": [1, 2, 4], "supports": ["butterfly", "monarch"]}
    search = GridSearchCV(ButterflyFactorizer(operator=PCA(16)), grid, cv=2, error_score="raise")
    search.fit(DIGITS)
    assert search.best_params_["rank"] == 4


# ---- progress -----------------------------------------------------------------------------


def test_verbose_prints_a_line_for_each_split(capsys):
    ButterflyFactorizer().fit(scipy.linalg.hadamard(16))
    assert capsys.readouterr().out == ""
    estimator = ButterflyFactorizer(verbose=1, order=[2, 1, 3]).fit(RANDOM.random((16, 16)))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines] == [
        f"[ButterflyFactorizer] split {s}" for s in (2, 1, 3)
    ]
    printed = [float(line.split()[-1]) for line in lines]
    assert_allclose(printed, estimator.level_errors_[[1, 0, 2]], rtol=1e-3)


def test_verbose_prints_a_line_for_each_rotation_and_step(capsys):
    with pytest.warns(ConvergenceWarning):
        estimator = ButterflyFactorizer(verbose=1, criterion="subspace", max_iter=3).fit(A)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines] == [
        f"[ButterflyFactorizer] {task} {i}" for task in ("rotation", "step") for i in (1, 2, 3)
    ]
    assert_allclose(float(lines[-1].split()[-1]), estimator.reconstruction_err_, rtol=1e-3)


class Recorder:
    """A scikit-learn callback that keeps what it is told."""

    def __init__(self):
        self.events = []

    def setup(self, **_):
        self.events.append("setup")

    def teardown(self, **_):
        self.events.append("teardown")

    def on_fit_task_begin(self, _estimator, context, **_):
        self.events.append(("begin", context.task_name, context.task_id))

    def on_fit_task_end(self, _estimator, context, **_):
        self.events.append(("end", context.task_name, context.task_id))
        return False


@pytest.mark.skipif(SKLEARN < (1, 9), reason="scikit-learn has no callbacks yet")
def test_callbacks_see_every_split():
    recorder = Recorder()
    estimator = ButterflyFactorizer().set_callbacks(recorder)
    estimator.fit(RANDOM.random((16, 16)))
    assert recorder.events[0] == "setup" and recorder.events[-1] == "teardown"
    tasks = [event for event in recorder.events if isinstance(event, tuple)]
    assert sum(event[0] == "begin" for event in tasks) == sum(event[0] == "end" for event in tasks)
    splits = [event for event in tasks if event[:2] == ("begin", "split")]
    assert len(splits) == 3
    assert len({event[2] for event in splits}) == 3


@pytest.mark.skipif(SKLEARN < (1, 9), reason="scikit-learn has no callbacks yet")
def test_a_callback_can_stop_the_rotation():
    class Stopper(Recorder):
        def on_fit_task_end(self, estimator, context, **_):
            super().on_fit_task_end(estimator, context)
            return context.task_name == "rotation" and context.task_id >= 1

    estimator = ButterflyFactorizer(criterion="subspace").set_callbacks(Stopper()).fit(A)
    assert estimator.n_iter_ == 2


@on_any_matrix
@pytest.mark.skipif(SKLEARN < (1, 9), reason="scikit-learn has no callbacks yet")
def test_the_progress_bar_of_scikit_learn():
    pytest.importorskip("rich")
    from sklearn.callback import ProgressBar

    estimator = ButterflyFactorizer().set_callbacks(ProgressBar())
    estimator.fit(A)
    assert_array_equal(estimator.components_, ButterflyFactorizer().fit(A).components_)


# ---- families -----------------------------------------------------------------------------


@on_any_matrix
@pytest.mark.parametrize("family", ["butterfly", "monarch", "low-rank", "dense"])
def test_families_at_every_small_shape(family):
    for shape in [(1, 1), (1, 7), (7, 1), (2, 2), (5, 11), (13, 13), (31, 6)]:
        X = RANDOM.standard_normal(shape)
        estimator = ButterflyFactorizer(supports=family).fit(X)
        assert estimator.chain_ == resolve_supports(family, *shape)
        assert estimator.operator_.nnz <= X.size
        assert estimator.components_.shape == shape
        assert estimator.transform(X).shape == (shape[0], shape[0])
        assert estimator.reconstruction_err_ <= estimator.error_bound_
