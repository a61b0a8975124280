"""Models: checked, of standard operators, small, and equal to what they were made of."""

import os
import pickle
import sys

import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose
from scipy.linalg import hadamard
from sklearn.datasets import load_diabetes
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.neural_network import MLPRegressor

from skfact import ButterflyFactorizer, FixedSupportMF, ReLUPathEmbedding, SparseDeepLinearNet
from skfact.butterfly import butterfly_factorize
from skfact.export import to_onnx
from skfact.operators import FactorizedOperator
from tests.asserts import for_each
from tests.export.examples import KINDS, make, samples

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


def test_the_network_of_a_path_embedding():
    fitted = ReLUPathEmbedding(mlp()).fit(X, y)
    found = run(to_onnx(fitted), X)
    assert_allclose(found, fitted.transform(X) @ fitted.path_weights_, rtol=1e-9)
    assert_allclose(found[:, 0], fitted.estimator_.predict(X), rtol=1e-9)


def test_predictions_of_one_and_of_several_targets():
    single = SparseDeepLinearNet().fit(X, y)
    assert_allclose(run(to_onnx(single), X), single.predict(X), rtol=1e-9)
    both = SparseDeepLinearNet().fit(X, np.stack([y, -y], axis=1))
    assert_allclose(run(to_onnx(both), X), both.predict(X), rtol=1e-9)


@pytest.mark.parametrize("dtype", ["float32", "complex128"])
@for_each("kind", KINDS)
def test_models_of_operators(kind, dtype):
    operator = make(kind, dtype)
    model = to_onnx(operator)
    given = samples(operator)
    expected = operator.apply(given)
    if dtype == "complex128":
        found = run(model, np.stack([given.real, given.imag], axis=-1))
        found = found[..., 0] + 1j * found[..., 1]
    else:
        found = run(model, given)
    assert found.dtype == expected.dtype
    scale = np.abs(expected).max()
    assert_allclose(found, expected, rtol=0, atol=50 * np.finfo(dtype).eps * scale)


def test_models_have_standard_operators_and_say_so():
    for kind in KINDS:
        model = to_onnx(make(kind), opset=18)
        assert {node.domain for node in model.graph.node} == {""}
        assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 18)]
        assert model.ir_version == 8
        assert model.producer_name == "skfact"
        (given,), (found,) = model.graph.input, model.graph.output
        for end in (given, found):
            assert end.type.tensor_type.shape.dim[0].dim_param == "batch"
    assert to_onnx(make("chain"), opset=20).opset_import[0].version == 20


def test_models_are_eight_times_smaller_than_dense_ones():
    """At n = 1,024: a butterfly, a Monarch product, low rank, low rank with entries beside it."""
    n = 1024
    rng = np.random.default_rng(0)
    entries = scipy.sparse.random_array((n, n), density=0.01, rng=rng, format="csr")
    low_rank = FactorizedOperator([rng.standard_normal((n, 16)), rng.standard_normal((16, n))])
    dense = to_onnx(FactorizedOperator([rng.standard_normal((n, n))])).ByteSize()
    assert dense > 8 * n**2
    for operator in (
        butterfly_factorize(hadamard(n)),
        butterfly_factorize(rng.standard_normal((n, n)), "monarch"),
        low_rank,
        low_rank + entries,
    ):
        assert to_onnx(operator).ByteSize() < dense / 8


def test_names_of_input_and_output():
    model = to_onnx(make("chain"), input_name="pixels", output_name="codes_1")
    given = samples(make("chain"))
    assert_allclose(run(model, given, "pixels"), make("chain").apply(given), rtol=1e-10)
    assert model.graph.output[0].name == "codes_1"


def test_files_are_the_model_and_are_replaced_whole(tmp_path):
    path = tmp_path / "map.onnx"
    path.write_text("old")
    model = to_onnx(make("chain"), path)
    assert onnx.load(path) == model
    assert path.read_bytes() == model.SerializeToString(deterministic=True)
    with pytest.raises(OSError, match="nowhere"):
        to_onnx(make("chain"), tmp_path / "nowhere" / "map.onnx")
    with pytest.raises(ValueError, match="finite"):
        to_onnx(FactorizedOperator([np.full((2, 2), np.nan)]), path)
    assert onnx.load(path) == model
    assert [file.name for file in tmp_path.iterdir()] == ["map.onnx"]


def test_models_say_nothing_of_the_machine(tmp_path):
    content = to_onnx(make("chain"), tmp_path / "map.onnx").SerializeToString()
    assert str(tmp_path).encode() not in content and os.getcwd().encode() not in content


def test_what_is_exported_stays_as_it_was():
    fitted = ButterflyFactorizer(operator=PCA(4)).fit(X)
    before = pickle.dumps(fitted)
    to_onnx(fitted, dtype="float32")
    assert pickle.dumps(fitted) == before


def test_arrays_of_other_libraries_are_written(asarray):
    operator = make("chain")
    moved = operator.to_device(asarray(np.ones(1)))
    assert to_onnx(moved) == to_onnx(operator)


def test_an_estimator_has_to_be_fitted():
    with pytest.raises(NotFittedError):
        to_onnx(ButterflyFactorizer())


@for_each(
    "estimator",
    [
        FixedSupportMF(3, positive="codes"),
        FixedSupportMF(3, missing_values=np.nan),
    ],
)
def test_codes_that_are_not_linear_are_refused(estimator):
    fitted = estimator.fit(np.abs(X))
    with pytest.raises(ValueError, match="not linear"):
        to_onnx(fitted)


def test_components_without_negative_entries_have_linear_codes():
    fitted = FixedSupportMF(3, positive="components").fit(np.abs(X))
    assert_allclose(run(to_onnx(fitted), X), fitted.transform(X), rtol=1e-8, atol=1e-10)


def test_codes_of_disjoint_groups_are_small():
    rng = np.random.default_rng(0)
    samples = rng.standard_normal((40, 1024))
    fitted = FixedSupportMF(32, supports="disjoint-groups").fit(samples)
    model = to_onnx(fitted)
    assert model.ByteSize() < 32 * 1024 * 8 / 8
    assert_allclose(run(model, samples), fitted.transform(samples), rtol=0, atol=1e-10)


def test_onnx_is_an_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"skfact\[onnx\]"):
        to_onnx(make("chain"))
