"""The sweeps of PALM4MSA: one proximal gradient step per factor, then the common scale.

Le Magoarou and Gribonval, "Flexible multilayer sparse approximations of matrices and applications",
IEEE JSTSP 10(4), 2016. With unit factors and a scale,

    minimize || A - scale * S_1 ... S_J ||_F^2,    S_j in its set, ||S_j||_F = 1,

the step for factor j, with L and R the products to its left and right, is

    S_j <- normalized projection of S_j - scale L^H (scale L S_j R - A) R^H / c,
    c = (1 + 1e-3) scale^2 ||L||_2^2 ||R||_2^2.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from skfact._backend import array_namespace, device, move
from skfact._kernels.palm.dispatch import (
    FIRST_STEPS,
    LATER_STEPS,
    MARGIN,
    MAX_BACKTRACKS,
    PRECISION,
    CompiledSweeps,
    is_compiled_for,
    start_vector,
)
from skfact._linalg import adjoint, inner, norm2
from skfact._stopping import Stopping
from skfact.deep_linear._factor_sets.factor_set import FactorSet
from skfact.deep_linear._factor_sets.kronecker import patterns_of
from skfact.deep_linear._outcome import Outcome
from skfact.deep_linear._palm.scale_penalty import FREE, ScalePenalty

# rounding errors of a residual, in multiples of eps * ||A||_F, that are no rise of the loss
ROUNDING = 10


class Objective(NamedTuple):
    """A target of ordinary magnitude, a penalty on the scale, and a loss that no factors change."""

    target: Any  # (m, n)
    penalty: ScalePenalty = FREE
    constant: float = 0.0


class Start(NamedTuple):
    """Values and scale to start from.

    `feasible` says that the factors are within their sets and of unit norm; elsewhere the first
    sweep may raise the loss. `sweeps` are others than the usual ones.
    """

    values: list[Any]
    scale: float
    feasible: bool = True
    sweeps: Callable[..., Any] | None = None


class Sweeps(NamedTuple):
    """Unit factors and their scale, and how they came about."""

    values: list[Any]
    scale: float  # zero for a zero product
    losses: np.ndarray  # (n_iter + 1,), squared Frobenius norms
    outcome: Outcome
    exact: bool = False  # the loss is that of rounding errors


def sweep_factors(
    objective: Objective, sets: Sequence[FactorSet], start: Start, stopping: Stopping
) -> Sweeps:
    """Update the factors from left to right until the loss hardly falls any more.

    `stopping` is told the squared error, and makes all sweeps for ``tol=0``. From identities that
    send nothing of the target to the factor that is zero, all entries are one instead.
    """
    found = _sweep_from(objective, sets, start, stopping)
    if start.feasible or start.sweeps or found.scale or not norm2(objective.target) > 0:
        return found
    xp = array_namespace(objective.target)
    values = [
        one.coordinates(xp.ones_like(one.dense(value))) if bool(xp.any(value != 0)) else value
        for one, value in zip(sets, start.values)
    ]
    return _sweep_from(objective, sets, start._replace(values=values), stopping)


def _sweep_from(
    objective: Objective, sets: Sequence[FactorSet], start: Start, stopping: Stopping
) -> Sweeps:
    """The same from that start."""
    A = objective.target
    eps = float(array_namespace(A).finfo(A.dtype).eps)
    rounding = ROUNDING * eps * norm2(A) ** 0.5
    floor = rounding**2
    state = start_sweeps(objective, sets, start, rounding)
    losses = [state.loss]
    outcome = Outcome.CONVERGED if start.feasible and losses[0] <= floor else Outcome.CUT_OFF
    for sweep in range(1, stopping.max_iter + 1):
        if outcome is not Outcome.CUT_OFF:
            break
        is_zero = state.sweep(check=start.feasible or sweep > 1)
        losses.append(state.loss)
        stopped = stopping.told(sweep, state.loss)
        slow = stopping.tol > 0 and (
            stopping.is_slow(losses, objective.constant) or stands_still(losses, eps)
        )
        if slow or is_zero or losses[-1] <= floor:
            outcome = Outcome.CONVERGED
        elif stopped:
            outcome = Outcome.STOPPED
    scale = state.scale if bool(array_namespace(A).any(state.suffixes[0] != 0)) else 0.0
    return Sweeps(state.values, scale, np.array(losses), outcome, losses[-1] <= floor)


def stands_still(losses: Sequence[float], eps: float) -> bool:
    """Whether the last two sweeps changed the loss by no more than rounding errors."""
    return len(losses) > 2 and losses[-3] - losses[-1] <= ROUNDING * eps * losses[-1]


def start_sweeps(
    objective: Objective, sets: Sequence[FactorSet], start: Start, rounding: float
) -> Any:
    """Those of the start; else the compiled ones where there are some, or the generic ones."""
    if start.sweeps is not None:
        return start.sweeps(objective, sets, start, rounding)
    A, patterns = objective.target, patterns_of(sets)
    if patterns and not objective.penalty.weight and is_compiled_for(A):
        return CompiledSweeps(A, patterns, start.values, start.scale, rounding)
    return GenericSweeps(objective, sets, start, rounding)


class GenericSweeps:
    """Sweeps over factors of any kind, in any array library: what the compiled ones must do."""

    def __init__(
        self, objective: Objective, sets: Sequence[FactorSet], start: Start, rounding: float
    ) -> None:
        self.A, self.penalty, _ = objective
        self.sets, self.values, self.scale = sets, list(start.values), start.scale
        self.rounding = rounding  # change of the residual that is no rise of the loss
        self.vectors: dict[tuple[str, int], Any] = {}  # where power iterations start
        self.suffixes = suffix_products(sets, self.values)
        self.residual = self.scale * self.suffixes[0] - self.A
        self.loss = norm2(self.residual) + self.penalty(self.scale)

    def sweep(self, check: bool) -> bool:
        """Update all factors and the scale; whether the product is zero.

        With `check` no step may raise the loss.
        """
        for j in range(len(self.sets)):
            self._step(j, check)
        self.suffixes = suffix_products(self.sets, self.values)
        whole = self.suffixes[0]
        self.scale = best_scale(self.A, whole, self.penalty)
        self.residual = self.scale * whole - self.A
        self.loss = norm2(self.residual) + self.penalty(self.scale)
        return not norm2(whole) > 0

    def _step(self, j: int, check: bool) -> None:
        """One proximal gradient step for factor j; changes it and the residual."""
        one, old, residual, scale = self.sets[j], self.values[j], self.residual, self.scale
        right = self.suffixes[j + 1] if j + 1 < len(self.sets) else None
        pulled = self._left_adjoint(j, residual)  # (rows of the factor, n)
        gradient = one.restrict(pulled) if right is None else one.correlate(pulled, right)
        direction = one.solve_gram(gradient)
        bound = scale**2 * self._left_norm2(j) * self._right_norm2(j, right)
        step_size = (1 + MARGIN) * bound if bound > 0 else 1.0
        loss = norm2(residual)
        ceiling = loss + 2 * self.rounding * loss**0.5
        for _ in range(MAX_BACKTRACKS):
            for proposed in one.proposals(old - (scale / step_size) * direction, old):
                new = one.unit(proposed)
                change = new - old
                update = one.dense(change) if right is None else one.times(change, right)
                candidate = residual + scale * self._left(j, update)
                if not check or norm2(candidate) <= ceiling:
                    self.values[j], self.residual = new, candidate
                    return
            # Power iterations bound the curvature from below: where the loss rises it was larger.
            # Proposals that keep the entries of the factor cannot raise it with short steps.
            step_size *= 2

    def _left(self, j: int, X: Any) -> Any:
        """The product of the factors to the left of factor j, times a matrix."""
        for i in range(j - 1, -1, -1):
            X = self.sets[i].times(self.values[i], X)
        return X

    def _left_adjoint(self, j: int, X: Any) -> Any:
        """The adjoint of that product times a matrix."""
        for i in range(j):
            X = self.sets[i].adjoint_times(self.values[i], X)
        return X

    def _left_norm2(self, j: int) -> float:
        if j == 0:
            return 1.0
        return self._eigenvalue(
            ("left", j), lambda v: self._left_adjoint(j, self._left(j, v)), self.sets[j].shape[0]
        )

    def _right_norm2(self, j: int, right: Any) -> float:
        if right is None:
            return 1.0
        turned = adjoint(right)
        return self._eigenvalue(("right", j), lambda v: right @ (turned @ v), right.shape[0])

    def _eigenvalue(self, key: tuple[str, int], gram: Callable[[Any], Any], size: int) -> float:
        """The largest eigenvalue of a Gram map, from the vector of the sweep before."""
        steps = LATER_STEPS
        if key not in self.vectors:
            steps = FIRST_STEPS
            host = start_vector(size)[:, None]
            xp = array_namespace(self.A)
            self.vectors[key] = xp.astype(move(host, xp, device(self.A)), self.A.dtype)
        value, self.vectors[key] = squared_norm(gram, self.vectors[key], steps)
        return value


def suffix_products(sets: Sequence[FactorSet], values: Sequence[Any]) -> list[Any]:
    """Dense products S_j ... S_J for each j."""
    products = [sets[-1].dense(values[-1])]
    for one, value in zip(sets[-2::-1], values[-2::-1]):
        products.append(one.times(value, products[-1]))
    return products[::-1]


def product(sets: Sequence[FactorSet], values: Sequence[Any]) -> Any:
    """The dense product of all factors."""
    whole = sets[-1].dense(values[-1])
    for one, value in zip(sets[-2::-1], values[-2::-1]):
        whole = one.times(value, whole)
    return whole


def best_scale(A: Any, product: Any, penalty: ScalePenalty = FREE) -> float:
    """The real multiple of a product that is nearest to A, or best with a penalty.

    One for a zero product.
    """
    size = norm2(product)
    return penalty.best_scale(inner(A, product), size) if size > 0 else 1.0


def squared_norm(gram: Callable[[Any], Any], start: Any, max_iter: int) -> tuple[float, Any]:
    """The largest eigenvalue of a positive semidefinite map of columns (n, 1), from below.

    Also a unit vector for the next call, for nearly the same map; the start where that is zero.
    """
    norm = array_namespace(start).linalg.vector_norm
    vector, value = start, 0.0
    for _ in range(max_iter):
        image = gram(vector)
        found = float(norm(image))
        if not found > 0 or not math.isfinite(found):
            return value, start
        vector = image / found
        if abs(found - value) <= PRECISION * found:
            return found, vector
        value = found
    return value, vector
