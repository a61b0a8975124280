"""What a solver found."""

from __future__ import annotations

from typing import Any, NamedTuple


class Trained(NamedTuple):
    """Values found, and how."""

    values: list[Any]
    losses: list[float]
    n_iter: int
    converged: bool
    diverging: bool
    worse: bool = False  # than no factors at all
