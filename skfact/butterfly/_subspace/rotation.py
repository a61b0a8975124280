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

    A tall W = Q T, with orthonormal columns of Q, asks only for E = R Q, of as many columns.

    `on_round` is called with (round, error); True stops. Returns the best factorization, its
    rotation (n_out, n_out), the number of rounds, and whether they ended before `max_iter`.
    """
    xp, m = array_namespace(W), W.shape[0]
    basis, small = xp.eye(m, dtype=W.dtype, device=device(W)), W
    scale = float(xp.max(xp.abs(W))) or 1.0  # squares must neither over- nor underflow
    norm = float(xp.linalg.vector_norm(W / scale))
    if not math.isfinite(scale * norm):
        raise ValueError(
            "criterion='subspace' rotates the matrix, whose norm exceeds the largest number of "
            f"{W.dtype}: divide it by a power of two."
        )
    if m > W.shape[1]:
        basis, small = xp.linalg.qr(W / scale)
        small = small * scale
    rotation = basis  # or what it makes of the basis
    exact = 10 * float(xp.finfo(W.dtype).eps) * norm
    best: Any = None
    last: Any = None
    before: Any = None
    least, losses, ahead, t = math.inf, [], False, 0
    converged = False
    for n_iter in range(1, max_iter + 1):
        target = rotation @ small
        result = factorize(target)
        error = float(xp.linalg.vector_norm((target - result.product) / scale))
        gained = best is None or error < least
        if gained:
            best, least = (result, rotation), error
            last, before = before, orthogonal((result.product / scale) @ adjoint(small / scale))
        losses.append(least**2)
        slow = Stopping(max_iter, TOL).is_slow(losses, norm**2)
        plain_and_done = not ahead and (slow or not gained)
        if on_round(n_iter, error * scale) or error <= exact or plain_and_done:
            converged = True
            break
        ahead = gained and not slow and t > 0
        rotation = orthogonal(before + t / (t + 3) * (before - last)) if ahead else before
        t = t + 1 if gained and not slow else 0
    result, rotation = best
    if m > W.shape[1]:
        rotation = taking(basis, rotation)
    return result, rotation, n_iter, converged


def orthogonal(x: Any) -> Any:
    """The matrix of orthonormal columns closest to one that is no wider than tall."""
    u, _, vh = array_namespace(x).linalg.svd(x, full_matrices=False)
    return u @ vh


def nearest_rotation(W: Any, B: Any) -> Any:
    """The orthogonal R for which R W is closest to B, of the same shape."""
    if W.shape[0] <= W.shape[1]:
        return orthogonal(B @ adjoint(W))
    basis, small = array_namespace(W).linalg.qr(W)
    return taking(basis, orthogonal(B @ adjoint(small)))


def taking(basis: Any, images: Any) -> Any:
    """An orthogonal R with ``R @ basis = images``, both (m, n) with orthonormal columns.

    It leaves what is orthogonal to both as it is: in coordinates of their joint span it is small.
    """
    xp, (m, n) = array_namespace(basis), basis.shape
    if m == n:
        return images @ adjoint(basis)
    Z, _ = xp.linalg.qr(xp.concat([basis, images], axis=1))  # (m, at most 2 n)
    before, after = (adjoint(Z) @ part for part in (basis, images))
    rests = [xp.linalg.qr(part, mode="complete")[0][:, n:] for part in (before, after)]
    turn = after @ adjoint(before) + rests[1] @ adjoint(rests[0])
    change = turn - xp.eye(Z.shape[1], dtype=Z.dtype, device=device(Z))
    return xp.eye(m, dtype=Z.dtype, device=device(Z)) + Z @ change @ adjoint(Z)
