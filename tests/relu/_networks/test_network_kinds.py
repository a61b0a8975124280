"""Functions return a network of the type they took, and leave that one alone."""

import warnings
from itertools import chain

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skfact._backend import to_numpy
from skfact.relu import (
    align,
    canonical_form,
    equalize,
    is_rescaling_equivalent,
    prune,
    quantize,
    rescale,
    rescaling_factors,
    simplify,
)
from skfact.relu._networks.readers import read_network
from tests.relu.networks import output, random_network, shuffled

RNG = np.random.default_rng(0)
X = RNG.standard_normal((40, 3))
FACTORS = [np.linspace(0.3, 4, 5), np.linspace(2, 0.2, 4)]
OTHER = random_network([3, 5, 4, 2], 1)

SAME_FUNCTION = {
    "rescale": lambda network: rescale(network, FACTORS),
    "canonical_form": canonical_form,
    "canonical_form, sorted": lambda network: canonical_form(network, permutations=True),
    "equalize": lambda network: equalize(network, include_bias=True),
    "equalize, p=inf": lambda network: equalize(network, np.inf, max_iter=5000),
    "align": lambda network: align(network, OTHER),
    "simplify": simplify,
}
OTHER_FUNCTION = {
    "prune": lambda network: prune(network, 0.3),
    "prune, saliency": lambda network: prune(network, 0.3, criterion="saliency"),
    "quantize": lambda network: quantize(network, 4),
    "quantize, channels": lambda network: quantize(network, 4, scheme="per_channel"),
}


def of_kind(kind):
    """A network with layers of 3, 5, 4 and 2 neurons."""
    if kind == "arrays":
        return random_network([3, 5, 4, 2], 0)
    if kind == "torch":
        torch = pytest.importorskip("torch")
        torch.manual_seed(0)
        nn = torch.nn
        layers = nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 2)
        return nn.Sequential(*layers).double()
    options = {"hidden_layer_sizes": (5, 4), "max_iter": 5, "random_state": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        if kind == "MLPClassifier":  # of two labels each sample: two outputs
            return MLPClassifier(**options).fit(X, X[:, :2] > 0)
        mlp = MLPRegressor(**options).fit(X, X[:, :2])
    if kind == "Pipeline":
        return make_pipeline(FunctionTransformer(), mlp)
    return FrozenEstimator(mlp) if kind == "FrozenEstimator" else mlp


def arrays_of(network):
    read = read_network(network)
    return tuple([to_numpy(a).copy() for a in part] for part in (read.weights, read.biases))


def assert_unchanged(network, before, name):
    for x, y in zip(chain(*arrays_of(network)), chain(*before)):
        assert_array_equal(x, y, err_msg=name)


@pytest.mark.parametrize(
    "kind", ["MLPRegressor", "MLPClassifier", "FrozenEstimator", "Pipeline", "arrays", "torch"]
)
def test_networks_return_as_they_came(kind):
    network = of_kind(kind)
    before = arrays_of(network)
    for name, function in (SAME_FUNCTION | OTHER_FUNCTION).items():
        result = function(network)
        assert type(result) is type(network) and result is not network, name
        assert_unchanged(network, before, name)
        after = arrays_of(result)
        assert [a.shape for a in after[0]] == [a.shape for a in before[0]], name
        if name in SAME_FUNCTION:
            assert_allclose(output(after, X), output(before, X), atol=1e-13, err_msg=name)
        # writing to the result reaches nothing of the network it came from
        for array in chain(*arrays_in(result)):
            array[...] = 7.0
        assert_unchanged(network, before, name)
        calls = dict.fromkeys(["MLPRegressor", "FrozenEstimator", "Pipeline"], "predict")
        if kind in calls and name in SAME_FUNCTION:
            predict = getattr(function(network), calls[kind])
            assert_allclose(predict(X), output(before, X), atol=1e-13, err_msg=name)
    if kind == "torch":
        assert [type(m) for m in rescale(network, FACTORS)] == [type(m) for m in network]


@pytest.mark.parametrize("kind", ["MLPRegressor", "FrozenEstimator", "arrays", "torch"])
def test_zeros_are_the_first_to_be_pruned(kind):
    """Neurons at which nothing arrives: what leaves them has no saliency, and is not zero."""
    network = of_kind(kind)
    coefs, intercepts = arrays_in(network)
    for array in (*coefs, *intercepts):
        array[...] = np.where(abs(array) > 0, array, 1.0)
    incoming = coefs[0].T if kind == "torch" else coefs[0]
    incoming[:, :3], intercepts[0][:3] = 0.0, 0.0
    for amount, expected in ((4, 9), (9, 9), (11, 11), (0.2, 9), (0.5, 22)):
        pruned = prune(network, amount, criterion="saliency")
        assert sum(int((w == 0).sum()) for w in arrays_of(pruned)[0]) == expected
    assert_allclose(
        output(arrays_of(prune(network, 21, criterion="saliency")), X),
        output(arrays_of(network), X),
        atol=1e-13,
    )


def arrays_in(network):
    """The arrays that a network holds, not copies."""
    if isinstance(network, Pipeline):
        network = network[-1]
    if isinstance(network, FrozenEstimator):
        network = network.estimator
    if isinstance(network, tuple):
        return network
    if hasattr(network, "coefs_"):
        return network.coefs_, network.intercepts_
    parameters = [p.detach().numpy() for p in network.parameters()]
    return parameters[::2], parameters[1::2]


@pytest.mark.parametrize("where", ["incoming", "outgoing", "both", "layer", "all"])
def test_dead_neurons_survive_every_function(where):
    """No NaN, no infinity; and what says so keeps the function."""
    coefs, intercepts = random_network([3, 5, 4, 2], 0)
    if where in ("incoming", "both"):
        coefs[0][:, 1], intercepts[0][1] = 0, 0
    if where in ("outgoing", "both"):
        coefs[1][1 if where == "both" else 0] = 0
    if where == "layer":
        coefs[1][:] = 0
    if where == "all":
        coefs, intercepts = ([0 * x for x in part] for part in (coefs, intercepts))
    network = coefs, intercepts
    for name, function in (SAME_FUNCTION | OTHER_FUNCTION).items():
        result = function(network)
        assert all(np.isfinite(a).all() for a in result[0] + result[1]), name
        if name in SAME_FUNCTION:
            assert_allclose(output(result, X), output(network, X), atol=1e-13, err_msg=name)
    aligned = align(OTHER, network)
    assert_allclose(output(aligned, X), output(OTHER, X), atol=1e-13)
    other = rescale(network, FACTORS)
    assert all((c > 0).all() and np.isfinite(c).all() for c in rescaling_factors(network, other))
    assert is_rescaling_equivalent(network, shuffled(other, 1), permutations=True)
