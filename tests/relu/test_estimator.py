"""The embedding makes networks linear."""

import copy
import pickle
import warnings
from functools import partial

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skfact import ReLUPathEmbedding
from skfact._backend import to_numpy
from skfact.relu import path_count, path_kernel, rescale
from tests.relu.networks import (
    ORACLE,
    all_paths,
    output,
    random_factors,
    random_network,
    scaled,
    seeds,
    sizes,
    total_magnitude,
)

quiet = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_oracle():
    X = np.array([[1.0, 1.0], [1.0, -1.0]])
    embedding = ReLUPathEmbedding(ORACLE).fit(X)
    assert_array_equal(embedding.path_weights_.ravel(), [2, 2, 6, -0.5, 1, 1, 0.25])
    features = embedding.transform(X)
    assert_array_equal(features[0], [1, 0, 1, 0, 1, 0, 1])
    assert_allclose(features @ embedding.path_weights_, [[9.25], [0.25]])


@given(sizes, seeds, st.booleans(), st.booleans())
def test_linear_in_the_features(widths, seed, bias, sparse):
    coefs, intercepts = random_network(widths, seed)
    network = (coefs, intercepts if bias else None)
    X = np.random.default_rng(seed).standard_normal((30, widths[0]))
    embedding = ReLUPathEmbedding(network, sparse_output=sparse).fit(X)
    features = embedding.transform(X)
    assert scipy.sparse.issparse(features) is sparse and (not sparse or features.format == "csr")
    assert features.shape == (30, embedding.n_paths_)
    assert embedding.n_paths_ * widths[-1] == path_count(network)
    full = (coefs, intercepts if bias else [0 * b for b in intercepts])
    size = total_magnitude(full, X).max()
    assert_allclose(features @ embedding.path_weights_, output(full, X), atol=1e-12 * size)
    every = all_paths(full)
    expected = [[every[*path, o] for o in range(widths[-1])] for path in embedding.paths_.tolist()]
    assert_allclose(embedding.path_weights_, expected, rtol=1e-12)


@given(sizes, seeds)
def test_blind_to_rescaling(widths, seed):
    network = random_network(widths, seed)
    X = np.random.default_rng(seed).standard_normal((20, widths[0]))
    one = ReLUPathEmbedding(network).fit(X)
    two = ReLUPathEmbedding(scaled(network, random_factors(widths, seed))).fit(X)
    assert_allclose(two.path_weights_, one.path_weights_, rtol=1e-10)
    assert_allclose(one.transform(X) @ two.path_weights_, output(network, X), atol=1e-9)
    assert_allclose(one.transform(X) @ one.transform(X).T, path_kernel(network, X), atol=1e-10)


@given(sizes, seeds, st.integers(1, 60), st.booleans(), st.booleans())
def test_the_largest_paths_are_kept(widths, seed, k, sparse, ties):
    network = random_network(widths, seed)
    if ties:  # weights of -1, 0 and 1
        network = tuple([np.trunc(np.clip(2 * x, -1, 1)) for x in part] for part in network)
    X = np.random.default_rng(seed).standard_normal((20, widths[0]))
    full = ReLUPathEmbedding(network).fit(X)
    part = ReLUPathEmbedding(network, n_paths=k, sparse_output=sparse).fit(X)
    k = min(k, full.n_paths_)
    assert part.n_paths_ == k == len(part.path_weights_)
    worth = abs(full.path_weights_).sum(axis=1)
    assert_allclose(
        np.sort(abs(part.path_weights_).sum(axis=1)), np.sort(worth)[len(worth) - k :], rtol=1e-12
    )
    number = {tuple(path): i for i, path in enumerate(full.paths_.tolist())}
    kept = [number[tuple(path)] for path in part.paths_.tolist()]
    assert kept == sorted(set(kept))
    features = part.transform(X)
    features = features.toarray() if sparse else features
    assert_array_equal(features, full.transform(X)[:, kept])
    assert_allclose(part.path_weights_, full.path_weights_[kept], rtol=1e-13)
    names = full.get_feature_names_out()[kept]
    assert_array_equal(part.get_feature_names_out(), names)
    # what the others add to the output
    lost = np.delete(worth, kept).sum() * np.maximum(abs(X).max(axis=1), 1)
    change = abs(features @ part.path_weights_ - output(network, X)).sum(axis=1)
    assert (change <= lost + 1e-10).all()


