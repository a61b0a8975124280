"""Orders by hierarchical clustering: rows, and columns, that are alike become neighbours.

Where rows and columns stand for points, vertices or sensors in no order, blocks of neighbours have
small ranks once like stands beside like. Two ways of being alike are tried: a large cosine, which
asks for multiples of each other (average linkage), and a small distance of the absolute values,
which asks for non-zeros in the same places (Ward). Rows or columns alone are clustered, too:
the others may have an order, as eigenvectors of a graph have. None of it is of use for a transform
all of whose rows are orthogonal and whose entries are of one size, as those of Fourier and Hadamard
are. Rows with zeros, such as wavelets, are told apart.
"""

from __future__ import annotations

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform


def clustered_orders(A: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Orders of the rows and columns of a matrix of ordinary magnitude."""
    A = A.astype(np.complex128 if np.iscomplexobj(A) else np.float64)
    as_they_are = [np.arange(n) for n in A.shape]
    pairs = []
    for order in (_by_cosine, _by_size):
        rows, cols = order(A), order(A.T)
        pairs += [(rows, cols), (rows, as_they_are[1]), (as_they_are[0], cols)]
    return pairs


def _by_cosine(A: np.ndarray) -> np.ndarray:
    if len(A) == 1:
        return np.zeros(1, dtype=np.intp)
    sizes = np.linalg.norm(A, axis=1, keepdims=True)
    A = A / np.where(sizes > 0, sizes, 1.0)
    distances = np.clip(1 - np.abs(A @ A.conj().T), 0, None)
    return _order(squareform(distances, checks=False), "average")


def _by_size(A: np.ndarray) -> np.ndarray:
    return np.zeros(1, dtype=np.intp) if len(A) == 1 else _order(np.abs(A), "ward")


def _order(observed: np.ndarray, method: str) -> np.ndarray:
    return leaves_list(linkage(observed, method)).astype(np.intp)
