"""The rescaling whose path kernel is closest to a multiple of the identity."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.sparse
from scipy.sparse.csgraph import connected_components

from skfact._backend import move, to_numpy
from skfact._stopping import Stopping
from skfact.relu._networks.convolution import Convolution
from skfact.relu._networks.network import Network
from skfact.relu._networks.ways_on import Scaled, both_passes
from skfact.relu._rescaling.classes import ClassEdges, edges_of, renumbered
from skfact.relu._rescaling.newton import (
    damped_newton,
    incidence,
    solve_laplacian,
)

# Newton's method takes about ten steps, more where kappa spreads over many orders of magnitude.
STOPPING = Stopping(500, 1e-11)
SPREAD = 1e-6


def log_factors_of_path_kernel(network: Network) -> tuple[list[Any], bool]:
    """Logarithms of the factors of all nodes that minimize the criterion, and whether they do.

    With kappa_e the diagonal of G = J^T J, J the derivative of the path weights, and u the
    logarithms of the factors, edge e from s to t has kappa_e exp(-2 (u_t - u_s)) after rescaling.
    Of p such edges the criterion is

        F(u) = p log sum_e kappa_e exp(-2 (u_t - u_s)) + 2 sum_e (u_t - u_s).
    """
    edges, inside = _kernel_edges(network)
    u, converged = np.zeros(edges.n_classes), True
    if edges.n_classes > 1:
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            u, converged = _minimize(edges, inside)
    found = [move(u[label], network.xp, network.device) for label in edges.labels]
    return found, converged


def _minimize(edges: ClassEdges, inside: np.ndarray) -> tuple[np.ndarray, bool]:
    """Newton's method on F / 2, from where the exponents have the least variance.

    The Hessian is the covariance matrix of edges of given shares in the sum: a Laplacian less a
    matrix of rank one. It is nearly singular where one edge has almost all of the sum, and so all
    edges have a little more than their share in it.
    """
    ones = incidence(edges, np.ones_like(edges.logs))
    p = len(edges.logs) + len(inside)

    def solve(shares: np.ndarray, right: np.ndarray) -> np.ndarray:
        q = incidence(edges, shares)
        found, along = (solve_laplacian(edges, shares + SPREAD / p, r) for r in (right, q))
        return found + along * (q @ found) / (1.0 - q @ along)

    def exponents(u: np.ndarray) -> np.ndarray:
        return edges.logs - 2 * (u[edges.target] - u[edges.source])

    def log_sum(y: np.ndarray) -> float:
        return float(np.logaddexp.reduce(np.concatenate([y, inside])))

    def value(u: np.ndarray) -> float:
        return p / 2 * log_sum(exponents(u)) + float(ones @ u)

    def direction(u: np.ndarray) -> tuple[np.ndarray, float]:
        y = exponents(u)
        shares = np.exp(y - log_sum(y))
        downhill = incidence(edges, shares) - ones / p
        step = solve(shares, downhill) / 2
        return step, p * float(downhill @ step)

    mean = (edges.logs.sum() + inside.sum()) / p
    start = solve(np.full_like(edges.logs, 1 / p), incidence(edges, edges.logs - mean) / p) / 2
    u, _, converged = damped_newton(value, direction, start, STOPPING)
    return u, converged


def _kernel_edges(network: Network) -> tuple[ClassEdges, np.ndarray]:
    """Edges between classes with the logarithms of kappa, and these of all others; zero is none.

    Classes that no edges connect with inputs, biases or outputs keep their scale.
    """
    steps, sizes = network.steps(), []
    with np.errstate(all="ignore"):
        f, g = both_passes(network, 2)
        for index, convolution in zip(network.linear, network.convolutions):
            arriving, leaving = _logs(f[steps[index].inputs[0]]), _logs(g[index])
            of_entries = arriving[:, None] + leaving, leaving
            sizes.append(of_entries if convolution is None else _once(convolution, *of_entries))
    edges = edges_of(network, sizes)
    n = edges.n_classes
    links = scipy.sparse.coo_array((np.ones(len(edges.logs)), (edges.source, edges.target)), (n, n))
    _, parts = connected_components(links, directed=False)
    free = parts == parts[0]
    free[0] = False
    new = np.where(free, np.cumsum(free), 0)
    return renumbered(edges, new), edges.logs[new[edges.source] == new[edges.target]]


def _once(
    convolution: Convolution, weights: np.ndarray, biases: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Of each number of a kernel the logarithm of its sum over the places, at the first of these.

    No path meets a number twice, so that kappa adds up; all places belong to the same channels.
    """
    top = max(float(np.max(biases)), float(np.max(weights)))
    sums = convolution.sums(np.exp(weights - top), np.exp(biases - top))
    places = convolution.places, np.arange(len(biases)) // math.prod(convolution.output_shape)
    found = []
    for of_number, place in zip(sums, places):
        logs = np.full(place.size, -np.inf)
        numbers, first = np.unique(place, return_index=True)
        inside = numbers < of_number.size
        logs[first[inside]] = np.log(of_number.ravel()[numbers[inside]]) + top
        found.append(logs.reshape(place.shape))
    return found[0], found[1]


def _logs(sums: Scaled) -> np.ndarray:
    values, powers = to_numpy(sums.values), to_numpy(sums.powers)
    return np.where(values > 0, np.log(values) + 2 * math.log(2) * powers, -np.inf)
