"""Samples are those that a pipeline takes: its earlier steps come before its network."""

import copy
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from skfact.inspection import ActivationRegionsDisplay
from skfact.relu import (
    ReLUPathEmbedding,
    activation_patterns,
    activation_space,
    generalization_bound,
    identifiability_report,
    path_kernel,
    path_metric,
    prune,
    retrain,
    simplify,
)
from skfact.relu._networks.readers import read_network
from tests.asserts import about
from tests.relu.networks import output

X = np.random.default_rng(0).normal(size=(80, 4)) * 5 + 20  # far from zero: scaling matters
LABELS = X[:, 0] > 20


def mlp():
    return MLPClassifier((5,), solver="lbfgs", alpha=1, max_iter=1000, random_state=0)


def fitted(*steps):
    return make_pipeline(*steps, mlp()).fit(X.copy(), LABELS)


SCALED = fitted(StandardScaler())
# what each kind of pipeline is, and what its samples go through before its network
PIPELINES = {
    "scaled": (SCALED, SCALED[:-1]),
    "frozen": (FrozenEstimator(SCALED), SCALED[:-1]),
    "of a frozen one": (
        make_pipeline(FunctionTransformer(lambda X: X / 1), FrozenEstimator(SCALED)),
        SCALED[:-1],
    ),
    "of a pipeline": (make_pipeline("passthrough", SCALED), SCALED[:-1]),
    "fewer features": ((two := fitted(StandardScaler(), PCA(2))), two[:-1]),
    "passthrough": (fitted("passthrough", None), FunctionTransformer()),
    "writes to X": ((own := fitted(StandardScaler(copy=False))), StandardScaler().fit(X)),
}


def last(network):
    while not isinstance(network, MLPClassifier):
        network = network[-1] if isinstance(network, Pipeline) else network.estimator
    return network


def arrays(network):
    read = read_network(network)
    return [*read.weights, *read.biases]


def reported(report):
    return repr(report), report.local


OF_SAMPLES = {
    "activation_patterns": activation_patterns,
    "activation_space": lambda network, X: activation_space(network, X, return_basis=True),
    "identifiability_report": lambda network, X: reported(identifiability_report(network, X)),
    "path_kernel": path_kernel,
    "path_kernel, two": lambda network, X: path_kernel(network, X[:3], X[3:]),
    "path_kernel, vectors": lambda network, X: path_kernel(network, X[0], X[1]),
    "simplify": lambda network, X: arrays(simplify(network, dead_on=X[:4])),
    "retrain": lambda network, X: arrays(retrain(network, X, LABELS, alpha=0.1)),
    "generalization_bound": lambda network, X: repr(
        generalization_bound(network, X, LABELS, n_draws=20, random_state=0)
    ),
    "output_bound": lambda network, X: path_metric(network, prune(network, 0.3)).output_bound(X),
    "ReLUPathEmbedding": lambda network, X: (
        ReLUPathEmbedding(FrozenEstimator(network)).fit(X).transform(X)
    ),
    "ActivationRegionsDisplay": lambda network, X: ActivationRegionsDisplay(
        network, X[:2]
    ).cuts.tolist(),
}


@pytest.mark.parametrize("name", OF_SAMPLES)
def test_samples_go_through_the_earlier_steps(name):
    """f(pipeline, X) is f(pipeline[-1], pipeline[:-1].transform(X))."""
    for kind, (network, earlier) in PIPELINES.items():
        with about(kind):
            given = X.copy()
            found = OF_SAMPLES[name](network, given)
            assert_array_equal(given, X)
            expected = OF_SAMPLES[name](last(network), earlier.transform(X))
            for one, other in zip(
                *((x if isinstance(x, list) else [x]) for x in (found, expected))
            ):
                assert_array_equal(one, other)


def test_what_is_seen_behind_a_scaler():
    pipeline = make_pipeline(StandardScaler(), MLPClassifier((5,), max_iter=300, random_state=0))
    with pytest.warns(ConvergenceWarning):
        pipeline.fit(X, LABELS)
    report = identifiability_report(pipeline, X)
    assert activation_space(pipeline, X).dimension == 26
    assert report.is_locally_identifiable and report.layers[0].dead == ()
    assert_allclose(np.trace(path_kernel(pipeline, X)), 1306.62, rtol=1e-4)
    assert activation_space(pipeline[-1], X).dimension == 15  # of samples nobody asked about


