"""The paths of largest weight."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from skfact._backend import NUMPY, to_numpy
from skfact._checks import check_number
from skfact._inputs import namespace_dtype
from skfact.relu._networks.balance import balance
from skfact.relu._networks.network import Network, Step
from skfact.relu._networks.passes import edgewise
from skfact.relu._networks.readers import read_network
from skfact.relu._paths.count import path_count

# A candidate list of this many times k is small enough to be sorted.
SPARE = 4
# So many extensions are rather listed than counted.
LISTED = 1 << 16
# Products of a balanced network that are smaller may have lost digits, or be zero.
LEAST_WORTH = 2.0**-900
# Halvings of an interval of floats until nothing is between its ends.
HALVINGS = 70


class TopPaths(NamedTuple):
    """Paths and their weights, the largest magnitude first; see :func:`top_paths`."""

    paths: np.ndarray
    weights: np.ndarray


def top_paths(network: Any, k: int = 10, *, include_bias: bool = True) -> TopPaths:
    """Find the k paths of largest weight in magnitude, exactly.

    The nodes are swept once. A path's beginning is worth its weight times the largest weight of a
    way on to an output; a beginning that is not among the k most valuable ones is not the
    beginning of one of the k largest paths.

    Parameters
    ----------
    network : network-like
        The network.
    k : int, default=10
        Number of paths; all of them if there are fewer.
    include_bias : bool, default=True
        Include the paths that start at a bias.

    Returns
    -------
    paths : ndarray of int of shape (k, L + 1)
        Neuron of each layer that the path runs through, from input to output; -1 in the layers
        before the one whose bias it starts at. Of a graph, entry of each of its nodes, batch norms
        folded; -1 at those that the path does not run through.
    weights : ndarray of shape (k,)
        Their weights Phi_p, sorted by decreasing magnitude.

    Raises
    ------
    TypeError
        If the network is of an unsupported kind, or `k` is no integer.
    ValueError
        If the network is not usable, or `k` is not positive.

    Notes
    -----
    The largest paths describe a network; they do not approximate it well: the user guide has an
    example.

    References
    ----------
    .. [1] P. Stock, R. Gribonval, "An embedding of ReLU networks and an analysis of their
       identifiability", arXiv:2107.09370 (paths and their weights).

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.relu import top_paths
    >>> coefs = [np.array([[1.0, -2.0], [3.0, 0.5]]), np.array([[2.0], [-1.0]])]
    >>> intercepts = [np.array([0.5, -1.0]), np.array([0.25])]
    >>> paths, weights = top_paths((coefs, intercepts), 3)
    >>> paths
    array([[1, 0, 0],
           [0, 0, 0],
           [0, 1, 0]])
    >>> weights
    array([6., 2., 2.])
    """
    network = read_network(network, include_bias=include_bias)
    check_number(k, "k", int, 1)
    k = min(int(k), path_count(network, include_bias=include_bias))
    for found in magnitudes(network):
        steps = found.steps[: network.output + 1]
        paths, worth = largest_paths(steps, found.end, k, include_bias)
        if are_told_apart(worth):
            break
    return _weighed(paths, network)


class Magnitudes(NamedTuple):
    """Steps on the host with powers of the magnitudes of a network, by which paths are ordered."""

    steps: list[Step]
    end: np.ndarray  # what each output is worth
    q: float = 1.0  # (prod abs(w))^q orders paths as prod abs(w) does

    def summed(self, powers: np.ndarray) -> np.ndarray:
        """(sum of magnitudes)^q over the last axis, the outputs."""
        if self.q == 1.0:
            return np.asarray(powers @ self.end)
        top = np.maximum(powers.max(axis=-1), np.finfo(float).tiny)
        parts = (powers / top[..., None]) ** (1 / self.q)
        return np.asarray(top * parts.sum(axis=-1) ** self.q)


def magnitudes(network: Network) -> Iterator[Magnitudes]:
    """The magnitudes of a balanced network, then powers of which no product leaves the range."""
    yield _balanced(network)
    wide = network.cast("float64").steps()
    q = 1.0 / (4 * max(1, len(network.linear)))
    steps = list(edgewise(lambda edge: np.abs(to_numpy(edge)) ** q, wide))
    yield Magnitudes(steps, np.ones(network.sizes[network.output]), q)


def are_told_apart(worth: np.ndarray) -> bool:
    """Whether no path is worth so little that another's worth may have vanished beside it."""
    return not len(worth) or bool(worth.min() >= LEAST_WORTH)


