"""Structures that several tests study, and the structure of any lifting operator."""

from typing import Any, NamedTuple

import numpy as np

from skfact.deep_linear import CirculantFactor, StructuredFactor, ToeplitzFactor
from skfact.supports import Chain


def linear_factor(basis: np.ndarray) -> StructuredFactor:
    """The factor whose matrices of unit vectors are given, (S, n_out, n_in)."""
    size, *shape = basis.shape

    def matrix(h: Any) -> Any:
        return np.tensordot(h, basis.astype(h.dtype), 1)

    def adjoint(G: Any) -> Any:
        return np.tensordot(basis.astype(G.dtype), G, 2)

    return StructuredFactor(tuple(shape), size, matrix, adjoint)


def circular(support: list[int], n: int) -> StructuredFactor:
    """Circulant n x n with a first column on a support."""
    basis = np.zeros((len(support), n, n))
    for s, shift in enumerate(support):
        basis[s] = np.roll(np.eye(n), shift, axis=0)
    return linear_factor(basis)


def of_lift(lift: np.ndarray, *sizes: int) -> list[StructuredFactor]:
    """Factors whose lifting operator is a given matrix (N, S_1 .. S_K)."""
    factors, count = [], 1
    for size in sizes[:-1]:
        basis = np.zeros((size, count, count, size))
        for s in range(size):
            basis[s, :, :, s] = np.eye(count)
        factors.append(linear_factor(basis.reshape(size, count, count * size)))
        count *= size
    last = lift.reshape(len(lift), count, sizes[-1]).transpose(2, 1, 0)
    return [*factors, linear_factor(last)]


def with_kernel(*kernel: np.ndarray) -> list[StructuredFactor]:
    """Factors whose lifting operator has this kernel, and otherwise singular values 1."""
    flat = np.stack([Z.reshape(-1) for Z in kernel])
    rows = np.linalg.svd(flat)[2][len(kernel) :]
    return of_lift(rows, *kernel[0].shape)


W = np.zeros((2, 2, 2))  # of border rank 2: a limit of differences, and none itself
W[0, 0, 1] = W[0, 1, 0] = W[1, 0, 0] = 1


class Row(NamedTuple):
    """A structure and what is known of it."""

    structure: Any
    sizes: tuple[int, ...]
    rank: int
    jacobian_rank: int
    thresholds: tuple[int, int]
    verdict: str
    reason: str


YES, NO = "identifiable", "not identifiable"
TABLE = {
    "Toeplitz pair": Row(
        [ToeplitzFactor(3, 2), ToeplitzFactor(2, 3)], (4, 4), 9, 7, (7, 12), NO, "zero"
    ),
    "column and row": Row(
        [ToeplitzFactor(4, 1), ToeplitzFactor(1, 3)], (4, 3), 12, 6, (6, 10), YES, "full column"
    ),
    "circulant pair": Row([CirculantFactor(3)] * 2, (3, 3), 3, 3, (5, 8), NO, "below C"),
    "butterfly": Row(Chain.butterfly(4), (8, 8), 16, 12, (15, 28), NO, "diagonal matrices"),
    "low rank": Row(Chain.low_rank(8, 8, 2), (16, 16), 64, 28, (31, 60), NO, "derivative"),
    "masks": Row(
        [np.array([[0, 1], [0, 1], [0, 0]]), np.array([[0, 0, 0], [1, 0, 1]])],
        (2, 2),
        4,
        3,
        (3, 4),
        YES,
        "full column",
    ),
    "diagonal times Toeplitz": Row(
        [np.eye(3, dtype=bool), ToeplitzFactor(3, 3)], (3, 5), 9, 7, (7, 12), NO, "that is zero"
    ),
    "convolutions of 12": Row(
        [circular(s, 12) for s in ([0, 1, 2], [0, 3], [0, 6])],
        (3, 2, 2),
        12,
        5,
        (5, 10),
        YES,
        "full column",
    ),
    "convolutions of 11": Row(
        [circular(s, 11) for s in ([0, 1, 2], [0, 3], [0, 6])],
        (3, 2, 2),
        11,
        5,
        (5, 10),
        NO,
        "multiples of each other",
    ),
    "convolutions of 16": Row(
        [circular(s, 16) for s in ([0, 1, 3], [0, 2, 5])],
        (3, 3),
        7,
        5,
        (5, 8),
        NO,
        "multiples of each other",
    ),
}


def random_structure(random: np.random.Generator) -> list[Any]:
    """Two or three factors of mixed kinds and small sizes that chain."""
    sizes = random.integers(1, 5, random.integers(2, 5))
    factors: list[Any] = []
    for m, n in zip(sizes[:-1].tolist(), sizes[1:].tolist()):
        mask = random.random((m, n)) < 0.7
        mask[0, 0] = True
        kinds = [mask, ToeplitzFactor(m, n), (1, m, n, 1)] + [CirculantFactor(m)] * (m == n)
        kinds.append(linear_factor(random.standard_normal((2, m, n))))
        factors.append(kinds[random.integers(len(kinds))])
    return factors
