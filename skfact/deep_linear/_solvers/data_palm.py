"""Solvers for networks of fixed supports and structured factors, and for budgets, on data.

Batches are feature-major: X has shape (n_in, batch), Y (n_out, batch).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from skfact._backend import array_namespace
from skfact.deep_linear._linear_network import Network
from skfact.deep_linear._palm.scale_penalty import ScalePenalty
from skfact.deep_linear._palm.sweeps import normalized, sweep_factors
from skfact.deep_linear._solvers.trained import Trained


def data_sweeps(
    network: Network,
    X: Any,
    Y: Any,
    start: Sequence[Any],
    *,
    alpha: float,
    max_iter: int,
    tol: float,
    on_sweep: Callable[[int, float], Any],
    constant: float = 0.0,
) -> Trained:
    """PALM on the data: Y ~ S_1 ... S_L X with X as one more factor that stays as it is."""
    norm = array_namespace(X).linalg.vector_norm
    slots: list[Any] = [*network.slots, ConstantSlot(X)]
    values = [slot.project(value) for slot, value in zip(slots, start)]
    unit = float(norm(X)) or 1.0
    scale = unit
    for value in values:
        scale *= float(norm(value))
    found = sweep_factors(
        Y,
        slots,
        [normalized(value) for value in values] + [slots[-1].unit],
        scale,
        feasible=scale > 0,
        penalty=ScalePenalty.ridge(alpha, len(network.slots), unit),
        max_iter=max_iter,
        tol=tol,
        constant=2 * constant,
        on_sweep=lambda sweep, loss: on_sweep(sweep, 0.5 * loss),
    )
    scale = found.scale / unit
    share = abs(scale) ** (1 / len(network.slots))
    values = [value * share for value in found.values[:-1]]
    if scale < 0:
        values[0] = -values[0]
    losses = [0.5 * float(loss) for loss in found.losses]
    return Trained(values, losses, max(1, len(losses) - 1), found.converged, False)


class ConstantSlot:
    """The data in the place of a factor: it never changes."""

    def __init__(self, X: Any) -> None:
        self.unit, self.shape = normalized(X), tuple(X.shape)

    def times(self, values: Any, X: Any) -> Any:
        """The data times a matrix."""
        return values @ X

    def adjoint_times(self, values: Any, X: Any) -> Any:
        """The transposed data times a matrix."""
        return values.T @ X

    def restrict(self, matrix: Any) -> Any:
        """A gradient as it is."""
        return matrix

    def project(self, values: Any) -> Any:
        """The data, whatever is given."""
        return self.unit

    def on_support_of(self, values: Any, kept: Any) -> Any:
        """The data, whatever is given."""
        return self.unit

    def dense(self, values: Any) -> Any:
        """The data, or a change of it, as a matrix."""
        return values
