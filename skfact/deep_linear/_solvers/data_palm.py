"""PALM on data: Y ~ S_1 ... S_L X with X as one more factor, which stays as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from skfact._stopping import Stopping
from skfact.deep_linear._factor_sets.constant import ConstantSet
from skfact.deep_linear._palm.scale_penalty import ScalePenalty
from skfact.deep_linear._palm.start import unit_factors
from skfact.deep_linear._palm.sweeps import Objective, sweep_factors
from skfact.deep_linear._solvers.problem import Problem, Trained


def data_sweeps(problem: Problem, start: Sequence[Any], stopping: Stopping) -> Trained:
    """Sweeps from some values on; the factors get equal norms."""
    network, X = problem.network, problem.X
    count, data = len(network.sets), ConstantSet(X)
    sets = [*network.sets, data]
    unit = data.norm(X) or 1.0
    first = unit_factors(sets, [*start, X])
    found = sweep_factors(
        Objective(problem.Y, ScalePenalty.ridge(problem.alpha, count, unit), 2 * problem.constant),
        sets,
        first._replace(feasible=first.scale > 0),
        stopping._replace(on_sweep=lambda sweep, loss: stopping.told(sweep, 0.5 * loss)),
    )
    scale = found.scale / unit
    share = abs(scale) ** (1 / count)
    values = [value * share for value in found.values[:-1]]
    if scale < 0:
        values[0] = -values[0]
    losses = [0.5 * float(loss) for loss in found.losses]
    return Trained(values, losses, max(1, len(losses) - 1), found.outcome)
