"""Operators as nodes: onnxruntime computes with them what `apply` does."""

import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose

from skfact._inputs import is_complex_dtype
from skfact.export._onnx.nodes import fused, operator_nodes
from skfact.operators import FactorizedOperator, KroneckerFactor
from skfact.supports import Chain
from tests.asserts import for_each
from tests.export.examples import KINDS, make, samples

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def model_of(operator, dtype, axes, *, opset=18, one_axis=False):
    """A model of the nodes alone; the axes of its input before the last one have these names."""
    nodes, initializers = operator_nodes(operator, "X", "Y", "map/", dtype, one_axis=one_axis)
    number = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    parts = [2] if is_complex_dtype(operator.dtype) else []
    n_out, n_in = operator.shape
    ends = [
        onnx.helper.make_tensor_value_info(name, number, [*axes, n, *parts])
        for name, n in (("X", n_in), ("Y", n_out))
    ]
    graph = onnx.helper.make_graph(nodes, "map", ends[:1], ends[1:], initializers)
    opsets = [onnx.helper.make_opsetid("", opset)]
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    return model


def images(model, X):
    """What onnxruntime computes; complex rows as pairs of reals there and back."""
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    if X.dtype.kind != "c":
        return session.run(None, {"X": X})[0]
    (Y,) = session.run(None, {"X": np.stack([X.real, X.imag], axis=-1)})
    return Y[..., 0] + 1j * Y[..., 1]


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@for_each("kind", KINDS)
def test_nodes_map_rows_as_apply_does(kind, dtype):
    operator = make(kind, dtype)
    real = np.finfo(dtype).dtype
    for shape in ((5,), (1,), (0,), (2, 3)):
        X = samples(operator, shape)
        flat = X.reshape(-1, operator.shape[1])
        expected = (operator @ flat.T).T.reshape(*shape, operator.shape[0])
        atol = 50 * np.finfo(dtype).eps * np.abs(expected).max(initial=1)
        axes = [f"axis {i}" for i in range(len(shape))]
        found = images(model_of(operator, real, axes), X)
        assert found.dtype == X.dtype and found.shape == expected.shape
        assert_allclose(found, expected, rtol=0, atol=atol)
        if len(shape) == 1:
            found = images(model_of(operator, real, axes, one_axis=True), X)
            assert_allclose(found, expected, rtol=0, atol=atol)


@for_each("opset", [16, 20, 22])
def test_nodes_are_of_many_opsets(opset):
    for kind in KINDS:
        operator = make(kind)
        X = samples(operator)
        found = images(model_of(operator, "float64", ["batch"], opset=opset), X)
        assert_allclose(found, operator.apply(X), rtol=0, atol=1e-11)


def test_a_number_of_axes_that_nobody_knows():
    """The nodes stand between others in a graph; a loop may change the number of axes there."""
    operator = make("chain")
    nodes, initializers = operator_nodes(operator, "taken", "Y", "map/", "float64")
    number = onnx.TensorProto.DOUBLE
    ends = [
        onnx.helper.make_tensor_value_info("X", number, ["n"]),
        onnx.helper.make_tensor_value_info("shape", onnx.TensorProto.INT64, ["rank"]),
    ]
    found = onnx.helper.make_tensor_value_info("Y", number, None)
    nodes.insert(0, onnx.helper.make_node("Reshape", ["X", "shape"], ["taken"]))
    graph = onnx.helper.make_graph(nodes, "map", ends, [found], initializers)
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=8
    )
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    for shape in ((12,), (2, 12), (2, 1, 3, 12)):
        X = np.random.default_rng(0).standard_normal(shape)
        (Y,) = session.run(None, {"X": X.ravel(), "shape": np.array(shape)})
        assert_allclose(Y, X @ operator.toarray().T, rtol=0, atol=1e-11)


def test_several_threads_compute_the_same():
    """Sums over the entries of rows must not be shared among threads."""
    rng = np.random.default_rng(0)
    for share in (0.01, 0.1):
        dense = rng.integers(1, 4, (256, 256)) * (rng.random((256, 256)) < share) * 1.0
        operator = FactorizedOperator([np.eye(256), dense]) + FactorizedOperator(
            [scipy.sparse.csr_array(dense)]
        )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 4
        session = onnxruntime.InferenceSession(
            model_of(operator, "float32", ["batch"]).SerializeToString(),
            options,
            providers=["CPUExecutionProvider"],
        )
        X = rng.integers(-3, 3, (64, 256)).astype("float32")
        for _ in range(20):
            (Y,) = session.run(None, {"X": X})
            np.testing.assert_array_equal(Y, 2 * X @ dense.T)


def test_all_names_begin_with_the_prefix():
    nodes, initializers = operator_nodes(make("sum"), "X", "Y", "layer.0/", "float32")
    inner = {name for node in nodes for name in (node.name, *node.input, *node.output)} - {"X", "Y"}
    names = inner | {initializer.name for initializer in initializers}
    assert all(name.startswith("layer.0/") for name in names)
    assert len({node.name for node in nodes}) == len(nodes)


@for_each("n", [64, 1024])
def test_fused_factors_have_at_most_twice_the_numbers(n):
    chain = Chain.butterfly(n)
    rng = np.random.default_rng(0)
    operator = FactorizedOperator(
        [KroneckerFactor(rng.standard_normal((p.a, p.d, p.b, p.c)), p) for p in chain]
    )
    found = fused(operator)
    assert len(found.factors) < len(operator.factors)
    assert found.nnz <= 2 * operator.nnz
    X = samples(operator)
    assert_allclose(found.apply(X), operator.apply(X), rtol=0, atol=1e-10 * n)


def test_low_rank_is_not_multiplied_out():
    rng = np.random.default_rng(0)
    operator = FactorizedOperator([rng.standard_normal((64, 16)), rng.standard_normal((16, 64))])
    assert fused(operator).factors == operator.factors


@for_each("value, hint", [(1e300, "float64"), (np.inf, "finite"), (np.nan, "finite")])
def test_numbers_outside_the_range_are_refused(value, hint):
    with pytest.raises(ValueError, match=hint):
        operator_nodes(FactorizedOperator([np.full((2, 2), value)]), "X", "Y", "", "float32")
