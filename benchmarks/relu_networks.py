"""Times of functions on ReLU networks, each beside the work that it cannot do without."""

import tracemalloc
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import numpy as np
from measure import medians, progress
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

from skfact import ReLUPathEmbedding
from skfact.relu import (
    NetworkGraph,
    equalize,
    path_kernel,
    path_norm,
    path_sketch,
    rescale,
    top_paths,
)

SIZES = (784, 1024, 1024, 10)
Rows = list[dict[str, Any]]


def network(sizes: tuple[int, ...], dtype: str = "float64") -> Any:
    """Normal weights of the size that keeps the activations, and normal biases."""
    random = np.random.default_rng(0)
    coefs = [random.standard_normal((n, m)) * (2 / n) ** 0.5 for n, m in pairwise(sizes)]
    intercepts = [0.1 * random.standard_normal(m) for m in sizes[1:]]
    return [w.astype(dtype) for w in coefs], [b.astype(dtype) for b in intercepts]


def forward(net: Any, X: np.ndarray) -> np.ndarray:
    """The output of the network for rows X, in NumPy."""
    *hidden, (w, b) = zip(*net)
    for v, c in hidden:
        X = np.maximum(X @ v + c, 0)
    return X @ w + b


def compare(name: str, functions: dict[str, Any], threads: int, quick: bool, **more: Any) -> Rows:
    """One row for each contender."""
    progress(f"{name}, {threads} thread(s)")
    found = medians(functions, 0.1 if quick else 1.0, threads)
    return [
        {"what": name, "contender": key, "threads": threads, "ms": value.ms, **more}
        for key, value in found.items()
    ]


def norms(threads: int, quick: bool) -> Rows:
    """The l1 path norm beside PyTorch's forward pass of ones through the absolute weights."""
    rows: Rows = []
    for dtype in ("float32", "float64"):
        net = network(SIZES, dtype)
        functions = {"path_norm": lambda net=net: path_norm(net)}
        if find_spec("torch"):
            functions["PyTorch"] = torch_pass(net, threads)
            found, expected = (functions[name]() for name in ("path_norm", "PyTorch"))
            assert abs(found / expected - 1) < 1e-5
        rows += compare("l1 path norm", functions, threads, quick, dtype=dtype)
    return rows


def residual(batch_norm: bool) -> NetworkGraph:
    """784 inputs, eight residual blocks of two 256 x 256 layers, 10 outputs; float64."""
    random = np.random.default_rng(0)
    graph = NetworkGraph(784)

    def linear(h: Any, size: int) -> Any:
        h = graph.linear(h, random.standard_normal((h.size, size)) / h.size**0.5)
        if not batch_norm:
            return h
        return graph.batch_norm(h, random.standard_normal(size), 0.5 + random.random(size))

    h = graph.relu(linear(graph.input, 256))
    for _ in range(8):
        branch = linear(graph.relu(linear(h, 256)), 256)
        h = graph.relu(graph.add(h, branch))
    graph.linear(h, random.standard_normal((256, 10)) / 16)
    return graph


def graphs(threads: int, quick: bool) -> Rows:
    """The path norm of residual networks beside their own forward pass."""
    rows: Rows = []
    row = np.ones((1, 784))
    for batch_norm in (False, True):
        graph = residual(batch_norm)
        functions = {
            "path_norm": lambda graph=graph: path_norm(graph),
            "predict, one row": lambda graph=graph: graph.predict(row),
        }
        name = "l1 path norm of a NetworkGraph, 8 residual blocks of 256"
        name += ", batch norms" if batch_norm else ""
        rows += compare(name, functions, threads, quick, dtype="float64")
    return rows


def torch_pass(net: Any, threads: int) -> Any:
    """One row of ones through an nn.Sequential of the absolute weights; returns a float."""
    import torch

    torch.set_num_threads(threads)
    layers: list[Any] = []
    for w, b in zip(*net):
        linear = torch.nn.Linear(*w.shape)
        linear.weight.data = torch.from_numpy(abs(w).T.copy())
        linear.bias.data = torch.from_numpy(abs(b))
        layers += [linear, torch.nn.ReLU()]
    module = torch.nn.Sequential(*layers[:-1])
    ones = torch.ones((1, net[0][0].shape[0]), dtype=layers[0].weight.dtype)

    def run() -> float:
        with torch.no_grad():
            return float(module(ones).sum())

    return run


