"""Approximate a row space rather than a matrix: its rows are rotated together with the factors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from skfact._backend import array_namespace, device
from skfact._linalg import adjoint
from skfact._stopping import Stopping
from skfact.butterfly._factorize import Factorization

# Share of the matrix's energy that the last rounds have to win, or they are the last.
TOL = 2e-4


def factorize_row_space(
    W: Any,
    factorize: Callable[[Any], Factorization],
    max_iter: int,
    on_round: Callable[[int, float], bool],
) -> tuple[Factorization, Any, int, bool]:
    r"""Alternate :math:`\min \|R W - B\|_F` over orthogonal R and products B of the chain.

    For fixed R the factors come from the hierarchical algorithm, for fixed B the rotation from the
    orthogonal Procrustes problem: R = U V^H with U S V^H the SVD of B W^H. Rounds that gain are
    extrapolated, R + (t - 1) / (t + 2) (R - R_before) with t counted from the last round that did
    not, made orthogonal. The algorithm does not promise the best B, so the best round so far is
    kept, and one without gain and without extrapolation is the last.

    `on_round` is called with (round, error); True stops. Returns the best factorization, its
    rotation (n_out, n_out), the number of rounds, and whether they ended before `max_iter`.
    """
    xp = array_namespace(W)
    rotation = xp.eye(W.shape[0], dtype=W.dtype, device=device(W))
    scale = float(xp.max(xp.abs(W))) or 1.0  # squares must neither over- nor underflow
    norm = float(xp.linalg.vector_norm(W / scale))
    exact = 10 * float(xp.finfo(W.dtype).eps) * norm
    best, least, losses = None, math.inf, []
    before, steps = None, 0
    for n_iter in range(1, max_iter + 1):
        target = rotation @ W
        result = factorize(target)
        error = float(xp.linalg.vector_norm((target - result.product) / scale))
        gained = error < least
        if best is None or gained:
            best, least = (result, rotation), error
        losses.append(least**2)
        stop = on_round(n_iter, error * scale) or error <= exact or not (gained or steps)
        if stop or Stopping(max_iter, TOL).is_slow(losses, norm**2):
            return *best, n_iter, True
        if gained:
            closest = _orthogonal((result.product / scale) @ adjoint(W / scale))
            rotation = closest
            if steps:
                rotation = _orthogonal(closest + steps / (steps + 3) * (closest - before))
            before, steps = closest, steps + 1
        else:
            rotation, steps = before, 0
    assert best is not None  # max_iter is at least 1
    return *best, n_iter, False


def _orthogonal(x: Any) -> Any:
    """The orthogonal matrix closest to a square one."""
    u, _, vh = array_namespace(x).linalg.svd(x, full_matrices=False)
    return u @ vh
