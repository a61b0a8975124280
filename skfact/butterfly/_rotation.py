"""Approximate a row space rather than a matrix: its rows are rotated together with the factors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from skfact._backend import array_namespace, device
from skfact._linalg import adjoint
from skfact.butterfly._factorize import Factorization

# Relative gain in one round below which the alternation counts as converged.
GAIN = 1e-3


def factorize_row_space(
    W: Any,
    factorize: Callable[[Any], Factorization],
    max_iter: int,
    on_round: Callable[[int, float], bool],
) -> tuple[Factorization, Any, int, bool]:
    r"""Alternate :math:`\min \|R W - B\|_F` over orthogonal R and products B of the chain.

    For fixed R the factors come from the hierarchical algorithm, for fixed B the rotation from the
    orthogonal Procrustes problem: R = U V^H with U S V^H the SVD of B W^H. The algorithm does not
    promise the best B, so the best round so far is kept and a round without gain is the last.

    `on_round` is called with (round, error); True stops. Returns the best factorization, its
    rotation (n_out, n_out), the number of rounds, and whether they ended before `max_iter`.
    """
    xp = array_namespace(W)
    rotation = xp.eye(W.shape[0], dtype=W.dtype, device=device(W))
    scale = float(xp.max(xp.abs(W))) or 1.0  # squares must neither over- nor underflow
    best, least = None, math.inf
    for n_iter in range(1, max_iter + 1):
        target = rotation @ W
        result = factorize(target)
        error = float(xp.linalg.vector_norm((target - result.product) / scale))
        gained = least - error
        enough = GAIN * least if n_iter > 1 else 0.0
        if best is None or gained > 0:
            best, least = (result, rotation), error
        stop = on_round(n_iter, error * scale)
        if error == 0 or gained <= enough or stop:
            return *best, n_iter, True
        u, _, vh = xp.linalg.svd((result.product / scale) @ adjoint(W / scale), full_matrices=False)
        rotation = u @ vh
    assert best is not None  # max_iter is at least 1
    return *best, n_iter, False
