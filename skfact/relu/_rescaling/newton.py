"""Equalization of network graphs: Newton's method on the scales of all classes at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import cg

from skfact._backend import move
from skfact._stopping import Stopping
from skfact.relu._networks.network import Network
from skfact.relu._rescaling.classes import ClassEdges, class_edges
from skfact.relu._rescaling.sweeps import ROUNDING

# Sweeps over largest weights that bring the sum of powers into the range of floating point.
FIRST_SWEEPS = 3
# Steps so small that Newton's method converges, and that rounding hides what the sum gains.
SURE_STEP = 1e-4


def log_factors_of_classes(
    network: Network, p: float, include_bias: bool, stopping: Stopping
) -> tuple[list[Any], int, bool]:
    """Logarithms of the factors of all nodes, number of iterations, and whether they suffice."""
    edges = class_edges(network, include_bias)
    logs, n_iter, converged = np.zeros(edges.n_classes), 1, True
    if edges.n_classes > 1:
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            if math.isinf(p):
                logs, n_iter, converged = _largest_weight_sweeps(edges, logs, stopping)
            else:
                first = stopping._replace(max_iter=FIRST_SWEEPS)
                logs, _, _ = _largest_weight_sweeps(edges, least_squares(edges), first)
                logs, n_iter, converged = _newton(edges, logs, p, stopping)
    found = [move(logs[label], network.xp, network.device) for label in edges.labels]
    return found, n_iter, converged


def _newton(
    edges: ClassEdges, logs: np.ndarray, p: float, stopping: Stopping
) -> tuple[np.ndarray, int, bool]:
    """Minimize sum |w|^p exp(p (u_target - u_source)) over u with u_0 = 0: convex."""
    u = p * logs
    powers = p * edges.logs
    powers -= _largest_nearby(edges, powers + u[edges.target] - u[edges.source])

    def value(u: np.ndarray) -> float:
        return float(np.exp(powers + u[edges.target] - u[edges.source]).sum())

    def direction(u: np.ndarray) -> tuple[np.ndarray, float]:
        weights = np.exp(powers + u[edges.target] - u[edges.source])
        downhill = -incidence(edges, weights)
        step = solve_laplacian(edges, weights, downhill)
        return step, float(downhill @ step)

    u, n_iter, converged = damped_newton(
        value, direction, u, stopping._replace(tol=p * stopping.tol)
    )
    return u / p, n_iter, converged


def damped_newton(
    value: Callable[[np.ndarray], float],
    direction: Callable[[np.ndarray], tuple[np.ndarray, float]],
    u: np.ndarray,
    stopping: Stopping,
) -> tuple[np.ndarray, int, bool]:
    """Minimize a smooth convex function; `direction` gives Newton's step and how much it descends.

    Steps are halved until they gain a quarter of that. Found are u, the number of steps, and
    whether the last one was no longer than the tolerance.
    """
    for n_iter in range(1, stopping.max_iter + 1):
        step, slope = direction(u)
        largest = float(np.abs(step).max())
        if not np.isfinite(largest):
            return u, n_iter, False
        total, size = value(u), min(1.0, 5.0 / max(largest, 1e-300))
        while size * largest > SURE_STEP:
            if value(u + size * step) <= total - 0.25 * size * slope:
                break
            size /= 2
        u = u + size * step
        if largest <= max(stopping.tol, ROUNDING * (1.0 + float(np.abs(u).max()))):
            return u, n_iter, True
    return u, stopping.max_iter, False


def _largest_nearby(edges: ClassEdges, values: np.ndarray) -> np.ndarray:
    """For each edge the largest value of its part of the network: class 0 separates the parts."""
    inner = (edges.source > 0) & (edges.target > 0)
    links = scipy.sparse.coo_array(
        (np.ones(inner.sum()), (edges.source[inner], edges.target[inner])),
        shape=(edges.n_classes, edges.n_classes),
    )
    _, parts = connected_components(links, directed=False)
    part = parts[np.maximum(edges.source, edges.target)]
    largest = np.full(edges.n_classes, -np.inf)
    np.maximum.at(largest, part, values)
    return largest[part]


def least_squares(edges: ClassEdges) -> np.ndarray:
    """The u with the smallest sum of (log |w| + u_target - u_source)^2: undoes any rescaling."""
    return solve_laplacian(edges, np.ones_like(edges.logs), -incidence(edges, edges.logs))


def solve_laplacian(edges: ClassEdges, weights: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve L x = right with x_0 = 0, for the Laplacian L of the edges with these weights."""
    n = edges.n_classes
    links = scipy.sparse.coo_array((weights, (edges.source, edges.target)), shape=(n, n)).tocsr()
    links = links + links.T
    degrees = np.asarray(links.sum(axis=0)).ravel()
    laplacian = (scipy.sparse.diags_array(degrees) - links).tocsr()[1:, 1:]
    # what is beyond the range beside other weights stays where it is
    inverse = scipy.sparse.diags_array(1.0 / np.maximum(degrees[1:], np.finfo(float).tiny))
    found, _ = cg(laplacian, right[1:], rtol=1e-10, M=inverse, maxiter=20 * n)
    return np.concatenate([[0.0], found])


def incidence(edges: ClassEdges, values: np.ndarray) -> np.ndarray:
    """For each class the sum of values of the edges to it, less that of the edges from it."""
    n = edges.n_classes
    coming, going = (np.bincount(c, values, minlength=n) for c in (edges.target, edges.source))
    return coming - going


def _largest_weight_sweeps(
    edges: ClassEdges, logs: np.ndarray, stopping: Stopping
) -> tuple[np.ndarray, int, bool]:
    """Equalize the largest weight to and from each class, one class after the other."""
    logs = logs.copy()
    coming, going = (_by_class(classes, edges) for classes in (edges.target, edges.source))
    for n_iter in range(1, stopping.max_iter + 1):
        change = 0.0
        for c in range(1, edges.n_classes):
            largest_in = np.max(edges.logs[coming[c]] - logs[edges.source[coming[c]]])
            largest_out = np.max(edges.logs[going[c]] + logs[edges.target[going[c]]])
            new = (largest_out - largest_in) / 2
            change = max(change, abs(new - logs[c]))
            logs[c] = new
        if change <= stopping.tol:
            return logs, n_iter, True
    return logs, stopping.max_iter, False


def _by_class(classes: np.ndarray, edges: ClassEdges) -> list[np.ndarray]:
    """For each class the edges that have it."""
    order = np.argsort(classes, kind="stable")
    return np.split(order, np.cumsum(np.bincount(classes, minlength=edges.n_classes))[:-1])
