"""The pairs of masks that a family of supports stands for."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from skfact.supports import SupportFamily

Pairs = list[tuple[Any, Any]]


def pairs_of(left_support: Any, right_support: Any) -> Pairs | None:
    """Pairs (left, right), the left one None for no zeros; None where there is no family.

    A family of pairs stands for itself, a family of one factor for each of its masks beside each of
    the other factor.

    Raises
    ------
    TypeError
        If a family of pairs is given for one factor.
    """
    sides = {"left_support": left_support, "right_support": right_support}
    families = {name: one for name, one in sides.items() if isinstance(one, SupportFamily)}
    if not families:
        return None
    if isinstance(left_support, SupportFamily) and left_support.is_paired and right_support is None:
        return list(left_support.members)
    for name, family in families.items():
        if family.is_paired:
            raise TypeError(
                f"{name} is a family of pairs, which has the masks of both factors: pass it alone, "
                "as the left support, or for each factor a mask or a SupportFamily of masks."
            )
    if right_support is None:
        raise TypeError(
            "left_support is a family of masks of the left factor, and there is no right_support: "
            "pass a mask or a family for the right factor, or a family of pairs."
        )
    members = (one.members if isinstance(one, SupportFamily) else (one,) for one in sides.values())
    return list(product(*members))


def pairs_of_supports(supports: Any) -> Pairs | None:
    """The same of what an estimator is given: a family of pairs, or a pair with families."""
    if isinstance(supports, SupportFamily):
        if not supports.is_paired:
            raise TypeError(
                "supports is a SupportFamily of one factor, but there are two: pass a family of "
                "pairs (left, right), or a pair of families, (None, family) for the features alone."
            )
        return pairs_of(supports, None)
    if isinstance(supports, tuple | list) and len(supports) == 2 and supports[1] is not None:
        return pairs_of(*supports)
    return None


def with_left(pair: tuple[Any, Any], n_rows: int) -> tuple[Any, Any]:
    """A pair with a left mask: without zeros, for a matrix of so many rows, where it has none."""
    left, right = pair
    return (np.ones((n_rows, right.shape[0]), dtype=bool), right) if left is None else pair
