"""When an iteration ends: what the iterative solvers of all systems are given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

WINDOW = 10  # iterations over which the loss is compared


class Stopping(NamedTuple):
    """Largest number of iterations, tolerance, and who is told of each."""

    max_iter: int
    tol: float
    on_sweep: Callable[[int, float], Any] | None = None  # (iteration, loss); True ends the run

    def told(self, iteration: int, loss: float) -> bool:
        """Report an iteration; whether who listens wants to end the run."""
        return self.on_sweep is not None and bool(self.on_sweep(iteration, loss))

    def is_slow(self, losses: Sequence[float], constant: float = 0.0) -> bool:
        """Whether the last ten iterations lowered the loss by no more than `tol` times it.

        `losses` begins with that of the start; `constant` is a part of the loss that is not in it.
        """
        if len(losses) <= WINDOW:
            return False
        before = losses[-1 - WINDOW]
        return before - losses[-1] <= self.tol * (before + constant)
