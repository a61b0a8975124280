"""The ranks that a tolerance asks for, or that a budget of numbers allows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from skfact._backend import array_namespace, to_numpy
from skfact._checks import is_number, positive_int
from skfact._inputs import is_numpy
from skfact._kernels.low_rank_blocks import Classes
from skfact.butterfly._hierarchical import splits_in_order
from skfact.butterfly._reading import Permutation, arrange
from skfact.butterfly._structure.choice import DENSITY
from skfact.butterfly._structure.sums import splits_of_budget
from skfact.butterfly._sum import SUFFIX, family_of_sum
from skfact.supports import FAMILIES, Chain, resolve_supports


def check_bounds(supports: Any, rank: Any, tol: Any, max_density: Any) -> None:
    """Raise unless `tol` and `max_density` are what they should be, one of them at most.

    And nothing else says which rank to take.
    """
    if is_chosen(supports) and rank is not None:
        positive_int(rank, "rank")
        raise ValueError(
            f"supports={supports!r} chooses the ranks, got rank={rank!r}: pass max_density, or the "
            "name of a family."
        )
    for name, value, high in (("tol", tol, math.inf), ("max_density", max_density, 1.0)):
        if value is None:
            continue
        if not is_number(value, float):
            raise TypeError(f"{name} must be a number, got {value!r}.")
        if not 0 < value <= high or value == math.inf:
            kind = "positive and finite" if name == "tol" else "a share above 0 and at most 1"
            raise ValueError(f"{name} must be {kind}, got {value!r}.")
        if rank is not None:
            raise ValueError(
                f"Pass rank={rank!r} or {name}={value!r}, not both: {name} chooses the rank."
            )
        if not isinstance(supports, str):
            raise ValueError(
                f"{name}={value!r} chooses the rank of a named family ({', '.join(FAMILIES)}); a "
                f"Chain or a callable carries its own ranks. Pass the name, or {name}=None."
            )
    if tol is not None and max_density is not None:
        raise ValueError(
            f"Pass tol={tol!r} or max_density={max_density!r}, not both: one asks for the fewest "
            "numbers, the other for the least error."
        )


def is_chosen(supports: Any) -> bool:
    """Whether the ranks of supports are no parameter."""
    return isinstance(supports, str) and (supports == "auto" or family_of_sum(supports) is not None)


def check_auto(permutation: Any, order: Any) -> None:
    """Raise if something is asked for that supports="auto" chooses."""
    if not (isinstance(permutation, str) and permutation == "auto"):
        raise ValueError(
            f"supports='auto' chooses the permutation, got permutation={permutation!r:.60}: pass "
            "permutation='auto', or the matrix with its rows and columns in another order."
        )
    if isinstance(order, str) or not isinstance(order, Sequence):
        splits_in_order(order, 2)
    else:
        raise ValueError(
            f"supports='auto' chooses how many splits there are: pass order by name, got {order!r}."
        )


def check_inputs(supports: Any, tol: Any) -> None:
    """Raise if errors on inputs are not minimized with these."""
    if family_of_sum(supports) is not None:
        raise ValueError(
            f"supports={supports!r} is not fitted to inputs: pass the family without "
            f"{SUFFIX!r}, or inputs=None."
        )
    if tol is not None and supports_are(supports, "auto"):
        raise ValueError(
            "supports='auto' on inputs looks for the least error within max_density: pass that in "
            f"place of tol={tol!r}."
        )


def check_sum(A: Any, supports: str, max_density: float | None) -> str:
    """The family of "..+sparse"; raise unless it is one, within a budget, of NumPy's."""
    family = family_of_sum(supports) or ""
    if family not in FAMILIES or family == "dense":
        names = ", ".join(repr(name + SUFFIX) for name in FAMILIES if name != "dense")
        raise ValueError(f"supports={supports!r} is not one of {names}.")
    if max_density is None:
        raise ValueError(
            f"supports={supports!r} shares a budget between factors and entries: pass max_density, "
            "the share of the numbers of the matrix that both may have."
        )
    if not is_numpy(array_namespace(A)):
        raise TypeError(
            f"supports={supports!r} needs a NumPy array, since entries are kept as a SciPy sparse "
            f"matrix; got {type(A).__name__}."
        )
    return family


