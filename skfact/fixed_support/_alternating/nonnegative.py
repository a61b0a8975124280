"""Least squares with unknowns that are not negative, many systems at once.

Minimizes ``y^T G y - 2 b^T y`` over y >= 0, G positive semi-definite. Rounds of coordinate descent
find which unknowns are positive; the others kept at zero, a linear system says where to go, as far
as no unknown becomes negative. No step raises the value, and once the signs are right one solution
ends it: the active-set method of Lawson and Hanson, from a start that may be good, with several
unknowns changing sides at a time. The slope b - G y is zero up to rounding in the end, as after an
unsigned half step.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from skfact._backend import array_namespace, device, move, to_numpy
from skfact._linalg import limited
from skfact.fixed_support._alternating.half_step import HalfStep
from skfact.fixed_support._alternating.weighted_grams import CHUNK

# Rounds of coordinate descent over all systems, which are cheap where these share a matrix.
FIRST_ROUNDS = 2
# Rounds after which a system counts as solved, for each unknown: far more than it takes.
MOST_ROUNDS = 10


class NonnegativeHalfStep(HalfStep):
    """Least squares for a factor without negative entries, the other one given."""

    def _solve(self, gram: Any, target: Any, old: Any) -> tuple[Any, Any]:
        xp = self._xp
        if self.alpha:
            eye = xp.eye(gram.shape[-1], dtype=gram.dtype, device=self._device)
            gram = gram + self.alpha * eye
        new = nonnegative_solution(gram, target, old)
        return new, xp.astype(xp.sum(new * (gram @ new - 2 * target)), xp.float64)


def nonnegative_solution(gram: Any, target: Any, start: Any) -> Any:
    """The minimizers (n, k, c) for n matrices (n, k, k), each with c right-hand sides (n, k, c).

    The start has no negative entry. An unknown that its matrix does not see stays as it is.
    """
    xp, (n, k, c) = array_namespace(gram), target.shape
    y = xp.asarray(start, copy=True)
    for _ in range(FIRST_ROUNDS):
        y = _coordinate_round(gram, target, y)
    # from here on each column is a system of its own
    b, y = (xp.reshape(xp.permute_dims(part, (0, 2, 1)), (n * c, k)) for part in (target, y))
    owner, step = np.repeat(np.arange(n), c), max(1, CHUNK // k**2)
    found = []
    for first in range(0, n * c, step):
        rows = slice(first, min(first + step, n * c))
        matrices = xp.take(gram, move(owner[rows], xp, device(gram)), axis=0)
        found.append(_solved(matrices, b[rows, :], y[rows, :]))
    return xp.permute_dims(xp.reshape(xp.concat(found), (n, c, k)), (0, 2, 1))


def _solved(gram: Any, b: Any, y: Any) -> Any:
    """The minimizers (n, k) of systems (n, k, k) with one right-hand side (n, k) each."""
    xp, where = array_namespace(gram), device(gram)
    is_free, numbers = y > 0, np.arange(b.shape[0])
    ended: list[Any] = []
    order: list[np.ndarray] = []
    for last in range(MOST_ROUNDS * b.shape[1], -1, -1):
        y, is_free, is_blocked = _subspace_step(gram, b, y, is_free)
        rises, is_optimal = _slopes(gram, b, y)
        is_free = is_free | (rises & ~is_blocked[:, None])
        is_ended = to_numpy(is_optimal) | (last == 0)
        if is_ended.any():
            some, rest = (move(np.flatnonzero(w), xp, where) for w in (is_ended, ~is_ended))
            ended.append(xp.take(y, some, axis=0))
            order.append(numbers[is_ended])
            if is_ended.all():
                break
            gram, b, y, is_free = (xp.take(part, rest, axis=0) for part in (gram, b, y, is_free))
            numbers = numbers[~is_ended]
    places = np.argsort(np.concatenate(order))
    return xp.take(xp.concat(ended), move(places, xp, where), axis=0)


def _coordinate_round(gram: Any, b: Any, y: Any) -> Any:
    """Each unknown in turn at its best value beside the others; writes into y (n, k, c)."""
    xp = array_namespace(gram)
    for q in range(gram.shape[1]):
        row = gram[:, q, :]
        if y.shape[2] == 1:  # a product of many small matrices is slower than the sum
            seen = xp.sum(row * y[:, :, 0], axis=1)[:, None]
        else:
            seen = (row[:, None, :] @ y)[:, 0, :]
        diagonal = row[:, q][:, None]
        one = xp.ones_like(diagonal)
        change = xp.where(diagonal > 0, b[:, q, :] - seen, xp.zeros_like(seen))
        y[:, q, :] = limited(y[:, q, :] + change / xp.where(diagonal > 0, diagonal, one), 0.0)
    return y


def _subspace_step(gram: Any, b: Any, y: Any, is_free: Any) -> tuple[Any, Any, Any]:
    """Towards the minimum over the free unknowns (n, k), as far as none becomes negative.

    Also gives those that are free still, and which systems (n,) did not get there.
    """
    xp, k = array_namespace(gram), y.shape[1]
    free = xp.astype(is_free, y.dtype)
    eye = xp.eye(k, dtype=y.dtype, device=device(y))
    # some rounding errors, and ones for what is kept: the matrix is regular
    diagonal = free * xp.linalg.diagonal(gram)
    added = 8 * k * float(xp.finfo(y.dtype).eps) * diagonal + xp.astype(diagonal == 0, y.dtype)
    matrix = gram * free[:, :, None] * free[:, None, :] + added[:, :, None] * eye
    rest = free * (b - _product(gram, y))
    step = xp.linalg.solve(matrix, rest[:, :, None])[:, :, 0]
    one = xp.ones_like(step)
    falls = step < 0
    room = xp.where(falls, y / xp.where(falls, -step, one), 2 * one)
    length = xp.min(room, axis=1, keepdims=True)
    ends = falls & (room <= length) & (length < 1)
    y = xp.where(ends, xp.zeros_like(y), limited(y + limited(length, None, 1.0) * step, 0.0))
    return y, is_free & ~ends, length[:, 0] < 1


def _slopes(gram: Any, b: Any, y: Any) -> tuple[Any, Any]:
    """Unknowns at zero that want to be larger (n, k), and which systems (n,) are at their minimum.

    Up to rounding.
    """
    xp, k = array_namespace(gram), y.shape[1]
    slope = b - _product(gram, y)
    rounding = 8 * k * float(xp.finfo(y.dtype).eps) * (xp.abs(b) + _product(xp.abs(gram), y))
    rises = (y == 0) & (slope > rounding)
    return rises, ~xp.any(rises | ((y > 0) & (xp.abs(slope) > rounding)), axis=1)


def _product(gram: Any, y: Any) -> Any:
    """G y for systems (n, k, k) and vectors (n, k)."""
    return (gram @ y[:, :, None])[:, :, 0]
