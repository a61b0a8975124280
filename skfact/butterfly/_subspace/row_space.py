"""Factors for a row space: the alternation with rotations, then the steps that raise the energy."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, NamedTuple

from skfact._exponents import unscaled_number
from skfact.butterfly._factorize import Factorization
from skfact.butterfly._subspace.ascent import raise_energy
from skfact.butterfly._subspace.energy import Energy, Shortfall
from skfact.butterfly._subspace.rotation import factorize_row_space, nearest_rotation
from skfact.operators import FactorizedOperator


@dataclass(frozen=True, kw_only=True)
class SpanFactorization(Factorization):
    """Factors judged by their row space: the error is what some rows have outside of it.

    What the splits discarded is that of the alternation, which the steps start from.
    """

    share: float  # of the energy of the rows in the row space
    missed: float  # norm of what it should have and has not, over 2**exponent
    size: float  # norm of what it should have, over 2**exponent
    largest: float = 1.0  # as in Shortfall, times 2**exponent of the rows
    leak: float = 0.0

    @cached_property
    def error(self) -> float:
        """Norm of what the row space misses, over 2**exponent."""
        return self.missed

    @cached_property
    def norm(self) -> float:
        """Norm of what should be in the row space, over 2**exponent."""
        return self.size

    def bound(self, error: float) -> float:
        """A bound of what is missed, from one of ||R W - B|| in the alternation."""
        return math.hypot(self.largest * error, self.leak * math.sqrt(2 * error))


class RowSpace(NamedTuple):
    """The factors found, and how."""

    result: SpanFactorization
    rotation: Any  # (n_out, n_out)
    n_iter: int  # rotations and steps
    converged: bool


def fit_row_space(
    W: Any,
    rows: Any,
    factorize: Callable[[Any], Factorization],
    max_iter: int,
    on_rotation: Callable[[int, float], bool],
    on_step: Callable[[int, float], bool],
) -> RowSpace:
    r"""Factors of a product B whose row space holds much of the energy of rows.

    `rows` (n_rows, n_features) are centred samples, W (n_out, n_features) then their principal
    components; or None: the rows of W. The alternation :math:`\min \|R W - B\|_F` comes first, with
    at most `max_iter` rotations, then as many steps at most that maximize the energy.

    Of W the row space misses :math:`\min_M \|W - M B\|_F \le \|R W - B\|_F`; of samples what it
    keeps less than their principal components do (:class:`Shortfall`). The steps only lower these.
    """
    ended = False

    def until_ended(report: Callable[[int, float], bool]) -> Callable[[int, float], bool]:
        def told(number: int, error: float) -> bool:
            nonlocal ended
            ended = report(number, error)
            return ended

        return told

    start, rotation, n_iter, converged = factorize_row_space(
        W, factorize, max_iter, until_ended(on_rotation)
    )
    assert isinstance(start.unit, FactorizedOperator)  # entries beside it were refused
    energy = Energy(W if rows is None else rows)
    steps = 0 if ended else max_iter
    shift = energy.exponent
    found = raise_energy(
        start.unit,
        energy,
        steps,
        lambda number, lost: on_step(number, unscaled_number(lost, shift)),
    )
    if found.operator is not start.unit:
        rotation = nearest_rotation(start.matrix, found.operator.toarray()) @ rotation
    known = {field.name: getattr(start, field.name) for field in fields(start)}
    known |= {"unit": found.operator, "kept": 0.0}
    known["share"] = 1 - (found.outside / (energy.norm or 1.0)) ** 2
    less = Shortfall(found.outside, energy.norm, 1.0, 0.0)
    if rows is not None:
        less = energy.beside(W, found.operator.toarray())
        known["largest"], known["leak"] = (
            unscaled_number(less.largest, shift),
            unscaled_number(less.leak, shift),
        )
    result = SpanFactorization(
        **known,
        missed=unscaled_number(less.missed, shift - start.exponent),
        size=unscaled_number(less.size, shift - start.exponent),
    )
    return RowSpace(
        result,
        rotation,
        n_iter + found.n_iter,
        found.converged if found.n_iter else converged,
    )


def go_on(number: int, error: float) -> bool:
    """A report that nobody reads, and that ends nothing."""
    return False