def least_numbers(family: str, shape: tuple[int, int], max_density: Any) -> tuple[int, int]:
    """The numbers of rank one, and of a budget; raise unless entries fit beside it."""
    least, budget = resolve_supports(family, *shape, rank=1).nnz, numbers_within(max_density, shape)
    if not splits_of_budget(budget, least):
        size, needed = math.prod(shape), budget + 1
        while needed <= size and not splits_of_budget(needed, least):
            needed += 1
        what = f"supports={family + SUFFIX!r}"
        raise _too_small(max_density, budget, max(needed, least), size, what)
    return least, budget


def supports_are(supports: Any, name: str) -> bool:
    """Whether supports are asked for by this name; an array is not compared with it."""
    return isinstance(supports, str) and supports == name


def numbers_within(max_density: float, shape: tuple[int, int]) -> int:
    """The largest number of entries that is at most such a share of a matrix."""
    return math.floor(float(max_density) * math.prod(shape) * (1 + 1e-12))


def auto_budget(max_density: float | None, shape: tuple[int, int]) -> int:
    """How many numbers supports="auto" may take.

    Raises
    ------
    ValueError
        If not even rank one has so few.
    """
    least, size = min(sum(shape), math.prod(shape)), math.prod(shape)
    if max_density is None:
        return max(numbers_within(DENSITY, shape), least)
    budget = numbers_within(max_density, shape)
    if budget < least:
        raise _too_small(max_density, budget, least, size, "the smallest structure")
    return budget


def largest_rank(
    supports: str, shape: tuple[int, int], budget: int, max_density: float | None = None
) -> int:
    """The largest rank with which a family has at most so many numbers, of a share if given."""

    def numbers(rank: int) -> int:
        return resolve_supports(supports, *shape, rank=rank).nnz

    if numbers(1) > budget:
        size = math.prod(shape)
        asked = budget / size if max_density is None else max_density
        raise _too_small(asked, budget, numbers(1), size, f"supports={supports!r}")
    low, high = 1, min(shape) + 1  # the numbers never fall as the rank grows
    while high - low > 1:
        rank = (low + high) // 2
        low, high = (rank, high) if numbers(rank) <= budget else (low, rank)
    return low


def _too_small(density: float, budget: int, least: int, size: int, what: str) -> ValueError:
    instead = f": pass at least {math.ceil(1e4 * least / size) / 1e4:g}."
    if least > size:
        instead = f", more than the {size} of the matrix: pass other supports, or keep the matrix."
    return ValueError(
        f"max_density={float(density)!r} allows {budget} numbers, {what} takes {least}{instead}"
    )


def least_rank(A: Any, chain: Chain, permutation: Permutation, target: float) -> int:
    """Smallest rank at which the middle split alone does not already exceed the target error."""
    if len(chain) == 1:
        return 1
    xp, middle = array_namespace(A), len(chain) // 2
    arranged = arrange(A, chain, permutation)
    classes = Classes.of_pair(chain[:middle].product, chain[middle:].product)
    blocks = classes.blocks_of_product(arranged.values())
    s = xp.linalg.svdvals(xp.reshape(blocks, (-1, *blocks.shape[-2:])))
    squares = to_numpy(xp.sum(s**2, axis=0)).astype(float)
    tails = np.append(np.cumsum(squares[::-1])[::-1], 0.0)
    # a little below the target: rounding must not skip a rank that reaches it
    return max(1, int(np.argmax(tails <= (target * (1 + 1e-6)) ** 2)))
