"""The sweeps of PALM4MSA: one proximal gradient step per factor, then the common scale.

Le Magoarou and Gribonval, "Flexible multilayer sparse approximations of matrices and applications",
IEEE JSTSP 10(4), 2016. With unit factors and a scale,

    minimize || A - scale * S_1 ... S_J ||_F^2,    S_j in its set, ||S_j||_F = 1,

the step for factor j, with L and R the products to its left and right, is

    S_j <- normalized projection of S_j - scale L^H (scale L S_j R - A) R^H / c,
    c = (1 + 1e-3) scale^2 ||L||_2^2 ||R||_2^2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from skfact._backend import array_namespace, device, move
from skfact._kernels.batched_linalg import abs2, adjoint, is_complex
from skfact.deep_linear._slots import Slot
from skfact.deep_linear._spectral_norm import squared_norm

MARGIN = 1e-3
# power steps for a product that has not been met before, and for one that a sweep has changed
FIRST_STEPS, LATER_STEPS = 30, 4
# how often a step is shortened before the factor is left as it is
MAX_BACKTRACKS = 20
# rounding errors of a residual, in multiples of eps * ||A||_F, that are no rise of the loss
ROUNDING = 10
# number of sweeps over which the loss is compared
WINDOW = 10


class Sweeps(NamedTuple):
    """Factors and how they came about."""

    values: list[Any]
    scale: float
    losses: np.ndarray  # (n_iter + 1,), squared Frobenius norms
    converged: bool
    exact: bool = False  # the loss is that of rounding errors


class Pieces:
    """A product that grows to the right."""

    def __init__(self) -> None:
        self.parts: list[tuple[Slot, Any]] = []

    def append(self, slot: Slot, values: Any) -> None:
        self.parts.append((slot, values))

    def times(self, X: Any) -> Any:
        for slot, values in reversed(self.parts):
            X = slot.times(values, X)
        return X

    def adjoint_times(self, X: Any) -> Any:
        for slot, values in self.parts:
            X = slot.adjoint_times(values, X)
        return X


def sweep_factors(
    A: Any,
    slots: list[Slot],
    values: list[Any],
    scale: float,
    *,
    feasible: bool,
    max_iter: int,
    tol: float,
    on_sweep: Callable[[int, float], Any] | None = None,
) -> Sweeps:
    """Update the factors from left to right until the loss hardly falls any more.

    Parameters
    ----------
    A : array of shape (m, n)
        The target, of ordinary magnitude.
    slots : list of J slots
        What the factors may be.
    values : list of J arrays
        Where to start.
    scale : float
        The scale to start from.
    feasible : bool
        Whether the start has unit factors within their sets; if not, the first sweep may raise the
        loss.
    max_iter, tol : int, float
        Number of sweeps; a run ends when ten of them lower the loss by no more than `tol` times it.
    on_sweep : callable, optional
        Called with the sweep and the loss; True ends the run.
    """
    xp = array_namespace(A)
    values = list(values)
    norm2 = _norm2(A)
    rounding = ROUNDING * float(xp.finfo(A.dtype).eps) * norm2**0.5
    floor = rounding**2
    memory: dict[tuple[str, int], Any] = {}
    suffixes = suffix_products(slots, values)
    residual = scale * suffixes[0] - A
    losses, converged = [_norm2(residual)], False
    if feasible and losses[0] <= floor:
        return Sweeps(values, scale, np.array(losses), True, True)
    for sweep in range(1, max_iter + 1):
        left = Pieces()
        for j, slot in enumerate(slots):
            right = suffixes[j + 1] if j + 1 < len(slots) else None
            values[j], residual = _step(
                j,
                slot,
                values[j],
                residual,
                scale,
                left,
                right,
                memory,
                feasible or sweep > 1,
                rounding,
            )
            left.append(slot, values[j])
        suffixes = suffix_products(slots, values)
        product = suffixes[0]
        size = _norm2(product)
        scale = best_scale(A, product)
        residual = scale * product - A
        losses.append(_norm2(residual))
        stop = bool(on_sweep is not None and on_sweep(sweep, losses[-1]))
        before = losses[max(len(losses) - 1 - WINDOW, 0)]
        slow = sweep >= WINDOW and before - losses[-1] <= tol * before
        converged = (slow and tol > 0) or losses[-1] <= floor or size == 0
        if converged or stop:
            break
    return Sweeps(values, scale, np.array(losses), bool(converged), losses[-1] <= floor)


def suffix_products(slots: list[Slot], values: list[Any]) -> list[Any]:
    """Dense products S_j ... S_J for each j."""
    products = [slots[-1].dense(values[-1])]
    for slot, value in zip(slots[-2::-1], values[-2::-1]):
        products.append(slot.times(value, products[-1]))
    return products[::-1]


def _step(
    j: int,
    slot: Slot,
    old: Any,
    residual: Any,
    scale: float,
    left: Pieces,
    right: Any,
    memory: dict[tuple[str, int], Any],
    feasible: bool,
    rounding: float,
) -> tuple[Any, Any]:
    """One proximal gradient step; the new factor and the new residual."""
    pulled = left.adjoint_times(residual)  # (rows of the factor, n)
    gradient = scale * (slot.restrict(pulled) if right is None else slot.correlate(pulled, right))
    bound = scale**2 * _left_norm(j, left, slot, residual, memory) * _right_norm(j, right, memory)
    step_size = (1 + MARGIN) * bound if bound > 0 else 1.0
    loss = _norm2(residual)
    ceiling = loss + 2 * rounding * loss**0.5
    for _ in range(MAX_BACKTRACKS):
        moved = old - gradient / step_size
        for project in (slot.project, lambda x: slot.on_support_of(x, old)):
            new = normalized(project(moved))
            change = new - old
            update = slot.dense(change) if right is None else slot.times(change, right)
            candidate = residual + scale * left.times(update)
            if not feasible or _norm2(candidate) <= ceiling:
                return new, candidate
        # power iterations bound the curvature from below: where the loss rises it was larger. A
        # budget for rows and columns is projected on by a rule of thumb: then the same entries are
        # kept, which cannot raise the loss with steps this short.
        step_size *= 2
    return old, residual


def normalized(values: Any) -> Any:
    """Values of unit norm; zero stays zero."""
    norm = float(array_namespace(values).linalg.vector_norm(values))
    return values / norm if norm > 0 else values


def best_scale(A: Any, product: Any) -> float:
    """The real multiple of a product that is nearest to A; one for a zero product."""
    size = _norm2(product)
    return _inner(A, product) / size if size > 0 else 1.0


def _left_norm(
    j: int, left: Pieces, slot: Slot, like: Any, memory: dict[tuple[str, int], Any]
) -> float:
    if not left.parts:
        return 1.0
    return _remembered(
        ("left", j), lambda v: left.adjoint_times(left.times(v)), slot.shape[0], like, memory
    )


def _right_norm(j: int, right: Any, memory: dict[tuple[str, int], Any]) -> float:
    if right is None:
        return 1.0
    turned = adjoint(right)
    return _remembered(("right", j), lambda v: right @ (turned @ v), right.shape[0], right, memory)


def _remembered(
    key: tuple[str, int],
    gram: Callable[[Any], Any],
    size: int,
    like: Any,
    memory: dict[tuple[str, int], Any],
) -> float:
    """The largest eigenvalue of a Gram map, from the vector of the sweep before."""
    steps = LATER_STEPS
    if key not in memory:
        steps = FIRST_STEPS
        start = np.random.default_rng(size).standard_normal((size, 1)) / size**0.5
        memory[key] = _move_to(start, like)
    value, memory[key] = squared_norm(gram, memory[key], steps)
    return value


def _move_to(host: np.ndarray, like: Any) -> Any:
    xp = array_namespace(like)
    return xp.astype(move(host, xp, device(like)), like.dtype)


def _norm2(x: Any) -> float:
    return float(array_namespace(x).sum(abs2(x)))


def _inner(x: Any, y: Any) -> float:
    """Real part of the inner product."""
    xp = array_namespace(x)
    if not is_complex(x):
        return float(xp.sum(x * y))
    return float(xp.sum(xp.real(x) * xp.real(y) + xp.imag(x) * xp.imag(y)))