@pytest.mark.parametrize("n_paths", [None, 40])
def test_weights_of_any_scale(n_paths):
    """Plain products of the weights are 0, infinity or NaN on the way."""
    coefs, _ = random_network([4, 5, 3, 5, 2], 0)
    X = np.random.default_rng(0).standard_normal((10, 4))
    expected = ReLUPathEmbedding((coefs, None), n_paths=n_paths).fit(X)
    for scales in [(1e150, 1e150, 1e-150, 1e-150), (1e-150, 1e-150, 1e-100, 1e200)]:
        moved = [w * s for w, s in zip(coefs, scales)]
        found = ReLUPathEmbedding((moved, None), n_paths=n_paths).fit(X)
        total = 1.0 if scales[0] > 1 else 1e-200
        assert_array_equal(found.paths_, expected.paths_)
        assert_allclose(found.path_weights_, total * expected.path_weights_, rtol=1e-12)
        assert_array_equal(found.transform(X), expected.transform(X))


def test_the_largest_paths_beside_each_other_at_any_scale():
    """Worth 1e350, 1e50, 1 and 1e-100: plain products of the small ones vanish beside the first."""
    network = [[[1e150], [1e-150]], [[1e200, 0.0]]], [[1e-300], [1.0, 0.0]]
    with np.errstate(over="ignore"):
        for k, expected in enumerate(([0], [0, 1], [0, 1, -1], [0, 1, -1, -1]), start=1):
            embedding = ReLUPathEmbedding(network, n_paths=k).fit(np.ones((1, 2)))
            assert sorted(embedding.paths_[:, 0]) == sorted(expected)


@quiet
@pytest.mark.parametrize("hidden", [(), (5,), (6, 4), (4, 3, 3, 2)])
@pytest.mark.parametrize("sparse", [False, True])
def test_fitted_networks(hidden, sparse):
    """Regression and classification, one output and several."""
    X, y = load_diabetes(return_X_y=True)
    iris, labels = load_iris(return_X_y=True)
    cases = [
        (MLPRegressor, X, y, lambda mlp: mlp.predict(X)[:, None]),
        (MLPRegressor, X, np.c_[y, -y, y**2 / 1e3], lambda mlp: mlp.predict(X)),
        (MLPClassifier, iris, labels == 1, None),
        (MLPClassifier, iris, labels, None),
        (MLPClassifier, iris, np.c_[labels == 1, labels > 0], None),
    ]
    for kind, data, target, predict in cases:
        mlp = kind(hidden_layer_sizes=hidden, max_iter=50)
        embedding = ReLUPathEmbedding(mlp, random_state=3, sparse_output=sparse).fit(data, target)
        fitted = embedding.estimator_
        assert not hasattr(mlp, "coefs_") and isinstance(fitted.random_state, int)
        out = embedding.transform(data) @ embedding.path_weights_
        size = abs(out).max()
        if predict is not None:
            assert_allclose(out, predict(fitted), rtol=0, atol=1e-10 * size)
        else:
            found = fitted.predict_proba(data)
            if out.shape[1] == 3:
                expected = np.exp(out - out.max(axis=1, keepdims=True))
                assert_allclose(found, expected / expected.sum(axis=1, keepdims=True), atol=1e-10)
            else:
                assert_allclose(found[:, -out.shape[1] :], 1 / (1 + np.exp(-out)), atol=1e-10)
        again = clone(embedding).fit(data, target)
        assert_array_equal(again.path_weights_, embedding.path_weights_)
        frozen = ReLUPathEmbedding(FrozenEstimator(fitted), sparse_output=sparse).fit(data)
        assert_array_equal(frozen.path_weights_, embedding.path_weights_)
        assert not hasattr(frozen, "estimator_")


