"""The solvers: where several apply they agree, and every way to end is told."""

import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge

from skfact import SparseDeepLinearNet
from skfact._stopping import Stopping
from skfact.deep_linear import ToeplitzFactor
from skfact.deep_linear._linear_network import resolve_network
from skfact.deep_linear._outcome import MESSAGES, Outcome, complaint
from skfact.deep_linear._solvers.adam import ADAM
from skfact.deep_linear._solvers.closed_form import CLOSED_FORM, start_values
from skfact.deep_linear._solvers.lbfgs import LBFGS, is_cancelling
from skfact.deep_linear._solvers.least_squares import (
    are_collinear,
    column_sizes,
    fewer_rows,
    is_isotropic,
    least_squares,
    on_independent_features,
)
from skfact.deep_linear._solvers.palm import HIERARCHICAL, PALM4MSA, data_sweeps
from skfact.deep_linear._solvers.problem import MiniBatches, Problem
from skfact.deep_linear._solvers.solve import NAMES, SOLVERS, solve
from skfact.exceptions import IllPosedWarning
from skfact.supports import FixedMask, KSparse

RANDOM = np.random.default_rng(3)
X, Y = RANDOM.standard_normal((8, 40)), RANDOM.standard_normal((8, 40))  # columns are samples
X = X * np.linspace(0.5, 2, 8)[:, None]
MASK, OTHER = RANDOM.random((2, 8, 8)) < 0.6
BUDGETS = [KSparse(2, axis=1)] * 2


def problem(supports, *, hidden=None, alpha=0.0, data=(X, Y), rate=0.01, **options):
    network = resolve_network(supports, hidden, data[1].shape[0], data[0].shape[0], data[0])
    batches = MiniBatches("auto", rate, False, 0.1, 10**6)
    random = np.random.RandomState(0)
    return Problem(network, *data, alpha=alpha, random=random, batches=batches, **options)


def solved(name, given, stopping):
    _, found = solve(name, given, stopping)
    return given.network.operator(found.values).toarray(), found


def ridge_by_row(alpha):
    W = np.zeros(MASK.shape)
    for row, kept in enumerate(MASK):
        gram = X[kept] @ X[kept].T + alpha * np.eye(kept.sum())
        W[row, kept] = np.linalg.solve(gram, X[kept] @ Y[row])
    return W


def ridge_of_a_structure(structure, alpha):
    columns = [(structure.matrix(h) @ X).ravel() for h in np.eye(structure.n_parameters)]
    B = np.stack(columns, axis=1)
    h = np.linalg.solve(B.T @ B + alpha * np.eye(B.shape[1]), B.T @ Y.ravel())
    return structure.matrix(h)


@pytest.mark.parametrize("alpha", [0.0, 2.0])
def test_solvers_agree_on_convex_problems_with_an_independent_answer(alpha):
    dense = Ridge(alpha, fit_intercept=False, solver="svd").fit(X.T, Y.T).coef_
    toeplitz = ToeplitzFactor(8, 8)
    for supports, expected, names in (
        ("dense", dense, ["closed-form", "lbfgs", "adam"]),
        ([KSparse(64)], dense, ["palm4msa", "hierarchical"]),  # a budget for all entries
        ([MASK], ridge_by_row(alpha), ["lbfgs", "adam"]),
        ([toeplitz], ridge_of_a_structure(toeplitz, alpha), ["lbfgs", "adam"]),
    ):
        for name in names:
            given = problem(supports, alpha=alpha)
            found, trained = solved(name, given, Stopping(4000, 0.0))
            assert_allclose(found, expected, atol=1e-3 if name == "adam" else 1e-5)
            assert trained.losses[-1] <= trained.losses[0]
            if supports == "dense":  # the least loss, the penalty included
                rest = dense @ X - Y
                least = 0.5 * np.sum(rest**2) + 0.5 * alpha * np.sum(dense**2)
                assert_allclose(trained.losses[-1], least, rtol=1e-3)


