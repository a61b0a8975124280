"""Bad and unusual input of the compression of networks."""

from functools import partial
from importlib.util import find_spec

import numpy as np
import scipy.sparse
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Lasso
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from skfact.compression import compress, compression_path
from skfact.supports import Chain
from tests.bad_input.cases import RANDOM, A, changed, refused, works
from tests.bad_input.relu import BAD_NETWORKS, tanh

PAIR = [RANDOM.standard_normal((8, 16)), RANDOM.standard_normal((16, 8))], None
X = RANDOM.standard_normal((40, 8))
TAKEN = {"tanh"}  # networks that have no paths are compressed all the same
for id, network, error, message in BAD_NETWORKS:
    if id not in TAKEN:
        if id == "another estimator":
            error, message = TypeError, "network must be.*got Logistic"
        if id == "text":
            error, message = FileNotFoundError, "mlp"
        refused(f"compress: {id}", compress, network, error=error, message=message)
works(
    "compress: tanh",
    partial(compress, max_density=1.0),
    tanh,
    check=lambda result, network: result.network.predict(A[:, :2]),
)


class OwnPerceptron(MLPRegressor):
    """May predict anything."""


own = OwnPerceptron(**tanh.get_params()).fit(A[:, :2], A[:, 0])
wide = MLPRegressor(
    hidden_layer_sizes=(40,), solver="lbfgs", alpha=1.0, max_iter=10_000, random_state=0
)
wide.fit(A, A[:, 0])
lasso = Lasso()
search = GridSearchCV(Lasso(), {"alpha": [1.0]}, cv=2).fit(A, A[:, 0])
small = compress(wide, max_density=0.5).network
for id, network, message in (
    ("subclass", own, r"class OwnPerceptron.*coefs_"),
    ("compressed", small, "compressed already"),
    ("frozen regression", FrozenEstimator(lasso), "FrozenEstimator of Lasso: there it must have"),
    ("frozen in a pipeline", make_pipeline(FrozenEstimator(lasso)), "FrozenEstimator of Lasso"),
    ("search", search, r"network must be.*got GridSearchCV\. Pass network\.best_estimator_"),
    ("searched again", make_pipeline(search), "Pipeline that ends in GridSearchCV"),
):
    refused(f"compress: {id}", compress, network, error=TypeError, message=message)
binned = make_pipeline(OneHotEncoder().fit(A), wide)
refused(
    "compress: sparse rows between steps",
    compress,
    binned,
    A,
    error=TypeError,
    message="before 'mlpregressor' give sparse rows.*sparse_output=False",
)
refused(
    "compress: pair of operators",
    compress,
    (small.coefs_, small.intercepts_),
    error=(TypeError, ValueError),
    message=r"coefs\[0\].*toarray",
)
BAD_X = [
    ("NaN", changed(A, np.nan), ValueError, "X contains NaN"),
    ("infinity", changed(A, np.inf), ValueError, "X contains inf"),
    ("complex", A + 1j, TypeError, "X is complex"),
    ("1-D", A[0], ValueError, "X must be 2-D"),
    ("3-D", A[None], ValueError, "X must be 2-D"),
    ("empty", A[:0], ValueError, "X must have at least one row"),
    ("one sample", A[:1], ValueError, "1 rows.*pass more samples"),
    ("other features", A[:, :5], ValueError, r"one column for each of the 8 inputs.*\(8, 5\)"),
    ("text", "X", TypeError, "X has dtype"),
    ("sparse", scipy.sparse.csr_array(A), TypeError, "X is a sparse matrix.*toarray"),
    ("float16", A.astype("f2"), TypeError, "X has dtype float16.*astype"),
]
for id, rows, error, message in BAD_X:
    refused(f"compress, X: {id}", compress, PAIR, rows, error=error, message=message)
    refused(f"compress, X of an MLP: {id}", compress, wide, rows, error=error, message=message)

