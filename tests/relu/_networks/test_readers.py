"""Every kind of network is read, and written back as the same kind."""

import copy
import subprocess
import sys
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import make_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skfact._backend import array_namespace, to_numpy
from skfact._backend import device as device_of
from skfact.relu import NetworkGraph, rescale
from skfact.relu._networks.readers import READERS, read_network
from tests.relu.networks import output, random_network

X, Y = make_regression(60, 5, n_targets=2, random_state=0)


def fitted(kind=MLPRegressor, hidden=(6, 4), y=Y, **options):
    options = {"max_iter": 20, "random_state": 0, **options}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return kind(hidden_layer_sizes=hidden, **options).fit(X, y)


FACTORS = [np.linspace(0.5, 3, 6), np.linspace(2, 0.1, 4)]


def test_regressor():
    mlp = fitted()
    network = read_network(mlp)
    assert network.sizes == (5, 6, 4, 2) and network.hidden_sizes == (6, 4)
    assert network.weights[0] is mlp.coefs_[0]
    assert_allclose(output((network.weights, network.biases), X), mlp.predict(X), rtol=1e-12)
    before = copy.deepcopy(mlp)
    other = rescale(mlp, FACTORS)
    assert type(other) is MLPRegressor and other is not mlp
    assert_allclose(other.predict(X), mlp.predict(X), rtol=1e-12)
    assert not np.allclose(other.coefs_[0], mlp.coefs_[0])
    for old, new in zip(before.coefs_ + before.intercepts_, mlp.coefs_ + mlp.intercepts_):
        assert_array_equal(old, new)


def test_training_goes_on_from_the_new_weights():
    """The optimizer keeps references to the arrays that it updates."""
    mlp = fitted(solver="sgd", learning_rate_init=1e-9)
    other = rescale(mlp, FACTORS)
    other.partial_fit(X, Y)
    assert_allclose(other.predict(X), mlp.predict(X), rtol=0, atol=1e-4)
    assert not np.array_equal(other.coefs_[0], rescale(mlp, FACTORS).coefs_[0])


@pytest.mark.parametrize("classes", [2, 3])
def test_classifier(classes):
    mlp = fitted(MLPClassifier, y=np.digitize(Y[:, 0], [0, 50][: classes - 1]))
    assert read_network(mlp).sizes[-1] == (1 if classes == 2 else classes)
    other = rescale(mlp, FACTORS)
    assert_allclose(other.predict_proba(X), mlp.predict_proba(X), rtol=1e-10)
    assert type(other) is MLPClassifier


def test_frozen():
    mlp = FrozenEstimator(fitted())
    other = rescale(mlp, FACTORS)
    assert type(other) is FrozenEstimator
    assert_allclose(other.predict(X), mlp.predict(X), rtol=1e-12)


def test_pipeline():
    """The MLP alone is read; the earlier steps are written, too, as copies."""
    scaler = StandardScaler().fit(X)
    mlp = fitted()
    pipeline = make_pipeline(scaler, mlp)
    assert read_network(pipeline).weights[0] is mlp.coefs_[0]
    other = rescale(pipeline, FACTORS)
    assert type(other) is Pipeline and list(other.named_steps) == list(pipeline.named_steps)
    assert_allclose(other.predict(X), pipeline.predict(X), rtol=1e-10)
    assert other[0] is not scaler and other[-1] is not mlp and pipeline[-1] is mlp
    frozen = rescale(make_pipeline(FrozenEstimator(mlp)), FACTORS)
    assert_allclose(frozen.predict(X), mlp.predict(X), rtol=1e-12)


