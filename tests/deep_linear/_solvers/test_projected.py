"""PALM on models of parameters: convex answers, planted parameters, a loss that never rises."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import nnls
from sklearn.base import clone

from skfact import SparseDeepLinearNet
from skfact._backend import to_numpy
from skfact.deep_linear import CirculantFactor, StructuredFactor, ToeplitzFactor, factor_distance
from skfact.supports import KSparse
from tests.asserts import assert_like, for_each, on_any_matrix

SEEDS = range(3)


def fitted(factors, X, Y, **options):
    options = {"fit_intercept": False, "max_iter": 5000, "tol": 1e-12} | options
    return SparseDeepLinearNet(factors, **options).fit(X, Y)


def sparse(random, n):
    h = np.zeros(n)
    h[random.choice(n, 3, replace=False)] = random.uniform(0.5, 1.5, 3) * random.choice([-1, 1], 3)
    return h


@for_each("seed", SEEDS)
@for_each("alpha", [0.0, 3.0])
@on_any_matrix
def test_one_non_negative_factor_is_that_of_nnls(seed, alpha):
    random = np.random.default_rng(seed)
    factor = ToeplitzFactor(6, 5, projection="non-negative")
    X, Y = random.standard_normal((40, 5)) * [1, 2, 0.5, 1, 3], random.standard_normal((40, 6))
    net = fitted([factor], X, Y, alpha=alpha, tol=1e-14)
    columns = [(factor.matrix(h) @ X.T).ravel() for h in np.eye(10)]
    B = np.concatenate([np.stack(columns, axis=1), alpha**0.5 * np.eye(10)])
    expected, _ = nnls(B, np.concatenate([Y.T.ravel(), np.zeros(10)]))
    assert net.solver_ == "palm"
    assert_allclose(net.parameters_[0], expected, atol=1e-6)
    assert 0 < np.sum(expected == 0) < 10


@for_each("seed", SEEDS)
@on_any_matrix
def test_planted_parameters_of_one_factor_are_recovered(seed):
    random = np.random.default_rng(seed)
    X, n = random.standard_normal((60, 12)), 12
    for model, h in (
        ("non-negative", np.maximum(random.standard_normal(n), 0)),
        (KSparse(3), sparse(random, n)),
        (1.0, np.full(n, n**-0.5)),
        (lambda h: 0 * h + np.mean(h), np.ones(n)),
    ):
        factor = CirculantFactor(n, projection=model)
        net = fitted([factor], X, X @ factor.matrix(h).T)
        assert_allclose(net.parameters_[0], h, atol=1e-10)


@for_each("seed", SEEDS[:2])
@on_any_matrix
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_planted_products_of_two_are_recovered(seed):
    random = np.random.default_rng(seed)
    n, X = 12, random.standard_normal((60, 12))
    cases = {
        "non-negative": [np.maximum(random.standard_normal(n), 0) for _ in range(2)],
        KSparse(3): [sparse(random, n) for _ in range(2)],
    }
    for model, planted in cases.items():
        factors = [CirculantFactor(n, projection=model) for _ in range(2)]
        matrix = factors[0].matrix(planted[0]) @ factors[1].matrix(planted[1])
        nets = [
            fitted(factors, X, X @ matrix.T, random_state=s, tol=1e-6, max_iter=1000)
            for s in range(5)
        ]
        best = min(nets, key=lambda net: net.loss_curve_[-1])
        assert_allclose(best.coef_, matrix, atol=1e-4)
        for net in nets:
            assert np.all(np.diff(net.loss_curve_) <= 0)
            for h in net.parameters_:
                assert np.all(h >= 0) if model == "non-negative" else np.sum(h != 0) <= 3


@on_any_matrix
def test_identifiable_kernels_are_recovered_up_to_scale():
    random = np.random.default_rng(0)
    factors = [ToeplitzFactor(4, 1, projection="non-negative"), ToeplitzFactor(1, 3)]
    planted = [np.array([1.0, 0.0, 2.0, 0.5]), np.array([1.0, -2.0, 3.0])]
    X = random.standard_normal((50, 3))
    matrix = factors[0].matrix(planted[0]) @ factors[1].matrix(planted[1])
    for seed in range(10):  # half of the random starts have a sign that the model forbids
        net = fitted(factors, X, X @ matrix.T, random_state=seed)
        assert factor_distance(net.parameters_, planted) < 1e-5
        assert np.min(net.parameters_[0]) == 0


@for_each("scale", [1e-100, 1e-3, 1.0, 1e3, 1e100])
@on_any_matrix
def test_models_are_in_the_units_of_the_data(scale):
    random = np.random.default_rng(1)
    X, Y = random.standard_normal((40, 5)), random.standard_normal((40, 5))
    bound = 0.03 * scale
    factor = CirculantFactor(5, projection=bound)
    net = fitted([factor], X, scale * Y)
    h = net.parameters_[0]
    assert_allclose(np.linalg.norm(h), bound, rtol=1e-12)
    # the gradient at the best vector of that norm points along it
    slope = factor.adjoint((factor.matrix(h / scale) @ X.T - Y.T) @ X)
    assert_allclose(slope / np.linalg.norm(slope), -h / bound, atol=1e-5)
    total = scale**0.5
    one = StructuredFactor((5, 5), 5, np.diag, np.diag, lambda h: h + (total - sum(h)) / 5)
    pair = [one, CirculantFactor(5)]
    net = fitted(pair, X, scale * Y, tol=1e-6)
    assert_allclose(np.sum(net.parameters_[0]), total, rtol=1e-10)


@on_any_matrix
def test_models_stand_beside_masks_and_budgets():
    random = np.random.default_rng(2)
    X, Y = random.standard_normal((60, 6)), random.standard_normal((60, 4))
    supports = [np.ones((4, 6)), ToeplitzFactor(6, 6, projection="non-negative"), KSparse(9)]
    net = SparseDeepLinearNet(supports, hidden_layer_sizes=(6, 6), max_iter=3000, random_state=0)
    net.fit(X, Y)
    assert net.solver_ == "palm" and np.all(np.diff(net.loss_curve_) <= 0)
    assert np.min(net.parameters_[1]) >= 0 and np.sum(net.parameters_[2] != 0) <= 9
    again = clone(net).set_params(warm_start=True, max_iter=3000)
    again.fit(X, Y).fit(X, Y)
    assert again.loss_curve_[0] <= net.loss_curve_[-1] * (1 + 1e-6)


def test_palm_is_also_for_fixed_supports():
    random = np.random.default_rng(3)
    X, Y = random.standard_normal((60, 6)), random.standard_normal((60, 4))
    mask = random.random((4, 6)) < 0.6
    nets = [fitted([mask], X, Y, solver=solver) for solver in ("palm", "lbfgs")]
    assert_allclose(nets[0].coef_, nets[1].coef_, atol=1e-5)


def test_single_precision_stays():
    random = np.random.default_rng(4)
    X = random.standard_normal((40, 5)).astype("float32")
    factor = CirculantFactor(5, projection="non-negative")
    planted = np.array([1, 0, 2, 0, 0.5], dtype="float32")
    net = SparseDeepLinearNet([factor], max_iter=500).fit(X, X @ factor.matrix(planted).T)
    assert net.parameters_[0].dtype == "float32"
    assert_allclose(net.parameters_[0], planted, atol=1e-4)


@on_any_matrix
def test_arrays_of_every_library(asarray):
    random = np.random.default_rng(5)
    X, Y = random.standard_normal((40, 5)), random.standard_normal((40, 5))
    for model in ("non-negative", KSparse(2), 0.1):
        factors = [CirculantFactor(5, projection=model)]
        net, expected = fitted(factors, asarray(X), asarray(Y)), fitted(factors, X, Y)
        assert_like(net.parameters_[0], asarray(X), expected.parameters_[0], atol=1e-6)
        assert np.isfinite(to_numpy(net.coef_)).all()


def test_other_solvers_refuse_models():
    X = np.eye(4)
    for solver in ("lbfgs", "adam", "closed-form", "palm4msa", "hierarchical"):
        with pytest.raises(ValueError, match=f"solver='{solver}' leaves the models.*use 'palm'"):
            fitted([CirculantFactor(4, projection="non-negative")], X, X, solver=solver)
    net = SparseDeepLinearNet([CirculantFactor(4, projection="non-negative")])
    with pytest.raises(AttributeError) as caught:
        net.partial_fit(X, X)
    assert "leave the models of parameters" in str(caught.value.__cause__ or caught.value)