def test_every_way_to_end_is_told_and_has_its_words():
    flip = np.linalg.qr(RANDOM.standard_normal((20, 2)))[0].T * [[1.0], [1.01]]
    lower = np.tri(2)
    cases = [
        ("dense", "closed-form", {}, Stopping(9, 0), Outcome.CONVERGED),
        ("butterfly", "lbfgs", {}, Stopping(500, 1e-3), Outcome.CONVERGED),
        (BUDGETS, "palm4msa", {}, Stopping(500, 1e-2), Outcome.CONVERGED),
        ("butterfly", "lbfgs", {}, Stopping(2, 0), Outcome.CUT_OFF),
        ("butterfly", "adam", {"rate": 0.05}, Stopping(200, 0), Outcome.CUT_OFF),
        (BUDGETS, "hierarchical", {}, Stopping(2, 0), Outcome.CUT_OFF),
        ("dense", "adam", {"rate": 100.0}, Stopping(3, 0), Outcome.WORSE_THAN_NOTHING),
        ("dense", "adam", {"rate": 1e200}, Stopping(9, 0), Outcome.NOT_FINITE),
        ([lower, lower.T], "lbfgs", {"data": (flip, flip[::-1])}, Stopping(500, 1e-12),
         Outcome.DIVERGING),
    ]  # fmt: skip
    stopped = Stopping(500, 0, lambda number, loss: number == 150)
    for supports, name in ((BUDGETS, "palm4msa"), ("dense", "adam"), ([MASK, OTHER], "lbfgs")):
        cases.append((supports, name, {"rate": 0.05}, stopped, Outcome.STOPPED))
    for supports, name, options, stopping, outcome in cases:
        used, found = solve(name, problem(supports, **options), stopping)
        assert (used, found.outcome) == (name, outcome)
        if outcome is Outcome.STOPPED:
            assert found.n_iter == 150
    assert {case[-1] for case in cases} == set(Outcome)
    silent = {Outcome.CONVERGED, Outcome.STOPPED}
    assert set(MESSAGES) == set(Outcome) - silent
    parameters = SparseDeepLinearNet(max_iter=7).get_params()
    assert complaint(Outcome.CONVERGED, parameters) == (None, "")
    assert "max_iter=7" in complaint(Outcome.CUT_OFF, parameters)[1]
    assert complaint(Outcome.DIVERGING, parameters)[0] is IllPosedWarning
    assert complaint(Outcome.NOT_FINITE, parameters)[0] is ValueError


def test_solvers_are_for_the_sets_that_they_declare():
    names = ("closed-form", "lbfgs", "adam", "palm", "palm4msa", "hierarchical")
    assert ("auto", *names) == NAMES and tuple(SOLVERS) == names
    for solver in (CLOSED_FORM, LBFGS, ADAM, PALM4MSA, HIERARCHICAL):
        assert SOLVERS[solver.name] is solver
        wrong = problem("dense" if solver.for_budgets else BUDGETS)
        with pytest.raises(ValueError, match=rf"solver='{solver.name}' (is for|needs)"):
            solve(solver.name, wrong, Stopping(1, 0))


def test_starts_have_the_product_nearest_to_least_squares():
    W = least_squares(X, Y)
    U, s, Vh = np.linalg.svd(W, full_matrices=False)
    lu = [FixedMask(np.tri(8)), FixedMask(np.tri(8).T)]
    for supports, hidden, expected in (
        ("dense", 2, (U[:, :2] * s[:2]) @ Vh[:2]),
        (lu, None, W),
        ([MASK], None, W * MASK),
    ):
        given = problem(supports, hidden=hidden)
        found = given.network.operator(start_values(given)).toarray()
        assert_allclose(found, expected, atol=1e-6)


def test_sweeps_on_the_data_start_from_the_values_given():
    given = problem(BUDGETS, alpha=0.5)
    start = given.network.start(np.random.RandomState(0), X)
    start = [one.project(value) for one, value in zip(given.network.sets, start)]
    found = data_sweeps(given, start, Stopping(20, 0))
    norms = [np.linalg.norm(value) for value in found.values]
    assert_allclose(norms, norms[0])
    W = given.network.operator(found.values).toarray()
    penalized = 0.5 * np.sum((W @ X - Y) ** 2) + 0.25 * np.sum(np.square(norms))
    assert_allclose(found.losses[-1], penalized)
    assert np.all(np.diff(found.losses) <= 1e-12 * found.losses[0])


def test_large_factors_of_a_small_product_are_found():
    network = resolve_network([np.ones((2, 2)), np.ones((2, 2))], None, 2, 2, X)
    left, right = np.array([1e3, 1e3, 0, 1]), np.array([1.0, 0, -1.0, 1e-3])
    assert is_cancelling(network, [left * 1e3, right])
    assert not is_cancelling(network, [left, right * 0]) and not is_cancelling(
        network, [right, right]
    )


