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
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from skfact._backend import array_namespace, device, move
from skfact._kernels._jit import as_if_writeable, compiled
from skfact._linalg import abs2, adjoint, is_complex
from skfact.deep_linear._factor_sets.slots import KroneckerSlot, Slot
from skfact.deep_linear._palm.scale_penalty import FREE, ScalePenalty
from skfact.deep_linear._palm.spectral_norm import PRECISION, squared_norm
from skfact.supports import KroneckerSparse

MARGIN = 1e-3
# power steps for a product that has not been met before, and for one that a sweep has changed
FIRST_STEPS, LATER_STEPS = 30, 2
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
    penalty: ScalePenalty = FREE,
    constant: float = 0.0,
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
    penalty : ScalePenalty, default=FREE
        Added to the loss.
    constant : float, default=0.0
        Part of the loss that no factors change: `tol` is a share of the sum.
    """
    xp = array_namespace(A)
    norm2 = _norm2(A)
    rounding = ROUNDING * float(xp.finfo(A.dtype).eps) * norm2**0.5
    floor = rounding**2
    state = start_sweeps(A, slots, values, scale, rounding, penalty)
    losses = [state.loss]
    if feasible and losses[0] <= floor:
        return Sweeps(list(values), scale, np.array(losses), True, True)
    converged = False
    for sweep in range(1, max_iter + 1):
        is_zero = state.sweep(check=feasible or sweep > 1)
        losses.append(state.loss)
        stop = bool(on_sweep is not None and on_sweep(sweep, losses[-1]))
        before = losses[max(len(losses) - 1 - WINDOW, 0)]
        slow = sweep >= WINDOW and before - losses[-1] <= tol * (before + constant)
        converged = (slow and tol > 0) or losses[-1] <= floor or is_zero
        if converged or stop:
            break
    return Sweeps(state.values, state.scale, np.array(losses), converged, losses[-1] <= floor)


def start_sweeps(
    A: Any,
    slots: list[Slot],
    values: list[Any],
    scale: float,
    rounding: float,
    penalty: ScalePenalty = FREE,
) -> Any:
    """The compiled sweeps where there are some, or the generic ones."""
    known = isinstance(A, np.ndarray) and all(isinstance(slot, KroneckerSlot) for slot in slots)
    if known and not penalty.weight:
        loops = compiled("skfact._kernels.palm.numba")
        if loops is not None:
            patterns = [slot.pattern for slot in slots if isinstance(slot, KroneckerSlot)]
            return CompiledSweeps(loops, A, patterns, values, scale, rounding)
    return GenericSweeps(A, slots, values, scale, rounding, penalty)


class GenericSweeps:
    """Sweeps over factors of any kind, in any array library."""

    def __init__(
        self,
        A: Any,
        slots: list[Slot],
        values: list[Any],
        scale: float,
        rounding: float,
        penalty: ScalePenalty = FREE,
    ) -> None:
        self.penalty = penalty
        self.A, self.slots, self.values, self.scale = A, slots, list(values), scale
        self.rounding = rounding  # change of the residual that is no rise of the loss
        self.vectors: dict[tuple[str, int], Any] = {}  # where power iterations start
        self.suffixes = suffix_products(slots, values)
        self.residual = scale * self.suffixes[0] - A
        self.loss = _norm2(self.residual) + penalty(scale)

    def sweep(self, check: bool) -> bool:
        """Update all factors and the scale; whether the product is zero.

        With `check` no step may raise the loss.
        """
        left = Pieces()
        for j, slot in enumerate(self.slots):
            right = self.suffixes[j + 1] if j + 1 < len(self.slots) else None
            self._step(j, slot, left, right, check)
            left.append(slot, self.values[j])
        self.suffixes = suffix_products(self.slots, self.values)
        product = self.suffixes[0]
        self.scale = best_scale(self.A, product, self.penalty)
        self.residual = self.scale * product - self.A
        self.loss = _norm2(self.residual) + self.penalty(self.scale)
        return not _norm2(product) > 0

    def _step(self, j: int, slot: Slot, left: Pieces, right: Any, check: bool) -> None:
        """One proximal gradient step for factor j; changes it and the residual."""
        old, residual, scale = self.values[j], self.residual, self.scale
        pulled = left.adjoint_times(residual)  # (rows of the factor, n)
        gradient = slot.restrict(pulled) if right is None else slot.correlate(pulled, right)
        bound = scale**2 * self._left_norm2(j, left, slot) * self._right_norm2(j, right)
        step_size = (1 + MARGIN) * bound if bound > 0 else 1.0
        loss = _norm2(residual)
        ceiling = loss + 2 * self.rounding * loss**0.5
        for _ in range(MAX_BACKTRACKS):
            moved = old - (scale / step_size) * gradient
            for project in (slot.project, lambda x: slot.on_support_of(x, old)):
                new = normalized(project(moved))
                change = new - old
                update = slot.dense(change) if right is None else slot.times(change, right)
                candidate = residual + scale * left.times(update)
                if not check or _norm2(candidate) <= ceiling:
                    self.values[j], self.residual = new, candidate
                    return
            # Power iterations bound the curvature from below: where the loss rises it was larger.
            # A budget for rows and columns is projected on by a rule of thumb: then the same
            # entries are kept, which cannot raise the loss with steps this short.
            step_size *= 2

    def _left_norm2(self, j: int, left: Pieces, slot: Slot) -> float:
        if not left.parts:
            return 1.0
        return self._eigenvalue(
            ("left", j), lambda v: left.adjoint_times(left.times(v)), slot.shape[0]
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


class CompiledSweeps:
    """Sweeps over Kronecker-sparse factors of NumPy arrays."""

    def __init__(
        self,
        loops: Any,
        A: np.ndarray,
        patterns: list[KroneckerSparse],
        values: list[Any],
        scale: float,
        rounding: float,
    ) -> None:
        self.loops, self.scale = loops, scale
        self.A = as_if_writeable(np.ascontiguousarray(A))
        self.shapes = [value.shape for value in values]
        self.patterns = np.array([tuple(p) for p in patterns])
        self.offsets = np.concatenate([[0], np.cumsum([p.nnz for p in patterns])])
        self.flat = np.concatenate([np.ravel(value) for value in values])
        sizes = [p.shape[0] for p in patterns] + [patterns[-1].shape[1]]
        widest, count, n = max(sizes), len(patterns), A.shape[1]
        self.suffixes = np.zeros((count, widest, n), A.dtype)
        self.matrices = [np.zeros(A.shape, A.dtype) for _ in range(2)]
        self.matrices += [np.zeros((widest, n), A.dtype) for _ in range(2)]
        self.matrices += [np.zeros(widest, A.dtype) for _ in range(2)]
        self.vectors = [np.zeros((count, widest), A.dtype) for _ in range(2)]
        for j in range(count):
            self.vectors[0][j, : sizes[j]] = start_vector(sizes[j])
            self.vectors[1][j, : sizes[j + 1]] = start_vector(sizes[j + 1])
        self.rounding, self.steps = rounding, FIRST_STEPS
        loops.products(self.A, self.patterns, self.offsets, self.flat, self.suffixes)
        self.loss = loops.residual_of(self.A, self.suffixes[0], scale, self.matrices[0])

    @property
    def values(self) -> list[np.ndarray]:
        """The factors, new arrays."""
        ends = zip(self.offsets, self.offsets[1:])
        return [self.flat[i:j].reshape(s).copy() for (i, j), s in zip(ends, self.shapes)]

    def sweep(self, check: bool) -> bool:
        """Update all factors and the scale; whether the product is zero."""
        scale, found = self.loops.sweep(
            self.A, self.patterns, self.offsets, self.flat, self.suffixes,
            *self.matrices, *self.vectors, self.A.real.dtype.type(self.scale), self.steps,
            PRECISION, MARGIN, MAX_BACKTRACKS, check, self.rounding,
        )  # fmt: skip
        self.steps, self.scale = LATER_STEPS, float(scale)
        self.loss = self.loops.residual_of(
            self.A, self.suffixes[0], self.A.real.dtype.type(self.scale), self.matrices[0]
        )
        return not found


@lru_cache(maxsize=64)
def start_vector(size: int) -> np.ndarray:
    """Where power iterations start: the same at each call."""
    vector: np.ndarray = np.random.default_rng(size).standard_normal(size) / size**0.5
    vector.flags.writeable = False
    return vector


def suffix_products(slots: list[Slot], values: list[Any]) -> list[Any]:
    """Dense products S_j ... S_J for each j."""
    products = [slots[-1].dense(values[-1])]
    for slot, value in zip(slots[-2::-1], values[-2::-1]):
        products.append(slot.times(value, products[-1]))
    return products[::-1]


def normalized(values: Any) -> Any:
    """Values of unit norm; zero stays zero."""
    norm = float(array_namespace(values).linalg.vector_norm(values))
    return values / norm if norm > 0 else values


def best_scale(A: Any, product: Any, penalty: ScalePenalty = FREE) -> float:
    """The real multiple of a product that is nearest to A, or best with a penalty.

    One for a zero product.
    """
    size = _norm2(product)
    return penalty.best_scale(_inner(A, product), size) if size > 0 else 1.0


def _norm2(x: Any) -> float:
    return float(array_namespace(x).sum(abs2(x)))


def _inner(x: Any, y: Any) -> float:
    """Real part of the inner product."""
    xp = array_namespace(x)
    if not is_complex(x):
        return float(xp.sum(x * y))
    return float(xp.sum(xp.real(x) * xp.real(y) + xp.imag(x) * xp.imag(y)))