BAD_ARGUMENTS = [
    ({"tol": 0.1, "max_density": 0.5}, ValueError, "Pass one of tol, max_density and budget"),
    ({"budget": 9, "max_density": 0.5}, ValueError, "Pass one of tol, max_density and budget"),
    ({"tol": -1.0}, ValueError, "tol must be positive"),
    ({"tol": "small"}, TypeError, "tol must be a number"),
    ({"tol": np.nan}, ValueError, "tol must be"),
    ({"max_density": 1.5}, ValueError, "max_density must be a share"),
    ({"max_density": 0}, ValueError, "max_density must be a share"),
    ({"max_density": True}, TypeError, "max_density must be a number"),
    ({"max_density": 0.01}, ValueError, r"max_density=0\.01 allows 2 numbers.*pass at least 0\.18"),
    ({"budget": 3}, ValueError, "budget=3 allows 3.*pass at least 4"),
    ({"budget": 0}, ValueError, "budget must be at least 1"),
    ({"budget": 9.5}, TypeError, "budget must be an integer"),
    ({"supports": "wavelet"}, ValueError, "supports='wavelet' is not a family"),
    ({"supports": "low-rank+sparse"}, ValueError, "pass the family without its entries"),
    ({"supports": Chain.dense(16, 8)}, TypeError, "layers have different shapes"),
    ({"supports": None}, TypeError, "supports must be 'auto'"),
    ({"include": "9"}, ValueError, r"include='9' is the name of no layer.*\['0', '1'\]"),
    ({"exclude": ["0", "x*"]}, ValueError, r"exclude='x\*' is the name of no layer"),
    ({"exclude": "*"}, ValueError, "no linear layer that could be replaced.*all of them left out"),
    ({"include": [0]}, TypeError, "include must be a name of a layer.*or a list"),
    ({"include": 0}, TypeError, "include must be a name of a layer"),
    ({"sequential": "no"}, TypeError, "sequential must be True or False"),
    ({"tol": 0}, ValueError, "tol must be positive"),
    ({"tol": [0.1, 0.2]}, TypeError, r"tol must be a number, got \[0\.1, 0\.2\]"),
    ({"budget": [9]}, TypeError, "budget must be an integer"),
    ({"verbose": -1}, ValueError, "verbose must be at least 0"),
    ({"verbose": "yes"}, TypeError, "verbose must be int"),
]
for given, error, message in BAD_ARGUMENTS:
    refused(f"compress, {given}", partial(compress, PAIR, **given), error=error, message=message)
BAD_BOUNDS = [
    ({}, ValueError, "Pass a list as one of tol, max_density and budget; got none of them"),
    ({"tol": [0.1], "budget": [9]}, ValueError, "as one of.*; got tol and budget"),
    ({"max_density": 0.5}, TypeError, "max_density must be a list of bounds, got 0.5"),
    ({"max_density": "0.5"}, TypeError, "max_density must be a list of bounds"),
    ({"max_density": iter([0.5])}, TypeError, r"list of bounds.*pass list\(max_density\)"),
    ({"max_density": []}, ValueError, "max_density is empty"),
    ({"max_density": [0.5, 1.5]}, ValueError, "max_density must be a share"),
    ({"max_density": [0.5, 0.01]}, ValueError, r"max_density=0\.01 allows 2 numbers"),
    ({"budget": [200, 9.5]}, TypeError, "budget must be an integer"),
    ({"tol": [0.5, 0.0]}, ValueError, "tol must be positive"),
]
for given, error, message in BAD_BOUNDS:
    id, path = f"compression_path, {list(given.items())!s:.40}", partial(compression_path, **given)
    refused(id, path, PAIR, error=error, message=message)
works(
    "compress: zeros",
    partial(compress, max_density=0.5),
    ([np.zeros((8, 8))], None),
    X,
    check=lambda result, *inputs: np.testing.assert_array_equal(X @ result.network[0][0], 0),
)
works(
    "compress: more numbers than any integer of NumPy",
    partial(compress, budget=10**30),
    ([np.ones((2, 2))], None),
    check=lambda result, network: result.n_parameters_after <= 4 or 1 / 0,
)
works(
    "compress: one number",
    compress,
    ([np.ones((1, 1))], None),
    check=lambda result, network: result.layers[0].is_dense or 1 / 0,
)

