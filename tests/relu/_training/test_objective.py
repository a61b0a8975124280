"""The objective: gradients, scikit-learn's loss, numbers of any size."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import check_grad
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from skfact.relu import retrain
from skfact.relu._networks.readers import read_network
from skfact.relu._training.objective import Objective, loss_and_slope
from skfact.relu._training.targets import Targets, targets_of
from tests.relu.networks import random_network

RNG = np.random.default_rng(0)
X = RNG.standard_normal((30, 4))
LINKS = {
    "identity": RNG.standard_normal((30, 3)),
    "exp": RNG.integers(0, 4, (30, 3)).astype(float),
    "softmax": np.eye(3)[RNG.integers(0, 3, 30)],
    "logistic": RNG.integers(0, 2, (30, 3)).astype(float),
}


@pytest.mark.parametrize("activation", ["relu", "identity"])
@pytest.mark.parametrize("link", LINKS)
def test_gradient_is_that_of_finite_differences(link, activation):
    coefs, intercepts = random_network([4, 6, 5, 3], 1)
    coefs = [0.5 * w for w in coefs]
    objective = Objective(X, Targets(link, LINKS[link]), 0.3, activation)
    shapes = [a.shape for a in (*coefs, *intercepts)]
    ends = np.cumsum([np.prod(shape) for shape in shapes]).astype(int)[:-1]

    def arrays(x):
        parts = [part.reshape(s) for part, s in zip(np.split(x, ends), shapes)]
        return parts[:3], parts[3:]

    def gradient(x):
        _, of_coefs, of_intercepts = objective(*arrays(x))
        return np.concatenate([a.ravel() for a in (*of_coefs, *of_intercepts)])

    x = np.concatenate([a.ravel() for a in (*coefs, *intercepts)])
    error = check_grad(lambda x: objective(*arrays(x))[0], gradient, x)
    assert error < 1e-6 * max(1.0, np.linalg.norm(gradient(x)))


@pytest.mark.parametrize("kind", ["one output", "classes", "two classes", "multilabel"])
def test_the_loss_is_that_of_scikit_learn(kind):
    """An MLP that was trained to the end is where its own gradient, and ours, vanish."""
    y = {
        "one output": X[:, 0] ** 2,
        "classes": RNG.integers(0, 3, 30),
        "two classes": RNG.integers(0, 2, 30),
        "multilabel": X[:, :2] > 0,
    }[kind]
    kind = MLPRegressor if kind == "one output" else MLPClassifier
    options = {"solver": "lbfgs", "alpha": 2.0, "tol": 1e-7, "max_iter": 5000, "random_state": 0}
    # hidden layers without kinks: where a loss has one, its minimum may have a slope
    mlp = kind(hidden_layer_sizes=(5,), activation="identity", **options).fit(X, y)
    network = read_network(mlp)
    objective = Objective(X, targets_of(mlp, network, y, None, 30), 2.0 / 30, "identity")
    loss, of_weights, of_biases = objective(network.weights, network.biases)
    assert_allclose(loss, mlp.loss_, rtol=1e-7)
    assert max(abs(g).max() for g in (*of_weights, *of_biases)) < 1e-4
    assert_allclose(retrain(mlp, X, y).loss_, loss, rtol=1e-5)


def test_several_outputs_are_summed():
    """As the gradient of scikit-learn's MLPs has it."""
    Y = X[:, :2] ** 2
    mlp = MLPRegressor(
        hidden_layer_sizes=(5,),
        activation="identity",
        solver="lbfgs",
        alpha=2.0,
        max_iter=5000,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        mlp.fit(X, Y)
    network = read_network(mlp)
    _, _, of_biases = Objective(X, Targets("identity", Y), 2.0 / 30, "identity")(
        network.weights, network.biases
    )
    assert_allclose(of_biases[-1], (mlp.predict(X) - Y).mean(axis=0), atol=1e-12)


@pytest.mark.parametrize("link", ["softmax", "logistic"])
def test_entropies_of_huge_outputs_are_exact(link):
    """No clipping: the loss of a sure mistake is the distance of its scores."""
    z = np.array([[1000.0, -1000.0]])
    loss, slope = loss_and_slope(z, Targets(link, np.array([[0.0, 1.0]])))
    assert loss == 2000.0
    assert_allclose(slope, [[1.0, -1.0]])
