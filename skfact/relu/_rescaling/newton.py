"""Equalization of network graphs: Newton's method on the scales of all classes at once."""

from __future__ import annotations

import math
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
                logs, _, _ = _largest_weight_sweeps(edges, _least_squares(edges), first)
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

    def terms(u: np.ndarray) -> np.ndarray:
        return np.exp(powers + u[edges.target] - u[edges.source])

    for n_iter in range(1, stopping.max_iter + 1):
        weights = terms(u)
        total = weights.sum()
        downhill = _sums(edges.source, weights, edges) - _sums(edges.target, weights, edges)
        step = _solve_laplacian(edges, weights, downhill)
        largest = float(np.abs(step).max())
        if not np.isfinite(largest):
            return u / p, n_iter, False
        size = min(1.0, 5.0 / max(largest, 1e-300))
        slope = float(downhill @ step)
        while size * largest > SURE_STEP:
            if terms(u + size * step).sum() <= total - 0.25 * size * slope:
                break
            size /= 2
        u = u + size * step
        if largest <= max(p * stopping.tol, ROUNDING * (1.0 + float(np.abs(u).max()))):
            return u / p, n_iter, True
    return u / p, stopping.max_iter, False


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


def _least_squares(edges: ClassEdges) -> np.ndarray:
    """The u with the smallest sum of (log |w| + u_target - u_source)^2: undoes any rescaling."""
    misfit = _sums(edges.source, edges.logs, edges) - _sums(edges.target, edges.logs, edges)
    return _solve_laplacian(edges, np.ones_like(edges.logs), misfit)


def _solve_laplacian(edges: ClassEdges, weights: np.ndarray, right: np.ndarray) -> np.ndarray:
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


def _sums(classes: np.ndarray, values: np.ndarray, edges: ClassEdges) -> np.ndarray:
    return np.bincount(classes, values, minlength=edges.n_classes)


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
