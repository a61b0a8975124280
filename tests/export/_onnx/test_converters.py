"""Pipelines that skl2onnx converts with our steps in them."""

import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_diabetes, load_digits
from sklearn.ensemble import StackingRegressor, VotingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

from skfact import ButterflyFactorizer, FixedSupportMF, ReLUPathEmbedding, SparseDeepLinearNet
from skfact.compression import compress
from skfact.export import register_skl2onnx
from tests.asserts import for_each

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
skl2onnx = pytest.importorskip("skl2onnx")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = load_digits(return_X_y=True)
X, y = X[:300], y[:300]
STEPS = [
    ButterflyFactorizer(16, supports="monarch"),
    FixedSupportMF(12),
    FixedSupportMF(6, supports="disjoint-groups"),
    ReLUPathEmbedding(hidden_layer_sizes=(5,), random_state=0),
    SparseDeepLinearNet(hidden_layer_sizes=(20,), max_iter=5),
]


def run(model, X):
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"X": X})


@pytest.mark.filterwarnings("ignore::skfact.exceptions.StructureWarning")
@for_each("step", STEPS)
def test_pipelines(step):
    register_skl2onnx()
    pipeline = make_pipeline(StandardScaler(), step, LogisticRegression(max_iter=50)).fit(X, y)
    options = {id(pipeline): {"zipmap": False}}
    expected = pipeline.predict_proba(X)
    for dtype, atol in (("float32", 1e-4), ("float64", 1e-10)):
        model = skl2onnx.to_onnx(pipeline, X[:1].astype(dtype), options=options)
        onnx.checker.check_model(model, full_check=True)
        labels, probabilities = run(model, X.astype(dtype))
        assert probabilities.dtype == dtype
        assert_allclose(probabilities, expected, rtol=0, atol=atol)
        assert np.mean(labels == pipeline.predict(X)) > 0.99


def test_a_regressor_at_the_end_and_integers_at_the_beginning():
    register_skl2onnx()
    X, y = load_diabetes(return_X_y=True)
    X = np.round(100 * X).astype(np.int64)
    fitted = SparseDeepLinearNet().fit(X, y)
    (found,) = run(skl2onnx.to_onnx(fitted, X[:1]), X)
    assert_allclose(found[:, 0], fitted.predict(X), rtol=1e-4)


def net():
    return SparseDeepLinearNet(hidden_layer_sizes=(6,), max_iter=5, random_state=0)


AROUND = {
    "at the end": lambda: make_pipeline(StandardScaler(), net()),
    "before another": lambda: make_pipeline(net(), Ridge()),
    "of an inner pipeline": lambda: make_pipeline(make_pipeline(net(), StandardScaler()), Ridge()),
    "an inner pipeline": lambda: make_pipeline(StandardScaler(), make_pipeline(net()), Ridge()),
    "beside another": lambda: make_pipeline(make_union(net(), StandardScaler()), Ridge()),
    "of some columns": lambda: make_pipeline(
        ColumnTransformer([("net", net(), [0, 1, 2]), ("others", StandardScaler(), [3, 4])]),
        Ridge(),
    ),
    "in a vote": lambda: VotingRegressor([("net", net()), ("ridge", Ridge())]),
    "in a stack": lambda: make_pipeline(
        StandardScaler(), StackingRegressor([("net", net()), ("ridge", Ridge())], cv=2)
    ),
}


@for_each("place", AROUND)
def test_a_net_transforms_or_predicts_as_scikit_learn_asks_it(place):
    register_skl2onnx()
    X, y = load_diabetes(return_X_y=True)
    fitted = AROUND[place]().fit(X, y)
    (found,) = run(skl2onnx.to_onnx(fitted, X[:1]), X)
    assert_allclose(found[:, 0], fitted.predict(X), rtol=1e-8)


def test_the_network_by_an_option():
    register_skl2onnx()
    X, y = load_diabetes(return_X_y=True)
    mlp = MLPRegressor(hidden_layer_sizes=(4,), max_iter=5, random_state=0)
    fitted = ReLUPathEmbedding(mlp).fit(X, y)
    options = {id(fitted): {"method": "network"}}
    (found,) = run(skl2onnx.to_onnx(fitted, X[:1], options=options), X)
    assert_allclose(found[:, 0], fitted.estimator_.predict(X), rtol=1e-8)


@for_each("labels", [y, y.astype(str), y > 4, np.c_[y > 4, y % 2 == 0].astype(int)])
def test_pipelines_that_end_in_a_compressed_classifier(labels):
    mlp = MLPClassifier((40,), max_iter=30, random_state=0)
    fitted = compress(make_pipeline(StandardScaler(), mlp).fit(X, labels), X, max_density=0.5)
    pipeline = fitted.network
    assert pipeline[-1].coefs_[0].nnz < 64 * 40
    register_skl2onnx()
    options = {id(pipeline): {"zipmap": False}}
    for dtype, atol in (("float32", 1e-4), ("float64", 1e-10)):
        model = skl2onnx.to_onnx(pipeline, X[:1].astype(dtype), options=options)
        onnx.checker.check_model(model, full_check=True)
        found, probabilities = run(model, X.astype(dtype))
        assert_allclose(probabilities, pipeline.predict_proba(X), rtol=0, atol=atol)
        expected = pipeline.predict(X)
        assert found.shape == expected.shape and np.mean(found == expected) > 0.99


def test_probabilities_by_class():
    register_skl2onnx()
    mlp = MLPClassifier((40,), max_iter=5, random_state=0).fit(X.astype("f4"), y)
    small = compress(mlp, X, max_density=0.5).network
    _, found = run(skl2onnx.to_onnx(small, X[:1].astype("f4")), X.astype("f4"))
    assert {*found[0]} == {*range(10)}
    assert_allclose([[*p.values()] for p in found], small.predict_proba(X.astype("f4")), atol=1e-5)


def test_pipelines_that_end_in_a_compressed_regressor():
    register_skl2onnx()
    mlp = MLPRegressor(hidden_layer_sizes=(40,), max_iter=5, random_state=0).fit(X, y)
    small = compress(mlp, X, max_density=0.5).network
    (found,) = run(skl2onnx.to_onnx(small, X[:1]), X)
    assert_allclose(found[:, 0], small.predict(X))


def test_old_opsets_are_refused():
    register_skl2onnx()
    fitted = ButterflyFactorizer(16, supports="monarch").fit(X)
    with pytest.raises(ValueError, match="target_opset must be at least 15"):
        skl2onnx.to_onnx(fitted, X[:1], target_opset=12)


def test_skl2onnx_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(ImportError, match="pip install skl2onnx"):
        register_skl2onnx()
