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
    orthogonal Procrustes problem: R = U V^H with U S V^H the SVD of B W^H. From the t-th gain in a
    row on it is extrapolated to R + t / (t + 3) (R - R_before), made orthogonal. The algorithm does
    not promise the best B, so the best round so far is kept; the last one is not extrapolated, and
    gains nothing, or little together with those before it.

    `on_round` is called with (round, error); True stops. Returns the best factorization, its
    rotation (n_out, n_out), the number of rounds, and whether they ended before `max_iter`.
    """
    xp = array_namespace(W)
    rotation = xp.eye(W.shape[0], dtype=W.dtype, device=device(W))
    scale = float(xp.max(xp.abs(W))) or 1.0  # squares must neither over- nor underflow
    norm = float(xp.linalg.vector_norm(W / scale))
    if not math.isfinite(scale * norm):
        raise ValueError(
            "criterion='subspace' rotates the matrix, whose norm exceeds the largest number of "
            f"{W.dtype}: divide it by a power of two."
        )
    exact = 10 * float(xp.finfo(W.dtype).eps) * norm
    best: Any = None
    last: Any = None
    before: Any = None
    least, losses, ahead, t = math.inf, [], False, 0
    for n_iter in range(1, max_iter + 1):
        target = rotation @ W
        result = factorize(target)
        error = float(xp.linalg.vector_norm((target - result.product) / scale))
        gained = best is None or error < least
        if gained:
            best, least = (result, rotation), error
            last, before = before, orthogonal((result.product / scale) @ adjoint(W / scale))
        losses.append(least**2)
        slow = Stopping(max_iter, TOL).is_slow(losses, norm**2)
        plain_and_done = not ahead and (slow or not gained)
        if on_round(n_iter, error * scale) or error <= exact or plain_and_done:
            return *best, n_iter, True
        ahead = gained and not slow and t > 0
        rotation = orthogonal(before + t / (t + 3) * (before - last)) if ahead else before
        t = t + 1 if gained and not slow else 0
    return *best, n_iter, False


def orthogonal(x: Any) -> Any:
    """The orthogonal matrix closest to a square one."""
    u, _, vh = array_namespace(x).linalg.svd(x, full_matrices=False)
    return u @ vh
