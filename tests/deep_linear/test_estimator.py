"""SparseDeepLinearNet: independent answers, structure, budgets, units, every library."""

import copy
import pickle
import warnings

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    OrthogonalMatchingPursuit,
    Ridge,
)
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skfact import SparseDeepLinearNet
from skfact._backend import array_namespace, to_numpy
from skfact.deep_linear import CirculantFactor, StructuredFactor, ToeplitzFactor
from skfact.exceptions import IllPosedWarning, StructureWarning
from skfact.supports import FixedMask, KSparse, SupportFamily
from tests.asserts import for_each

RANDOM = np.random.default_rng(0)
STATE = RANDOM.bit_generator.state


@pytest.fixture(autouse=True)
def same_numbers_in_any_order():
    RANDOM.bit_generator.state = STATE


def data(n, p, q, seed=0):
    random = np.random.default_rng(seed)
    return random.standard_normal((n, p)), random.standard_normal((n, q))


@pytest.mark.parametrize(
    "settings",
    [
        {"solver": "lbfgs", "max_iter": 30},
        {"supports": [ToeplitzFactor(6, 4), CirculantFactor(4, blocks=(1, 2))], "max_iter": 20},
        {"supports": [KSparse(2, axis=1)] * 2, "max_iter": 5, "solver": "palm4msa"},
        {"supports": [np.tri(6, 8), np.tri(8, 8).T], "solver": "lbfgs", "max_iter": 5},
        {"solver": "adam", "max_iter": 3, "early_stopping": True},
    ],
    ids=["butterfly", "structured", "budgets", "masks", "adam"],
)
@pytest.mark.parametrize("backend", ["auto", "numpy"])
def test_estimator_in_every_library(settings, backend, xp, device, asarray):
    host, target = data(40, 8, 6)
    expected = SparseDeepLinearNet(random_state=0, **settings)
    net = SparseDeepLinearNet(random_state=0, backend=backend, **settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        expected.fit(host, target)
        net.fit(asarray(host), asarray(target))
    for found, wanted in (
        (net.coef_, expected.coef_),
        (net.predict(asarray(host)), expected.predict(host)),
    ):
        assert array_namespace(found) is xp and found.device == device
        assert_allclose(to_numpy(found), wanted, rtol=1e-6, atol=1e-6)
    codes = net.transform(asarray(host))  # singular vectors, and so codes, up to signs
    assert array_namespace(codes) is xp and codes.device == device
    assert_allclose(np.abs(to_numpy(codes)), np.abs(expected.transform(host)), atol=1e-6)


def test_maps_of_one_library_with_data_of_another(xp, asarray):
    X, Y = data(20, 3, 3)
    diagonal = StructuredFactor((3, 3), 3, np.diag, np.diag)  # NumPy's functions
    net = SparseDeepLinearNet([diagonal], backend="numpy").fit(asarray(X), asarray(Y))
    assert array_namespace(net.coef_) is xp
    assert_allclose(to_numpy(net.coef_), SparseDeepLinearNet([diagonal]).fit(X, Y).coef_)


def test_batches_in_every_library(xp, device, asarray):
    host, target = data(40, 8, 6)
    expected = SparseDeepLinearNet(learning_rate_init=0.1, random_state=0)
    net = SparseDeepLinearNet(learning_rate_init=0.1, random_state=0)
    for batch in (slice(0, 15), slice(15, 40)):
        expected.partial_fit(host[batch], target[batch])
        net.partial_fit(asarray(host[batch]), asarray(target[batch]))
    assert array_namespace(net.coef_) is xp and net.coef_.device == device
    assert_allclose(to_numpy(net.coef_), expected.coef_, atol=1e-12)
    assert_allclose(to_numpy(net.intercept_), expected.intercept_, atol=1e-12)


def test_dense_is_least_squares_and_ridge():
    X, Y = data(20, 6, 3)
    weights = np.arange(20.0)
    ours = SparseDeepLinearNet("dense").fit(X, Y, weights)
    theirs = LinearRegression().fit(X, Y, weights)
    assert ours.solver_ == "closed-form"
    assert_allclose(ours.coef_, theirs.coef_)
    assert_allclose(ours.intercept_, theirs.intercept_)
    assert_allclose(ours.loss_curve_, 0.5 * weights @ np.sum((Y - theirs.predict(X)) ** 2, axis=1))
    ours, theirs = SparseDeepLinearNet("dense", alpha=2).fit(X, Y), Ridge(2).fit(X, Y)
    assert_allclose(ours.coef_, theirs.coef_)
    iterated = SparseDeepLinearNet("dense", alpha=2, solver="lbfgs", tol=0).fit(X, Y)
    assert_allclose(iterated.coef_, theirs.coef_, rtol=1e-6)


def test_one_mask_is_one_regression_per_output():
    X, Y = data(30, 8, 6)
    mask = RANDOM.random((6, 8)) < 0.6
    net = SparseDeepLinearNet([mask], tol=1e-15, max_iter=500).fit(X, Y)
    assert net.solver_ == "lbfgs"
    for row, kept in enumerate(mask):
        alone = LinearRegression().fit(X[:, kept], Y[:, row])
        assert_allclose(net.coef_[row, kept], alone.coef_, rtol=1e-5, atol=1e-6)
        assert not net.coef_[row, ~kept].any()


def test_isotropic_inputs_have_a_closed_form():
    Q = np.linalg.qr(RANDOM.standard_normal((40, 16)) - 0.0)[0]
    Q = np.linalg.qr(Q - Q.mean(axis=0))[0] * 3
    H = scipy.linalg.hadamard(16)
    net = SparseDeepLinearNet().fit(Q, Q @ H.T + 5)
    assert (net.solver_, net.n_iter_) == ("closed-form", 1)
    assert_allclose(net.coef_, H, atol=1e-10)
    assert_allclose(net.intercept_, np.full(16, 5.0), atol=1e-10)


@pytest.mark.parametrize("exponent", [-480, 0, 480])
def test_lbfgs_recovers_a_butterfly_at_any_scale(exponent):
    X, _ = data(60, 16, 1)
    X = X * 2.0**exponent
    X = X @ np.diag(np.linspace(0.5, 2, 16))
    Y = X @ scipy.linalg.hadamard(16).T / 4
    net = SparseDeepLinearNet(solver="lbfgs").fit(X, Y)
    assert net.score(X, Y) > 1 - 1e-8
    assert np.all(np.diff(net.loss_curve_) <= 0)


def test_structured_factors_recover_a_convolution():
    X, _ = data(50, 8, 1)
    C = scipy.linalg.circulant(np.arange(8.0))
    net = SparseDeepLinearNet([CirculantFactor(8)], tol=0, max_iter=300).fit(X, X @ C.T)
    assert_allclose(net.coef_, C, atol=1e-6)


@for_each("kind, seed", [*(("circulant", seed) for seed in range(6)), ("Toeplitz", 1)])
def test_two_unknown_convolutions_are_recovered_as_one(kind, seed):
    """Blind deconvolution: two circulant factors from all seeds, a Toeplitz one from some."""
    random = np.random.default_rng(seed)
    X, circulant = random.standard_normal((60, 8)), CirculantFactor(8)
    other = circulant if kind == "circulant" else ToeplitzFactor(10, 8)
    n_parameters = 8 if kind == "circulant" else 17
    planted = other.matrix(random.standard_normal(n_parameters))
    planted = planted @ circulant.matrix(random.standard_normal(8))
    net = SparseDeepLinearNet([other, circulant], tol=1e-12, max_iter=2000, fit_intercept=False)
    net.set_params(random_state=0).fit(X, X @ planted.T)
    assert_allclose(net.coef_, planted, atol=1e-5 * np.abs(planted).max())


def test_adjoints_pass_the_dot_product_test_and_toeplitz_is_scipys():
    h = RANDOM.standard_normal(10)
    T = ToeplitzFactor(4, 7).matrix(h)
    assert_allclose(T, scipy.linalg.toeplitz(h[3::-1], h[3:]))
    wrong = StructuredFactor((3, 3), 3, np.diag, lambda G: 2 * np.diag(G))
    with pytest.raises(ValueError, match=r"supports.0.: the adjoint fails the dot-product test"):
        SparseDeepLinearNet([wrong]).fit(*data(9, 3, 3))


@for_each(
    "supports",
    [
        [KSparse(4, axis=1), KSparse(4, axis=1)],
        [KSparse(4, axis=0), KSparse(60)],
        [KSparse(40), FixedMask(np.tri(16)), KSparse(3, axis=0)],
    ],
)
def test_budgets_are_kept_and_the_loss_never_rises(supports):
    """By row, by column, in all, and beside a mask."""
    X, _ = data(50, 16, 1)
    X = X * np.linspace(0.5, 2, 16)
    Y = X @ scipy.linalg.hadamard(16).T
    net = SparseDeepLinearNet(supports, solver="palm4msa", max_iter=30, tol=0, random_state=0)
    with pytest.warns(ConvergenceWarning):
        net.fit(X, Y)
    for factor, support in zip(net.operator_.factors, supports, strict=True):
        kept = factor.toarray() != 0
        if isinstance(support, KSparse):
            assert np.max(np.count_nonzero(kept, axis=support.axis)) <= support.k
        else:
            assert not kept[~support.mask()].any()
    losses = np.array(net.loss_curve_)
    assert np.all(np.diff(losses) <= 1e-9 * losses[0])
    rest = Y - net.predict(X)
    assert_allclose(losses[-1], 0.5 * np.sum(rest**2))


def test_lu_factors_of_the_flip_diverge_and_alpha_helps():
    X = np.linalg.qr(RANDOM.standard_normal((20, 2)))[0] @ np.diag([1.0, 1.01])
    Y = X[:, ::-1]
    lower = np.tri(2)
    net = SparseDeepLinearNet(
        [lower, lower.T], fit_intercept=False, solver="lbfgs", max_iter=500, tol=1e-12
    )
    with pytest.warns(IllPosedWarning, match="alpha"):
        net.fit(X, Y)
    net.set_params(alpha=1e-2).fit(X, Y)
    assert max(np.abs(f).max() for f in net.factors_) < 10


def test_with_alpha_the_start_stands_small_singular_values():
    X, Y = data(16, 16, 16)
    U, _, Vh = np.linalg.svd(X)
    X = U * np.logspace(0, -4, 16) @ Vh
    net = SparseDeepLinearNet("monarch", alpha=0.1, fit_intercept=False)
    losses = net.fit(X, Y).loss_curve_
    longer = net.set_params(max_iter=5000, tol=1e-9).fit(X, Y).loss_curve_
    assert losses[-1] <= 1.001 * longer[-1]
    assert losses[0] <= 10 * longer[-1]


def test_bottleneck_transforms_what_the_last_factor_takes():
    X, Y = data(40, 8, 6)
    net = SparseDeepLinearNet("dense", hidden_layer_sizes=3, random_state=0).fit(X, Y)
    codes = net.transform(X)
    assert codes.shape == (40, 3) == (40, len(net.get_feature_names_out()))
    assert_allclose(codes @ net.factors_[0][0, 0].T + Y.mean(axis=0), net.predict(X))
    labels = Y[:, 0] > 0
    make_pipeline(SparseDeepLinearNet("low-rank"), LogisticRegression()).fit(X, labels * 1.0)


def test_bottleneck_is_reduced_rank_regression():
    X, _ = data(60, 7, 1)
    X = X @ np.diag(np.linspace(0.2, 2, 7))
    Y = X @ RANDOM.standard_normal((7, 5)) + RANDOM.standard_normal((60, 5))
    net = SparseDeepLinearNet("dense", hidden_layer_sizes=2, tol=1e-14, max_iter=2000).fit(X, Y)
    full = LinearRegression().fit(X, Y)  # the fitted values, on their two leading directions
    fitted = full.predict(X) - Y.mean(axis=0)
    leading = np.linalg.svd(fitted, full_matrices=False)[2][:2]
    assert_allclose(net.coef_, leading.T @ leading @ full.coef_, rtol=1e-4, atol=1e-5)


def test_kaleidoscope_starts_from_the_butterfly_and_is_no_worse():
    X, Y = data(60, 8, 8)
    X = X * np.linspace(0.5, 2, 8)
    butterfly = SparseDeepLinearNet("butterfly", solver="lbfgs", max_iter=2000).fit(X, Y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        kaleidoscope = SparseDeepLinearNet("kaleidoscope", solver="lbfgs", max_iter=100).fit(X, Y)
    assert_allclose(kaleidoscope.loss_curve_[0], butterfly.loss_curve_[0])
    assert kaleidoscope.loss_curve_[-1] < butterfly.loss_curve_[-1]


def test_inner_units_beyond_the_rank_are_used():
    X, Y = data(60, 8, 6)
    net = SparseDeepLinearNet("dense", hidden_layer_sizes=(9, 7), tol=1e-10, max_iter=500)
    net.fit(X, Y)
    assert_allclose(net.score(X, Y), LinearRegression().fit(X, Y).score(X, Y))
    assert min(np.abs(factor).max() for factor in net.factors_) > 0


@pytest.mark.parametrize("exponent", [9, 400])
def test_ridge_penalty_is_that_of_the_units_of_the_data(exponent):
    X, Y = data(40, 8, 8)
    unit = 2.0**exponent
    # factors (unit Y) = sqrt(unit) factors (Y), if the penalty grows like unit
    once = SparseDeepLinearNet("monarch", alpha=0.5, max_iter=2000, tol=1e-14)
    scaled = SparseDeepLinearNet("monarch", alpha=0.5 * unit, max_iter=2000, tol=1e-14)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        once.fit(X, Y), scaled.fit(X, Y * unit)
    assert_allclose(scaled.coef_ / unit, once.coef_, rtol=1e-4, atol=1e-6)


def test_ridge_on_two_factors_is_the_nuclear_norm():
    Y = np.random.default_rng(0).standard_normal((6, 5))
    U, s, V = np.linalg.svd(Y, full_matrices=False)
    alpha = (s[2] + s[3]) / 2  # with X = I the singular values are lowered by alpha
    expected = (U * np.maximum(s - alpha, 0)) @ V
    budgets = [KSparse(30), KSparse(25)]  # all entries: what is left is the penalty
    options = {"alpha": alpha, "fit_intercept": False, "tol": 1e-13, "max_iter": 5000}
    for supports, hidden in ((budgets, 5), ("dense", 5)):
        net = SparseDeepLinearNet(supports, hidden_layer_sizes=hidden, **options)
        net.fit(np.eye(5), Y.T)
        assert_allclose(net.coef_, expected, atol=1e-4)


@pytest.mark.parametrize("supports", ["butterfly", [KSparse(2, axis=1)] * 3, [KSparse(9)]])
def test_units_of_the_data_change_nothing(supports):
    X, Y = data(60, 8, 8)
    X[:, 1:] += 0.5 * X[:, :-1]
    usual = SparseDeepLinearNet(supports, random_state=0).fit(X, Y)
    for x, y in ((2.0**20, 1.0), (2.0**-20, 2.0**30)):
        other = SparseDeepLinearNet(supports, random_state=0).fit(X * x, Y * y)
        assert other.n_iter_ == usual.n_iter_ and other.solver_ == usual.solver_
        assert_allclose(other.coef_, usual.coef_ * (y / x), rtol=1e-6, atol=1e-9 * y / x)


def test_budgets_do_not_depend_on_the_units_of_features():
    X, _ = data(60, 8, 1)
    units = 2.0 ** np.arange(-4, 4)
    coef = KSparse(9).project(RANDOM.standard_normal((5, 8)))
    net = SparseDeepLinearNet([KSparse(9)]).fit(X * units, X @ coef.T)
    assert net.operator_.nnz == 9
    assert_allclose(net.coef_ * units, coef, atol=1e-6)


def test_constant_features_get_no_large_coefficients():
    X, _ = data(60, 8, 1)
    X[:, 3] = 0.1  # not a multiple of a power of two: its mean differs by a rounding error
    Y = X[:, :2] @ RANDOM.standard_normal((2, 3)) + 0.1 * RANDOM.standard_normal((60, 3))
    net = SparseDeepLinearNet([KSparse(8)]).fit(X, Y)
    assert np.abs(net.coef_).max() < 10


def test_several_budgets_are_split_level_by_level():
    H = scipy.linalg.hadamard(16)
    X, _ = data(80, 16, 1)
    net = SparseDeepLinearNet([KSparse(2, axis=(0, 1))] * 4, max_iter=30, tol=1e-10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        net.fit(X, X @ H.T)
    assert net.solver_ == "hierarchical" and net.operator_.nnz == 2 * 16 * 4
    assert net.score(X, X @ H.T) > 0.95


def test_codes_are_those_of_the_last_hidden_layer():
    X, Y = data(40, 12, 10)
    net = SparseDeepLinearNet("butterfly", hidden_layer_sizes=(7, 5), alpha=0.1, max_iter=500)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        net.fit(X, Y)
    codes = net.transform(X)
    assert codes.shape == (40, 5) and len(net.get_feature_names_out()) == 5
    assert np.linalg.matrix_rank(np.hstack([codes, net.predict(X) - Y.mean(axis=0)])) == 5


def test_parameters_are_those_of_the_structure():
    X, _ = data(50, 8, 1)
    circulant = CirculantFactor(8)
    h = np.arange(8.0)
    net = SparseDeepLinearNet([circulant], tol=0, max_iter=300).fit(X, X @ circulant.matrix(h).T)
    assert_allclose(net.parameters_[0], h, atol=1e-6)


def test_steps_that_are_too_long_are_reported():
    X, Y = data(60, 8, 6)
    net = SparseDeepLinearNet("dense", solver="adam", learning_rate_init=100.0, random_state=0)
    with pytest.warns(ConvergenceWarning, match="learning_rate_init=100"):
        net.fit(X, Y)


def test_structures_and_budgets_go_together():
    X, _ = data(80, 8, 1)
    random = np.random.default_rng(1)
    circulant = scipy.linalg.circulant(random.standard_normal(8))
    scattered = np.eye(8)[random.permutation(8)] * np.arange(1.0, 9)
    X = X * np.linspace(0.5, 2, 8)
    supports = [CirculantFactor(8), KSparse(1, axis=0)]
    net = SparseDeepLinearNet(supports, tol=1e-12, max_iter=500, random_state=0)
    Y = X @ (circulant @ scattered).T
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        net.fit(X, Y)
    left, right = (factor.toarray() for factor in net.operator_.factors)
    assert_allclose(left, CirculantFactor(8).project(left), atol=1e-12)
    assert np.count_nonzero(right, axis=0).max() == 1
    losses = np.array(net.loss_curve_)
    assert np.all(np.diff(losses) <= 1e-9 * losses[0]) and losses[-1] <= losses[0]


def test_one_support_of_a_family_is_learned():
    random = np.random.default_rng(2)
    X = random.standard_normal((80, 6))
    families = [SupportFamily([np.tri(6), np.eye(6)[::-1], np.tri(6).T, KSparse(3)])]
    coef = np.tri(6).T * random.uniform(1, 2, (6, 6))
    net = SparseDeepLinearNet(families).fit(X, X @ coef.T)
    assert net.solver_ == "palm4msa"
    assert_allclose(net.coef_, coef, atol=1e-6)
    assert net.family_index_ == [2]
    again = pickle.loads(pickle.dumps(clone(net))).fit(X, X @ coef.T)
    assert again.supports == families
    assert_allclose(again.coef_, net.coef_)
    options = [[SupportFamily([np.eye(6), np.tri(6)])], families]
    search = GridSearchCV(SparseDeepLinearNet(), {"supports": options}, cv=3).fit(X, X @ coef.T)
    assert search.best_index_ == 1 and search.best_estimator_.family_index_ == [2]
    with pytest.raises(AttributeError) as raised:
        net.partial_fit(X, X)
    assert "families" in str(raised.value.__cause__)


def test_budgets_have_no_partial_fit_and_say_why():
    net = SparseDeepLinearNet([KSparse(3)])
    assert not hasattr(net, "partial_fit")
    with pytest.raises(AttributeError) as raised:
        net.partial_fit(*data(5, 3, 2))
    assert "supports has budgets" in str(raised.value.__cause__)


def test_partial_fit_goes_on_after_fit_and_fit_starts_anew():
    X, Y = data(60, 8, 6)
    net = SparseDeepLinearNet("butterfly", solver="lbfgs", learning_rate_init=1e-9).fit(X, Y)
    before, n_iter = net.predict(X), net.n_iter_
    net.partial_fit(X[:20], Y[:20])
    assert net.solver_ == "adam" and net.n_iter_ == n_iter + 1
    assert_allclose(net.predict(X), before, atol=1e-6)
    assert_allclose(net.fit(X, Y).predict(X), before)


@pytest.mark.parametrize("exponent", [-480, 480])
def test_partial_fit_at_any_scale(exponent):
    X, Y = data(60, 4, 3)
    unit = 2.0**exponent
    usual, scaled = (
        SparseDeepLinearNet("dense", learning_rate_init=0.01, random_state=0) for _ in range(2)
    )
    for _ in range(5):
        usual.partial_fit(X, Y)
        scaled.partial_fit(X * unit, Y)
    # the unit of the data is the nearest power of two: Adam's steps are relative to it
    assert np.all(np.diff(scaled.loss_curve_) < 0) and np.all(np.diff(usual.loss_curve_) < 0)
    assert np.isfinite(scaled.coef_).all()


def test_adam_and_partial_fit_come_near_least_squares():
    X, _ = data(200, 4, 1)
    Y = X @ RANDOM.standard_normal((4, 3)) + 2
    net = SparseDeepLinearNet(
        "dense", solver="adam", learning_rate_init=0.05, early_stopping=True, random_state=0
    ).fit(X, Y)
    assert net.solver_ == "adam" and net.score(X, Y) > 0.99
    stream = SparseDeepLinearNet("dense", learning_rate_init=0.05, random_state=0)
    for _ in range(150):
        stream.partial_fit(X[:100], Y[:100]).partial_fit(X[100:], Y[100:])
    assert stream.n_iter_ == 300 and stream.score(X, Y) > 0.99


@pytest.mark.parametrize("supports", ["butterfly", [KSparse(2, axis=1), KSparse(2, axis=1)]])
@pytest.mark.parametrize("exponent", [0, 300])
def test_warm_start_goes_on_where_fit_stopped(supports, exponent):
    X, Y = data(40, 8, 8)
    Y = Y * 2.0**exponent
    net = SparseDeepLinearNet(supports, warm_start=True, max_iter=3)
    with pytest.warns(ConvergenceWarning):
        first = net.fit(X, Y).loss_curve_
    with pytest.warns(ConvergenceWarning):
        second = net.fit(X, Y).loss_curve_
    assert_allclose(second[0], first[-1])
    assert second[-1] < first[-1]


def test_lbfgs_ends_by_the_loss_that_it_reports():
    X, noise = data(400, 8, 8)
    X[:, 1:] += 0.5 * X[:, :-1]
    Y = X @ scipy.linalg.hadamard(8) + noise
    model = SparseDeepLinearNet("butterfly", tol=1e-3).fit(X, Y + np.abs(X))
    losses = np.array(model.loss_curve_)
    falls = (losses[:-10] - losses[10:]) / losses[:-10]
    assert model.solver_ == "lbfgs"
    assert np.all(falls[:-1] > 1e-3)
    assert falls[-1] <= 1e-3


@pytest.mark.parametrize("order", ["C", "F"])
def test_means_of_many_rows_in_single_precision(order):
    random = np.random.default_rng(1)
    X = np.array(2000 + random.standard_normal((100_000, 2)), "f4", order=order)
    Y = np.stack([X[:, 0], X[:, 1] - 3000], axis=1)
    weights = random.integers(1, 4, 100_000)
    for given in (None, weights):
        net = SparseDeepLinearNet("dense").fit(X, Y, given)
        assert net.coef_.dtype == np.float32
        assert_allclose(net.mean_, np.average(X.astype(float), axis=0, weights=given), rtol=1e-6)
        assert_allclose(net.coef_, np.eye(2), atol=1e-3)
        rest = (Y - net.predict(X)).astype(float)
        spread = Y.astype(float) - Y.mean(axis=0, dtype=float)
        expected = 1 - np.mean(np.sum(rest**2, axis=0) / np.sum(spread**2, axis=0))
        assert_allclose(net.score(X, Y), expected, atol=1e-6)
        assert expected > 0.9999
    stream = SparseDeepLinearNet("dense", random_state=0).partial_fit(X, Y)
    assert_allclose(stream.mean_, X.mean(axis=0, dtype=float), rtol=1e-6)


def test_what_is_fitted_shares_nothing_with_the_caller():
    X, Y = data(30, 4, 3)
    mask, weights = np.tri(3, 4), np.ones(30)
    for supports in ("dense", [mask], [mask, np.eye(4)], [KSparse(9)], [ToeplitzFactor(3, 4)]):
        for fit in ("fit", "partial_fit"):
            if fit == "partial_fit" and isinstance(supports[0], KSparse):
                continue
            given = [X.copy(), Y.copy(), weights.copy()]
            for array in given:  # read-only for the moment
                array.flags.writeable = False
            net = SparseDeepLinearNet(supports, random_state=0)
            getattr(net, fit)(*given)
            before = net.predict(X), net.transform(X), net.coef_, net.mean_.copy()
            for array in given:
                array.flags.writeable = True
                array[...] = 7
            for found, expected in zip(
                (net.predict(X), net.transform(X), net.coef_, net.mean_), before
            ):
                assert np.array_equal(found, expected)


TWINS = {
    "equal": lambda V, random: V[:, 1],
    "opposite": lambda V, random: -V[:, 1],
    "proportional": lambda V, random: 0.37 * V[:, 1],
    "in other units": lambda V, random: -300 * V[:, 1],
    "nearly equal": lambda V, random: V[:, 1] + 1e-6 * random.standard_normal(80),
}


@pytest.mark.parametrize("twin", TWINS)
def test_budgets_beside_features_that_are_alike(twin):
    for seed in range(2):
        random = np.random.default_rng(seed)
        V = random.standard_normal((80, 8)) + 10
        V[:, 6] = TWINS[twin](V, random)
        C = np.array([[0, 2.0, 0, -3, 0, 1, 0, 0], [1.5, -2, 0, 0, 0, 0, 0, 1]])
        C *= random.uniform(0.5, 1.5, C.shape)
        Y = V @ C.T + 0.01 * random.standard_normal((80, 2))
        for y, supports in (
            (Y, [KSparse(6)]),
            (Y, [KSparse(3, axis=1)]),
            (Y, [KSparse(2, axis=0)]),
            (Y, [KSparse(2, axis=(0, 1))]),
            (Y[:, 0], [KSparse(3)]),
            (Y[:, 0], [KSparse(3)] * 3),
        ):
            pursued = OrthogonalMatchingPursuit(n_nonzero_coefs=3)
            pursued = np.mean([pursued.fit(V, t).score(V, t) for t in y.reshape(80, -1).T])
            score = SparseDeepLinearNet(supports).fit(V, y).score(V, y)
            assert score > 0.99 and score > pursued - 1e-3


def test_budgets_with_fewer_samples_than_features_keep_up_with_matching_pursuit():
    for seed in range(4):
        random = np.random.default_rng(seed)
        X, coef = random.standard_normal((40, 70)), np.zeros(70)
        coef[random.choice(70, 4, replace=False)] = random.uniform(1, 2, 4)
        y = X @ coef + 0.1 * random.standard_normal(40)
        net = SparseDeepLinearNet([KSparse(4)]).fit(X, y)
        pursued = OrthogonalMatchingPursuit(n_nonzero_coefs=4).fit(X, y)
        assert_allclose(net.coef_, pursued.coef_, atol=1e-2)


@pytest.mark.parametrize("name", ["fit_intercept", "early_stopping", "warm_start"])
@pytest.mark.parametrize("value", ["no", None, np.nan, 1, [True], len])
def test_flags_are_checked(name, value):
    X, Y = data(9, 3, 2)
    for method in ("fit", "partial_fit"):
        with pytest.raises(TypeError, match=f"{name} must be True or False"):
            getattr(SparseDeepLinearNet("dense", **{name: value}), method)(X, Y)
    SparseDeepLinearNet("dense", **{name: np.False_}).fit(X, Y)


SPARSE = [getattr(scipy.sparse, f"{form}_array") for form in ("csr", "csc", "coo", "dok", "bsr")]


@pytest.mark.parametrize("method", ["fit", "partial_fit", "score"])
def test_targets_and_weights_are_real_and_dense(method, asarray):
    X, Y = data(12, 3, 2)
    net = SparseDeepLinearNet("dense").fit(asarray(X), asarray(Y))
    call, X = getattr(net, method), asarray(X)
    weights = np.ones(12)
    for form in SPARSE:
        with pytest.raises(TypeError, match="y is a sparse matrix"):
            call(X, form(Y))
    with pytest.raises(TypeError, match="sample_weight is a sparse matrix"):
        call(X, asarray(Y), SPARSE[0](weights[:, None]))
    for dtype in ("complex64", "complex128"):
        with pytest.raises((TypeError, ValueError), match=f"y has dtype .*{dtype}"):
            call(X, asarray(Y.astype(dtype)))
        with pytest.raises((TypeError, ValueError), match=f"sample_weight has dtype .*{dtype}"):
            call(X, asarray(Y), asarray(weights.astype(dtype)))
    with pytest.raises(TypeError, match="y must hold numbers"):
        call(X, [["a", "b"]] * 12)
    with pytest.raises(TypeError, match="sample_weight must hold numbers"):
        call(X, asarray(Y), ["a"] * 12)
    call(X, asarray(Y), list(weights))
    call(X, Y.tolist(), 2.0)


@pytest.mark.parametrize("unit", [1e60, 1e-60, 1e150])
@pytest.mark.parametrize("n_factors", [2, 3])
def test_ridge_of_budgets_at_any_scale(unit, n_factors):
    y = np.random.default_rng(0).standard_normal((4, 4))
    net = SparseDeepLinearNet([KSparse(4)] * n_factors, alpha=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net.fit(np.eye(4) * unit, y)
    assert np.isfinite(net.coef_).all() and np.isfinite(net.loss_curve_).all()


def test_the_ends_of_the_range_give_the_result_or_a_true_error():
    X, _ = data(6, 3, 1)
    y = np.array([1.0, -1, 1, -1, 1, -1]) * 1.7e308
    with pytest.raises(ValueError, match="The coefficients leave the range of float64"):
        SparseDeepLinearNet("dense").fit(X, y)
    usual = SparseDeepLinearNet("dense").fit(X, y / 1.7e308)
    for x_unit, y_unit in ((10.0, 0.1), (1e300, 0.1), (1e-10, 1e-20), (1e-290, 1e-300)):
        net = SparseDeepLinearNet("dense").fit(X * x_unit, y * y_unit)
        coef = net.coef_ / 1.7e308 * (x_unit / y_unit)
        assert_allclose(coef, usual.coef_, rtol=1e-9)
        assert_allclose(net.score(X * x_unit, y * y_unit), usual.score(X, y / 1.7e308))
    with pytest.raises(ValueError, match="y has entries beyond the range of float32"):
        SparseDeepLinearNet("dense").fit(X.astype("f4"), y)
    with pytest.raises(ValueError, match="leave the range of float64"):
        SparseDeepLinearNet("dense").fit(X * 1e200, X[:, 0] * 1e-200)


def test_huge_targets_of_both_signs_raise_no_flag():
    X, _ = data(40, 3, 1)
    y = np.repeat([1.0, -1.0], 20) * 1.7e308  # partial sums are infinite, with both signs
    SparseDeepLinearNet("dense").fit(X * 10, y)


def test_fits_of_no_use_are_named_at_the_line_of_the_caller():
    X, Y = data(50, 40, 40)
    with pytest.warns(StructureWarning, match=r"^SparseDeepLinearNet: .* 3200 numbers") as caught:
        SparseDeepLinearNet("dense", hidden_layer_sizes=40, tol=1e-2).fit(X, X)
    assert caught[0].filename == __file__
    SparseDeepLinearNet("dense").fit(X, Y)  # asked for
    dead = StructureWarning, r"^SparseDeepLinearNet: The outputs are no better than the mean"
    with pytest.warns(dead[0], match=dead[1]):
        SparseDeepLinearNet([KSparse(9)] * 2, alpha=1e9).fit(X, Y)
    SparseDeepLinearNet("dense").fit(X, np.ones(50))  # nothing to learn, and nothing to say
    SparseDeepLinearNet("butterfly").fit(np.ones((50, 8)), Y[:, :8])
    with pytest.warns(ConvergenceWarning, match="^SparseDeepLinearNet: The loss still") as caught:
        make_pipeline(SparseDeepLinearNet([np.tri(40)] * 2, max_iter=2)).fit(X, Y)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_no_graph_of_autograd_is_kept(solver):
    torch = pytest.importorskip("torch")
    X, Y = (torch.asarray(a).requires_grad_() for a in data(30, 8, 8))
    weights = torch.ones(30, dtype=torch.float64, requires_grad=True)
    options = {"learning_rate_init": 0.1, "max_iter": 90, "tol": 1e-2, "random_state": 0}
    net = SparseDeepLinearNet(solver=solver, **options)
    net.fit(X, Y, weights).partial_fit(X, Y, weights)
    assert not any(a.requires_grad for a in (net.mean_, net.intercept_, *net.parameters_))
    assert not net.coef_.requires_grad and np.isfinite(net.score(X, Y, weights))
    assert copy.deepcopy(net).n_iter_ == net.n_iter_


def test_sizes_have_an_order():
    X, Y = data(9, 4, 3)
    for sizes in ({3, 2}, {3: 2}, "32"):
        with pytest.raises(TypeError, match="hidden_layer_sizes must be a sequence"):
            SparseDeepLinearNet("dense", hidden_layer_sizes=sizes).fit(X, Y)
    for method in ("fit", "partial_fit"):
        with pytest.raises(ValueError, match="random_state must be"):
            getattr(SparseDeepLinearNet("dense", random_state="x"), method)(X, Y)
