"""Models: checked, of standard operators, small, and equal to what they were made of."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_diabetes
from sklearn.decomposition import PCA
from sklearn.neural_network import MLPRegressor

from skfact import ButterflyFactorizer, FixedSupportMF, ReLUPathEmbedding, SparseDeepLinearNet
from skfact.export import to_onnx
from tests.asserts import for_each

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

X, y = load_diabetes(return_X_y=True)
pytestmark = [
    pytest.mark.filterwarnings("ignore::skfact.exceptions.StructureWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]


def run(model, X, name="X"):
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (found,) = session.run(None, {name: X})
    return found


def mlp():
    return MLPRegressor(hidden_layer_sizes=(7, 5), solver="lbfgs", max_iter=50, random_state=0)


def entries_beside():
    return ButterflyFactorizer(operator=PCA(4), supports="low-rank+sparse", max_density=0.6)


ESTIMATORS = {
    "matrix": lambda: (ButterflyFactorizer(), "transform"),
    "components": lambda: (ButterflyFactorizer(4, supports="monarch"), "transform"),
    "PCA": lambda: (ButterflyFactorizer(operator=PCA(4)), "transform"),
    "sum": lambda: (
        ButterflyFactorizer(operator=PCA(4), supports="low-rank+sparse", max_density=0.6),
        "transform",
    ),
    "codes": lambda: (FixedSupportMF(3, supports="disjoint-groups"), "transform"),
    "ridge": lambda: (FixedSupportMF(3, alpha=0.1), "transform"),
    "overlapping": lambda: (FixedSupportMF(3, supports="overlapping-groups"), "transform"),
    "deep": lambda: (SparseDeepLinearNet(), "predict"),
    "deep codes": lambda: (SparseDeepLinearNet(hidden_layer_sizes=(6,)), "transform"),
    "one factor": lambda: (SparseDeepLinearNet(supports="dense"), "transform"),
    "paths": lambda: (ReLUPathEmbedding(mlp()), "transform"),
    "some paths": lambda: (ReLUPathEmbedding(mlp(), n_paths=40), "transform"),
    "few paths": lambda: (ReLUPathEmbedding(mlp(), n_paths=1), "transform"),
    "random gates": lambda: (ReLUPathEmbedding(random_state=0), "transform"),
    "no gates": lambda: (ReLUPathEmbedding(mlp().set_params(activation="identity")), "transform"),
}


@for_each("name", ESTIMATORS)
def test_models_of_estimators(name):
    estimator, method = ESTIMATORS[name]()
    with np.errstate(all="ignore"):
        fitted = estimator.fit(X, y)
    expected = getattr(fitted, method)(X)
    found = run(to_onnx(fitted, method=method), X)
    assert found.dtype == np.float64 and found.shape == expected.shape
    assert_allclose(found, expected, rtol=1e-10, atol=1e-10 * np.abs(expected).max())
    narrow = run(to_onnx(fitted, method=method, dtype="float32"), X.astype("float32"))
    assert narrow.dtype == np.float32
    is_gate = (expected == 0) | (narrow == 0)  # where rounding may open or close a gate
    assert np.mean(is_gate & (np.abs(narrow - expected) > 1e-4)) < 0.01
    close = np.abs(narrow - expected) <= 1e-4 * np.abs(expected).max()
    assert np.mean(close) > 0.99