def functions(threads: int, quick: bool) -> Rows:
    """Sketches, largest paths, equalization and kernel, beside their matrix products."""
    rows: Rows = []
    random = np.random.default_rng(0)
    for dtype in ("float32", "float64"):
        net = network(SIZES, dtype)
        X = random.standard_normal((256, SIZES[0])).astype(dtype)
        calls = {
            "256 sketches": lambda net=net: path_sketch(net, 256),
            "forward pass of 256 rows": lambda net=net, X=X: forward(net, X),
        }
        rows += compare("sketches", calls, threads, quick, dtype=dtype)
    net = network(SIZES)
    X = random.standard_normal((500 if quick else 2000, SIZES[0]))
    gates = [np.ones((len(X), n)) for n in SIZES[1:-1]]
    calls = {
        "path_kernel": lambda: path_kernel(net, X),
        "matrix products": lambda: [forward(net, X)] + [g @ g.T for g in (X, *gates)],
    }
    rows += compare(f"kernel of {len(X)} samples", calls, threads, quick, dtype="float64")
    k = 1000 if quick else 100_000
    calls = {"top_paths": lambda: top_paths(net, k)}
    rows += compare(f"the {k} largest paths", calls, threads, quick, dtype="float64")
    calls = {"equalize": lambda: equalize(net, tol=1e-9)}
    rows += compare("equalize to 1e-9", calls, threads, quick, dtype="float64")
    deep = network((16,) * 22)
    factors = [np.exp(2 * random.standard_normal(16)) for _ in range(20)]
    deep = rescale(deep, factors)
    sweeps = equalize(deep, tol=1e-9, return_n_iter=True)[1]
    calls = {"equalize": lambda: equalize(deep, tol=1e-9)}
    name = "equalize 20 hidden layers of 16"
    return rows + compare(name, calls, threads, quick, dtype="float64", sweeps=sweeps)


def embedding(threads: int, quick: bool) -> Rows:
    """Transform of the digits: time, and memory beyond the result."""
    X, y = load_digits(return_X_y=True)
    X = X[:300] / 16 if quick else X / 16
    rows: Rows = []
    for hidden in ((16,), (16, 8)):
        mlp = MLPClassifier(hidden, max_iter=20, random_state=0)
        for sparse in (False, True):
            model = ReLUPathEmbedding(mlp, sparse_output=sparse).fit(X, y[: len(X)])
            tracemalloc.start()
            result = model.transform(X)
            peak = tracemalloc.get_traced_memory()[1] / 2**20
            tracemalloc.stop()
            data = (result.data, result.indices, result.indptr) if sparse else (result,)
            rows += compare(
                f"digits, hidden {hidden}",
                {"CSR" if sparse else "dense": lambda model=model: model.transform(X)},
                threads,
                quick,
                shape=list(result.shape),
                peak=peak,
                result=sum(array.nbytes for array in data) / 2**20,
            )
    return rows


def scaling(threads: int, quick: bool) -> Rows:
    """How times grow with the width, and with the depth."""
    rows: Rows = []
    widths, depths = ((64, 128), (2, 4)) if quick else ((128, 256, 512, 1024, 2048), (2, 4, 8, 16))
    shapes = [(n, 2) for n in widths] + [(256, depth) for depth in depths if depth != 2]
    for width, depth in shapes:
        net = network((width,) * (depth + 1) + (10,))
        calls = {
            "path_norm": lambda net=net: path_norm(net),
            "path_sketch, 64": lambda net=net: path_sketch(net, 64),
            "top_paths, 1000": lambda net=net: top_paths(net, 1000),
            "equalize": lambda net=net: equalize(net, tol=1e-9),
        }
        rows += compare(f"{depth} x {width}", calls, threads, quick, width=width, depth=depth)
    return rows
