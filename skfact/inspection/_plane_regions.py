"""Activation regions and linear regions of a ReLU network, on a line and in a plane.

On an activation region no neuron switches, so that the network is affine there. On a linear region
the network is affine, whether or not a neuron switches: linear regions are unions of activation
regions.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
from scipy.sparse.csgraph import connected_components

from skfact.relu import activation_patterns

# Two affine maps are equal up to this part of the sum of the magnitudes that they are made of.
TOLERANCE = 1e-9
AT_ONCE = 2**14  # points of a grid whose patterns are found at a time


class Layers(NamedTuple):
    """A network of ReLU layers in NumPy and float64."""

    weights: list[np.ndarray]
    biases: list[np.ndarray]

    def patterns(self, samples: np.ndarray) -> np.ndarray:
        """Which hidden neurons are active, (n_samples, n_hidden) of bool."""
        return np.asarray(activation_patterns(tuple(self), samples))

    def restricted(self, frame: np.ndarray) -> Layers:
        """The network as a function of coordinates: of `frame`, origin and axes."""
        first = frame[1:] @ self.weights[0]
        origin = frame[0] @ self.weights[0] + self.biases[0]
        return Layers([first, *self.weights[1:]], [origin, *self.biases[1:]])

    def outputs(self, samples: np.ndarray) -> np.ndarray:
        """What the network computes."""
        h = samples
        for w, b in zip(self.weights[:-1], self.biases[:-1]):
            h = np.maximum(h @ w + b, 0)
        return h @ self.weights[-1] + self.biases[-1]


def line_regions(
    network: Layers, start: np.ndarray, step: np.ndarray, ends: tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Positions t on start + t step where a neuron switches; whether the gradient changes there.

    The cuts, ascending, are exact: between two of them, the input of each neuron is affine in t.
    """
    low, high = ends
    cuts = np.array([low, high])
    frame = np.stack([start, step])
    for depth in range(len(network.weights) - 1):
        middles = (cuts[:-1] + cuts[1:]) / 2
        maps = _hidden_maps(network, frame, start + middles[:, None] * step, depth)
        with np.errstate(divide="ignore", invalid="ignore"):
            roots = -maps[:, 0] / maps[:, 1]  # (pieces, neurons)
        inside = (roots > cuts[:-1, None]) & (roots < cuts[1:, None])
        cuts = _merged(np.concatenate([cuts, roots[inside]]), high - low)
    middles = (cuts[:-1] + cuts[1:]) / 2
    samples = start + middles[:, None] * step
    patterns = network.patterns(samples)
    switched = np.any(patterns[1:] != patterns[:-1], axis=1)
    maps = _hidden_maps(network, frame, samples, len(network.weights) - 1)
    bends = _differ(maps[1:], maps[:-1], _magnitudes(network, frame))
    return cuts[1:-1][switched], bends[switched]


def plane_regions(
    network: Layers, grid: np.ndarray, frame: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Numbers (n, n) of the activation and the linear regions of the points of a square grid.

    Their coordinates (n * n, 2) come row by row; `frame` is origin and axes.
    """
    n = round(len(grid) ** 0.5)
    plane = network.restricted(frame)  # samples of many features would take much memory
    parts = np.array_split(grid, len(grid) // AT_ONCE + 1)
    packed = np.concatenate([np.packbits(plane.patterns(part), axis=1) for part in parts])
    _, first, region = np.unique(packed, axis=0, return_index=True, return_inverse=True)
    region = region.reshape(-1)
    maps = _hidden_maps(plane, np.eye(3, 2, -1), grid[first], len(network.weights) - 1)
    size = _magnitudes(network, frame)
    image = region.reshape(n, n)
    pairs = np.concatenate(
        [
            np.stack([image[:, 1:].ravel(), image[:, :-1].ravel()]),
            np.stack([image[1:].ravel(), image[:-1].ravel()]),
        ],
        axis=1,
    )
    one, two = np.unique(pairs[:, pairs[0] != pairs[1]], axis=1)
    same = ~_differ(maps[one], maps[two], size)
    links = scipy.sparse.coo_array(
        (np.ones(same.sum()), (one[same], two[same])), shape=(len(first), len(first))
    )
    _, linear = connected_components(links, directed=False)
    return image, linear[region].reshape(n, n)


def _hidden_maps(network: Layers, frame: np.ndarray, samples: np.ndarray, depth: int) -> Any:
    """Affine maps of the inputs of layer `depth`: (n_samples, 1 + n_axes, n_neurons)."""
    ends = np.cumsum([w.shape[1] for w in network.weights[:-1]])
    active = np.split(network.patterns(samples)[:, None, :], ends[:-1], axis=2)
    h = np.broadcast_to(frame, (len(samples), *frame.shape))
    for l in range(depth + 1):
        h = h @ network.weights[l]
        h[:, 0] += network.biases[l]
        if l < depth:
            h = h * active[l]
    return h


def _magnitudes(network: Layers, frame: np.ndarray) -> np.ndarray:
    """Sums of the magnitudes that the affine maps of the outputs are made of."""
    size = np.abs(frame)
    for w, b in zip(network.weights, network.biases):
        size = size @ np.abs(w)
        size[0] += np.abs(b)
    return size


def _differ(one: np.ndarray, two: np.ndarray, size: np.ndarray) -> np.ndarray:
    return np.any(np.abs(one - two) > TOLERANCE * size, axis=(1, 2))


def _merged(cuts: np.ndarray, length: float) -> np.ndarray:
    """Sorted, without cuts that rounding has made two of; the ends stay."""
    cuts = np.unique(cuts)
    keep = np.diff(cuts, prepend=-np.inf) > 1e-12 * length
    return cuts[keep]
