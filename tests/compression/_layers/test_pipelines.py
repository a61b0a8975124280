"""Pipelines and frozen estimators that hold a perceptron: what stands around it stays."""

import copy
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skfact.compression import compress
from skfact.compression._layers.mlp import CompressedMLPClassifier

X, y = load_digits(return_X_y=True)


@pytest.fixture(scope="module")
def pipeline():
    steps = [("scale", StandardScaler()), ("none", "passthrough")]
    mlp = MLPClassifier((64,), max_iter=25, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return Pipeline([*steps, ("mlp", mlp)], verbose=False).fit(X, y)


def test_the_last_step_is_compressed_on_what_comes_into_it(pipeline):
    before = pipeline.predict_proba(X)
    found = compress(pipeline, X, max_density=0.4)
    expected = compress(pipeline[-1], pipeline[:-1].transform(X), max_density=0.4)
    assert found.output_error == expected.output_error
    assert_array_equal(
        found.network.predict_proba(X), expected.network.predict_proba(pipeline[:-1].transform(X))
    )
    assert isinstance(found.network[-1], CompressedMLPClassifier)
    assert [name for name, _ in found.network.steps] == ["scale", "none", "mlp"]
    assert found.network[0] is not pipeline[0]
    assert type(pipeline[-1]) is MLPClassifier
    assert_array_equal(pipeline.predict_proba(X), before)
    assert found.network.score(X, y) > pipeline.score(X, y) - 0.05


def test_without_samples_and_nested(pipeline):
    nested = make_pipeline("passthrough", pipeline)
    for given in (None, X):
        found = compress(nested, given, max_density=0.5)
        expected = compress(pipeline, given, max_density=0.5)
        assert_array_equal(found.network.predict(X), expected.network.predict(X))


def test_frozen_ones_stay_frozen(pipeline):
    found = compress(FrozenEstimator(pipeline), X, max_density=0.4).network
    inner = copy.deepcopy(pipeline)
    inner.steps[-1] = "mlp", FrozenEstimator(pipeline[-1])
    again = compress(inner, X, max_density=0.4).network
    assert isinstance(found, FrozenEstimator) and isinstance(again[-1], FrozenEstimator)
    assert_allclose(found.predict_proba(X), again.predict_proba(X))
    assert found.fit(X, y) is found and again.fit(X, y) is again


def test_the_best_of_a_search(pipeline):
    search = GridSearchCV(pipeline, {"mlp__alpha": [1e-4]}, cv=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        search.fit(X[:400], y[:400])
    with pytest.raises(TypeError, match=r"got GridSearchCV\. Pass network\.best_estimator_"):
        compress(search, X)
    best = search.best_estimator_
    found = compress(best, X[:400], max_density=0.5).network
    assert np.mean(found.predict(X) == best.predict(X)) > 0.9
