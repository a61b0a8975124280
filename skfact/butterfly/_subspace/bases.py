"""In which basis of a row space the search for factors starts.

The row space is the same for W and for Q W with Q orthogonal, but where the alternation ends
depends on where it starts. So it starts from a basis that W and Q W share, and from a few rotations
of that, drawn at random, which are followed for some rounds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from skfact._backend import array_namespace, device, move, to_numpy
from skfact._exponents import binary_exponent, times_power_of_two
from skfact.butterfly._factorize import Factorization
from skfact.butterfly._subspace.row_space import RowSpace, fit_row_space, go_on

RESTARTS = 4  # rotations of the basis that are tried
SMALL = 2**12  # entries of matrices for which they are
ROUNDS = 30  # rotations, and steps, of a trial
GIVEN = 0.5  # share of the first error from which on the rows are a better basis as they are
ALIKE = 1e-6  # relative gaps of singular values that are not told from zero

Factorize = Callable[[Any], Factorization]
Make = Callable[[], Factorize]
Report = Callable[[int, float], bool]


def canonical_basis(W: Any) -> Any:
    """Orthogonal T (m, m) with T W the same for all Q W, up to rounding: singular vectors by size.

    Where sizes are equal, as those of orthonormal rows, eigenvectors of what the places of the
    columns are in their span. The identity where the norm is close to the largest number.
    """
    xp, m = array_namespace(W), W.shape[0]
    exponent = binary_exponent(W)
    A = to_numpy(times_power_of_two(W, -exponent))
    A = A.astype(np.complex128 if np.iscomplexobj(A) else np.float64)
    largest = math.frexp(float(xp.finfo(W.dtype).max))[1]
    if math.frexp(np.linalg.norm(A))[1] + exponent >= largest:
        return xp.eye(m, dtype=W.dtype, device=device(W))
    left, sizes, rows = np.linalg.svd(A, full_matrices=True)
    turn, places = left.conj().T, np.linspace(-1, 1, A.shape[1])
    ends = [*(np.flatnonzero(-np.diff(sizes) > ALIKE * sizes[0]) + 1), len(sizes)]
    for start, end in zip([0, *ends], ends, strict=False):
        if end - start > 1 and sizes[start] > 0:
            some = rows[start:end]
            _, vectors = np.linalg.eigh((some * places) @ some.conj().T)
            turn[start:end] = vectors.conj().T @ turn[start:end]
    # signs that do not depend on the basis either
    signs = (turn @ A) @ np.cos(1 + np.arange(A.shape[1]))
    size = np.abs(signs)
    turn *= np.where(size > 0, np.conj(signs) / np.where(size > 0, size, 1), 1)[:, None]
    return xp.astype(move(turn, xp, device(W)), W.dtype)


def fit_from_bases(
    W: Any, make: Make, max_iter: int, on_rotation: Report, on_step: Report
) -> RowSpace:
    """:func:`fit_row_space` for the rows of W, from the most promising of some bases.

    `make` gives what factors rotated matrices along the plan of the first one.
    """
    start, factorize = best_start(W, make, max_iter)
    found = fit_row_space(start @ W, None, factorize, max_iter, on_rotation, on_step)
    return found._replace(rotation=found.rotation @ start)


def best_start(W: Any, make: Make, max_iter: int) -> tuple[Any, Factorize]:
    """The rotation of W, of few, from which some rounds lead to the least error.

    And what factors along the plan that goes with it.
    """
    xp, m = array_namespace(W), W.shape[0]
    canonical, by_canonical, by_given = canonical_basis(W), make(), make()
    starts = [(canonical, by_canonical)]
    if W.shape[0] * W.shape[1] <= SMALL:
        random = np.random.default_rng(0)
        turns = [np.linalg.qr(random.standard_normal((m, m)))[0] for _ in range(RESTARTS)]
        turns = [xp.astype(move(turn, xp, device(W)), W.dtype) for turn in turns]
        starts += [(turn @ canonical, make()) for turn in turns]
    first = by_canonical(canonical @ W).relative_error
    if by_given(W).relative_error < GIVEN * first:  # nearly a product as it is
        starts.insert(0, (xp.eye(m, dtype=W.dtype, device=device(W)), by_given))
    if len(starts) == 1:
        return starts[0]
    best, least = starts[0], math.inf
    for start, factorize in starts:
        rounds = min(ROUNDS, max_iter)
        found = fit_row_space(start @ W, None, factorize, rounds, go_on, go_on).result
        if found.relative_error < least:
            best, least = (start, factorize), found.relative_error
        if least <= 100 * float(xp.finfo(W.dtype).eps):
            break
    return best
