"""Fewer neurons, the same function, nothing left to do."""

import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.neural_network import MLPClassifier, MLPRegressor

from skfact._backend import array_namespace, to_numpy
from skfact.relu import identifiability_report, simplify
from tests.asserts import at_most
from tests.relu.networks import output, random_network, seeds, sizes, total_magnitude


def widths_of(network):
    return [w.shape[1] for w in network[0][:-1]]


def with_copies(network, seed):
    """The same function with superfluous neurons: twins, constants, neurons nobody listens to."""
    rng = np.random.default_rng(seed)
    coefs, intercepts = list(network[0]), list(network[1])
    for l in range(len(coefs) - 1):
        w, b, v = coefs[l], intercepts[l], coefs[l + 1]
        factor, part = np.exp(rng.standard_normal()), rng.uniform()
        w = np.column_stack([w, factor * w[:, 0], 0 * w[:, 0], rng.standard_normal(len(w))])
        b = np.concatenate([b, [factor * b[0], rng.standard_normal(), 1.0]])
        leaves = rng.standard_normal(v.shape[1])
        rest = np.stack([(1 - part) / factor * v[0], leaves, 0 * v[0]])
        v = np.concatenate([v, rest])
        v[0] *= part
        intercepts[l + 1] = intercepts[l + 1] - max(b[-2], 0) * leaves
        coefs[l], intercepts[l], coefs[l + 1] = w, b, v
    return coefs, intercepts


@at_most(40)
@given(sizes, seeds)
def test_what_was_added_goes(widths, seed):
    network = random_network(widths, seed)
    bloated = with_copies(network, seed)
    result = simplify(bloated)
    X = np.random.default_rng(seed).standard_normal((20, widths[0]))
    size = max(total_magnitude(n, X).max() for n in (network, bloated))
    assert_allclose(output(result, X), output(bloated, X), rtol=0, atol=1e-9 * size)
    # with one input or one neuron before it, a neuron may have more twins
    if min(widths[:-1]) > 1:
        assert widths_of(result) == widths[1:-1]
    again = simplify(result)
    for x, y in zip(result[0] + result[1], again[0] + again[1]):
        assert_array_equal(x, y)
    report = identifiability_report(result)
    assert all(not layer.positive_twins for layer in report.layers)
    assert report.is_admissible or 1 in widths_of(result)


def test_twins_that_cancel_go_altogether():
    coefs, intercepts = random_network([3, 4, 2], 0)
    coefs[0][:, 1], intercepts[0][1] = 0.3 * coefs[0][:, 0], 0.3 * intercepts[0][0]
    coefs[1][1] = -coefs[1][0] / 0.3
    assert widths_of(simplify((coefs, intercepts))) == [2]


def test_removal_spreads():
    """A silent layer makes the one before it needless; a constant one, the one after."""
    coefs, intercepts = random_network([3, 4, 4, 4, 2], 0)
    coefs[1] = 0 * coefs[1]
    result = simplify((coefs, intercepts))
    X = np.random.default_rng(0).standard_normal((5, 3))
    assert widths_of(result) == [1, 1, 1]
    assert all(not w.any() for w in result[0])
    assert_allclose(output(result, X), output((coefs, intercepts), X), atol=1e-13)


def test_dead_on_keeps_the_outputs_on_these_samples_only():
    network = random_network([2, 8, 6, 1], 1)
    rng = np.random.default_rng(0)
    X = 0.1 * rng.standard_normal((50, 2))
    result = simplify(network, dead_on=X)
    dead = [len(layer.dead) for layer in identifiability_report(network, X).layers]
    assert sum(dead) > 0 and sum(widths_of(result)) <= 14 - sum(dead)
    assert_allclose(output(result, X), output(network, X), atol=1e-13)
    far = 10 * rng.standard_normal((50, 2))
    assert abs(output(result, far) - output(network, far)).max() > 1e-3
    assert widths_of(simplify(network)) == [8, 6]


def test_fitted_networks_stay_usable():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 3))
    for mlp, y in ((MLPClassifier, X[:, 0] > 0), (MLPRegressor, X[:, 0])):
        mlp = mlp(
            hidden_layer_sizes=(5, 4), solver="lbfgs", max_iter=5000, alpha=1e-2, random_state=0
        ).fit(X, y)
        mlp.coefs_, mlp.intercepts_ = with_copies((mlp.coefs_, mlp.intercepts_), 0)
        mlp.hidden_layer_sizes = (8, 7)
        result = simplify(mlp)
        assert mlp.coefs_[0].shape == (3, 8) and mlp.hidden_layer_sizes == (8, 7)
        sizes = tuple(w.shape[1] for w in result.coefs_[:-1])
        assert result.hidden_layer_sizes == sizes and sizes[0] <= 5 and result.n_layers_ == 4
        called = "predict_proba" if hasattr(mlp, "predict_proba") else "predict"
        assert_allclose(getattr(result, called)(X), getattr(mlp, called)(X), atol=1e-10)
        result.set_params(warm_start=True, max_iter=5000).fit(X, y)


@pytest.mark.parametrize("where", ["torch"])
def test_modules_are_rebuilt(where):
    torch = pytest.importorskip(where)
    nn = torch.nn
    module = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2, bias=False))
    with torch.no_grad():
        module[0].weight[1] = 2 * module[0].weight[0]
        module[0].bias[1] = 2 * module[0].bias[0]
        module[0].weight[3] = 0
        module[0].bias[3] = 1.5
    result = simplify(module)
    X = torch.randn(10, 3)
    assert (result[0].out_features, result[2].in_features, module[0].out_features) == (2, 2, 4)
    assert torch.allclose(result(X), module(X), atol=1e-6)
    assert result[2].bias is not None and module[2].bias is None


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_array_library(asarray, xp, dtype):
    coefs, intercepts = with_copies(random_network([4, 3, 3, 2], 0), 0)
    network = tuple([x.astype(dtype) for x in part] for part in (coefs, intercepts))
    X = np.random.default_rng(0).standard_normal((9, 4)).astype(dtype)
    arrays = tuple([asarray(x) for x in part] for part in network)
    for options in ({}, {"dead_on": asarray(X)}):
        result = simplify(arrays, **options)
        assert all(array_namespace(x) is xp and x.dtype == arrays[0][0].dtype for x in result[0])
        host = tuple([to_numpy(x) for x in part] for part in result)
        assert max(widths_of(host)) <= 3
        assert_allclose(output(host, X), output(network, X), atol=1e-4)
