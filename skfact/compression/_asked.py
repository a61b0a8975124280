"""What is asked of a compression: how many numbers or which error, and in which structures."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from skfact._checks import check_sequence, positive_int
from skfact.butterfly._rank_search import check_bounds, numbers_within
from skfact.butterfly._structure.choice import DENSITY
from skfact.compression._curves import Curve, FamilyCurve, Layer, check_supports
from skfact.supports import Chain

BOUNDS = "tol", "max_density", "budget"


class Asked(NamedTuple):
    """An error of each layer, or how many numbers all of them may have; nothing is a quarter."""

    tol: float | None = None
    max_density: float | None = None
    budget: int | None = None

    def checked(self) -> Asked:
        """The same, if it is one bound that makes sense."""
        if sum(value is not None for value in self) > 1:
            raise ValueError(
                "Pass one of tol, max_density and budget: an error of each layer, or how many "
                f"numbers all of them may have; got tol={self.tol!r}, "
                f"max_density={self.max_density!r}, budget={self.budget!r}."
            )
        check_bounds("auto", None, self.tol, self.max_density)
        if self.budget is not None:
            positive_int(self.budget, "budget")
        return self

    def numbers(self, size: int, least: int) -> int:
        """The most numbers that layers of so many may have.

        Where nothing is asked for, the least there is if need be.
        """
        if self.budget is not None:
            return int(min(self.budget, size))
        if self.max_density is None:
            return max(numbers_within(DENSITY, (size, 1)), least)
        return numbers_within(self.max_density, (size, 1))

    def too_small(self, least: int, size: int, supports: Any) -> ValueError:
        """The error that all options have more numbers."""
        got, needed = f"budget={self.budget!r}", f"{least}"
        if self.max_density is not None:
            got = f"max_density={float(self.max_density)!r}"
            needed = f"{math.ceil(1e4 * least / size) / 1e4:g}"
        return ValueError(
            f"{got} allows {self.numbers(size, least)} numbers, and the smallest structures with "
            f"supports={supports!r} take {least} of the {size} in all layers: pass at least "
            f"{needed}."
        )


def asked_in_turn(tol: Any, max_density: Any, budget: Any) -> list[Asked]:
    """One for each value of the one list that is passed."""
    given = {name: v for name, v in zip(BOUNDS, (tol, max_density, budget)) if v is not None}
    if len(given) != 1:
        raise ValueError(
            "Pass a list as one of tol, max_density and budget; got "
            f"{' and '.join(given) or 'none of them'}."
        )
    ((name, values),) = given.items()
    check_sequence(values, name, "a list of bounds")
    if not len(values):
        raise ValueError(f"{name} is empty: pass a list of at least one bound.")
    return [Asked(**{name: value}).checked() for value in values]


def curve_of(layer: Layer, supports: str | Callable[[int, int], Chain]) -> Curve:
    """The options of a layer."""
    check_supports(supports)
    if isinstance(supports, str) and supports == "auto":
        return Curve(layer)
    return FamilyCurve(layer, supports)
