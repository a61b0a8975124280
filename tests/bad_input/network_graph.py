"""Bad and unusual input of network graphs."""

from typing import Any, NamedTuple

import numpy as np

from skfact import relu
from tests.bad_input.cases import A, refused


def network_graph() -> relu.NetworkGraph:
    graph = relu.NetworkGraph(2)
    graph.linear(graph.input, [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], name="first")
    return graph


class NodeOf(NamedTuple):
    """Append a node that reads the last one."""

    kind: str
    args: tuple[Any, ...]

    def __call__(self, graph: relu.NetworkGraph) -> None:
        getattr(graph, self.kind)(graph.output, *self.args)


BAD_NODES = [
    (
        "linear",
        ([[1.0]],),
        ValueError,
        r"'linear_2': weight.* \(1, 1\).*'first' has size 3",
    ),
    ("linear", ([[]] * 3,), ValueError, r"'linear_2': weight has shape \(3, 0\)"),
    ("linear", (np.ones(3),), ValueError, "'linear_2': weight must be 2-D"),
    ("linear", (np.full((3, 1), np.nan),), ValueError, "'linear_2': weight contains NaN"),
    ("linear", (np.ones((3, 1)) * 1j,), TypeError, "'linear_2': weight has dtype complex128"),
    ("linear", (np.ones((3, 1), "f2"),), TypeError, "'linear_2': weight has dtype float16"),
    ("linear", (np.ones((3, 2)), [1.0]), ValueError, r"'linear_2': bias has shape \(1,\); \(2,\)"),
    ("batch_norm", (np.ones(2), np.ones(3)), ValueError, "'batch_norm_2': mean has shape"),
    ("batch_norm", (np.ones(3), -np.ones(3)), ValueError, "variance \\+ eps must be positive"),
    ("batch_norm", (np.ones(3), [1, 1, np.inf]), ValueError, "variance contains infinity"),
    ("max_pool", ([],), ValueError, "'max_pool_2': groups is empty"),
    ("max_pool", ([[]],), ValueError, r"groups\[0\] is empty"),
    ("max_pool", ([[0, 3]],), ValueError, r"groups\[0\] has coordinates.*0 to 2 are allowed"),
    ("max_pool", ([[0], [1, 1]],), ValueError, r"groups\[1\] has a coordinate twice"),
    ("max_pool", ([[0.5]],), TypeError, r"groups\[0\] must be a list of integers"),
    ("max_pool", (2,), TypeError, "groups must be a list of lists.*got int"),
    ("max_pool", (np.float64(2),), TypeError, "groups must be a list of lists.*got float64"),
    ("max_pool", ([[[0], [1, 2]]],), TypeError, r"groups\[0\] must be a list of integers"),
    ("max_pool", ([np.float64(1)],), TypeError, r"groups\[0\] must be a list of integers"),
    ("add", (relu.NetworkGraph(3).input,), ValueError, "'input' belongs to another graph"),
    ("maximum", ("first",), TypeError, "a node of the graph is needed"),
]
KERNEL = np.ones((2, 1, 2))
BAD_CONVOLUTIONS = [
    (KERNEL[0], {}, ValueError, "kernel must be 3-D, of shape .n_out, n_in, length"),
    (KERNEL, {"input_shape": (3, 1)}, ValueError, "kernel must be 4-D.*height, width"),
    (KERNEL, {"input_shape": (3, 1, 1)}, ValueError, r"must be \(length,\) or \(height, width\)"),
    (KERNEL, {"input_shape": 3}, TypeError, "input_shape must be a sequence of positive int"),
    (KERNEL, {"input_shape": (0,)}, ValueError, r"input_shape\[0\] must be at least 1"),
    (KERNEL, {"input_shape": (4,)}, ValueError, r"1 channels of shape \(4,\) are 4.*size 3"),
    (KERNEL[:, :, :0], {}, ValueError, "kernel has shape .*it is empty"),
    (KERNEL * np.nan, {}, ValueError, "kernel contains NaN"),
    (KERNEL * 1j, {}, TypeError, "kernel has dtype complex128"),
    (np.ones((1, 1, 4)), {}, ValueError, "does not fit on an input"),
    (KERNEL, {"bias": [1.0]}, ValueError, r"bias has shape \(1,\); \(2,\) is needed"),
    (KERNEL, {"stride": 0}, ValueError, "stride must be at least 1"),
    (KERNEL, {"stride": (1, 1)}, ValueError, "stride must be an int, or one for each of the 1"),
    (KERNEL, {"padding": -1}, ValueError, "padding must be at least 0"),
    (KERNEL, {"padding": "same"}, TypeError, "padding must be int"),
]
for number, (kernel, options, error, message) in enumerate(BAD_CONVOLUTIONS):
    refused(
        f"NetworkGraph, convolution {number}",
        lambda graph, kernel, options=options: graph.convolution(
            graph.output, kernel, **{"input_shape": (3,)} | options
        ),
        network_graph(),
        kernel,
        error=error,
        message=message,
    )