def test_a_trained_pipeline_keeps_its_earlier_steps():
    for network in (SCALED, FrozenEstimator(SCALED)):
        trained = retrain(network, X, LABELS, alpha=1e-3)
        assert type(trained) is type(network)
        inner = getattr(trained, "estimator", trained)
        assert inner[0] is not SCALED[0]
        assert_array_equal(inner[0].mean_, SCALED[0].mean_)
        assert trained.score(X, LABELS) >= SCALED.score(X, LABELS)


class TestEmbedding:
    @pytest.mark.parametrize("kind", PIPELINES)
    def test_the_output_is_linear_in_the_features(self, kind):
        network, earlier = PIPELINES[kind]
        embedding = ReLUPathEmbedding(network).fit(X)
        assert embedding.n_features_in_ == X.shape[1]
        expected = output(read_arrays(network), earlier.transform(X))
        for kept in (embedding, copy.deepcopy(embedding)):
            assert_allclose(kept.transform(X) @ kept.path_weights_, expected, atol=1e-10)
        with pytest.raises(ValueError, match="X has 3 features, but ReLUPathEmbedding is expect"):
            embedding.transform(X[:, :3])

    def test_steps_that_are_fitted_again_change_nothing(self):
        pipeline = fitted(StandardScaler())
        embedding = ReLUPathEmbedding(pipeline).fit(X)
        before = embedding.transform(X)
        pipeline[0].fit(X**2)
        assert_array_equal(embedding.transform(X), before)
        assert_array_equal(pickle.loads(pickle.dumps(embedding)).transform(X), before)

    def test_names_of_the_inputs(self):
        pandas = pytest.importorskip("pandas")
        frame = pandas.DataFrame(X, columns=["a", "b", "c", "d"])
        pipeline = make_pipeline(StandardScaler(), PCA(2), mlp()).fit(frame, LABELS)
        embedding = ReLUPathEmbedding(pipeline).fit(frame)
        assert list(embedding.feature_names_in_) == ["a", "b", "c", "d"]
        assert list(embedding.get_feature_names_out()[[0, 5, 10]]) == [
            "pca0>h1_0",
            "pca1>h1_0",
            "1>h1_0",
        ]
        scaled = ReLUPathEmbedding(SCALED).fit(X).get_feature_names_out()
        assert list(scaled[[0, 5]]) == ["x0>h1_0", "x1>h1_0"]
        with pytest.raises(ValueError, match="input_features should have length"):
            ReLUPathEmbedding(SCALED).fit(X).get_feature_names_out(["a"])

    def test_columns_of_text_and_sparse_inputs(self):
        """What the pipeline predicts from is what the embedding takes."""
        pandas = pytest.importorskip("pandas")
        frame = pandas.DataFrame({"kind": list("abca" * 20), "size": X[:, 0]})
        encoder = make_column_transformer(
            (OneHotEncoder(), ["kind"]), (StandardScaler(), ["size"]), sparse_threshold=1.0
        )
        pipeline = make_pipeline(encoder, mlp()).fit(frame, LABELS)
        embedding = ReLUPathEmbedding(pipeline).fit(frame)
        inputs = pipeline[:-1].transform(frame).toarray()
        expected = output(read_arrays(pipeline), inputs)
        assert_allclose(embedding.transform(frame) @ embedding.path_weights_, expected, atol=1e-10)
        assert embedding.get_feature_names_out()[0] == "onehotencoder__kind_a>h1_0"
        with pytest.raises(TypeError, match=r"X is a sparse matrix after.*transform\(X\)\.toarray"):
            activation_patterns(pipeline, frame)
        patterns = activation_patterns(pipeline[-1], inputs)
        encoder.set_params(onehotencoder__sparse_output=False)
        dense = make_pipeline(encoder.fit(frame), pipeline[-1])
        assert_array_equal(activation_patterns(dense, frame), patterns)


def read_arrays(network):
    read = read_network(network)
    return list(read.weights), list(read.biases)


def test_bounds_compare_equal_inputs():
    other = copy.deepcopy(SCALED)
    other.steps[0] = ("standardscaler", StandardScaler().fit(2 * X))
    for pair in ((SCALED, other), (SCALED, SCALED[-1]), (SCALED[-1], SCALED)):
        metric = path_metric(*pair)
        assert metric.l1 == 0
        with pytest.raises(ValueError, match="The two networks see different inputs"):
            metric.output_bound(X)
    identity = make_pipeline(FunctionTransformer(), SCALED[-1])
    assert_array_equal(path_metric(identity, SCALED[-1]).output_bound(X), np.zeros(len(X)))
