"""Compiled sweeps of PALM over Kronecker-sparse factors of NumPy arrays."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from skfact._kernels._jit import as_if_writeable, compiled

MARGIN = 1e-3  # by which a step is shorter than the curvature allows
# power steps for a product that has not been met before, and for one that a sweep has changed
FIRST_STEPS, LATER_STEPS = 30, 2
PRECISION = 1e-4  # relative change of an eigenvalue at which power iterations end
# how often a step is shortened before the factor is left as it is
MAX_BACKTRACKS = 20
LOOPS = "skfact._kernels.palm.numba"


def is_compiled_for(A: Any) -> bool:
    """Whether there are compiled sweeps for such a target."""
    return isinstance(A, np.ndarray) and compiled(LOOPS) is not None


class CompiledSweeps:
    """Factors of patterns (a, b, c, d), their scale, and the loss, one sweep after the other."""

    def __init__(
        self,
        A: np.ndarray,
        patterns: Sequence[Any],
        values: Sequence[Any],
        scale: float,
        rounding: float,
    ) -> None:
        loops: Any = compiled(LOOPS)
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
        self.loss = self._residual()

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
        self.loss = self._residual()
        return not found

    def _residual(self) -> float:
        """Squared norm of the residual, which is written."""
        scale = self.A.real.dtype.type(self.scale)
        loss: float = self.loops.residual_of(self.A, self.suffixes[0], scale, self.matrices[0])
        return loss


@lru_cache(maxsize=64)
def start_vector(size: int) -> np.ndarray:
    """Where power iterations start: the same at each call."""
    vector: np.ndarray = np.random.default_rng(size).standard_normal(size) / size**0.5
    vector.flags.writeable = False
    return vector
