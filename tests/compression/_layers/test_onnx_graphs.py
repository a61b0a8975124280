"""ONNX models: nodes with constant weights become factors, and all else stays."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, inliner, numpy_helper

from skfact.compression import compress

OPSETS = {version: [helper.make_opsetid("", version)] for version in (15, 18)}
RNG = np.random.default_rng(0)
F = "f4"


def weights(n_in, n_out):
    """With falling singular values, as trained ones have."""
    turned = np.linalg.qr(RNG.standard_normal((n_out, n_out)))[0]
    return (RNG.standard_normal((n_in, n_out)) @ np.diag(0.8 ** np.arange(n_out)) @ turned).astype(
        F
    )


W1, B1 = weights(24, 48), RNG.standard_normal(48).astype(F)
W2, B2 = weights(48, 24), RNG.standard_normal(24).astype(F)
X = RNG.standard_normal((400, 24)).astype(F)


def model(nodes, constants, shape=("n", 24), out=None, **options):
    def value(name, shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    graph = helper.make_graph(
        nodes,
        "graph",
        [value("x", shape)],
        [value("y", out or [*shape[:-1], "k"])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    options = {"opset_imports": OPSETS[18], "ir_version": 8, **options}
    return helper.make_model(graph, **options)


def node(kind, inputs, output, **attributes):
    return helper.make_node(kind, inputs, [output], name=f"make_{output}", **attributes)


def as_gemm(weight, bias, x, y, **attributes):
    return [node("Gemm", [x, weight, bias], y, **attributes)]


def as_matmul(weight, bias, x, y):
    return [node("MatMul", [x, weight], f"{y}_product"), node("Add", [bias, f"{y}_product"], y)]


def perceptron(first, second, **constants):
    nodes = [*first("w1", "b1", "x", "a"), node("Relu", ["a"], "h"), *second("w2", "b2", "h", "y")]
    return model(nodes, {"w1": W1, "b1": B1, "w2": W2, "b2": B2, **constants})


def run(model, rows):
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, {session.get_inputs()[0].name: rows})[0]


def missed(one, other, rows):
    y, z = (found.reshape(-1, found.shape[-1]) for found in (run(one, rows), run(other, rows)))
    return np.linalg.norm(y - z) / np.linalg.norm(y - y.mean(axis=0))


@pytest.mark.parametrize("supports", ["auto", "low-rank"])
def test_the_file_has_no_more_numbers_than_are_counted(supports):
    found = compress(perceptron(as_matmul, as_matmul), X, max_density=0.7, supports=supports)
    stored = [numpy_helper.to_array(one) for one in found.network.graph.initializer]
    numbers = sum(array.size for array in stored if array.dtype == F and array.ndim > 1)
    assert 0 < numbers <= found.n_parameters_after <= 0.7 * found.n_parameters_before


@pytest.mark.parametrize("kind", [as_gemm, as_matmul])
def test_it_is_as_small_as_the_arrays(kind):
    given = perceptron(kind, kind)
    data = given.SerializeToString()
    expected = compress(([W1, W2], [B1, B2]), X, max_density=0.5)
    found = compress(given, X, max_density=0.5)
    assert given.SerializeToString() == data
    onnx.checker.check_model(found.network, full_check=True)
    assert [x.structure for x in found.layers] == [x.structure for x in expected.layers]
    effects = [[layer.effect for layer in one.layers] for one in (found, expected)]
    assert_allclose(*effects, rtol=0.1)  # of the first 256 samples, and of all
    assert_allclose(found.output_error, expected.output_error, rtol=1e-3)
    assert_allclose(found.output_error, missed(given, found.network, X), rtol=1e-3)
    assert len(found.network.SerializeToString()) < 0.8 * len(data)
    names = {tensor.name for tensor in found.network.graph.initializer}
    assert not names & {"w1", "w2", "b1", "b2"}


def test_transposed_and_scaled():
    attributes = {"transB": 1, "alpha": 2.0, "beta": 0.5}
    gemm = [node("Gemm", ["x", "w1", "b1"], "y", **attributes)]
    given = model(gemm, {"w1": np.ascontiguousarray(W1.T), "b1": B1[None]})
    found = compress(given, X, max_density=0.4)
    assert found.output_error < 0.4
    assert_allclose(missed(given, found.network, X), found.output_error, rtol=1e-3)


def test_rows_in_more_axes_and_no_bias():
    nodes = [node("MatMul", ["x", "w1"], "h"), node("MatMul", ["h", "w2"], "y")]
    given = model(nodes, {"w1": W1, "w2": W2}, ("n", "m", 24))
    rows = X.reshape(40, 10, 24)
    found = compress(given, {"x": rows}, max_density=0.5)
    assert found.n_samples == 400 and run(found.network, rows).shape == rows.shape
    assert_allclose(missed(given, found.network, rows), found.output_error, rtol=0.2)
    batches = compress(given, [{"x": rows[:15]}, {"x": rows[15:]}], max_density=0.5)
    assert_allclose(batches.output_error, found.output_error, rtol=1e-3)


def test_biases_keep_their_axes():
    nodes = as_matmul("w1", "b1", "x", "y")
    for bias, shape in ((B1[None, None], (1, 40, 48)), (B1[:1], (40, 48)), (B1[0], (40, 48))):
        given = model(nodes, {"w1": W1, "b1": bias})
        found = compress(given, X, max_density=0.4)
        assert run(found.network, X[:40]).shape == run(given, X[:40]).shape == shape
        assert_allclose(missed(given, found.network, X), found.output_error, rtol=0.2)


def test_structures_are_applied_to_any_rows():
    given = model([node("MatMul", ["x", "w1"], "y")], {"w1": W1}, ("n", "m", 24))
    for supports in ("monarch", "butterfly"):
        found = compress(given, supports=supports, max_density=0.5)
        (layer,) = found.layers
        assert "factors" in layer.structure
        assert_allclose(missed(given, found.network, X.reshape(20, 20, 24)), layer.error, rtol=0.3)


def test_all_else_stays():
    given = perceptron(as_gemm, as_matmul)
    given.graph.initializer.append(numpy_helper.from_array(np.ones(3, F), "unused"))
    given.metadata_props.add(key="author", value="somebody")
    given.producer_name = "maker"
    compression = compress(given, X, max_density=0.5, include="make_a")
    found = compression.network
    assert compression.n_parameters_elsewhere == W2.size + B1.size + B2.size + 3
    assert found.producer_name == "maker" and found.metadata_props[0].value == "somebody"
    kept = {tensor.name: tensor for tensor in found.graph.initializer}
    assert {"w2", "b2", "unused"} <= set(kept) and "w1" not in kept
    assert_array_equal(numpy_helper.to_array(kept["w2"]), W2)
    assert [value.name for value in found.graph.output] == ["y"]
    again = compress(found, X, max_density=0.6, include="make_y_product")
    onnx.checker.check_model(again.network, full_check=True)


def test_files(tmp_path):
    given = perceptron(as_gemm, as_gemm)
    path = tmp_path / "model.onnx"
    onnx.save(given, path)
    found = compress(path, X, max_density=0.5)
    assert_allclose(found.output_error, compress(given, X, max_density=0.5).output_error)
    beside = tmp_path / "beside.onnx"
    onnx.save(given, beside, save_as_external_data=True, location="weights", size_threshold=0)
    assert_allclose(compress(str(beside), X, max_density=0.5).output_error, found.output_error)
    with pytest.raises(ValueError, match=r"file beside it.*onnx\.load"):
        compress(onnx.load(beside, load_external_data=False), X)


def test_what_is_left_out_is_named():
    then = helper.make_graph(
        [node("MatMul", ["x", "w6"], "inner")],
        "then",
        [],
        [helper.make_tensor_value_info("inner", TensorProto.FLOAT, None)],
    )
    nodes = [
        *as_matmul("w1", "b1", "x", "a"),
        node("MatMul", ["w3", "a"], "left"),
        node("MatMul", ["a", "w4"], "tied1"),
        node("MatMul", ["a", "w4"], "tied2"),
        node("Gemm", ["a", "w2", "b2"], "gemm", transA=1),
        node("MatMul", ["x", "w5"], "stack"),
        node("MatMul", ["x", "half"], "nan"),
        node("MatMul", ["a", "left"], "computed"),
        helper.make_node("If", ["yes"], ["branch"], then_branch=then, else_branch=then),
    ]
    constants = {
        "w1": W1,
        "b1": B1,
        "w2": W2,
        "b2": B2,
        "w3": np.ones((4, 4), F),
        "w4": W2,
        "w5": np.ones((2, 24, 24), F),
        "w6": W1,
        "half": np.full((24, 4), np.nan, F),
        "yes": np.array(True),
    }
    found = compress(model(nodes, constants), max_density=0.5)
    assert [layer.name for layer in found.layers] == ["make_a_product"]
    reasons = {
        "make_left": "on the left",
        "make_tied1": "used elsewhere",
        "make_tied2": "used elsewhere",
        "make_gemm": "transA",
        "make_stack": "3 axes",
        "make_nan": "NaN",
        "make_inner": "graph of If",
    }
    assert set(found.skipped) == set(reasons)
    for name, reason in reasons.items():
        assert reason in found.skipped[name]


def test_weights_that_callers_may_replace_stay():
    given = model([node("MatMul", ["x", "w1"], "y")], {"w1": W1})
    given.graph.input.append(helper.make_tensor_value_info("w1", TensorProto.FLOAT, (24, 48)))
    with pytest.raises(ValueError, match="no linear layer"):
        compress(given, X)


def test_old_files_whose_constants_are_inputs():
    given = model([node("MatMul", ["x", "w1"], "y")], {"w1": W1}, opset_imports=OPSETS[15])
    given.ir_version = 3
    given.graph.input.append(helper.make_tensor_value_info("w1", TensorProto.FLOAT, (24, 48)))
    found = compress(given, X, max_density=0.5)
    onnx.checker.check_model(found.network, full_check=True)
    constants = [tensor.name for tensor in found.network.graph.initializer]
    assert [value.name for value in found.network.graph.input] == ["x", *constants]
    assert_allclose(missed(given, found.network, X), found.output_error, rtol=1e-3)


@pytest.mark.parametrize("axes", [{"perm": [1, 0]}, {}], ids=["named axes", "all axes"])
def test_weights_that_nodes_hold_and_turn(axes):
    """As if they were initializers; the nodes go with them."""
    nodes = [
        node("Constant", [], "w", value=numpy_helper.from_array(np.ascontiguousarray(W1.T))),
        node("Transpose", ["w"], "turned", **axes),
        node("Identity", ["turned"], "w1"),
        node("Constant", [], "b", value=numpy_helper.from_array(B1[None])),
        node("Identity", ["b"], "b1"),
        *as_matmul("w1", "b1", "x", "a"),
        node("Relu", ["a"], "h"),
        node("Identity", ["w2"], "same"),
        *as_gemm("same", "b2", "h", "y"),
    ]
    given = model(nodes, {"w2": W2, "b2": B2})
    found = compress(given, X, max_density=0.5)
    expected = compress(perceptron(as_matmul, as_gemm), X, max_density=0.5)
    onnx.checker.check_model(found.network, full_check=True)
    assert_allclose(run(found.network, X), run(expected.network, X), rtol=1e-4, atol=1e-4)
    assert found.n_parameters_elsewhere == expected.n_parameters_elsewhere == B1.size + B2.size
    kinds = {one.op_type for one in found.network.graph.node}
    assert not found.skipped and not kinds & {"Constant", "Transpose", "Identity"}
    assert len(found.network.SerializeToString()) < 1.1 * len(expected.network.SerializeToString())


def test_weights_that_are_computed_are_named():
    scale = {"s": np.array(0.1, F), "zero": np.array(0, "i1"), "w": np.ones((24, 24), "i1")}
    nodes = [
        node("DequantizeLinear", ["w", "s", "zero"], "quantized"),
        node("MatMul", ["x", "quantized"], "a"),
        node("Cast", ["half"], "whole", to=TensorProto.FLOAT),
        node("MatMul", ["a", "whole"], "b"),
        node("Gather", ["table", "ids"], "words"),
        node("Transpose", ["table"], "turned"),
        node("MatMul", ["b", "turned"], "tied"),
        node("Einsum", ["b", "table"], "sum", equation="ij,kj->ik"),
        node("Transpose", ["b"], "rows"),
        node("MatMul", ["b", "rows"], "of_inputs"),
    ]
    more = {"half": np.ones((24, 24), "f2"), "table": W1.T.copy(), "ids": np.array([1, 2])}
    with pytest.raises(ValueError, match="no linear layer") as error:
        compress(model(nodes, {**scale, **more}))
    for name, why in (
        ("a", "quantized (DequantizeLinear)"),
        ("b", "computed from constants by Cast"),
        ("tied", "used elsewhere"),
        ("sum", "only weights of MatMul and Gemm"),
    ):
        assert f"make_{name}: " in str(error.value) and why in str(error.value)
    assert "of_inputs" not in str(error.value)


def test_functions_of_a_model_are_named():
    body = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    opset = OPSETS[18]
    function = helper.make_function("own", "layer", ["x", "w"], ["y"], body, opset)
    call = helper.make_node("layer", ["x", "w1"], ["y"], name="call", domain="own")
    given = model(
        [call],
        {"w1": W1},
        functions=[function],
        opset_imports=[*opset, helper.make_opsetid("own", 1)],
    )
    with pytest.raises(ValueError, match=r"call: .*function.*inline_local_functions"):
        compress(given, X)
    found = compress(inliner.inline_local_functions(given), X, max_density=0.5)
    assert_allclose(missed(given, found.network, X), found.output_error, rtol=1e-3)


def test_double_precision():
    graph = model([node("MatMul", ["x", "w1"], "y")], {"w1": W1.astype("f8")})
    for value in (*graph.graph.input, *graph.graph.output):
        value.type.tensor_type.elem_type = TensorProto.DOUBLE
    found = compress(graph, X, max_density=0.5)
    assert run(found.network, X.astype("f8")).dtype == np.float64
