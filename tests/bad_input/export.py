"""Bad input of exports."""

from importlib.util import find_spec

import numpy as np
from sklearn.decomposition import PCA
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline

from skfact import ButterflyFactorizer, FixedSupportMF, ReLUPathEmbedding
from skfact.export import to_c, to_onnx
from skfact.operators import FactorizedOperator
from tests.bad_input.cases import A, refused

operator = FactorizedOperator([A])


def onnx_with(**given):
    return lambda obj: to_onnx(obj, **given)


def c_with(**given):
    return lambda operator: to_c(operator, **given)


refused(
    "to_onnx: an array", to_onnx, A, error=TypeError, message="obj must be an operator.*ndarray"
)
refused("to_onnx: a foreign estimator", to_onnx, PCA(), error=TypeError, message="got PCA")
refused(
    "to_onnx: a pipeline",
    to_onnx,
    make_pipeline(ButterflyFactorizer()),
    error=TypeError,
    message="register_skl2onnx",
)
refused("to_onnx: not fitted", to_onnx, ButterflyFactorizer(), error=ValueError, message="fit")
refused("to_onnx: three lists", to_onnx, (1, 2, 3), error=ValueError, message="obj as a network")
refused("to_onnx: no layers", to_onnx, ([], []), error=ValueError, message="obj as a network")
refused(
    "to_onnx: a layer of integers",
    to_onnx,
    ([np.eye(3, dtype=int)], None),
    error=TypeError,
    message=r"obj\[0\]\[0\] must be of float32",
)
refused(
    "to_onnx: layers that do not fit", to_onnx, ([A, A[:5]], None), error=ValueError, message="obj"
)
refused(
    "to_onnx: random layers",
    to_onnx,
    ReLUPathEmbedding(random_state=0).fit(A),
    error=ValueError,
    message="method='transform'",
)
refused(
    "to_onnx: codes with missing entries",
    to_onnx,
    FixedSupportMF(2, missing_values=-1.0).fit(A),
    error=ValueError,
    message="missing_values=-1.0.*not linear",
)
for id, given, error, message in [
    ("an unknown method", {"method": "fit"}, ValueError, "method must be one of"),
    ("a dtype of integers", {"dtype": "int8"}, ValueError, "dtype must be one of"),
    ("half precision", {"dtype": np.float16}, ValueError, "dtype must be one of"),
    ("opset: text", {"opset": "18"}, TypeError, "opset must be an int"),
    ("opset: old", {"opset": 7}, ValueError, "opset must be from 15"),
    ("opset: of the future", {"opset": 10**6}, ValueError, "opset must be from 15"),
    ("input_name: a number", {"input_name": 3}, TypeError, "input_name must be a str"),
    ("input_name: empty", {"input_name": ""}, ValueError, "input_name must be of letters"),
    ("output_name: a space", {"output_name": "a b"}, ValueError, "output_name must be of letters"),
    ("output_name: ours", {"output_name": "skfact_y"}, ValueError, "output_name must be"),
    ("both names equal", {"output_name": "X"}, ValueError, "output_name must not be input_name"),
    ("path: a number", {"path": 3}, TypeError, "path must be"),
    ("path: a folder", {"path": "/"}, OSError, "/"),
]:
    refused(f"to_onnx: {id}", onnx_with(**given), operator, error=error, message=message)
