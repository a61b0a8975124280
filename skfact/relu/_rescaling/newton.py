"""Equalization of network graphs: Newton's method on the scales of all classes at once."""

from __future__ import annotations

import math

import numpy as np
import scipy.sparse
from scipy.sparse.linalg import cg

from skfact._backend import move
from skfact._exponents import times_power_of_two
from skfact.relu._networks.graph import NetworkGraph
from skfact.relu._networks.graph_passes import Paths
from skfact.relu._rescaling.classes import ClassEdges, class_edges

# Sweeps over largest weights that bring the sum of powers into the range of floating point.
FIRST_SWEEPS = 3
# Steps so small that Newton's method converges, and that rounding hides what the sum gains.
SURE_STEP = 1e-4


def equalized_graph(
    graph: NetworkGraph, p: float, include_bias: bool, max_iter: int, tol: float
) -> tuple[NetworkGraph, int, bool]:
    """The equalized graph, the number of iterations, and whether they suffice."""
    paths = Paths.of(graph)
    edges = class_edges(paths.graph, include_bias)
    if edges.n_classes == 1:
        return paths.graph, 1, True
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        if math.isinf(p):
            start = np.zeros(edges.n_classes)
            logs, n_iter, converged = _largest_weight_sweeps(edges, start, max_iter, tol)
        else:
            start = _least_squares(edges)
            start, _, _ = _largest_weight_sweeps(edges, start, FIRST_SWEEPS, tol)
            logs, n_iter, converged = _newton(edges, start, p, max_iter, tol)
    return _rescaled(paths, [logs[label] for label in edges.labels]), n_iter, converged


def _newton(
    edges: ClassEdges, logs: np.ndarray, p: float, max_iter: int, tol: float
) -> tuple[np.ndarray, int, bool]:
    """Minimize sum |w|^p exp(p (u_target - u_source)) over u with u_0 = 0: convex."""
    u = p * logs

    def terms(u: np.ndarray) -> np.ndarray:
        return np.exp(p * edges.logs + u[edges.target] - u[edges.source])

    for n_iter in range(1, max_iter + 1):
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
        if largest <= p * tol:
            return u / p, n_iter, True
    return u / p, max_iter, False


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
    inverse = scipy.sparse.diags_array(1.0 / degrees[1:])
    found, _ = cg(laplacian, right[1:], rtol=1e-10, M=inverse, maxiter=20 * n)
    return np.concatenate([[0.0], found])


def _sums(classes: np.ndarray, values: np.ndarray, edges: ClassEdges) -> np.ndarray:
    return np.bincount(classes, values, minlength=edges.n_classes)


def _largest_weight_sweeps(
    edges: ClassEdges, logs: np.ndarray, max_iter: int, tol: float
) -> tuple[np.ndarray, int, bool]:
    """Equalize the largest weight to and from each class, one class after the other."""
    logs = logs.copy()
    coming, going = (_by_class(classes, edges) for classes in (edges.target, edges.source))
    for n_iter in range(1, max_iter + 1):
        change = 0.0
        for c in range(1, edges.n_classes):
            largest_in = np.max(edges.logs[coming[c]] - logs[edges.source[coming[c]]])
            largest_out = np.max(edges.logs[going[c]] + logs[edges.target[going[c]]])
            new = (largest_out - largest_in) / 2
            change = max(change, abs(new - logs[c]))
            logs[c] = new
        if change <= tol:
            return logs, n_iter, True
    return logs, max_iter, False


def _by_class(classes: np.ndarray, edges: ClassEdges) -> list[np.ndarray]:
    """For each class the edges that have it."""
    order = np.argsort(classes, kind="stable")
    return np.split(order, np.cumsum(np.bincount(classes, minlength=edges.n_classes))[:-1])


def _rescaled(paths: Paths, logs: list[np.ndarray]) -> NetworkGraph:
    """Entries multiplied by exp(logs); a factor itself may be beyond the largest number."""
    xp = paths.xp
    powers = [move(log / math.log(2), xp, paths.device) for log in logs]
    coefs, intercepts = [], []
    for node in paths.graph.nodes:
        if node.kind == "linear":
            before, after = powers[node.inputs[0]], powers[node.index]
            weight, bias = (xp.astype(a, xp.float64) for a in (node.weight, node.bias))
            coefs.append(times_power_of_two(weight, after[None, :] - before[:, None]))
            intercepts.append(times_power_of_two(bias, after))
    coefs, intercepts = (
        [xp.astype(a, paths.dtype) for a in arrays] for arrays in (coefs, intercepts)
    )
    return paths.graph.with_arrays(coefs, intercepts)