if find_spec("torch") is not None:
    import torch
    from torch import nn

    def silent(module, args):
        """A hook."""

    class Counts(nn.Module):
        """Adds how often it was called."""

        def __init__(self):
            super().__init__()
            self.layer, self.times = nn.Linear(8, 8), 0

        def forward(self, X):
            self.times += 1
            return self.layer(X) + self.times

    linear = nn.Linear(8, 8)
    network = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 8))
    tied = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    tied[1].weight = tied[0].weight
    hooked = nn.Sequential(nn.Linear(8, 8))
    hooked[0].register_forward_pre_hook(silent)
    rows = torch.ones(40, 8)
    for id, module, inputs, error, message in (
        ("one layer", linear, rows, TypeError, "itself one nn.Linear.*nn.Sequential"),
        ("nothing to do", nn.Sequential(nn.ReLU()), rows, ValueError, "no linear layer"),
        ("tied", tied, rows, ValueError, "no linear layer.*that of 1.weight, too: untie"),
        ("hooks", hooked, rows, ValueError, "no linear layer.*hooks"),
        ("half", nn.Sequential(nn.Linear(8, 8)).half(), None, ValueError, "float16.*float()"),
        ("convolution", nn.Sequential(nn.Conv1d(8, 8, 1)), None, ValueError, "convolution"),
        ("meta", nn.Sequential(nn.Linear(8, 8, device="meta")), None, ValueError, "load them"),
        ("meta with X", nn.Sequential(nn.Linear(8, 8, device="meta")), rows, ValueError, "'meta'"),
        ("tied, asked for", nn.Sequential(tied, linear), None, ValueError, "that of 0.1.weight"),
        ("forgetful", Counts(), rows, ValueError, "other outputs for the same batch each time"),
        ("quantized", nn.ModuleList([nn.Bilinear(2, 2, 2)]), None, ValueError, "no linear"),
        ("generator", network, iter([rows]), TypeError, "gone through more than once"),
        ("text", network, "rows", TypeError, "X must be a tensor"),
        ("number", network, 3, TypeError, "X must be a tensor"),
        ("no batches", network, [], ValueError, "X has no batches"),
        ("no samples", network, rows[:0], ValueError, "X has no batches"),
        ("one sample", network, rows[:1], ValueError, "1 rows.*pass more samples"),
        ("NaN", network, rows * torch.nan, ValueError, "contains NaN"),
        ("other features", network, rows[:, :5], RuntimeError, "shapes"),
        ("unknown names", network, {"rows": rows}, TypeError, "rows"),
    ):
        include = "0.*" if id == "tied, asked for" else None
        call = partial(compress, module, include=include)
        if id == "generator":
            call, inputs = (lambda _, m=network: compress(m, iter([torch.ones(4, 8)]))), None
        refused(f"compress a module: {id}", call, inputs, error=error, message=message)

if find_spec("onnx") is not None and find_spec("onnxruntime") is not None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    def model(opset=18, inputs=("x",)):
        graph = helper.make_graph(
            [helper.make_node("MatMul", ["x", "w"], ["y"], name="layer")],
            "graph",
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 8]) for name in inputs],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 16])],
            [numpy_helper.from_array(PAIR[0][0].astype("f4"), "w")],
        )
        return helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8
        )

    unknown, ahead = model(), model()
    ahead.graph.node[0].input[0] = "h"
    ahead.graph.node.insert(0, helper.make_node("Relu", ["x"], ["h"]))
    unknown.graph.node.append(helper.make_node("Unknown", ["y"], ["z"]))
    for id, network, inputs, error, message in (
        ("old", model(11), None, ValueError, "opset 11.*convert_version"),
        ("two inputs", model(inputs=("x", "z")), X, ValueError, r"inputs \['x', 'z'\].*by these"),
        ("unknown name", model(), {"rows": X}, ValueError, r"names \['rows'\]; inputs are"),
        ("text", model(), "rows", TypeError, "X must be an array"),
        ("generator", model(), (row for row in X), TypeError, "X must be an array"),
        ("no samples", model(), X[:0], ValueError, "X must have samples"),
        ("NaN", model(), X * np.nan, ValueError, "contains NaN"),
        ("other width", model(), X[:, :5], ValueError, r"layer 'layer' a tensor .*\(40, 5\)"),
        ("other axes", ahead, X[None], ValueError, r"does not run on X.*'x': .*\(1, 40, 8\)"),
        (
            "unknown kind",
            unknown,
            X,
            ValueError,
            r"does not load in onnxruntime.*\(X=None does without\)",
        ),
        ("no model", __file__, X, ValueError, "no ONNX model that can be read"),
        ("empty", onnx.ModelProto(), X, ValueError, "a graph without outputs"),
        ("folder", ".", X, OSError, "directory"),
        ("no file", "nowhere.onnx", X, FileNotFoundError, "nowhere"),
    ):
        call = lambda _, network=network, inputs=inputs: compress(network, inputs)  # noqa: E731
        refused(f"compress ONNX: {id}", call, None, error=error, message=message)
