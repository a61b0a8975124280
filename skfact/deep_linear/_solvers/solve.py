"""From a network and data to factors: which solver applies, and how it is run."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skfact._backend import array_namespace, to_numpy
from skfact.deep_linear._factor_sets.slots import StructuredSlot
from skfact.deep_linear._linear_network import Network
from skfact.deep_linear._palm.hierarchical import run_hierarchical
from skfact.deep_linear._palm.palm4msa import run_palm
from skfact.deep_linear._solvers.adam import adam_epochs
from skfact.deep_linear._solvers.closed_form import (
    has_closed_form,
    is_isotropic,
    least_squares,
    start_values,
)
from skfact.deep_linear._solvers.data_palm import data_sweeps
from skfact.deep_linear._solvers.lbfgs import lbfgs
from skfact.deep_linear._solvers.trained import Trained
from skfact.deep_linear._units import column_sizes, fewer_rows

SOLVERS = ("auto", "closed-form", "lbfgs", "adam", "palm4msa", "hierarchical")
FOR_BUDGETS = ("palm4msa", "hierarchical")


def solve(
    network: Network,
    X: Any,
    Y: Any,
    *,
    solver: str,
    alpha: float,
    weights: Any,
    start: list[Any] | None,
    max_iter: int,
    tol: float,
    random: np.random.RandomState,
    on_sweep: Callable[[int, float], Any],
    **mini_batches: Any,
) -> tuple[str, Trained]:
    """The solver that was used, and what it found.

    Parameters
    ----------
    network : Network
        The factors and their sets.
    X, Y : arrays of shape (n_features, n) and (n_outputs, n)
        Centred samples and targets of ordinary magnitude.
    solver : str
        One of SOLVERS.
    alpha : float
        Ridge penalty on the factors.
    weights : array of shape (n,) or None
        What the samples count; X and Y have the roots in them already.
    start : list of arrays or None
        Values to start from; None for the default of the solver.
    max_iter, tol, random, on_sweep
        As in `SparseDeepLinearNet`.
    **mini_batches
        Parameters of :func:`adam_epochs`.
    """
    _check_solver(solver, network)
    if solver == "adam":
        return solver, adam_epochs(
            network, X, Y, start or network.start(random, X), alpha=alpha,
            weights=None if weights is None else to_numpy(weights), max_iter=max_iter,
            tol=tol, random=random, on_sweep=on_sweep, **mini_batches,
        )  # fmt: skip
    sizes = None
    if network.budgeted and not alpha and not isinstance(network.slots[-1], StructuredSlot):
        sizes = column_sizes(X)  # the last factor takes them up, whatever its budget
        X = X / sizes[:, None]
        if start is not None:
            start = [*start[:-1], network.slots[-1].scale_columns(start[-1], sizes)]
    X, Y, constant = fewer_rows(X, Y)
    matrix = least_squares(X, Y, alpha)  # with alpha > 0 small singular values of X do no harm
    exact = network.is_dense or (is_isotropic(X) and not alpha)

    def report(iteration: int, loss: float) -> bool:
        return bool(on_sweep(iteration, loss + constant))

    if network.budgeted:
        if solver == "auto":
            solver = "palm4msa" if len(network.slots) == 1 else "hierarchical"
        if start is None:
            found = _within_budgets(
                network, solver, matrix, X, Y, max_iter, tol, random, report if exact else _silent
            )
            start = found.values
        if not exact:
            found = data_sweeps(
                network, X, Y, start, alpha=alpha, max_iter=max_iter, tol=tol, on_sweep=report,
                constant=constant,
            )  # fmt: skip
    else:
        direct = exact and has_closed_form(network)
        if solver == "closed-form" and not direct:
            raise ValueError(
                "solver='closed-form' needs one dense layer, or a chain (or two masks) with "
                "isotropic centred inputs and alpha=0. Use 'auto' or 'lbfgs'."
            )
        if solver == "auto":
            solver = "closed-form" if direct else "lbfgs"
        if solver == "closed-form" or start is None:
            start = start_values(network, matrix, random)
        if solver == "lbfgs":
            found = lbfgs(
                network, X, Y, start, alpha=alpha, max_iter=max_iter, tol=tol, on_sweep=report,
                constant=constant,
            )  # fmt: skip
        else:
            loss, _, _ = network.loss_and_gradient(start, X, Y)
            found = Trained(start, [loss], 1, True, False)
    values = found.values
    if sizes is not None:
        values = [*values[:-1], network.slots[-1].scale_columns(values[-1], 1 / sizes)]
    losses = [loss + constant for loss in found.losses]
    return solver, found._replace(values=values, losses=losses)


def _check_solver(solver: str, network: Network) -> None:
    """Raise unless the solver is for these sets."""
    if not network.budgeted:
        if solver in FOR_BUDGETS:
            raise ValueError(
                f"solver={solver!r} is for budgets (KSparse), but all supports are fixed: use "
                "'lbfgs' or 'auto'."
            )
    elif solver not in ("auto", *FOR_BUDGETS):
        raise ValueError(
            f"solver={solver!r} needs fixed supports, but supports has budgets: use "
            "'palm4msa' or 'hierarchical'."
        )


def _silent(number: int, loss: float) -> bool:
    """No report, and no reason to stop."""
    return False


def _within_budgets(
    network: Network,
    solver: str,
    matrix: Any,
    X: Any,
    Y: Any,
    max_iter: int,
    tol: float,
    random: np.random.RandomState,
    on_sweep: Callable[[int, float], Any],
) -> Trained:
    """Factors of the least-squares matrix, with the loss that they have where X is isotropic."""
    xp = array_namespace(X)
    rest = matrix @ X - Y
    least = 0.5 * float(xp.sum(rest * rest))
    gain = 0.5 * float(xp.sum(X * X)) / X.shape[0]
    size = float(xp.sum(matrix * matrix))
    options: dict[str, Any] = {
        "inner_sizes": [shape[1] for shape in network.shapes[:-1]],
        "max_iter": max_iter,
        "tol": tol,
    }

    def report(number: int, error: float) -> bool:
        return on_sweep(number, least + gain * error**2 * size)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        if solver == "hierarchical":
            found = run_hierarchical(matrix, network.supports, on_level=report, **options)
        else:
            found = run_palm(
                matrix, network.supports, random_state=random, on_sweep=report, **options
            )
    values = [
        slot.restrict(factor.toarray())
        for slot, factor in zip(network.slots, found.operator.factors)
    ]
    losses = [least + gain * float(loss) for loss in found.losses]
    if not losses:  # one factor is projected, without a sweep
        rest = network.operator(values).apply(X.T).T - Y
        losses = [0.5 * float(xp.sum(rest * rest))]
    return Trained(values, losses, max(1, len(losses) - 1), found.converged, False)