refused("to_c: an array", to_c, A, error=TypeError, message="operator must be.*butterfly_fact")
refused("to_c: an estimator", to_c, ButterflyFactorizer(), error=TypeError, message="operator_")
refused("to_c: a perceptron", to_c, MLPRegressor(), error=TypeError, message=r"coefs_\[0\]\.T")
for id, given, error, message in [
    ("name: a number", {"name": 3}, TypeError, "name must be a str"),
    ("name: empty", {"name": ""}, ValueError, "name must be a C identifier"),
    ("name: a digit first", {"name": "1f"}, ValueError, "name must be a C identifier"),
    ("name: code", {"name": "f(); /*"}, ValueError, "name must be a C identifier"),
    ("name: a line", {"name": "f\n"}, ValueError, "name must be a C identifier"),
    ("name: reserved", {"name": "_f"}, ValueError, "name must be a C identifier"),
    ("name: not ASCII", {"name": "é"}, ValueError, "name must be a C identifier"),
    ("name: a keyword", {"name": "while"}, ValueError, "name must not be a word"),
    ("name: the program", {"name": "main"}, ValueError, "name must not be a word"),
    ("name: a function", {"name": "printf"}, ValueError, "a name of the library"),
    ("name: of mathematics", {"name": "sinf"}, ValueError, "a name of the library"),
    ("name: memory", {"name": "malloc"}, ValueError, "a name of the library"),
    ("name: a macro", {"name": "NULL"}, ValueError, "a name of the library"),
    ("name: errors", {"name": "errno"}, ValueError, "a name of the library"),
    ("name: a type", {"name": "size_t"}, ValueError, "a name of the library"),
    ("name: of the system", {"name": "read"}, ValueError, "a name of the library"),
    ("name: an argument", {"name": "x"}, ValueError, "that of a variable"),
    ("dtype of integers", {"dtype": "int8"}, ValueError, "dtype must be one of"),
    ("path: a number", {"path": 3}, TypeError, "path must be"),
    ("path: a folder", {"path": "/"}, OSError, "/"),
]:
    refused(f"to_c: {id}", c_with(**given), operator, error=error, message=message)
for value, message in ((np.nan, "NaN or infinite"), (1e300, "range of float32")):
    bad = FactorizedOperator([np.full((2, 2), value)])
    for write in (to_onnx, to_c):
        refused(
            f"{write.__name__}: entries of {value}",
            lambda bad, write=write: write(bad, dtype="float32"),
            bad,
            error=ValueError,
            message=message,
        )


def list_modules():
    import torch
    from torch import nn

    for id, layer, error, message in [
        ("drops", nn.Dropout(), ValueError, r"in training.*obj\.eval\(\)"),
        ("statistics", nn.BatchNorm1d(3), ValueError, r"in training.*obj\.eval\(\)"),
        (
            "no statistics",
            nn.BatchNorm1d(3, track_running_stats=False).eval(),
            ValueError,
            "track_running_stats=True",
        ),
        ("over the batch", nn.Softmax(0), ValueError, r"Softmax\(dim=0\).*dim=-1"),
        ("one row", nn.Flatten(0), ValueError, r"Flatten\(0, -1\).*nn\.Flatten\(\)"),
        ("two dimensions", nn.LayerNorm((3, 3)), ValueError, "LayerNorm over 2 dim"),
        ("convolution", nn.Conv1d(1, 1, 1), TypeError, "layer '1' of the class Conv1d"),
        ("random slopes", nn.RReLU(), TypeError, "layer '1' of the class RReLU"),
        ("quantized", nn.Linear(3, 3).half(), TypeError, r"float16.*module\.float\(\)"),
        ("meta", nn.Linear(3, 3, device="meta"), ValueError, "device 'meta'"),
    ]:
        network = nn.Sequential(nn.Linear(3, 3), layer)
        refused(f"to_onnx: a module, {id}", to_onnx, network, error=error, message=message)
    double = nn.Sequential(nn.Linear(3, 3), nn.GELU()).to(torch.float64)
    refused("to_onnx: erf", to_onnx, double, error=ValueError, message="GELU.*dtype='float32'")
    refused("to_onnx: ReLU", to_onnx, nn.ReLU(), error=ValueError, message="no linear layer")
    layer = FactorizedOperator([A]).to_torch()
    refused("to_c: a layer", to_c, layer, error=TypeError, message=r"pass its to_operator\(\)")


if find_spec("torch"):
    list_modules()
