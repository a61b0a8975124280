"""From a network and data to factors: which solver applies, and how it is run."""

from __future__ import annotations

from dataclasses import replace

from skfact._stopping import Stopping
from skfact.deep_linear._solvers.adam import ADAM
from skfact.deep_linear._solvers.closed_form import CLOSED_FORM, has_closed_form
from skfact.deep_linear._solvers.lbfgs import LBFGS
from skfact.deep_linear._solvers.least_squares import column_sizes, fewer_rows
from skfact.deep_linear._solvers.palm import HIERARCHICAL, PALM4MSA
from skfact.deep_linear._solvers.problem import Problem, Solver, Trained
from skfact.deep_linear._solvers.projected import PALM

SOLVERS = {one.name: one for one in (CLOSED_FORM, LBFGS, ADAM, PALM, PALM4MSA, HIERARCHICAL)}
NAMES = ("auto", *SOLVERS)


def solve(name: str, problem: Problem, stopping: Stopping) -> tuple[str, Trained]:
    """The solver that was used, one of NAMES but "auto", and what it found."""
    named = SOLVERS.get(name)
    if named is not None:
        named.check_accepts(problem.network)
        if named.takes_samples:
            return name, named.run(problem, stopping)
    network, X, start = problem.network, problem.X, problem.start
    last, sizes = network.sets[-1], None
    if network.budgeted and not problem.alpha and last.keeps_scaled_columns:
        sizes = column_sizes(X)  # the last factor takes them up, whatever its budget
        X = X / sizes[:, None]
        if start is not None:
            start = [*start[:-1], last.scale_columns(start[-1], sizes)]
    few = fewer_rows(X, problem.Y)
    constant = few.constant
    reduced = replace(problem, **few._asdict(), start=start)
    solver = named or automatic(reduced)
    found = solver.run(
        reduced,
        stopping._replace(on_sweep=lambda number, loss: stopping.told(number, loss + constant)),
    )
    values = found.values
    if sizes is not None:
        values = [*values[:-1], last.scale_columns(values[-1], 1 / sizes)]
    losses = [loss + constant for loss in found.losses]
    return solver.name, found._replace(values=values, losses=losses)


def automatic(problem: Problem) -> Solver:
    """The solver that "auto" stands for."""
    if problem.network.modelled:
        return PALM
    if problem.network.budgeted:
        return PALM4MSA if len(problem.network.sets) == 1 else HIERARCHICAL
    return CLOSED_FORM if has_closed_form(problem) else LBFGS
