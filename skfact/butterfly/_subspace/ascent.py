"""The energy in the row space of a product, raised over its factors by quasi-Newton steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize

from skfact._backend import array_namespace, device, move_like, to_numpy
from skfact._kernels.apply import correlate
from skfact._linalg import adjoint
from skfact._stopping import Stopping
from skfact.butterfly._subspace.energy import Energy, Look
from skfact.operators import FactorizedOperator, KroneckerFactor

# Share of the energy that the last ten steps have to win, or they are the last.
TOL = 5e-5
CORRECTIONS = 20  # steps that L-BFGS remembers
# What is added to the factors of a start whose rows are dependent, as a share of their size.
NUDGE = 1e-2


class Ascent(NamedTuple):
    """Where the steps led."""

    operator: FactorizedOperator
    outside: float  # what the rows have outside of its row space
    n_iter: int
    converged: bool  # whether the steps ended before they had to


def raise_energy(
    start: FactorizedOperator,
    energy: Energy,
    max_iter: int,
    on_step: Callable[[int, float], Any],
) -> Ascent:
    r"""Maximize the energy in the row space of :math:`B = S_1 \cdots S_L` over the factors' values.

    L-BFGS on a host vector, from a start that it does not fall behind. The energy does not change
    with the basis of the row space, nor with how neighbouring factors share their magnitudes.
    `on_step` is called with (step, norm outside of the row space); True stops.
    """
    outside = energy.outside(start.toarray())
    eps = float(array_namespace(energy.rows).finfo(start.dtype).eps)
    chain = _Chain(start, energy)
    first = chain.start()
    if max_iter == 0 or outside <= 10 * eps * energy.norm or first is None:
        return Ascent(start, outside, 0, True)
    lost, converged = [1 - chain.look(first)[0].value], True
    seen: dict[float, float] = {}  # shares by the value, since the last step

    def evaluate(vector: np.ndarray) -> tuple[float, np.ndarray]:
        look, gradient = chain.look(vector)
        seen[-look.value] = look.share
        return -look.value, -gradient

    def callback(intermediate_result: Any) -> None:
        nonlocal converged
        value = float(intermediate_result.fun)
        lost.append(1 + value)
        outside = 1 - seen.get(value, -value)
        seen.clear()
        stopping = Stopping(max_iter, TOL, on_step)
        stopped = stopping.told(len(lost) - 1, energy.norm * math.sqrt(max(outside, 0.0)))
        if stopped or stopping.is_slow(lost, 1.0) or outside <= eps:
            raise StopIteration
        converged = len(lost) <= max_iter

    found = minimize(
        evaluate,
        first,
        jac=True,
        method="L-BFGS-B",
        callback=callback,
        options={
            "maxiter": max_iter,
            "maxfun": 20 * max_iter + 20,
            "maxcor": CORRECTIONS,
            "ftol": 0.0,
            "gtol": 0.0,
        },
    )
    n_iter = len(lost) - 1
    operator = chain.operator(found.x, norm=_norm(start.toarray())).astype(start.dtype)
    reached = energy.outside(operator.toarray())
    if not reached < outside * (1 - 100 * eps):  # nothing but rounding
        return Ascent(start, outside, n_iter, converged)
    return Ascent(operator, reached, n_iter, converged)


class _Chain:
    """The factors of an operator as functions of one real vector on the host."""

    def __init__(self, operator: FactorizedOperator, energy: Energy) -> None:
        self.factors = operator.astype(energy.dtype).factors
        self.energy = energy
        self.is_complex = energy.xp.isdtype(energy.dtype, "complex floating")

    def start(self) -> np.ndarray | None:
        """The values of the factors, each of the same size; None where one of them is zero."""
        valued = [f for f in self.factors if isinstance(f, KroneckerFactor)]
        sizes = [_norm(f.values) / math.sqrt(f.nnz) for f in valued]
        if min(sizes) == 0:
            return None
        found = self.vector([f.values / size for f, size in zip(valued, sizes, strict=True)])
        product = FactorizedOperator(self.factors)
        if self.energy.rank(product.toarray()) < min(product.shape):
            # dependent rows: no gradient leads out of them
            found = found + NUDGE * np.random.default_rng(0).standard_normal(found.size)
        return found

    def look(self, vector: np.ndarray) -> tuple[Look, np.ndarray]:
        """What the product is worth, and the gradient by the factors.

        The columns of I go through S_1^H, ..., S_L^H and become B^H; the gradient in B^H comes back
        through S_L, ..., S_1, and meets what each factor was given.
        """
        factors = self._filled(vector)
        xp, like = self.energy.xp, self.energy.rows
        signal = xp.eye(factors[0].shape[0], dtype=self.energy.dtype, device=device(like))
        given = []
        for factor in factors:
            given.append(signal)
            signal = factor.H.apply(signal)
        look = self.energy.look(adjoint(signal))
        signal, gradients = adjoint(look.gradient), []
        for factor, before in zip(factors[::-1], given[::-1], strict=True):
            if isinstance(factor, KroneckerFactor):
                gradients.append(correlate(factor.pattern, before, signal))
            signal = factor.apply(signal)
        return look, self.vector(gradients[::-1])

    def vector(self, values: Sequence[Any]) -> np.ndarray:
        """All values in one vector; complex ones as pairs."""
        flat = np.concatenate([np.ravel(to_numpy(value)) for value in values])
        if self.is_complex:
            return np.ascontiguousarray(flat, dtype=np.complex128).view(np.float64)
        return flat.astype(np.float64)

    def operator(self, vector: np.ndarray, norm: float) -> FactorizedOperator:
        """The operator of such a vector, times what gives it a norm."""
        size = _norm(FactorizedOperator(self._filled(vector)).toarray())
        count = sum(isinstance(factor, KroneckerFactor) for factor in self.factors)
        return FactorizedOperator(self._filled(vector * (norm / size) ** (1 / count)))

    def _filled(self, vector: np.ndarray) -> list[Any]:
        flat = move_like(
            vector.view(np.complex128) if self.is_complex else vector, self.energy.rows
        )
        factors, end = [], 0
        for factor in self.factors:
            if isinstance(factor, KroneckerFactor):
                start, end = end, end + math.prod(factor.values.shape)
                values = self.energy.xp.reshape(flat[start:end], factor.values.shape)
                factor = KroneckerFactor._wrap(values, factor.pattern)
            factors.append(factor)
        return factors


def _norm(array: Any) -> float:
    return float(array_namespace(array).linalg.vector_norm(array))
