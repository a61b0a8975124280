"""Path activations of samples: the features in which a ReLU network is linear.

Gates do not depend on the output, so that a feature stands for a path without its last edge: from
an input or from the bias of a hidden neuron to a neuron of the last hidden layer, or the constant 1
of the output biases. Blocks of features are listed by the layer where the path starts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse

from skfact._backend import array_namespace, device, move, to_numpy
from skfact._exponents import times_power_of_two
from skfact.relu._networks.balance import Paths, steady
from skfact.relu._networks.layered import LayeredNetwork
from skfact.relu._paths.top import are_told_apart, largest_paths, magnitudes

# Entries of the output that are made at once: temporary arrays stay small beside it.
CHUNK = 1 << 22


def feature_count(sizes: tuple[int, ...]) -> int:
    """Number of features: paths to one output."""
    product, total = 1, 1
    for size in reversed(sizes[:-1]):
        product *= size
        total += product
    return total


def block_starts(sizes: tuple[int, ...]) -> list[int]:
    """Where the features of paths starting at layer 0, 1, ..., L begin, and their number."""
    starts = [0]
    for l in range(len(sizes) - 1):
        starts.append(starts[-1] + int(np.prod(sizes[l:-1], dtype=np.int64)))
    return [*starts, starts[-1] + 1]


def every_path(sizes: tuple[int, ...]) -> np.ndarray:
    """Neurons on the path of each feature, (n_features, L); -1 before its start."""
    inner = sizes[:-1]
    blocks = []
    for l in range(len(inner)):
        ends = np.indices(inner[l:]).reshape(len(inner) - l, -1).T
        blocks.append(np.pad(ends, ((0, 0), (l, 0)), constant_values=-1))
    return np.concatenate([*blocks, np.full((1, len(inner)), -1)])


def kept_paths(network: LayeredNetwork, k: int) -> np.ndarray:
    """The k features whose weights sum to most over the outputs, in the order of all features.

    Dropping the others changes ||f(x)||_1 by at most max(||x||_inf, 1) times the sum of theirs.
    """
    for found in magnitudes(network):
        *hidden, last = found.steps
        paths, worth = largest_paths(hidden, found.summed(last.matrix), k)
        if are_told_apart(worth):
            break
    constant = np.full((1, paths.shape[1]), -1)
    if len(paths) < k:
        paths = np.concatenate([paths, constant])
    elif found.summed(last.bias) > worth[-1]:  # the largest come first
        paths = np.concatenate([paths[:-1], constant])
    return paths[_feature_order(paths)]


def _feature_order(paths: np.ndarray) -> np.ndarray:
    starts = (paths < 0).sum(axis=1)
    return np.lexsort((*paths.T[::-1], starts))


def feature_weights(network: LayeredNetwork, paths: np.ndarray | None) -> Any:
    """Phi, (n_features, n_outputs): weights of the paths, `None` meaning all of them."""
    found = steady(network)
    weights = _every_weight(found) if paths is None else _chosen_weights(found, paths)
    with np.errstate(over="ignore"):
        weights = times_power_of_two(weights, found.output_exponents)
        return network.xp.astype(weights, network.dtype, copy=False)


def _every_weight(found: Paths) -> Any:
    xp, steps, blocks = found.network.xp, found.steps, []
    for l, step in enumerate(steps[1:]):
        # from the inputs, or from the biases of hidden layer l, to the outputs
        ways = step.matrix if l == 0 else steps[l].bias[:, None] * step.matrix
        for later in steps[l + 2 :]:  # (prefixes, n_{l+1})
            ways = xp.reshape(ways[:, :, None] * later.matrix, (-1, later.matrix.shape[1]))
        blocks.append(ways)
    return xp.concat([*blocks, steps[-1].bias[None, :]])


def _chosen_weights(found: Paths, paths: np.ndarray) -> Any:
    weights, biases = ([to_numpy(step[part]) for step in found.steps[1:]] for part in (1, 2))
    product = np.ones(len(paths), dtype=weights[0].dtype)
    for l in range(1, paths.shape[1]):
        before, after = paths[:, l - 1], paths[:, l]
        edge = np.where(before < 0, biases[l - 1][after], weights[l - 1][before, after])
        product = product * np.where(after < 0, 1, edge)
    last = paths[:, -1]
    rows = np.where((last < 0)[:, None], biases[-1], weights[-1][last])
    return move(product[:, None] * rows, found.network.xp, found.network.device)


def dense_features(
    X: Any, gates: list[Any], sizes: tuple[int, ...], paths: np.ndarray | None
) -> Any:
    """Features of samples, (n_samples, n_features), in the library and dtype of X."""
    xp, where = array_namespace(X), device(X)
    starts = block_starts(sizes)
    n_features = starts[-1] if paths is None else len(paths)
    out = xp.empty((X.shape[0], n_features), dtype=X.dtype, device=where)
    step = max(1, CHUNK // n_features)
    chosen = None if paths is None else _columns(paths, xp, where)
    for first in range(0, X.shape[0], step):
        rows = slice(first, min(first + step, X.shape[0]))
        given = [X[rows, :], *(g[rows, :] for g in gates)]
        if chosen is None:
            for l, chain in enumerate(_chains(given)):
                out[rows, starts[l] : starts[l + 1]] = chain
            out[rows, starts[-2] :] = 1.0
        else:
            for start, stop, layer, columns in chosen:
                out[rows, start:stop] = _product(given[layer:], columns)
    return out


def _chains(given: list[Any]) -> list[Any]:
    """Products of layers l, l + 1, ... for each sample, (n, n_l n_{l+1} ...) for each l."""
    xp = array_namespace(given[0])
    chain, found = given[-1], [given[-1]]
    for layer in given[-2::-1]:
        chain = xp.reshape(layer[:, :, None] * chain[:, None, :], (layer.shape[0], -1))
        found.append(chain)
    return found[::-1]


def _columns(paths: np.ndarray, xp: Any, where: Any) -> list[tuple[int, int, int, list[Any]]]:
    """Runs of paths that start at one layer: first, past the last, layer, neurons by layer."""
    starting = (paths < 0).sum(axis=1)
    found = []
    for layer in np.unique(starting):
        run = np.flatnonzero(starting == layer)
        neurons = [
            move(np.ascontiguousarray(paths[run, l], dtype=np.int64), xp, where)
            for l in range(layer, paths.shape[1])
        ]
        found.append((int(run[0]), int(run[-1]) + 1, int(layer), neurons))
    return found


def _product(layers: list[Any], columns: list[Any]) -> Any:
    if not layers:
        return 1.0
    xp = array_namespace(layers[0])
    product = xp.take(layers[0], columns[0], axis=1)
    for layer, index in zip(layers[1:], columns[1:]):
        product = product * xp.take(layer, index, axis=1)
    return product


def sparse_features(
    X: np.ndarray, gates: list[np.ndarray], sizes: tuple[int, ...], paths: np.ndarray | None
) -> scipy.sparse.csr_array:
    """Features of samples as CSR; the work is that of the entries that are not zero."""
    if paths is not None:
        step = max(1, CHUNK // len(paths))
        pieces = [slice(i, i + step) for i in range(0, len(X), step)]
        parts = [
            scipy.sparse.csr_array(dense_features(X[i], [g[i] for g in gates], sizes, paths))
            for i in pieces
        ]
        return scipy.sparse.csr_array(scipy.sparse.vstack(parts, format="csr"))
    starts, n = block_starts(sizes), X.shape[0]
    layers = [scipy.sparse.csr_array(X), *(scipy.sparse.csr_array(g) for g in gates)]
    rows, columns, values = [np.arange(n)], [np.full(n, starts[-2])], [np.ones(n, dtype=X.dtype)]
    chain = scipy.sparse.csr_array(np.ones((n, 1), dtype=X.dtype))
    for l in range(len(layers) - 1, -1, -1):
        chain = _row_kron(layers[l], chain)
        rows.append(np.repeat(np.arange(n), np.diff(chain.indptr)))
        columns.append(chain.indices + starts[l])
        values.append(chain.data)
    entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    return scipy.sparse.csr_array(scipy.sparse.coo_array(entries, shape=(n, starts[-1])))


def _row_kron(left: Any, right: Any) -> scipy.sparse.csr_array:
    """Kronecker product of row i of `left` with row i of `right`, for every i."""
    counts = np.diff(right.indptr)
    rows = np.repeat(np.arange(left.shape[0]), np.diff(left.indptr))
    repeats = counts[rows]  # each entry on the left meets a whole row on the right
    ends = np.cumsum(repeats)
    total = int(ends[-1]) if len(ends) else 0
    offset = np.arange(total) - np.repeat(ends - repeats, repeats)
    place = np.repeat(right.indptr[:-1][rows], repeats) + offset
    indices = np.repeat(left.indices.astype(np.int64) * right.shape[1], repeats)
    indptr = np.append(0, ends)[left.indptr]
    data = np.repeat(left.data, repeats) * right.data[place]
    return scipy.sparse.csr_array(
        (data, indices + right.indices[place], indptr),
        shape=(left.shape[0], left.shape[1] * right.shape[1]),
    )


def feature_names(inputs: list[str], sizes: tuple[int, ...], paths: np.ndarray | None) -> list[str]:
    """Names of the features, such as x3>h1_4>h2_0, 1>h2_0 and 1."""
    layers = [inputs, *([f"h{l}_{i}" for i in range(n)] for l, n in enumerate(sizes[1:-1], 1))]
    if paths is None:
        chain, blocks = layers[-1], [layers[-1]]
        for layer in layers[-2::-1]:
            chain = [f"{first}>{rest}" for first in layer for rest in chain]
            blocks.insert(0, chain)
        return [*blocks[0], *(f"1>{name}" for block in blocks[1:] for name in block), "1"]
    names = []
    for path in paths.tolist():
        steps = [layers[l][i] for l, i in enumerate(path) if i >= 0]
        names.append(">".join(steps if path[0] >= 0 else ["1", *steps]))
    return names
