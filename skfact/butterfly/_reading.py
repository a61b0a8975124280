"""The matrix before it is factored: permuted and padded, as it is read."""

from __future__ import annotations

from typing import Any

import numpy as np

from skfact._backend import array_namespace, device, move, to_numpy
from skfact._kernels.low_rank_blocks import Arranged
from skfact.supports import Chain, KroneckerSparse, digit_reversal
from skfact.supports._kronecker import flat_places

Permutation = str | tuple[Any, Any] | None

#: Whether the digits of rows and of columns are reversed.
REVERSED = {
    "columns": (False, True),
    "digit-reversal": (False, True),
    "rows": (True, False),
    "both": (True, True),
}
#: "auto" chooses one of these, "cluster" and "search" find a pair.
NAMES = ("auto", "cluster", "search", *REVERSED)


def arrange(A: Any, chain: Chain, permutation: Permutation, *, checked: bool = True) -> Arranged:
    """``A[rows][:, cols]`` after padding with zeros to the shape of the chain; copies nothing."""
    pair = _permutation_pair(permutation, A.shape, chain)
    rows, cols = (
        _with_zeros(index, size, padded)
        for index, size, padded in zip(pair, A.shape, chain.shape, strict=True)
    )
    return Arranged(A, rows, cols, checked)


def _with_zeros(index: np.ndarray | None, size: int, padded: int) -> np.ndarray | None:
    """Index of the matrix itself for an index of the padded one: -1 beyond its end."""
    if index is None and size == padded:
        return None
    index = np.arange(padded) if index is None else index
    return np.where(index < size, index, -1)


def check_permutation(permutation: Any) -> None:
    """Raise unless it is None, a name or a pair."""
    kinds = f"permutation must be None, one of {NAMES} or a pair (rows, cols), got {permutation!r}."
    if isinstance(permutation, str):
        if permutation not in NAMES:
            raise ValueError(kinds)
    elif permutation is not None and not (
        isinstance(permutation, (tuple, list)) and len(permutation) == 2
    ):
        raise TypeError(f"{kinds} Pass (None, cols) to permute columns only.")


def _permutation_pair(
    permutation: Permutation, shape: tuple[int, int], chain: Chain
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Row and column permutation of the padded matrix; None is the identity."""
    check_permutation(permutation)
    if permutation is None:
        return None, None
    if isinstance(permutation, str):
        of_rows, of_cols = REVERSED[permutation]
        return (
            digit_reversal(chain.out_radices) if of_rows else None,
            digit_reversal(chain.in_radices) if of_cols else None,
        )
    rows, cols = (
        _padded_permutation(index, name, size, padded)
        for index, name, size, padded in zip(
            permutation, ("rows", "cols"), shape, chain.shape, strict=True
        )
    )
    return rows, cols


def _padded_permutation(index: Any, name: str, size: int, padded: int) -> np.ndarray | None:
    if index is None:
        return None
    found = np.asarray(to_numpy(index))
    n = padded if found.shape == (padded,) else size
    if found.shape != (n,) or not np.issubdtype(found.dtype, np.integer):
        raise ValueError(
            f"permutation {name} must be {size} integers, one per index of A, "
            f"{f'or {padded} with those of padding, ' if padded > size else ''}"
            f"got shape {found.shape} and dtype {found.dtype}."
        )
    if not np.array_equal(np.sort(found), np.arange(n)):
        raise ValueError(
            f"permutation {name} must contain each of 0 .. {n - 1} exactly once; "
            "some index is repeated, missing or out of range."
        )
    return np.concatenate([found.astype(np.intp), np.arange(n, padded)])


def values_on_support(arranged: Arranged, support: KroneckerSparse) -> tuple[Any, float]:
    """Values (a, d, b, c) of a matrix on a pattern, and its norm off it.

    A pattern without zeros leaves the matrix where it is, for the first split to read.
    """
    a, b, c, d = support
    if a == d == 1:
        return arranged, 0.0
    A = arranged.toarray()
    xp = array_namespace(A)
    flat = move(flat_places(support).ravel(), xp, device(A))
    values = xp.reshape(xp.take(xp.reshape(A, (-1,)), flat), (a, d, b, c))
    outside = A - support.project(A)
    return values, float(xp.linalg.vector_norm(outside))
