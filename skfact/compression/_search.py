"""Which structure each layer gets: what each can bear is looked at once, for any budget.

Within a budget, numbers are shared in three ways: so that errors, weighted by their effects on the
outputs of the network, sum to the least; the same with all layers alike; and each layer with an
equal share of its numbers. Which one is best is not known before the network runs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from skfact.compression._asked import Asked, curve_of
from skfact.compression._budget import Allocation, allocate, equal_shares, smallest
from skfact.compression._curves import Curve, Option
from skfact.compression._effects import effects
from skfact.compression._layers.network import Linear, Network, Replaced
from skfact.compression._moments import Moments
from skfact.compression._outputs import Outputs
from skfact.compression._report import ALIKE, BY_EFFECT, EQUAL, TOLERANCE
from skfact.compression._seen import layer_on

ROUNDING = 1e-12  # share of a sum by which its terms in another order may differ
ROUNDS = 8  # in which promises are put to the test


class Choice(NamedTuple):
    """An option for each layer, by its place."""

    shared: str  # how the budget was
    options: dict[int, Option]
    bound: float
    low_rank_total: float | None  # None where low rank does not fit, or for a tolerance
    low_rank_numbers: int | None  # for a tolerance

    @property
    def key(self) -> tuple[Any, ...]:
        """What two of the same options have in common."""
        return tuple((option.numbers, option.words) for option in self.options.values())


class Search:
    """What the layers of a network can bear; all by the place of a layer."""

    def __init__(
        self,
        network: Network,
        linears: dict[int, Linear],
        moments: dict[int, Moments],
        supports: Any,
        tell: Callable[[int, str], None],
    ) -> None:
        self.linears, self.supports = linears, supports
        self._network, self._moments, self._tell = network, moments, tell
        self.layers = {place: layer_on(one, moments.get(place)) for place, one in linears.items()}
        self.curves = {place: curve_of(layer, supports) for place, layer in self.layers.items()}
        for count, place in enumerate(linears, 1):
            found = len(_of_use(self.curves[place], known=False))
            self._tell(count, f"{self.named(count, place)}: {found} ways to store it")
        self.outputs = Outputs(network) if moments else None
        self.effects: dict[int, float] | None = None  # on the outputs; not yet measured

    def named(self, count: int, place: int) -> str:
        """A layer among the others, in words."""
        return f"layer {count} of {len(self.linears)}, {self.linears[place].name}"

    @property
    def n_samples(self) -> int | None:
        """Rows of inputs on which errors count, the most that a layer has; None without inputs."""
        return max((seen.n_samples for seen in self._moments.values()), default=None)

    def error(self, replaced: Replaced) -> float | None:
        """Relative error of the outputs; None without inputs."""
        return None if self.outputs is None else self.outputs.error(replaced)

    def require(self, asked: Asked) -> None:
        """Raise unless there are structures as small."""
        if asked.tol is None and asked.numbers(self.size, self._least) < self._least:
            raise asked.too_small(self._least, self.size, self.supports)

    def choices(self, asked: Asked) -> list[Choice]:
        """The best options, in each way to share the budget."""
        if asked.tol is not None:
            ways = [TOLERANCE]
        else:
            if self.effects is None:
                self.effects = self._measured_effects()
            ways = [BY_EFFECT, ALIKE] if self.effects else [ALIKE]
            if self.outputs is not None and len(self.linears) > 1:
                ways.append(EQUAL)
        found = [self._choice(asked, shared) for shared in ways]
        return [choice for choice in found if choice is not None]

    @cached_property
    def _least(self) -> int:
        """Numbers of the smallest structures."""
        curves = self.curves.values()
        return sum(min(option.numbers for option in curve.options()) for curve in curves)

    @property
    def size(self) -> int:
        """Numbers of all layers."""
        return sum(linear.weight.size for linear in self.linears.values())

    def _measured_effects(self) -> dict[int, float]:
        if self.outputs is None:
            return {}
        found = effects(self._network, self.outputs, self.linears, self.curves, self._moments)
        for count, (place, effect) in enumerate(found.items(), 1):
            self._tell(count, f"{self.named(count, place)}: effect {effect:.2g} on the outputs")
        return found

    def _choice(self, asked: Asked, shared: str) -> Choice | None:
        """An option for each layer, as small as asked for: none of them a mere promise.

        None where no layer fits in its share.
        """
        chosen: dict[int, Option] = {}
        bound = 0.0
        for left in reversed(range(ROUNDS)):
            options = [_of_use(curve, known=not left) for curve in self.curves.values()]
            found = self._allocated(asked, shared, options)
            if found is None:
                return None
            bound = found.bound * (1 - ROUNDING)
            chosen = {place: some[i] for place, some, i in zip(self.curves, options, found.choice)}
            news = [(place, option) for place, option in chosen.items() if not option.known]
            if not news:
                break
            for place, option in news:
                self.curves[place].settle(option)
        low_rank = [[*curve.low_rank(), curve.dense] for curve in self.curves.values()]
        beside = self._allocated(asked, shared, low_rank)
        total = numbers = None
        if asked.tol is None and beside is not None:
            total = beside.error
        elif beside is not None:
            numbers = beside.numbers
        return Choice(shared, chosen, bound, total, numbers)

    def _allocated(
        self, asked: Asked, shared: str, options: list[list[Option]]
    ) -> Allocation | None:
        """One of each within the budget, or the smallest within the tolerance.

        With effects, what is least is a first-order estimate of the squared relative error of the
        outputs, no bound of it.
        """
        numbers = [np.array([option.numbers for option in some]) for some in options]
        errors = [np.array([option.error2 for option in some]) for some in options]
        if asked.tol is not None:
            return smallest(numbers, errors, float(asked.tol) ** 2)
        if shared == BY_EFFECT and self.effects:
            errors = [self.effects[place] * e for place, e in zip(self.linears, errors)]
        budget = asked.numbers(self.size, self._least)
        if shared == EQUAL:
            sizes = [linear.weight.size for linear in self.linears.values()]
            return equal_shares(numbers, errors, sizes, budget)
        return allocate(numbers, errors, budget)


def _of_use(curve: Curve, *, known: bool) -> list[Option]:
    """The options of which none is both smaller and closer, the smallest one first."""
    kept: list[Option] = []
    for option in sorted(curve.options(), key=lambda option: (option.numbers, option.error2)):
        if (option.known or not known) and (not kept or option.error2 < kept[-1].error2):
            kept.append(option)
    return kept