def test_isotropic_samples_and_units_of_features():
    Q = np.linalg.qr(RANDOM.standard_normal((40, 8)))[0].T
    assert is_isotropic(3 * Q) and not is_isotropic(X) and not is_isotropic(X[:, :3])
    assert is_isotropic(0 * Q)
    sizes = column_sizes(X * 2.0 ** np.arange(8)[:, None])
    assert_allclose(sizes, column_sizes(X) * 2.0 ** np.arange(8))
    assert column_sizes(np.vstack([X, 1e-300 * X[:1]]))[-1] > 1e-9


def test_features_that_are_alike_are_found_and_left_out():
    twins = np.vstack([X, -2 * X[1:2], np.zeros((1, 40))])
    assert are_collinear(twins) and are_collinear(X[:, :5])
    assert not are_collinear(np.vstack([X, np.zeros((1, 40))]))  # a constant feature
    assert not are_collinear(0 * X)
    W = np.zeros((2, 10))
    W[0, 1], W[1, [1, 5]] = 3, (1, -2)
    found = on_independent_features(twins, W @ twins)
    assert_allclose(found @ twins, W @ twins, atol=1e-12)
    assert np.count_nonzero(np.any(abs(found) > 1e-12, axis=0)) == 2
    assert not on_independent_features(twins, 0 * Y).any()
    assert not on_independent_features(0 * twins, Y).any()


def test_budgets_start_again_where_samples_are_isotropic():
    Q = np.linalg.qr(RANDOM.standard_normal((40, 4)))[0]
    net = SparseDeepLinearNet(
        [KSparse(2, axis=1)] * 2, warm_start=True, fit_intercept=False, max_iter=3
    )
    target = RANDOM.standard_normal((40, 4))
    with pytest.warns(ConvergenceWarning):
        first = net.fit(Q, target).loss_curve_
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        second = net.fit(Q, target).loss_curve_
    assert_allclose(second[0], first[-1])
    assert second[-1] <= second[0]


def test_fits_in_threads_give_all_their_own_warnings():
    masks = [MASK, OTHER]

    def fit(case):
        supports, max_iter = case
        SparseDeepLinearNet(supports, max_iter=max_iter, tol=1e-15).fit(X.T, Y.T)

    cases = [(supports, n) for supports in (masks, BUDGETS, "butterfly") for n in (1, 2, 3, 4)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(fit, cases))
    found = [str(warning.message) for warning in caught]
    for n in (1, 2, 3, 4):
        assert sum(f"max_iter={n} " in text for text in found) == 3
    assert len(found) == len(cases)


@pytest.mark.parametrize("smallest", [1.0, 1e-3, 1e-6, 1e-11, 0.0])
def test_fewer_samples_change_every_loss_by_the_same_amount(smallest):
    random = np.random.default_rng(0)
    X = (random.standard_normal((50, 4)) * [1.0, 2.0, 3.0, smallest]).T
    Y = random.standard_normal((3, 50))
    short, target, constant, inverse = fewer_rows(X, Y)
    assert short.shape == (4, 4)
    assert target.shape == (3, 4)
    assert_allclose(short @ short.T, X @ X.T, atol=1e-12)
    differences = [
        np.sum((W @ X - Y) ** 2) - np.sum((W @ short - target) ** 2)
        for W in random.standard_normal((5, 3, 4))
    ]
    assert_allclose(differences, 2 * constant)
    # the matrix of least norm, known where its digits are
    expected = np.linalg.lstsq(X.T, Y.T, rcond=1e-14)[0].T
    found = least_squares(short, target) if inverse is None else target @ inverse
    assert (inverse is None) == (0 < smallest < 1e-8)
    assert_allclose(found @ X, expected @ X, atol=1e-10)
    assert_allclose(found[:, :3], expected[:, :3], atol=1e-10)


def test_fewer_samples_of_features_that_are_alike_have_the_matrix_of_least_norm():
    twins = np.vstack([X[:4], 3 * X[:2], np.zeros((1, 40)), X[4:6]])
    short, target, _, inverse = fewer_rows(twins, Y)
    found = least_squares(short, target) if inverse is None else target @ inverse
    assert_allclose(found, np.linalg.lstsq(twins.T, Y.T, rcond=1e-12)[0].T, rtol=1e-8, atol=1e-10)