def test_seeds_of_nested_networks():
    """The outer seed is for a network that has none of its own."""
    X = np.random.default_rng(0).standard_normal((20, 3))
    mlp = MLPRegressor(hidden_layer_sizes=(2,), solver="lbfgs", max_iter=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for own in (None, 5):
            embedding = ReLUPathEmbedding(clone(mlp).set_params(random_state=own), random_state=1)
            found = embedding.fit(X, X[:, 0]).estimator_
            assert isinstance(found.random_state, int) and (own is None or found.random_state == 5)
            alone = clone(mlp).set_params(random_state=found.random_state).fit(X, X[:, 0])
            assert_array_equal(found.coefs_[0], alone.coefs_[0])
            other = clone(embedding).set_params(random_state=2).fit(X, X[:, 0]).estimator_
            assert (other.random_state == found.random_state) is (own == 5)


def test_identity_networks_are_always_active():
    X, y = load_diabetes(return_X_y=True)
    mlp = MLPRegressor(hidden_layer_sizes=(4, 3), activation="identity", solver="lbfgs")
    embedding = ReLUPathEmbedding(mlp, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        embedding.fit(X, y)
    features = embedding.transform(X)
    assert (features[:, -16:] == 1).all()
    assert_allclose(
        (features @ embedding.path_weights_)[:, 0], embedding.estimator_.predict(X), rtol=1e-10
    )


def test_torch():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    nn = torch.nn
    module = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3), nn.ReLU(), nn.Linear(3, 2))
    module = module.double()
    X = torch.randn(10, 4, dtype=torch.float64)
    embedding = ReLUPathEmbedding(module).fit(X)
    out = embedding.transform(X) @ embedding.path_weights_
    assert torch.allclose(out, module(X).detach(), rtol=0, atol=1e-12)
    host = ReLUPathEmbedding(module).fit(X.numpy())
    assert isinstance(host.path_weights_, np.ndarray)
    assert_allclose(host.transform(X.numpy()), embedding.transform(X).numpy())


def frozen_mlp():
    X, y = load_diabetes(return_X_y=True)
    mlp = MLPRegressor(hidden_layer_sizes=(5, 3), max_iter=5, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        mlp.fit(X[:, :4], y)
    return FrozenEstimator(mlp), [*mlp.coefs_, *mlp.intercepts_]


def arrays(convert=np.asarray):
    coefs, intercepts = ([convert(a) for a in p] for p in random_network([4, 5, 3, 2], 0))
    return (coefs, intercepts), coefs + intercepts


def read_only():
    network, owned = arrays()
    for array in owned:
        array.flags.writeable = False
    return network, owned


def sequential():
    torch = pytest.importorskip("torch")
    nn = torch.nn
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2)).double()
    return module, [parameter.data for parameter in module.parameters()]


def tensors():
    torch = pytest.importorskip("torch")
    return arrays(lambda a: torch.tensor(a, requires_grad=True))


@pytest.mark.parametrize("make", [frozen_mlp, arrays, read_only, sequential, tensors])
@pytest.mark.parametrize("of_torch", [False, True])
def test_what_happens_to_the_network_after_fit_changes_nothing(make, of_torch):
    network, owned = make()
    X = np.random.default_rng(0).standard_normal((20, 4))
    if of_torch:
        X = pytest.importorskip("torch").from_numpy(X)
    embedding = ReLUPathEmbedding(network).fit(X)
    before = [to_numpy(a).copy() for a in (*embedding.coefs_, *embedding.intercepts_)]
    features, out = embedding.transform(X), embedding.transform(X) @ embedding.path_weights_
    for array in owned:
        if isinstance(array, np.ndarray):
            array.flags.writeable = True
            array[...] = -1.0
        else:
            array.data[...] = -1.0
    after = [to_numpy(a).copy() for a in (*embedding.coefs_, *embedding.intercepts_)]
    for one, two in zip(before, after, strict=True):
        assert_array_equal(one, two)
    assert_array_equal(embedding.transform(X), features)
    assert_array_equal(embedding.transform(X) @ embedding.path_weights_, out)


