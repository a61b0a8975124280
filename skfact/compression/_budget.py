r"""One budget of numbers over all layers: of each, one option, so that the errors sum to the least.

The multiple-choice knapsack problem. Its linear relaxation is solved by the lower convex hulls of
the options of each layer, whose steps are taken in the order of what they save for a number
(Zemel, 1980): the integral part of that is a choice, and its value a bound. Where both differ, an
integer program is solved.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

GAP = 1e-3  # share of the sum of errors that is not looked for
SECONDS = 10.0  # that the integer program may take


class Allocation(NamedTuple):
    """One option for each layer."""

    choice: tuple[int, ...]
    numbers: int
    error: float  # sum of the errors
    bound: float  # no choice has a smaller sum


def allocate(
    numbers: Sequence[np.ndarray], errors: Sequence[np.ndarray], budget: int
) -> Allocation | None:
    """The options of least total error with at most so many numbers; None if all have more."""
    smallest = [int(np.lexsort((e, n))[0]) for n, e in zip(numbers, errors, strict=True)]
    if sum(int(n[i]) for n, i in zip(numbers, smallest)) > budget:
        return None
    choice, bound = _along_hulls(numbers, errors, smallest, budget)
    choice = _filled(numbers, errors, choice, budget)
    error = _total(errors, choice)
    if error - bound > GAP * error:
        better, bound = _integer_program(numbers, errors, budget, error, bound)
        if better is not None and _total(errors, better) < error:
            choice = better
    chosen = sum(int(n[i]) for n, i in zip(numbers, choice))
    error = _total(errors, choice)
    return Allocation(tuple(choice), chosen, error, min(bound, error))


def smallest(
    numbers: Sequence[np.ndarray], errors: Sequence[np.ndarray], most: float
) -> Allocation:
    """The smallest option of each layer whose error is at most so much; one is."""
    choice = tuple(
        int(np.argmin(np.where(e <= most, n, np.iinfo(n.dtype).max)))
        for n, e in zip(numbers, errors, strict=True)
    )
    error = _total(errors, choice)
    return Allocation(choice, sum(int(n[i]) for n, i in zip(numbers, choice)), error, 0.0)


def equal_shares(
    numbers: Sequence[np.ndarray],
    errors: Sequence[np.ndarray],
    sizes: Sequence[int],
    budget: int,
) -> Allocation | None:
    """The option of least error of each layer within its share of the budget, by its size.

    Where none is so small, the smallest one; None if these leave the budget.
    """
    whole, choice = sum(sizes), []
    for n, e, size in zip(numbers, errors, sizes, strict=True):
        most = max(budget * size // whole, int(n.min()))
        choice.append(int(np.argmin(np.where(n <= most, e, np.inf))))
    chosen, error = sum(int(n[i]) for n, i in zip(numbers, choice)), _total(errors, choice)
    return Allocation(tuple(choice), chosen, error, error) if chosen <= budget else None


def _along_hulls(
    numbers: Sequence[np.ndarray], errors: Sequence[np.ndarray], smallest: list[int], budget: int
) -> tuple[list[int], float]:
    """The integral part of the linear relaxation, and the value of the whole."""
    hulls = [_hull(n, e, i) for n, e, i in zip(numbers, errors, smallest)]
    choice = [hull[0] for hull in hulls]
    spare = budget - sum(int(n[i]) for n, i in zip(numbers, choice))
    error = _total(errors, choice)
    steps: list[tuple[float, int, int]] = []

    def offer(layer: int, at: int) -> None:
        """The step from a place on the hull of a layer to the next one."""
        if at + 1 < len(hulls[layer]):
            i, j = hulls[layer][at : at + 2]
            n, e = numbers[layer], errors[layer]
            heapq.heappush(steps, (-(e[i] - e[j]) / (n[j] - n[i]), layer, at))

    for layer in range(len(hulls)):
        offer(layer, 0)
    bound = None
    while steps:
        slope, layer, at = heapq.heappop(steps)
        i, j = hulls[layer][at : at + 2]
        cost = int(numbers[layer][j] - numbers[layer][i])
        if cost > spare:
            if bound is None:
                bound = error + slope * spare
            continue
        spare -= cost
        error += float(errors[layer][j] - errors[layer][i])
        choice[layer] = j
        offer(layer, at + 1)
    return choice, max(error if bound is None else bound, 0.0)


def _hull(numbers: np.ndarray, errors: np.ndarray, first: int) -> list[int]:
    """The options on the lower convex hull, from the smallest one to that of least error."""
    hull = [first]
    for j in np.lexsort((errors, numbers)):
        if errors[j] >= errors[hull[-1]]:
            continue
        while len(hull) > 1 and _slope(numbers, errors, hull[-2], hull[-1]) >= _slope(
            numbers, errors, hull[-1], j
        ):
            hull.pop()
        hull.append(int(j))
    return hull


def _slope(numbers: np.ndarray, errors: np.ndarray, i: int, j: int) -> float:
    return float((errors[j] - errors[i]) / (numbers[j] - numbers[i]))


def _filled(
    numbers: Sequence[np.ndarray], errors: Sequence[np.ndarray], choice: list[int], budget: int
) -> list[int]:
    """The choice with what is left of the budget spent, where it saves most."""
    choice = list(choice)
    spare = budget - sum(int(n[i]) for n, i in zip(numbers, choice))
    while True:
        best, saved = None, 0.0
        for layer, (n, e) in enumerate(zip(numbers, errors)):
            within = np.where(n <= n[choice[layer]] + spare, e, np.inf)
            j = int(np.argmin(within))
            if e[choice[layer]] - within[j] > saved:
                best, saved = (layer, j), float(e[choice[layer]] - within[j])
        if best is None:
            return choice
        layer, j = best
        spare -= int(numbers[layer][j] - numbers[layer][choice[layer]])
        choice[layer] = j


def _integer_program(
    numbers: Sequence[np.ndarray],
    errors: Sequence[np.ndarray],
    budget: int,
    error: float,
    bound: float,
) -> tuple[list[int] | None, float]:
    """What an integer program finds, None if nothing, and the better bound.

    Errors are over one that is known, numbers over the budget: the solver's tolerances are
    absolute.
    """
    layer = np.repeat(np.arange(len(numbers)), [len(n) for n in numbers])
    n, e = np.concatenate(numbers), np.concatenate(errors)
    each = (layer == np.arange(len(numbers))[:, None]).astype(float)
    found = milp(
        e / error,
        integrality=np.ones(len(e)),
        bounds=Bounds(0, 1),
        constraints=[LinearConstraint(each, 1, 1), LinearConstraint(n[None] / budget, -np.inf, 1)],
        options={"mip_rel_gap": GAP, "time_limit": SECONDS},
    )
    if found.x is None:
        return None, bound
    choice = [int(np.argmax(found.x[layer == i])) for i in range(len(numbers))]
    if sum(int(m[i]) for m, i in zip(numbers, choice)) > budget:  # by a tolerance
        return None, bound
    dual = getattr(found, "mip_dual_bound", None)
    return choice, max(bound, dual * error) if dual is not None else bound


def _total(errors: Sequence[np.ndarray], choice: Sequence[int]) -> float:
    return float(sum(e[i] for e, i in zip(errors, choice)))
