"""The hierarchical butterfly factorization (arXiv 2411.04506, arXiv 2110.01230).

A matrix whose support is the product of a chain of Kronecker-sparse patterns is split in two, then
each part in two, until one part per pattern is left. Every split is a batch of best rank-r
approximations of disjoint blocks. Between splits the parts left of the next one are made
orthonormal by columns and those right of it by rows, so that what a split discards from one part is
what it discards from the whole product.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from skfact._backend import array_namespace
from skfact._kernels.batched_linalg import adjoint, thin_qr
from skfact._kernels.low_rank_blocks import low_rank_blocks
from skfact.operators._rank_one_classes import (
    blocks_of_product,
    columns_of_left,
    left_from_columns,
    right_from_rows,
    rows_of_right,
)
from skfact.supports import Chain, KroneckerSparse

# Entries of the product copied at once: the working set of a batch stays in cache.
CHUNK = 2**17


def hierarchical_factorization(
    values: Any,
    chain: Chain,
    splits: Sequence[int],
    *,
    orthonormalize: bool = True,
    on_split: Callable[[int, float], None] | None = None,
) -> tuple[list[Any], dict[int, float]]:
    """Factor the values of a product pattern along a chain.

    Parameters
    ----------
    values : array of shape (a, d, b, c)
        Values of ``chain.product``, of magnitude around 1.
    chain : Chain
        Without redundancy.
    splits : sequence of int
        A permutation of 1 .. len(chain) - 1: split s parts the first s factors from the others.
    orthonormalize : bool
        Orthonormalize the other parts before each split.
    on_split : callable, optional
        Called with (split, discarded norm) after each split.

    Returns
    -------
    factors : list of arrays
        Values of each pattern, in chain order.
    discarded : dict
        For each split the Frobenius norm that it discarded from the part that it split.
    """
    parts = [(0, len(chain), values)]
    centre = 0  # the one part that is not orthonormal
    discarded = {}
    for i, split in enumerate(splits):
        target = next(i for i, (start, stop, _) in enumerate(parts) if start < split < stop)
        if orthonormalize:
            _move_centre(parts, chain, centre, target)
        start, stop, whole = parts[target]
        left_pattern, right_pattern = chain[start:split].product, chain[split:stop].product
        # the magnitudes go to the side that is split next
        leftwards = orthonormalize and i + 1 < len(splits) and splits[i + 1] < split
        left, right, norm = two_factor_step(whole, left_pattern, right_pattern, leftwards)
        if not orthonormalize:
            left, right = _balanced(left, right, left_pattern, right_pattern)
        parts[target : target + 1] = [(start, split, left), (split, stop, right)]
        centre = target if leftwards else target + 1
        discarded[split] = norm
        if on_split is not None:
            on_split(split, norm)
    return [part for _, _, part in parts], discarded


def two_factor_step(
    values: Any, left: KroneckerSparse, right: KroneckerSparse, leftwards: bool = False
) -> tuple[Any, Any, float]:
    """Best product of two chainable Kronecker-sparse factors (blockwise SVD, arXiv 2112.00386).

    Returns the values of both factors and the Frobenius norm of what is lost: a global minimum,
    since the classes are disjoint. The left factor has orthonormal class columns and the right one
    is what they keep of the values; with `leftwards` the other way round, so that splits from right
    to left are successive orthogonal projections too.
    """
    xp = array_namespace(values)
    blocks = blocks_of_product(values, left, right)  # (a1, t, u, d2, b1, c2)
    batch, (p, q), r = blocks.shape[:4], blocks.shape[4:], left.rank_with(right)
    axis = max(range(4), key=lambda i: batch[i])
    step = max(1, CHUNK * batch[axis] // math.prod(blocks.shape))
    columns, rows, squares = [], [], 0.0
    for first in range(0, batch[axis], step):
        last = min(first + step, batch[axis])
        index = (slice(None),) * axis + (slice(first, last), ...)
        chunk = blocks[index]
        some = chunk.shape[:4]
        chunk = xp.reshape(chunk, (-1, p, q))
        if leftwards:
            y, x, residual = low_rank_blocks(adjoint(chunk), r)
            x, y = adjoint(x), adjoint(y)
        else:
            x, y, residual = low_rank_blocks(chunk, r)
        columns.append(xp.reshape(x, (*some, p, r)))
        rows.append(xp.reshape(y, (*some, r, q)))
        squares = math.hypot(squares, float(xp.linalg.vector_norm(residual)))
    x, y = xp.concat(columns, axis=axis), xp.concat(rows, axis=axis)
    return left_from_columns(x, left, right), right_from_rows(y, left, right), squares


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
    ValueError
        If `order` is an unknown name or not a permutation of the splits.
    """
    names = ("balanced", "left-to-right", "right-to-left")
    forward = list(range(1, n_factors))
    if isinstance(order, str):
        if order not in names:
            raise ValueError(
                f"order must be one of {names} or a sequence of splits, got {order!r}."
            )
        if order == "balanced":
            return _balanced_splits(0, n_factors)
        return forward if order == "left-to-right" else forward[::-1]
    try:
        splits = [int(split) for split in order if int(split) == split]
        given = len(order)
    except (TypeError, ValueError):
        raise TypeError(
            f"order must be one of {names} or a sequence of splits, got {order!r}."
        ) from None
    if sorted(splits) != forward or given != len(forward):
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


def _move_centre(parts: list[tuple[int, int, Any]], chain: Chain, centre: int, target: int) -> None:
    """Push what is not orthonormal from one part to another, through its neighbours, in place."""
    step = 1 if target > centre else -1
    for here in range(centre, target, step):
        low = min(here, here + step)
        (start, split, left), (_, stop, right) = parts[low], parts[low + 1]
        pair = chain[start:split].product, chain[split:stop].product
        columns, rows = columns_of_left(left, *pair), rows_of_right(right, *pair)
        if step == 1:
            columns, triangle = thin_qr(columns)
            rows = triangle @ rows
        else:
            basis, triangle = thin_qr(adjoint(rows))
            columns, rows = columns @ adjoint(triangle), adjoint(basis)
        parts[low] = (start, split, left_from_columns(columns, *pair))
        parts[low + 1] = (split, stop, right_from_rows(rows, *pair))


def _balanced(
    left: Any, right: Any, left_pattern: KroneckerSparse, right_pattern: KroneckerSparse
) -> tuple[Any, Any]:
    """Share the singular values equally: unorthonormalized, other ways lose accuracy."""
    xp = array_namespace(left)
    columns = columns_of_left(left, left_pattern, right_pattern)
    rows = rows_of_right(right, left_pattern, right_pattern)
    u, s, vh = xp.linalg.svd(rows, full_matrices=False)
    # the root of a rounding error is no small number: it would cost later splits half their digits
    root = xp.sqrt(xp.where(s > 50 * xp.finfo(s.dtype).eps * s[..., :1], s, xp.zeros_like(s)))
    root = xp.astype(root, rows.dtype)
    columns, rows = columns @ (u * root[..., None, :]), root[..., :, None] * vh
    return (
        left_from_columns(columns, left_pattern, right_pattern),
        right_from_rows(rows, left_pattern, right_pattern),
    )