def test_the_network_that_is_fitted_here_may_be_trained_further():
    X, y = load_diabetes(return_X_y=True)
    mlp = MLPRegressor(hidden_layer_sizes=(5,), solver="sgd", max_iter=5, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        embedding = ReLUPathEmbedding(mlp).fit(X, y)
    features = embedding.transform(X)
    before = embedding.estimator_.coefs_[0].copy()
    embedding.estimator_.partial_fit(X, y)
    assert not np.array_equal(embedding.estimator_.coefs_[0], before)
    assert_array_equal(embedding.coefs_[0], before)
    assert_array_equal(embedding.transform(X), features)


@pytest.mark.parametrize("network", [None, "arrays", "sequential"])
@pytest.mark.parametrize("n_paths", [None, 5])
def test_no_graph_of_autograd_is_kept(network, n_paths):
    torch = pytest.importorskip("torch")
    network = {"arrays": tensors, "sequential": sequential}[network]()[0] if network else None
    X = torch.randn(10, 4, dtype=torch.float64, requires_grad=True)
    embedding = ReLUPathEmbedding(network, n_paths=n_paths, random_state=0).fit(2 * X)
    for name, value in vars(embedding).items():
        for tensor in value if isinstance(value, list) else [value]:
            assert not getattr(tensor, "requires_grad", False) or name == "estimator", name
    if network is None:
        assert_array_equal(
            copy.deepcopy(embedding).transform(X.detach()), embedding.transform(X.detach())
        )


class TestRandomGates:
    X = np.random.default_rng(0).standard_normal((200, 6))

    def test_unsupervised(self):
        embedding = ReLUPathEmbedding(hidden_layer_sizes=(5, 3), random_state=0).fit(self.X)
        assert embedding.n_paths_ == 6 * 5 * 3 + 5 * 3 + 3 + 1
        assert not hasattr(embedding, "path_weights_")
        again = ReLUPathEmbedding(hidden_layer_sizes=(5, 3), random_state=0).fit(self.X)
        assert_array_equal(embedding.transform(self.X), again.transform(self.X))
        other = ReLUPathEmbedding(hidden_layer_sizes=(5, 3), random_state=1).fit(self.X)
        assert not np.array_equal(embedding.coefs_[0], other.coefs_[0])

    @pytest.mark.parametrize("scale, offset", [(1.0, 0.0), (1e-6, 0.0), (1e6, 0.0), (1.0, 1e3)])
    def test_gates_tell_samples_apart(self, scale, offset):
        X = scale * self.X + offset
        embedding = ReLUPathEmbedding(hidden_layer_sizes=(20,), random_state=0).fit(X)
        active = embedding.transform(X)[:, -21:-1].mean(axis=0)
        assert ((active > 0.02) & (active < 0.98)).mean() > 0.7

    @pytest.mark.parametrize("order", ["C", "F"])
    def test_many_rows_in_single_precision(self, order):
        """Each neuron switches where it does in double precision, far from the origin."""
        X = 2000 + np.random.default_rng(1).standard_normal((200_000, 2))
        single = np.array(X, dtype="f4", order=order)
        embedding = partial(ReLUPathEmbedding, hidden_layer_sizes=(6, 4), random_state=0)
        one, two = (embedding().fit(samples) for samples in (X, single))
        assert {a.dtype for a in (*two.coefs_, *two.intercepts_)} == {np.dtype("f4")}
        shares = [e.transform(X[:5000].astype("f4"))[:, -11:-1].mean(axis=0) for e in (one, two)]
        assert_allclose(*shares, atol=0.01)
        for mine, others in zip(one.intercepts_, two.intercepts_):
            assert_allclose(mine, others, rtol=1e-6, atol=2e-3)

    def test_a_failed_fit_and_a_second_one(self):
        embedding = ReLUPathEmbedding(random_network([6, 3, 1])).fit(self.X)
        embedding.set_params(estimator=None).fit(self.X)
        assert not hasattr(embedding, "path_weights_")


@pytest.mark.parametrize("format", ["csr", "csc", "coo"])
@pytest.mark.parametrize("sparse_output", [False, True])
def test_sparse_samples(format, sparse_output):
    X = np.random.default_rng(0).standard_normal((50, 6))
    X[abs(X) < 0.7] = 0
    given = scipy.sparse.coo_array(X).asformat(format)
    for estimator in (None, random_network([6, 4, 3, 2])):
        options = {"sparse_output": sparse_output, "random_state": 0}
        dense = ReLUPathEmbedding(estimator, **options).fit(X)
        sparse = ReLUPathEmbedding(estimator, **options).fit(given)
        found, expected = sparse.transform(given), dense.transform(X)
        assert scipy.sparse.issparse(found) is sparse_output
        if sparse_output:
            assert found.has_canonical_format and (found.data != 0).all()
            found, expected = found.toarray(), expected.toarray()
        assert_allclose(found, expected)


def test_rows_in_pieces(monkeypatch):
    from skfact.relu import _features as _path_features

    X = np.random.default_rng(0).standard_normal((50, 6))
    for n_paths in (None, 20):
        for sparse in (False, True):
            embedding = ReLUPathEmbedding(n_paths=n_paths, sparse_output=sparse, random_state=0)
            expected = embedding.fit_transform(X)
            with monkeypatch.context() as patch:
                patch.setattr(_path_features, "CHUNK", 400)
                found = embedding.transform(X)
            assert abs(found - expected).max() == 0


def test_names():
    X = np.ones((2, 2))
    embedding = ReLUPathEmbedding(random_network([2, 2, 1, 1])).fit(X)
    names = ["x0>h1_0>h2_0", "x0>h1_1>h2_0", "x1>h1_0>h2_0", "x1>h1_1>h2_0"]
    names += ["1>h1_0>h2_0", "1>h1_1>h2_0", "1>h2_0", "1"]
    assert list(embedding.get_feature_names_out()) == names
    assert embedding.get_feature_names_out(["a", "b"])[0] == "a>h1_0>h2_0"
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"length": [1.0, 2.0], "width": [0.0, 1.0]})
    embedding = ReLUPathEmbedding(random_network([2, 2, 1])).set_output(transform="pandas")
    assert list(embedding.fit(frame).transform(frame).columns[:3]) == [
        "length>h1_0",
        "length>h1_1",
        "width>h1_0",
    ]


