"""Codes of samples: least squares through given components, with the penalty of the fit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from skfact._backend import array_namespace, device, move, to_numpy
from skfact._exponents import binary_exponent, times_power_of_two
from skfact.fixed_support._alternating.nonnegative import nonnegative_solution
from skfact.fixed_support._alternating.weighted_grams import CHUNK, weighted_grams


def coding_matrix(H: Any, alpha: float) -> Any:
    """E such that x E is the w of least norm that minimizes ||x - w H||^2 + alpha ||w||^2.

    H (n_components, n_features) are the components. Without a penalty it is the pseudo-inverse.
    """
    xp = array_namespace(H)
    u, s, vh = xp.linalg.svd(H, full_matrices=False)
    filters, _ = _filters(s, alpha, max(H.shape))
    return xp.matrix_transpose(vh) @ (filters[:, None] * xp.matrix_transpose(u))


def weighted_codes(
    H: Any, X: Any, weights: Any, alpha: float, weight_exponent: int = 0
) -> tuple[Any, np.ndarray]:
    """Row by row the w that minimizes the weighted ||x - w H||^2 + alpha ||w||^2.

    Where several do, that of least norm. X (n_samples, n_features) is zero where the weights are,
    in its dtype; the weights wanted are these times 2**weight_exponent. Also gives the samples
    whose weights leave directions open that all features together would fix.

    By normal equations, refined twice. Samples whose condition number is beyond eps^-1/4 take a
    singular value decomposition.
    """
    xp = array_namespace(X)
    H, X, alpha, exponent = _of_ordinary_magnitude(H, X, alpha, weight_exponent)
    worst = float(xp.finfo(X.dtype).eps) ** -0.5
    if not bool(xp.any(H != 0)):
        return X @ xp.matrix_transpose(H), np.empty(0, dtype=np.int64)
    step = max(1, CHUNK // H.shape[0] ** 2)
    rank = _rank(H)
    found, ranks = [], []
    for start in range(0, X.shape[0], step):
        rows = slice(start, min(start + step, X.shape[0]))
        codes, condition = _by_normal_equations(H, X[rows, :], weights[rows, :], alpha)
        bad = np.flatnonzero(~(to_numpy(condition) < worst))
        some_ranks = np.full(codes.shape[0], rank)
        if len(bad):  # or not finite
            exact, some_ranks[bad] = _by_svd(H, X[rows, :], weights[rows, :], alpha, bad)
            source = np.arange(codes.shape[0])
            source[bad] = codes.shape[0] + np.arange(len(bad))
            codes = xp.take(xp.concat([codes, exact]), move(source, xp, device(X)), axis=0)
        found.append(codes)
        ranks.append(some_ranks)
    codes = times_power_of_two(xp.concat(found), exponent)
    is_open = np.concatenate(ranks) < (0 if alpha else rank)
    return codes, np.flatnonzero(is_open)


def nonnegative_codes(
    H: Any, X: Any, weights: Any, alpha: float, weight_exponent: int = 0
) -> tuple[Any, np.ndarray]:
    """The same over w >= 0, the weights None for ones.

    Also gives the samples that see nothing of a component. Several minimizers are possible for
    others, too: codes then depend on the start, at zero.
    """
    xp = array_namespace(X)
    H, X, alpha, exponent = _of_ordinary_magnitude(H, X, alpha, weight_exponent)
    n, r = X.shape[0], H.shape[0]
    ridge = alpha * xp.eye(r, dtype=X.dtype, device=device(X))
    components = xp.matrix_transpose(H)
    if weights is None:
        target = (H @ xp.matrix_transpose(X))[None, :, :]
        gram = (H @ components + ridge)[None, :, :]
        codes = nonnegative_solution(gram, target, xp.zeros_like(target))[0, :, :]
        return times_power_of_two(xp.matrix_transpose(codes), exponent), np.empty(0, dtype=np.int64)
    found, is_open = [], []
    step = max(1, CHUNK // r**2)
    for start in range(0, n, step):
        rows = slice(start, min(start + step, n))
        grams = weighted_grams(components, xp.matrix_transpose(weights[rows, :]))
        target = ((X[rows, :] * weights[rows, :]) @ components)[:, :, None]
        solved = nonnegative_solution(grams + ridge, target, xp.zeros_like(target))
        found.append(solved[:, :, 0])
        unseen = (xp.linalg.diagonal(grams) == 0) & xp.any(H != 0, axis=1)[None, :]
        is_open.append(to_numpy(xp.any(unseen, axis=1)))
    codes = times_power_of_two(xp.concat(found), exponent)
    return codes, np.flatnonzero(np.concatenate(is_open) & (not alpha))


def _of_ordinary_magnitude(
    H: Any, X: Any, alpha: float, weight_exponent: int
) -> tuple[Any, Any, float, int]:
    """The same problem with entries of H up to one; codes are times 2 to the power of the number.

    Its penalty is alpha / 2**weight_exponent.
    """
    xp = array_namespace(X)
    of_H, of_X = math.frexp(float(xp.max(xp.abs(H))))[1], binary_exponent(X)
    H, X = times_power_of_two(H, -of_H), times_power_of_two(X, -of_X)
    # beside a larger penalty the components are nothing: codes are as much smaller as it is larger
    largest = 100 if float(xp.finfo(X.dtype).eps) < 1e-10 else 50  # whose square is a number
    mantissa, exponent = math.frexp(alpha)
    exponent -= 2 * of_H + weight_exponent
    beyond = max(0, exponent - largest) if alpha else 0
    return H, X, math.ldexp(mantissa, exponent - beyond), of_X - of_H - beyond


def _by_normal_equations(H: Any, X: Any, weights: Any, alpha: float) -> tuple[Any, Any]:
    """Codes, and the condition numbers of the matrices, which are infinite or NaN if singular."""
    xp, r = array_namespace(X), H.shape[0]
    eye = xp.eye(r, dtype=X.dtype, device=device(X))
    components = xp.matrix_transpose(H)
    grams = weighted_grams(components, xp.matrix_transpose(weights))
    matrices = grams + alpha * eye
    diagonal = xp.linalg.diagonal(matrices)[:, :, None]
    zero = xp.astype(diagonal == 0, X.dtype)  # components that a sample does not see
    rounding = 8 * r * float(xp.finfo(X.dtype).eps) * diagonal
    inverses = xp.linalg.inv(matrices + (rounding + zero) * eye)
    target = ((X * weights) @ components)[:, :, None]
    codes = inverses @ target
    for _ in range(2):
        codes = codes + inverses @ (target - matrices @ codes)
    norm = xp.linalg.matrix_norm
    condition = norm(matrices + zero * eye) * norm(inverses)
    dead = xp.sum(xp.astype(~xp.any(H != 0, axis=1), X.dtype))
    sees_all = xp.sum(zero, axis=(1, 2)) == dead
    return codes[:, :, 0], xp.where(sees_all, condition, xp.full_like(condition, xp.inf))


def _by_svd(H: Any, X: Any, weights: Any, alpha: float, rows: np.ndarray) -> tuple[Any, np.ndarray]:
    """Codes of some samples, and the ranks of their weighted components."""
    xp, rtol_size = array_namespace(X), max(H.shape)
    found, ranks = [], []
    step = max(1, CHUNK // (H.shape[0] * H.shape[1]))
    for start in range(0, len(rows), step):
        some = move(rows[start : start + step], xp, device(X))
        seen, x = (xp.take(part, some, axis=0)[:, None, :] for part in (xp.sqrt(weights), X))
        u, s, vh = xp.linalg.svd(H[None, :, :] * seen, full_matrices=False)
        filters, rank = _filters(s, alpha, rtol_size)
        codes = (
            ((x * seen) @ xp.matrix_transpose(vh)) * filters[:, None, :]
        ) @ xp.matrix_transpose(u)
        found.append(codes[:, 0, :])
        ranks.append(rank)
    return xp.concat(found), np.concatenate(ranks)


def _filters(s: Any, alpha: float, size: int) -> tuple[Any, np.ndarray]:
    """s / (s^2 + alpha), zero for singular values (..., k) that are only rounding; the ranks."""
    xp = array_namespace(s)
    values = to_numpy(s).astype(float)
    is_seen = values > size * float(xp.finfo(s.dtype).eps) * values[..., :1]
    values = np.where(is_seen, values, 1.0)
    with np.errstate(over="ignore"):  # no more than a filter of zero
        filters = np.where(is_seen, 1 / (values + alpha / values), 0.0)
    filters = xp.astype(move(filters, xp, device(s)), s.dtype)
    return filters, np.asarray(np.count_nonzero(is_seen, axis=-1))


def _rank(H: Any) -> int:
    return int(_filters(array_namespace(H).linalg.svdvals(H), 0.0, max(H.shape))[1])
