"""The hierarchical butterfly factorization (arXiv 2411.04506, arXiv 2110.01230).

A matrix whose support is the product of a chain of Kronecker-sparse patterns is split in two, then
each part in two, until one part per pattern is left. Every split is a batch of best rank-r
approximations of disjoint blocks. Between splits the parts left of the next one are made
orthonormal by columns and those right of it by rows, so that what a split discards from one part is
what it discards from the whole product.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from skfact._backend import array_namespace, is_array_api_obj, to_numpy
from skfact._checks import is_number
from skfact._kernels.low_rank_blocks import Classes, move_magnitudes, split_product
from skfact.supports import Chain, KroneckerSparse


def hierarchical_factorization(
    values: Any,
    chain: Chain,
    splits: Sequence[int],
    *,
    orthonormalize: bool = True,
    on_split: Callable[[int, float], None] | None = None,
) -> tuple[list[Any], dict[int, float]]:
    """Factor the values of a product pattern along a chain without redundancy.

    `values` (a, d, b, c) are those of ``chain.product``, of magnitude around 1; or, where that
    pattern is dense, a matrix that is read permuted and padded. `splits` is a permutation of
    1 .. len(chain) - 1: split s parts the first s factors from the others. Returns the values of
    each pattern, in chain order, and for each split the Frobenius norm that it discarded from the
    part that it split, which `on_split` is told with it.
    """
    parts = [values]
    discarded = {}
    for step in _steps(chain, tuple(splits)):
        if orthonormalize:
            for i, classes, rightwards in step.moves:
                parts[i : i + 2] = move_magnitudes(parts[i], parts[i + 1], classes, rightwards)
        leftwards = orthonormalize and step.leftwards
        left, right, norm = split_product(parts[step.part], step.classes, leftwards)
        if not orthonormalize:
            left, right = _balanced(left, right, step.classes)
        parts[step.part : step.part + 1] = [left, right]
        discarded[step.split] = norm
        if on_split is not None:
            on_split(step.split, norm)
    return parts, discarded


class _Step(NamedTuple):
    """One split, and what has to be done before it."""

    split: int
    part: int  # position of the part that is split
    classes: Classes  # of the two parts that it becomes
    leftwards: bool  # the magnitudes go to the left one
    moves: tuple[tuple[int, Classes, bool], ...]  # of magnitudes between parts i and i + 1


@lru_cache(maxsize=64)
def _steps(chain: Chain, splits: tuple[int, ...]) -> tuple[_Step, ...]:
    """The bookkeeping of a sequence of splits.

    One part, the centre, is not orthonormal. Before each split it is moved, through its neighbours,
    to the part that is split; after it the magnitudes go to the side that is split next.
    """
    ends = [0, len(chain)]  # part i is the product of the factors ends[i] .. ends[i + 1] - 1

    def classes_at(i: int) -> Classes:
        start, split, stop = ends[i : i + 3]
        return Classes.of_pair(chain[start:split].product, chain[split:stop].product)

    steps, centre = [], 0
    for split, following in zip(splits, (*splits[1:], len(chain))):
        part = max(i for i, end in enumerate(ends) if end < split)
        if centre < part:
            moves = [(i, classes_at(i), True) for i in range(centre, part)]
        else:
            moves = [(i, classes_at(i), False) for i in range(centre - 1, part - 1, -1)]
        ends.insert(part + 1, split)
        leftwards = following < split
        steps.append(_Step(split, part, classes_at(part), leftwards, tuple(moves)))
        centre = part if leftwards else part + 1
    return tuple(steps)


def two_factor_step(
    values: Any, left: KroneckerSparse, right: KroneckerSparse, leftwards: bool = False
) -> tuple[Any, Any, float]:
    """Best product of two chainable Kronecker-sparse factors (blockwise SVD, arXiv 2112.00386).

    Returns the values of both factors and the Frobenius norm of what is lost: a global minimum,
    since the classes are disjoint. The left factor has orthonormal class columns and the right one
    is what they keep of the values; with `leftwards` the other way round, so that splits from right
    to left are successive orthogonal projections too.
    """
    return split_product(values, Classes.of_pair(left, right), leftwards)


def expand_redundant(values: Any, chain: Chain) -> list[Any]:
    """Exact factors, along a chain redundant throughout, of any matrix on its support."""
    if len(chain) == 1:
        return [values]
    for split in range(1, len(chain)):
        first, rest = chain[:split], chain[split:]
        if (
            first.product.is_redundant_with(rest.product)
            and len(first.merge_redundant()[0]) == 1
            and len(rest.merge_redundant()[0]) == 1
        ):
            left, right, _ = two_factor_step(values, first.product, rest.product)
            return expand_redundant(left, first) + expand_redundant(right, rest)
    raise ValueError(f"{chain!r} is not redundant throughout.")


def splits_in_order(order: str | Sequence[int], n_factors: int) -> list[int]:
    """The splits 1 .. n_factors - 1 in the order asked for.

    Raises
    ------
    TypeError
        If `order` is neither a name nor a sequence of integers.
    ValueError
        If `order` is an unknown name or not a permutation of the splits.
    """
    forward = list(range(1, n_factors))
    named = {
        "balanced": _balanced_splits(0, n_factors),
        "left-to-right": forward,
        "right-to-left": forward[::-1],
    }
    unknown = f"order must be one of {tuple(named)} or a sequence of splits, got {order!r}."
    if isinstance(order, str):
        if order not in named:
            raise ValueError(unknown)
        return named[order]
    listed = to_numpy(order).tolist() if is_array_api_obj(order) else order
    if not isinstance(listed, Sequence) or not all(is_number(split, int) for split in listed):
        raise TypeError(f"{unknown} A split is an integer, and a set has no order.")
    splits = [int(split) for split in listed]
    if sorted(splits) != forward:
        raise ValueError(
            f"order must name each split 1 .. {n_factors - 1} of the {n_factors} factors once, "
            f"got {order!r}."
        )
    return splits


def _balanced_splits(start: int, stop: int) -> list[int]:
    if stop - start < 2:
        return []
    middle = (start + stop) // 2
    return [middle, *_balanced_splits(start, middle), *_balanced_splits(middle, stop)]


def _balanced(left: Any, right: Any, classes: Classes) -> tuple[Any, Any]:
    """Share the singular values equally: unorthonormalized, other ways lose accuracy."""
    xp = array_namespace(left)
    columns, rows = classes.columns_of_left(left), classes.rows_of_right(right)
    u, s, vh = xp.linalg.svd(rows, full_matrices=False)
    # the root of a rounding error is no small number: it would cost later splits half their digits
    root = xp.sqrt(xp.where(s > 50 * xp.finfo(s.dtype).eps * s[..., :1], s, xp.zeros_like(s)))
    root = xp.astype(root, rows.dtype)
    columns, rows = columns @ (u * root[..., None, :]), root[..., :, None] * vh
    return classes.left_from_columns(columns), classes.right_from_rows(rows)
