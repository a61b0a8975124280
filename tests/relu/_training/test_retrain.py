"""Training within a zero pattern: zeros stay, the loss falls, kinds and dtypes stay."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skfact._backend import array_namespace, to_numpy
from skfact.relu import prune, retrain
from skfact.relu._networks.readers import read_network
from tests.asserts import for_each
from tests.relu.networks import output, random_network

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 5))
Y = np.stack([abs(X[:, 0]), X[:, 1] * X[:, 2]], axis=1)


def fitted(kind=MLPClassifier, hidden=(8, 6), y=Y[:, 0] > 0.7, **options):
    options = {"max_iter": 30, "random_state": 0, **options}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return kind(hidden_layer_sizes=hidden, **options).fit(X, y)


def trained(*args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return retrain(*args, **options)


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_pipelines_come_back_trained(kind):
    """As their last step alone on what the earlier steps give."""
    y = np.where(Y[:, 0] > 0.7, "b", "a") if kind is MLPClassifier else Y
    pruned = prune(make_pipeline(StandardScaler().fit(X), fitted(kind, y=y, alpha=0.1)), 0.5)
    Z = pruned[:-1].transform(X)
    found, alone = trained(pruned, X, y), trained(pruned[-1], Z, y)
    frozen = trained(FrozenEstimator(pruned[-1]), Z, y)
    assert type(found) is Pipeline and type(frozen) is FrozenEstimator
    for mlp in (found[-1], frozen.estimator):
        assert mlp.loss_ == alone.loss_ and mlp.loss_curve_ == alone.loss_curve_
        assert all(map(np.array_equal, mlp.coefs_, alone.coefs_))
    assert_zeros_stay(found, pruned)
    assert found.score(X, y) == alone.score(Z, y) > pruned.score(X, y)


def assert_zeros_stay(after, before):
    for w, v in zip(read_network(after).weights, read_network(before).weights):
        w, v = to_numpy(w), to_numpy(v)
        assert (w[v == 0] == 0).all()


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_zeros_stay_and_the_loss_falls(kind, solver):
    y = Y[:, 0] > 0.7 if kind is MLPClassifier else Y
    mlp = fitted(kind, y=y, alpha=0.1)
    pruned = prune(mlp, 0.6)
    before = [a.copy() for a in (*pruned.coefs_, *pruned.intercepts_)]
    found = trained(pruned, X, y, solver=solver, learning_rate_init=0.01, random_state=0)
    assert type(found) is kind
    assert_zeros_stay(found, pruned)
    for a, b in zip((*pruned.coefs_, *pruned.intercepts_), before):
        assert_array_equal(a, b)
    assert not np.array_equal(found.coefs_[0], pruned.coefs_[0])
    assert found.n_iter_ == len(found.loss_curve_)
    assert found.loss_ < found.loss_curve_[0] * 1.001
    assert found.score(X, y) > pruned.score(X, y)
    if kind is MLPClassifier:
        assert_array_equal(found.classes_, mlp.classes_)
    again = trained(pruned, X, y, solver=solver, learning_rate_init=0.01, random_state=0)
    assert_array_equal(found.coefs_[0], again.coefs_[0])


@for_each("seed", range(12))
def test_lbfgs_never_ends_above_its_start(seed):
    """Even after one iteration, in single precision, or from a minimum."""
    rng = np.random.default_rng(seed)
    sizes = [5, *rng.integers(1, 7, rng.integers(0, 3)).tolist(), 2]
    dtype = np.float32 if seed % 2 else np.float64
    scale = 10.0 ** rng.integers(-2, 3)
    coefs, intercepts = random_network(sizes, seed, dtype)
    network = prune(([w * dtype(scale) for w in coefs], intercepts), 0.5)

    def loss(network):
        return 0.5 * ((output(network, X) - Y) ** 2).sum(axis=1).mean()

    for max_iter in (1, 3, 100):
        after = trained(network, X, Y, max_iter=max_iter)
        assert_zeros_stay(after, network)
        assert loss(after) <= loss(network) * (1 + 10 * np.finfo(dtype).eps)
        network = after


def test_convex_problems_agree_with_linear_models():
    """Without hidden layers, and all weights free: ridge and logistic regression."""
    network = [np.ones((5, 1))], [np.zeros(1)]
    found = retrain(network, X, Y[:, 0], alpha=3.0, tol=1e-8)
    ridge = Ridge(alpha=3.0).fit(X, Y[:, 0])
    assert_allclose(found[0][0][:, 0], ridge.coef_, rtol=1e-5)
    assert_allclose(found[1][0], ridge.intercept_, rtol=1e-5)
    logistic = LogisticRegression(C=1 / 3.0, tol=1e-8).fit(X, Y[:, 0] > 0.7)
    found = retrain(network, X, Y[:, 0] > 0.7, alpha=3.0, loss="log_loss", tol=1e-8)
    assert_allclose(found[0][0].ravel(), logistic.coef_.ravel(), rtol=1e-4)
    # within a mask: ridge on the features that are left
    network[0][0][[1, 3]] = 0.0
    found = retrain(network, X, Y[:, 0], alpha=3.0, tol=1e-8)
    ridge = Ridge(alpha=3.0).fit(X[:, [0, 2, 4]], Y[:, 0])
    assert_allclose(found[0][0][[0, 2, 4], 0], ridge.coef_, rtol=1e-5)


def test_rewinding():
    """The mask of one network, and the weights of another to begin from."""
    mlp, early = fitted(max_iter=200), fitted(max_iter=1)
    pruned = prune(mlp, 0.5)
    y = Y[:, 0] > 0.7
    found = trained(pruned, X, y, start=early, max_iter=1)
    rewound = prune(mlp, 0)
    rewound.coefs_ = [w * (v != 0) for w, v in zip(early.coefs_, pruned.coefs_)]
    rewound.intercepts_ = [b.copy() for b in early.intercepts_]
    other = trained(rewound, X, y, max_iter=1)
    for a, b in zip((*found.coefs_, *found.intercepts_), (*other.coefs_, *other.intercepts_)):
        assert_array_equal(a, b)
    assert_zeros_stay(found, pruned)


def test_a_network_of_biases():
    network = prune(random_network([5, 4, 2]), 1.0)
    found = retrain(network, X, Y, tol=1e-10)
    assert_allclose(found[1][-1], Y.mean(axis=0), rtol=1e-6)
    assert not any(w.any() for w in found[0])


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_single_precision_stays(solver):
    X32 = X.astype("float32")
    mlp = MLPRegressor(hidden_layer_sizes=(6,), max_iter=20, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        mlp.fit(X32, Y.astype("float32"))
    found = trained(prune(mlp, 0.5), X, Y, solver=solver)
    assert {a.dtype for a in (*found.coefs_, *found.intercepts_)} == {np.dtype("float32")}
    assert found.predict(X32).dtype == np.float32


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_arrays_stay_in_their_library(asarray, xp, dtype):
    coefs, intercepts = prune(random_network([5, 4, 2], dtype=dtype), 0.4)
    given = [asarray(w) for w in coefs], [asarray(b) for b in intercepts]
    found = trained(given, asarray(X), asarray(Y), max_iter=5)
    expected = trained((coefs, intercepts), X, Y, max_iter=5)
    for a, b, old in zip((*found[0], *found[1]), (*expected[0], *expected[1]), given[0] + given[1]):
        assert array_namespace(a) is xp and a.dtype == old.dtype
        assert_array_equal(to_numpy(a), b)


def test_labels_of_any_kind():
    for labels in (np.array(["no", "yes"]), np.array([-1, 7]), np.array([False, True])):
        y = labels[(Y[:, 0] > 0.7).astype(int)]
        mlp = fitted(y=y)
        for given in (y, y.tolist(), y.astype(object)):
            found = trained(mlp, X, given, max_iter=5)
            assert set(found.predict(X)) <= set(labels)
            assert_array_equal(found.coefs_[0], trained(mlp, X, y, max_iter=5).coefs_[0])


def test_scores_of_classes_in_pytorch():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    nn = torch.nn
    module = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3)).double()
    y = torch.from_numpy(np.digitize(Y[:, 0], [0.4, 1.0]))
    rows = torch.from_numpy(X)
    pruned = prune(module, 0.3)
    found = trained(pruned, rows, y, loss="log_loss")
    before, after = (float(nn.CrossEntropyLoss()(m(rows), y).detach()) for m in (pruned, found))
    assert after < 0.5 * before
    # a softmax at the end is left out, and stays; numbers are no targets then
    ended = nn.Sequential(*pruned, nn.Softmax(dim=1))
    with pytest.raises(ValueError, match=r"ends in module 3 \(softmax\).*loss='log_loss'"):
        retrain(ended, rows, Y)
    other = trained(ended, rows, y, loss="log_loss")
    assert torch.equal(other[0].weight, found[0].weight) and len(other) == 4
    assert_zeros_stay(found, pruned)


def test_what_an_mlp_says_of_its_training():
    y = Y[:, 0] > 0.7
    mlp = fitted(early_stopping=True, max_iter=200)
    found = trained(mlp, X, y)
    assert found.validation_scores_ == []
    assert trained(fitted(), X, y).best_loss_ < fitted().best_loss_
    found.max_iter, found.warm_start = 3, True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        found.fit(X, y)
    assert not np.array_equal(found.coefs_[0], mlp.coefs_[0])


def test_what_does_not_converge_is_said():
    network = random_network([5, 4, 2])
    for solver in ("lbfgs", "adam"):
        with pytest.warns(ConvergenceWarning, match="max_iter=1 iterations"):
            retrain(network, X, Y, solver=solver, max_iter=1)
    big = 1e100 * X
    with pytest.warns(ConvergenceWarning, match="as it was at the start"):
        found = retrain(network, big, Y, solver="adam", learning_rate_init=1e300)
    assert_array_equal(found[0][0], network[0][0])


def test_what_makes_no_progress_is_said():
    network = random_network([5, 4, 2])
    with pytest.warns(ConvergenceWarning, match="No step along the slope lowers the loss"):
        found = retrain(network, 1e120 * X, Y)
    assert_array_equal(found[0][0], network[0][0])


def test_training_on_given_supports():
    """A sparse network that is learned from what another one on the same supports computes."""
    rng = np.random.default_rng(0)
    masks = [rng.random(shape) < 0.5 for shape in ((5, 12), (12, 12), (12, 2))]

    def on_supports(seed):
        coefs, intercepts = random_network([5, 12, 12, 2], seed)
        return [w * mask for w, mask in zip(coefs, masks)], intercepts

    samples = rng.standard_normal((300, 5))
    target = output(on_supports(1), samples)
    found = trained(on_supports(2), samples, target, max_iter=2000, tol=1e-6)
    assert all((w[~mask] == 0).all() for w, mask in zip(found[0], masks))
    missed = ((output(found, samples) - target) ** 2).sum() / (target**2).sum()
    assert missed < 0.1


def test_on_digits():
    X, y = load_digits(return_X_y=True)
    X = X / 16
    mlp = MLPClassifier((32,), solver="lbfgs", max_iter=300, random_state=0).fit(X, y)
    pruned = prune(mlp, 0.85)
    found = trained(pruned, X, y, max_iter=60)
    assert pruned.score(X, y) < 0.92 and found.score(X, y) > 0.99