for number, (kind, args, error, message) in enumerate(BAD_NODES):
    refused(
        f"NetworkGraph, node {number}: {kind}",
        NodeOf(kind, args),
        network_graph(),
        error=error,
        message=message,
    )
refused("NetworkGraph: no inputs", relu.NetworkGraph, 0, error=ValueError, message="n_inputs")
refused(
    "NetworkGraph: sizes to add",
    lambda graph: graph.add(graph.input, graph.output),
    network_graph(),
    error=ValueError,
    message="'add_2': .*same size, but 'input' has 2, 'first' has 3",
)
refused(
    "NetworkGraph: name twice",
    lambda graph: graph.relu(graph.input, name="first"),
    network_graph(),
    error=ValueError,
    message="'first' is taken",
)
refused(
    "NetworkGraph: samples",
    lambda graph: graph.predict(A),
    network_graph(),
    error=ValueError,
    message="X has 8 features, but the network has 2 inputs",
)
for name, call, error, message in [
    (
        "bound",
        lambda g: relu.generalization_bound(g, A[:, :2], [0, 1] * 4),
        TypeError,
        "must have layers: noise",
    ),
    (
        "retrain",
        lambda g: relu.retrain(g, A[:, :2], A[:, :3]),
        TypeError,
        "must have layers: gradients",
    ),
    ("simplify", relu.simplify, TypeError, "must have layers: neurons are merged"),
    ("identifiability", relu.identifiability_report, TypeError, "must have layers: the theorems"),
    ("kernel", lambda g: relu.path_kernel(g, A[:, :2]), TypeError, "must have layers: the kernel"),
    ("align", lambda g: relu.align(g, g), TypeError, "must have layers: neurons are matched"),
    (
        "sorted",
        lambda g: relu.canonical_form(g, permutations=True),
        TypeError,
        "must have layers: entries that meet",
    ),
    (
        "permuted",
        lambda g: relu.is_rescaling_equivalent(g, g, permutations=True),
        TypeError,
        "must have layers: entries that meet",
    ),
    ("embedding", lambda g: relu.ReLUPathEmbedding(g).fit(A), TypeError, "must have layers"),
    (
        "layers beside it",
        lambda g: relu.path_inner(g, ([np.ones((2, 3))], None)),
        ValueError,
        "or neither: got one of each",
    ),
    ("no list of factors", lambda g: relu.rescale(g, [np.ones(3)]), ValueError, "0 linear nodes"),
]:
    refused(f"NetworkGraph: {name}", call, network_graph(), error=error, message=message)


refused(
    "NetworkGraph: other arrays that are no lists",
    network_graph().with_arrays,
    A[:2, :3],
    [A[0, :3]],
    error=TypeError,
    message="coefs must be a list with one array per linear node; got ndarray",
)


def residual(factors: list[Any]) -> relu.NetworkGraph:
    graph = relu.NetworkGraph(2)
    h = graph.linear(graph.input, np.ones((2, 3)))
    h = graph.add(h, graph.linear(graph.relu(h), np.ones((3, 3))))
    graph.linear(h, np.ones((3, 1)))
    return relu.rescale(graph, factors)


for id, factors in [("apart", [np.ones(3), np.full(3, 2.0)]), ("sizes", [np.ones(3), np.ones(2)])]:
    refused(
        f"NetworkGraph, factors: {id}",
        residual,
        factors,
        error=ValueError,
        message=r"factors\[\d\] (change the function|must have shape \(3,\))",
    )
refused(
    "NetworkGraph: another graph",
    lambda graph: relu.path_inner(graph, relu.NetworkGraph(2)),
    network_graph(),
    error=ValueError,
    message="same nodes",
)
for id, coefs, intercepts, message in [
    ("too many", [A[:2, :3]] * 2, [A[0, :3]] * 2, "each of the 1 linear nodes; got 2 and 2"),
    ("no biases", [A[:2, :3]], [], "each of the 1 linear nodes; got 1 and 0"),
    ("rows", [A[:3, :3]], [A[0, :3]], r"'first': weight has shape \(3, 3\), but its input 'input'"),
    ("columns", [A[:2, :4]], [A[0, :4]], "'first': weight has 4 columns; 3 are needed"),
    ("NaN", [A[:2, :3] * np.nan], [A[0, :3]], "'first': weight contains NaN"),
]:
    refused(
        f"NetworkGraph, other arrays: {id}",
        network_graph().with_arrays,
        coefs,
        intercepts,
        error=ValueError,
        message=message,
    )
