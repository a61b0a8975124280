"""The one reader of networks: a function for each kind, and the table of them."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skfact._backend import is_torch_module, to_numpy
from skfact._checks import check_flag, of_another_kind
from skfact.relu._networks.graph import NetworkGraph
from skfact.relu._networks.layered import LayeredNetwork, checked_layers
from skfact.relu._networks.network import Arrays, Network, copied
from skfact.relu._networks.sequential import read_sequential
from skfact.relu._networks.wired import WiredNetwork

N = TypeVar("N", bound=Network)


def read_network(
    network: Any, name: str = "network", *, check_finite: bool = True, include_bias: bool = True
) -> Network:
    """The network in an object of one of the kinds of `READERS`; no array is copied without need.

    A TypeError tells that it is of another kind, or has arrays of unsupported dtypes, a ValueError
    that it is not fitted, no ReLU network, or that its arrays do not fit together. `check_finite`
    looks for NaN and infinity, which reads all weights once. Without `include_bias` all biases are
    zero: no path starts there. Errors tell which argument it is by its `name`.
    """
    check_flag(include_bias, "include_bias")
    try:
        found = network if isinstance(network, Network) else _read(network, check_finite)
    except (TypeError, ValueError) as error:
        if name == "network":
            raise
        raise type(error)(_said_of(name, str(error))) from error
    return found if include_bias else found.without_biases()


def _said_of(name: str, message: str) -> str:
    """What a message about `network` says of another argument."""
    said = re.sub(r"^network\b|\bnetwork(?=[.\[]\w)", name, message)  # subject, and in code
    return said if said.startswith(f"{name} ") else f"{name}: {said}"


def _read(network: Any, check_finite: bool) -> Network:
    for reader in READERS:
        if reader.accepts(network):
            return reader.read(network, check_finite)
    raise of_another_kind(network, "network", [reader.kind for reader in READERS])


def read_layers(network: Any, why: str, name: str = "network") -> LayeredNetwork:
    """Read a network that is a chain of layers; a TypeError with `why` tells that it is a graph."""
    found = read_network(network, name)
    if not isinstance(found, LayeredNetwork):
        raise TypeError(f"{name} is a NetworkGraph, but must have layers: {why}.")
    return found


def read_pair(network: Any, other: Any, include_bias: bool = True) -> tuple[Network, Network]:
    """Read two networks with the same nodes, to be compared; see `in_common`."""
    return in_common(
        read_network(network, include_bias=include_bias),
        read_network(other, "other", include_bias=include_bias),
    )


def in_common(a: N, b: N) -> tuple[N, N]:
    """Networks with the same nodes, both in the array library of the first and in one dtype."""
    if type(a) is not type(b):
        raise ValueError("Both networks must be a NetworkGraph, or neither: got one of each.")
    a.require_same_nodes(b)
    b = b.moved(a.xp, a.device)
    dtype = a.xp.result_type(a.dtype, b.dtype)
    return a.cast(dtype), b.cast(dtype)


def _read_arrays(pair: Any, check_finite: bool) -> LayeredNetwork:
    """One array per layer in each list; None in place of intercepts is none."""
    if len(pair) != 2:
        raise ValueError(
            f"network as arrays must be a pair (coefs, intercepts); got {len(pair)} elements."
        )
    coefs, intercepts = pair
    for name, arrays in (("coefs", coefs), ("intercepts", intercepts)):
        if not isinstance(arrays, (list, tuple)) and not (name == "intercepts" and arrays is None):
            raise TypeError(
                f"{name} must be a list with one array per layer; got {type(arrays).__name__}. "
                "A network as arrays is a pair (coefs, intercepts)."
            )
    biases = [None] * len(coefs) if intercepts is None else intercepts
    if len(coefs) != len(biases):
        raise ValueError(
            f"coefs and intercepts must have one array per layer; got {len(coefs)} and "
            f"{len(biases)} arrays."
        )
    return checked_layers(
        coefs,
        biases,
        lambda l: (f"layer {l}: coefs[{l}]", f"layer {l}: intercepts[{l}]"),
        "relu",
        lambda weights, biases: (copied(weights), copied(biases)),
        check_finite,
    )


def _read_mlp(mlp: Any, check_finite: bool) -> LayeredNetwork:
    """What it computes before its own link (softmax, logistic, exp)."""
    check_is_fitted(mlp, "coefs_")
    require_relu(mlp, has_hidden=len(mlp.coefs_) > 1)

    def write(weights: Arrays, biases: Arrays) -> Any:
        written = copy.deepcopy(mlp)
        written.coefs_ = [np.array(to_numpy(w), order="C") for w in weights]
        written.intercepts_ = [np.array(to_numpy(b)) for b in biases]
        hidden = tuple(int(w.shape[1]) for w in weights[:-1])
        if hidden != tuple(w.shape[1] for w in mlp.coefs_[:-1]):
            written.hidden_layer_sizes = hidden
        # it updates arrays of its own: `partial_fit` would go on from the old weights
        written.__dict__.pop("_optimizer", None)
        return written

    network = checked_layers(
        mlp.coefs_,
        mlp.intercepts_,
        lambda l: (f"layer {l}: coefs_[{l}]", f"layer {l}: intercepts_[{l}]"),
        "identity" if mlp.activation == "identity" else "relu",
        write,
        check_finite,
    )
    link = getattr(mlp, "out_activation_", "identity")
    return network if link == "identity" else replace(network, left_out=f"its {link}")


def require_relu(mlp: Any, *, has_hidden: bool) -> None:
    """Raise if the hidden layers of an MLP, fitted or not, have no paths."""
    if has_hidden and mlp.activation not in ("relu", "identity"):
        raise ValueError(
            f"The hidden layers (from layer 0, coefs_[0], on) have activation={mlp.activation!r}; "
            "only 'relu' and 'identity' networks have paths. Fit with activation='relu'."
        )


def mlp_in(network: Any) -> Any:
    """The MLP that a network is, or holds or ends in; None if it is of another kind."""
    if isinstance(network, FrozenEstimator):
        return mlp_in(network.estimator)
    if isinstance(network, Pipeline):
        return mlp_in(network.steps[-1][1])
    return network if isinstance(network, (MLPRegressor, MLPClassifier)) else None


def _read_frozen(network: Any, check_finite: bool) -> Network:
    """The network in it; what is written is frozen, too."""
    inner = read_network(network.estimator, check_finite=check_finite)
    return replace(
        inner,
        writer=lambda weights, biases: FrozenEstimator(inner.with_arrays(weights, biases).write()),
    )


def _read_pipeline(network: Any, check_finite: bool) -> Network:
    """The MLP that it ends in, behind the earlier steps; these are written, too."""
    *steps, (name, last) = network.steps
    if not isinstance(last, (MLPRegressor, MLPClassifier, FrozenEstimator, Pipeline)):
        raise TypeError(
            f"network is a Pipeline that ends in {type(last).__name__}; its last step must be a "
            "fitted MLPRegressor or MLPClassifier."
        )
    inner = read_network(last, check_finite=check_finite)

    def write(weights: Arrays, biases: Arrays) -> Any:
        written = copy.copy(network)
        last = inner.with_arrays(weights, biases).write()
        written.steps = [*copy.deepcopy(steps), (name, last)]
        return written

    passed = tuple(step for step in steps if step[1] not in (None, "passthrough"))
    return replace(inner, writer=write, earlier=passed + inner.earlier)


def _read_graph(graph: NetworkGraph, check_finite: bool) -> WiredNetwork:
    """Batch norms folded, also in what is written; its numbers were checked when it was made."""
    folded = graph.fold_batch_norm()
    linear = [node for node in folded.nodes if node.kind == "linear"]

    def write(weights: Arrays, biases: Arrays) -> NetworkGraph:
        found = [
            (w, b) if (c := node.convolution) is None else (c.kernel(w), c.of_channels(b))
            for node, w, b in zip(linear, weights, biases)
        ]
        return folded.with_arrays([w for w, _ in found], [b for _, b in found])

    return WiredNetwork(
        weights=tuple(node.weight for node in linear),
        biases=tuple(node.bias for node in linear),
        writer=write,
        nodes=folded.nodes,
        output_index=folded.output.index,
    )


def _is(kinds: Any) -> Callable[[Any], bool]:
    return lambda network: isinstance(network, kinds)


class Reader(NamedTuple):
    """How networks of a kind are told from others, and read with their finiteness checked or not.

    What is read knows how to write a network of its kind.
    """

    kind: str
    accepts: Callable[[Any], bool]
    read: Callable[[Any, bool], Network]


# A new kind of network is a function and a row.
READERS = (
    Reader("a pair (coefs, intercepts) of lists of arrays", _is((tuple, list)), _read_arrays),
    Reader("a fitted MLPRegressor or MLPClassifier", _is((MLPRegressor, MLPClassifier)), _read_mlp),
    Reader("a FrozenEstimator of a fitted MLP", _is(FrozenEstimator), _read_frozen),
    Reader("a Pipeline that ends in one", _is(Pipeline), _read_pipeline),
    Reader("a NetworkGraph", _is(NetworkGraph), _read_graph),
    Reader(
        "a PyTorch nn.Sequential of Linear and ReLU, or a module around one",
        is_torch_module,
        read_sequential,
    ),
)