def test_arrays_stay_in_their_library(asarray, xp):
    coefs, intercepts = random_network([5, 6, 4, 2])
    given = [asarray(w) for w in coefs], [asarray(b) for b in intercepts]
    factors = [asarray(c) for c in FACTORS]
    new_coefs, new_intercepts = rescale(given, factors)
    for old, new in zip(given[0] + given[1], new_coefs + new_intercepts):
        assert array_namespace(new) is xp
        assert device_of(new) == device_of(old) and new.dtype == old.dtype
    host = [to_numpy(w) for w in new_coefs], [to_numpy(b) for b in new_intercepts]
    assert_allclose(output(host, X), output((coefs, intercepts), X), rtol=1e-12)


def test_dtypes_of_arrays():
    coefs, intercepts = random_network([3, 4, 2], dtype=np.float32)
    assert read_network((coefs, intercepts)).dtype == np.float32
    mixed = read_network((coefs, [b.astype(float) for b in intercepts]))
    assert {a.dtype for a in (*mixed.weights, *mixed.biases)} == {np.dtype(float)}
    whole = read_network(([np.ones((3, 2), dtype=int)], [np.zeros(2, dtype=bool)]))
    assert whole.dtype == np.float64
    assert_array_equal(read_network(([np.ones((3, 2))], None)).biases[0], np.zeros(2))


def test_libraries_are_not_mixed():
    coefs, intercepts = random_network([3, 4, 2])
    strict = pytest.importorskip("array_api_strict")
    with pytest.raises(ValueError, match=r"layer 1: coefs\[1\] belongs to array_api_strict, but"):
        read_network(([coefs[0], strict.asarray(coefs[1])], None))
    with pytest.raises(ValueError, match=r"layer 0: intercepts\[0\] belongs to array_api_strict"):
        read_network((coefs, [strict.asarray(intercepts[0]), intercepts[1]]))
    graph = NetworkGraph(3)
    graph.linear(graph.input, coefs[0])
    with pytest.raises(ValueError, match="node 'linear_2' belongs to array_api_strict"):
        graph.linear(graph.output, strict.asarray(coefs[1]))


def test_no_hidden_layer():
    mlp = fitted(hidden=())
    assert read_network(mlp).hidden_sizes == ()
    assert_allclose(rescale(mlp, []).predict(X), mlp.predict(X), rtol=1e-12)


class TestTorch:
    @pytest.fixture
    def nn(self):
        return pytest.importorskip("torch").nn

    def test_sequential(self, nn):
        module = nn.Sequential(
            nn.Sequential(nn.Linear(5, 6), nn.ReLU()),
            nn.Identity(),
            nn.Linear(6, 4, bias=False),
            nn.ReLU(inplace=True),
            nn.Linear(4, 2),
        ).double()
        torch = pytest.importorskip("torch")
        rows = torch.from_numpy(X)
        expected = module(rows).detach().numpy()
        state = copy.deepcopy(module.state_dict())
        other = rescale(module, FACTORS)
        assert type(other) is nn.Sequential and other is not module
        assert_allclose(other(rows).detach().numpy(), expected, rtol=1e-12)
        assert other[2].bias is None
        assert all(parameter.requires_grad for parameter in other.parameters())
        assert all(torch.equal(value, module.state_dict()[key]) for key, value in state.items())
        assert not torch.equal(other[0][0].weight, module[0][0].weight)

    def test_one_relu_in_several_places(self, nn):
        relu = nn.ReLU()
        module = nn.Sequential(nn.Linear(5, 6), relu, nn.Linear(6, 4), relu, nn.Linear(4, 2))
        assert read_network(module).sizes == (5, 6, 4, 2)


def test_torch_is_not_imported():
    code = "import sys, numpy as np; from skfact.relu import path_norm; "
    code += "from skfact import ReLUPathEmbedding; network = [np.ones((2, 2))], None; "
    code += "path_norm(network); ReLUPathEmbedding(network).fit_transform(np.eye(2)); "
    code += "assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_no_reader_accepts_is_told_all_kinds():
    with pytest.raises(TypeError) as error:
        read_network(object())
    assert len(READERS) == 6
    for reader in READERS:
        assert reader.kind in str(error.value)
        assert not reader.accepts(object())
