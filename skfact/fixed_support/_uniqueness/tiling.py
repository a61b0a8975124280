"""Find the supports of two factors that tile a matrix without zeros: the first step of an FFT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
from scipy.sparse.csgraph import breadth_first_order, connected_components

from skfact._backend import to_numpy
from skfact._checks import check_matrix, check_number, require_finite


@dataclass(frozen=True, repr=False)
class Tiling:
    """What :func:`identify_tiling` found.

    Parameters
    ----------
    left_support, right_support : ndarray of shape (n, n), dtype bool, or None
        Supports of the factors; components 2 p and 2 p + 1 are the pair p on its two halves. None
        if they are not determined.
    row_pairs : ndarray of shape (n_pairs, 2)
        The pairs of rows that can be a pair of the tiling: those of the tiling where there is one.
    column_halves : ndarray of shape (n_pairs, n), dtype bool
        For each pair, the half of the columns to which column 0 belongs.
    reason : str
        In words.

    See Also
    --------
    identify_tiling : Gives this result.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.fixed_support import identify_tiling
    >>> identify_tiling(np.fft.fft(np.eye(4))).left_support.astype(int)
    array([[1, 1, 0, 0],
           [0, 0, 1, 1],
           [1, 1, 0, 0],
           [0, 0, 1, 1]])
    """

    left_support: np.ndarray | None
    right_support: np.ndarray | None
    row_pairs: np.ndarray
    column_halves: np.ndarray
    reason: str

    def __repr__(self) -> str:
        return f"Tiling({self.reason})"


def identify_tiling(Z: Any, *, tol: float | None = None) -> Tiling:
    """Identify the supports of two factors from their product alone, where these tile it.

    The factors sought have n components, two non-zeros in each column of the left factor and n / 2
    in each row of the right one, and the product ``Z`` (n, n) has no zero. Then the rectangles tile
    Z: each pair of rows has two of them, on two halves of the columns, and on each half the two
    rows are proportional. So a pair of rows is possible if and only if their ratio takes exactly
    two values, on n / 2 columns each (the halves), and the supports are unique if and only if the
    possible pairs contain exactly one perfect matching (proved).

    Such are the even and odd half of a radix-2 step: DFT matrices of a power of two, and DCT-II and
    DST-II matrices with the *sample* index on the rows (``scipy.fft.dct(np.eye(n), axis=0).T``),
    all with rows and columns in any order. With the frequency on the rows the cosine transform has
    no such factors for n >= 8, and every two rows of a Hadamard matrix are a possible pair (all of
    this is measured, by the tests).

    Parameters
    ----------
    Z : array-like of shape (n, n)
        Real or complex matrix.
    tol : float, default=None
        Ratios that differ by at most `tol`, relatively, count as equal, and entries up to `tol`
        times the largest one as zero. None is the square root of the machine epsilon of Z.

    Returns
    -------
    tiling : Tiling
        The supports, or None with the reason.

    Raises
    ------
    TypeError
        If `Z` is not an array of numbers.
    ValueError
        If `Z` is not a finite square matrix with an even number of rows.

    See Also
    --------
    complete_rank_one : Factors for the supports; it always succeeds on a tiling.

    Notes
    -----
    Takes O(n^3) operations and O(n^2) memory.

    References
    ----------
    .. [1] L. Zheng, E. Riccietti, R. Gribonval, "Identifiability in two-layer sparse matrix
       factorization", arXiv:2110.01235.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.fixed_support import identify_tiling
    >>> tiling = identify_tiling(np.fft.fft(np.eye(8)))
    >>> tiling
    Tiling(the supports are unique: 4 pairs of rows)
    >>> tiling.row_pairs.tolist()
    [[0, 4], [1, 5], [2, 6], [3, 7]]
    >>> tiling.column_halves[0].astype(int)
    array([1, 0, 1, 0, 1, 0, 1, 0])
    """
    Z = check_matrix(Z, "Z")
    Z = to_numpy(Z)
    largest = float(np.abs(Z).max())
    require_finite(largest, "Z")
    n = len(Z)
    if Z.shape != (n, n) or n % 2:
        raise ValueError(
            f"Z must be square with an even number of rows, to be split in pairs, got {Z.shape}."
        )
    if tol is None:
        tol = float(np.sqrt(np.finfo(Z.dtype).eps))
    check_number(tol, "tol", float, 0.0)
    if np.abs(Z).min() <= tol * largest:
        nothing = np.empty((0, 2), dtype=np.intp), np.empty((0, n), dtype=bool)
        return Tiling(None, None, *nothing, "Z has a zero, so that ratios of rows are undefined")

    pairs, halves = _possible_pairs(Z, tol)
    matching, reason = _unique_perfect_matching(n, pairs)
    if matching is None:
        return Tiling(None, None, pairs, halves, reason)
    pairs, halves = pairs[matching], halves[matching]
    left, right = np.zeros((n, n), dtype=bool), np.zeros((n, n), dtype=bool)
    left[pairs.ravel(), np.repeat(np.arange(n // 2), 2) * 2] = True
    left[:, 1::2] = left[:, ::2]
    right[::2], right[1::2] = halves, ~halves
    return Tiling(left, right, pairs, halves, reason)


def _possible_pairs(Z: np.ndarray, tol: float) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of rows (i, k) whose ratio takes two values, n / 2 times each; where the first one."""
    n = len(Z)
    pairs, halves = [np.empty((0, 2), dtype=np.intp)], [np.empty((0, n), dtype=bool)]
    for i in range(n - 1):
        ratio = Z[i + 1 :] / Z[i]  # (n - 1 - i, n)
        first = np.abs(ratio - ratio[:, :1]) <= tol * np.abs(ratio[:, :1])
        other = ratio[np.arange(len(ratio)), np.argmin(first, axis=1)][:, None]
        second = np.abs(ratio - other) <= tol * np.abs(other)
        found = np.all(first ^ second, axis=1) & (np.count_nonzero(first, axis=1) == n // 2)
        k = np.flatnonzero(found)
        pairs.append(np.column_stack([np.full(len(k), i), i + 1 + k]))
        halves.append(first[k])
    return np.concatenate(pairs), np.concatenate(halves)


def _unique_perfect_matching(n: int, pairs: np.ndarray) -> tuple[np.ndarray | None, str]:
    """Indices of the pairs in the only perfect matching of the graph, or why there is none.

    A graph with exactly one perfect matching has an edge of it whose removal separates its part of
    the graph in two (Kotzig 1959), of odd sizes, since the rest is matched. Conversely such an edge
    is in every perfect matching. So edges are taken this way until nothing is left.
    """
    alive = np.ones(n, dtype=bool)
    matching = []
    while alive.any():
        inside = np.flatnonzero(alive[pairs].all(axis=1))
        edge = _odd_bridge(n, pairs[inside], alive)
        if edge is None:
            degree = np.bincount(pairs[inside].ravel(), minlength=n)
            if (degree[alive] == 0).any():
                row = int(np.flatnonzero(alive & (degree == 0))[0])
                return None, f"row {row} finds no partner: only {len(pairs)} pairs are possible"
            return None, (
                f"the {len(pairs)} possible pairs of rows contain no perfect matching or more "
                "than one"
            )
        matching.append(inside[edge])
        alive[pairs[inside[edge]]] = False
    return np.sort(matching), f"the supports are unique: {n // 2} pairs of rows"


def _odd_bridge(n: int, pairs: np.ndarray, alive: np.ndarray) -> int | None:
    """An edge whose removal leaves two parts of odd sizes; a pendant edge if there is one."""
    degree = np.bincount(pairs.ravel(), minlength=n)
    pendant = np.flatnonzero((degree[pairs] == 1).any(axis=1))
    if (degree[alive] == 0).any():
        return None
    if len(pendant):
        return int(pendant[0])
    # bridges are edges of every spanning forest: there are fewer than n to try
    graph = _graph(n, pairs)
    _, label = connected_components(graph, directed=False)
    for part in np.unique(label[alive]):
        root = int(np.flatnonzero(label == part)[0])
        order, parent = breadth_first_order(graph, root, directed=False)
        for node in order[1:]:
            edge = int(np.flatnonzero((np.sort([node, parent[node]]) == pairs).all(axis=1))[0])
            _, split = connected_components(_graph(n, np.delete(pairs, edge, axis=0)), False)
            if split[node] != split[parent[node]] and np.sum(split == split[node]) % 2:
                return edge
    return None


def _graph(n: int, pairs: np.ndarray) -> Any:
    return scipy.sparse.coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
