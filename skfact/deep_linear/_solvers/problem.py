"""What the solvers are given, what they give back, and what each of them declares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from skfact._stopping import Stopping
from skfact.deep_linear._linear_network import LinearNetwork
from skfact.deep_linear._outcome import Outcome
from skfact.deep_linear._solvers.least_squares import is_isotropic, least_squares
from skfact.deep_linear._units import Units


class MiniBatches(NamedTuple):
    """The parameters that only Adam has, as in `SparseDeepLinearNet`."""

    batch_size: int | str
    learning_rate_init: float
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int


@dataclass(frozen=True)
class Problem:
    """Minimize ``0.5 ||W X - Y||^2 + 0.5 alpha sum ||values||^2`` over the maps W of a network."""

    network: LinearNetwork
    X: Any  # (n_features, n), centred, of ordinary magnitude, times roots of weights
    Y: Any  # (n_outputs, n), likewise
    alpha: float
    random: np.random.RandomState
    start: list[Any] | None = None  # values
    weights: Any = None  # (n,): what the samples count
    batches: MiniBatches | None = None
    constant: float = 0.0  # a part of the loss that is not in X and Y
    inverse: Any = None  # the pseudo-inverse of X, where it is known
    units: Units | None = None  # of values: a model of parameters knows those of the data

    @cached_property
    def least_squares(self) -> Any:
        """The matrix that minimizes without constraints; alpha keeps small singular values of X
        from doing harm.
        """
        if self.inverse is not None and not self.alpha:
            return self.Y @ self.inverse
        return least_squares(self.X, self.Y, self.alpha)

    @cached_property
    def is_approximation(self) -> bool:
        """Whether the map nearest to the least-squares matrix is the best one."""
        return self.network.is_dense or (is_isotropic(self.X) and not self.alpha)


class Trained(NamedTuple):
    """Values found, and how."""

    values: list[Any]
    losses: list[float]
    n_iter: int
    outcome: Outcome


class Solver(NamedTuple):
    """A solver: its name, whether it is for budgets rather than fixed supports, and itself."""

    name: str
    for_budgets: bool
    run: Callable[[Problem, Stopping], Trained]
    for_models: bool = False  # of parameters, too, and then for fixed supports as well as budgets
    takes_samples: bool = False  # as they are; others take as many rows as there are features

    def check_accepts(self, network: LinearNetwork) -> None:
        """Raise ValueError unless the solver is for the sets of the network."""
        if self.for_models:
            return
        if network.modelled:
            raise ValueError(
                f"solver={self.name!r} leaves the models of parameters, but supports has "
                "structured factors with a projection: use 'palm' or 'auto'."
            )
        if self.for_budgets and not network.budgeted:
            raise ValueError(
                f"solver={self.name!r} is for budgets (KSparse), but all supports are fixed: use "
                "'lbfgs' or 'auto'."
            )
        if network.budgeted and not self.for_budgets:
            raise ValueError(
                f"solver={self.name!r} needs fixed supports, but supports has budgets: use "
                "'palm4msa' or 'hierarchical'."
            )