def test_the_guard_counts_exactly():
    network = [np.zeros((n, m)) for n, m in [(784, 1024), (1024, 1024), (1024, 10)]], None
    X = np.zeros((2, 784))
    with pytest.raises(ValueError, match=r"823133185 paths.*max_paths=1000000.*n_paths"):
        ReLUPathEmbedding(network).fit(X)
    exact = ReLUPathEmbedding(hidden_layer_sizes=(3,), max_paths=10, random_state=0)
    assert exact.fit_transform(np.ones((2, 2))).shape == (2, 10)
    with pytest.raises(ValueError, match=r"10 paths to each output.*max_paths=9"):
        exact.set_params(max_paths=9).fit(np.ones((2, 2)))


def test_float32():
    X, y = load_diabetes(return_X_y=True)
    X = X.astype("f4")
    mlp = MLPRegressor(hidden_layer_sizes=(5,), solver="lbfgs", max_iter=10_000, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        embedding = ReLUPathEmbedding(mlp).fit(X, y.astype("f4"))
    features = embedding.transform(X)
    assert features.dtype == np.float32
    assert embedding.path_weights_.dtype == embedding.estimator_.coefs_[0].dtype
    out = (features @ embedding.path_weights_)[:, 0]
    assert_allclose(out, embedding.estimator_.predict(X), rtol=1e-3)
    embedding = ReLUPathEmbedding(random_network([10, 4, 2], 0, "f4")).fit(X)
    assert embedding.transform(X).dtype == embedding.path_weights_.dtype == np.float32


def test_before_a_linear_model_and_in_a_grid_search():
    X, y = load_digits(n_class=3, return_X_y=True)
    X = X[:240] / 16
    y = y[:240]
    pipeline = make_pipeline(
        MinMaxScaler(),
        ReLUPathEmbedding(random_state=0, sparse_output=True),
        LogisticRegression(max_iter=500),
    )
    search = GridSearchCV(
        pipeline, {"relupathembedding__hidden_layer_sizes": [(2,), (8,), (8, 2)]}, cv=3
    ).fit(X, y)
    assert search.best_score_ > 0.9
    iris, labels = load_iris(return_X_y=True)
    mlp = partial(MLPClassifier, solver="lbfgs", max_iter=1000)
    grid = {
        "relupathembedding__estimator": [mlp(hidden_layer_sizes=h) for h in [(3,), (4, 2)]],
    }
    pipeline = make_pipeline(
        StandardScaler(),
        ReLUPathEmbedding(mlp(), random_state=0),
        LogisticRegression(max_iter=5000),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        assert GridSearchCV(pipeline, grid, cv=3).fit(iris, labels).best_score_ > 0.9


def test_pickled_and_unchanged():
    network = random_network([3, 4, 2])
    X = np.random.default_rng(0).standard_normal((5, 3))
    embedding = ReLUPathEmbedding(network, n_paths=6).fit(X)
    loaded = pickle.loads(pickle.dumps(embedding))
    assert_array_equal(loaded.transform(X), embedding.transform(X))
    twin = ReLUPathEmbedding(rescale(network, [np.full(4, 3.0)])).fit(X)
    assert twin.n_paths_ == 17
    assert_array_equal(network[0][0], random_network([3, 4, 2])[0][0])