def _balanced(network: Network) -> Magnitudes:
    """Products stay in range where they are not too small; the largest output is worth one."""
    paths = balance(network)
    outputs = to_numpy(paths.output_exponents)
    end = np.exp2(np.maximum(outputs - outputs.max(), -1e3))
    steps = list(edgewise(lambda edge: np.abs(to_numpy(edge)), paths.steps))
    for index, plain in enumerate(network.steps()):
        matrix = steps[index].matrix
        if matrix is not None and plain.bias is None:  # ways are told from others by zeros
            least = np.where(to_numpy(plain.matrix) != 0, np.finfo(float).tiny, 0.0)
            steps[index] = steps[index]._replace(matrix=np.maximum(matrix, least))
    return Magnitudes(steps, end)


def largest_paths(
    steps: Sequence[Step], end: np.ndarray, k: int, include_bias: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """The k paths of largest product of non-negative edges and `end`, the largest first.

    `end` is what reaching each entry of the last node is worth. A row names the entry of each node
    that the path runs through, -1 standing at the others. The products come second.
    """
    gains = _best_ways_on(steps, end)
    found: list[tuple[np.ndarray, np.ndarray]] = []  # of each node, beginnings and their products
    for index, (step, gain) in enumerate(zip(steps, gains)):
        leading = np.flatnonzero(gain >= 0)
        if not len(leading):
            found.append((np.full((0, len(steps)), -1), np.ones(0)))
            continue
        starts = np.full((len(leading), len(steps)), -1)
        starts[:, index] = leading
        parts = []
        for number, i in enumerate(step.inputs):
            paths, products = found[i]
            parents, entries, edges = _extensions(step, number, products, paths[:, i], gain, k)
            paths = paths[parents]
            paths[:, index] = entries
            parts.append((paths, products[parents] * edges))
        if not step.inputs:
            parts.append((starts, np.ones(len(starts))))
        elif include_bias and step.bias is not None:
            parts.append((starts, step.bias[leading]))
        paths, products = (np.concatenate(columns) for columns in zip(*parts))
        worth = products * gain[paths[:, index]]
        if index == len(steps) - 1:
            break
        if len(paths) > k:
            keep = _largest(worth, k)
            paths, products = paths[keep], products[keep]
        found.append((paths, products))
    order = np.lexsort((*paths.T[::-1], -worth))[:k]
    return paths[order], worth[order]


def _best_ways_on(steps: Sequence[Step], end: np.ndarray) -> list[np.ndarray]:
    """The largest product of a way on from each entry of each node, -1 if no way leads to `end`."""
    gains = [np.full(0, -1.0)] * len(steps)
    gains[-1] = end
    for index in range(len(steps) - 1, 0, -1):
        step, gain = steps[index], gains[index]
        if not gain.size:
            continue  # nothing reads it
        for number, i in enumerate(step.inputs):
            if step.matrix is None:
                more = gain if step.factors is None else step.factors[number] * gain
            else:
                ways = step.matrix * gain
                if step.bias is None:
                    ways[step.matrix == 0] = -1.0
                more = ways.max(axis=1, initial=-1.0)
            more = np.where(more < 0, -1.0, more)
            gains[i] = np.maximum(gains[i], more) if gains[i].size else more
    return gains


def _extensions(
    step: Step, number: int, products: np.ndarray, ends: np.ndarray, gain: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray, Any]:
    """Extensions of paths to entries that lead on: path, entry, edge; of many the best."""
    if step.bias is not None:
        leading = np.flatnonzero(gain >= 0)
        matrix = step.matrix if len(leading) == len(gain) else step.matrix[:, leading]
        parents, chosen = _best_extensions(products, ends, matrix, gain[leading], k)
        return parents, leading[chosen], matrix[ends[parents], chosen]
    if step.matrix is not None:
        parents, entries = np.nonzero((step.matrix[ends] != 0) & (gain >= 0))
        return parents, entries, step.matrix[ends[parents], entries]
    parents = np.flatnonzero(gain[ends] >= 0)
    entries = ends[parents]
    return parents, entries, 1.0 if step.factors is None else step.factors[number][entries]


def _largest(values: np.ndarray, k: int) -> np.ndarray:
    """Indices of the k largest values, in their order of appearance."""
    return np.sort(np.argpartition(-values, k - 1)[:k])


def _best_extensions(
    products: np.ndarray, ends: np.ndarray, w: np.ndarray, gain: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (path, next neuron) of the k most valuable extensions, of all if there are fewer.

    The worth products[s] * w[ends[s], j] * gain[j] is sorted in j, so that extensions above a
    threshold are counted by bisection: the threshold is lowered to about k of them.
    """
    n_next = w.shape[1]
    if len(products) * n_next <= max(SPARE * k, LISTED):
        worth = (products[:, None] * (w * gain)[ends]).ravel()
        chosen = np.arange(worth.size) if worth.size <= k else _largest(worth, k)
        return chosen // n_next, chosen % n_next
    used, ends = np.unique(ends, return_inverse=True)
    step = (w * gain)[used]
    order = np.argsort(-step, axis=1, kind="stable")
    step = np.take_along_axis(step, order, axis=1)

    def count(threshold: float, strictly: bool = False) -> np.ndarray:
        return _count_above(products, step, ends, threshold, strictly)

    threshold, exact = _threshold(count, products * step[ends, 0], k)
    counts = count(threshold, strictly=exact)
    if exact:  # many are equal: take as many as are missing
        missing = k - int(counts.sum())
        equal = count(threshold) - counts
        taken = np.clip(missing - (np.cumsum(equal) - equal), 0, equal)
        counts = counts + taken
    parents = np.repeat(np.arange(len(products)), counts)
    place = np.arange(len(parents)) - np.repeat(np.cumsum(counts) - counts, counts)
    if len(parents) > k:
        keep = _largest(products[parents] * step[ends[parents], place], k)
        parents, place = parents[keep], place[keep]
    return parents, order[ends[parents], place]


def _threshold(count: Any, best: np.ndarray, k: int) -> tuple[float, bool]:
    """A worth that at least k extensions reach, and not many more; or the k-th largest itself."""
    # each path has an extension worth `best`: the k-th of these is reached k times
    low = float(np.partition(best, len(best) - k)[len(best) - k]) if len(best) > k else 0.0
    if int(count(low).sum()) <= SPARE * k:
        return low, False
    high = float(best.max())
    for _ in range(HALVINGS):
        bits = (np.array([low, high]).view(np.int64)).tolist()
        if bits[1] - bits[0] <= 1:
            break
        # positive floats are ordered like their bits: halve the logarithm, roughly
        middle = float(np.array([(bits[0] + bits[1]) // 2]).view(np.float64)[0])
        total = int(count(middle).sum())
        if total < k:
            high = middle
        else:
            low = middle
            if total <= SPARE * k:
                return low, False
    return (high, True) if int(count(high).sum()) >= k else (low, True)


def _count_above(
    products: np.ndarray, step: np.ndarray, rows: np.ndarray, threshold: float, strictly: bool
) -> np.ndarray:
    """For each path the number of extensions of at least (or above) the threshold, by bisection."""
    low = np.zeros(len(products), dtype=np.int64)
    high = np.full(len(products), step.shape[1], dtype=np.int64)
    for _ in range(int(step.shape[1]).bit_length()):
        middle = np.minimum((low + high) // 2, step.shape[1] - 1)
        worth = products * step[rows, middle]
        above = (worth > threshold) if strictly else (worth >= threshold)
        open_ = low < high
        low = np.where(open_ & above, middle + 1, low)
        high = np.where(open_ & ~above, middle, high)
    return low


def _weighed(paths: np.ndarray, network: Network) -> TopPaths:
    """Paths with their signed weights, in the dtype of the network, the largest first."""
    mantissa, power = np.ones(len(paths)), np.zeros(len(paths), dtype=np.int64)
    steps = network.steps()
    for index in network.linear:
        w, b = to_numpy(steps[index].matrix), to_numpy(steps[index].bias)
        if index > network.output:
            continue
        before, after = paths[:, steps[index].inputs[0]], paths[:, index]
        edge = np.where(before < 0, b[after], w[before, after]).astype(np.float64)
        mantissa, shift = np.frexp(mantissa * np.where(after < 0, 1.0, edge))
        power += shift
    # also beside paths so large that the worth of others was zero
    order = np.lexsort((-abs(mantissa), -power, mantissa == 0))
    with np.errstate(over="ignore", under="ignore"):
        weights = np.ldexp(mantissa, power).astype(namespace_dtype(network.dtype, NUMPY))
    return TopPaths(paths[order], weights[order])
