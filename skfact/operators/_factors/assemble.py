"""What a user calls factors, as factors that fit together."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from skfact._backend import array_namespace, device
from skfact._checks import check_ordered
from skfact._inputs import as_floating, is_sparse, namespace_dtype
from skfact.operators._factors.factor import Factor
from skfact.operators._factors.kronecker import KroneckerFactor
from skfact.operators._factors.sparse import SparseFactor


def assemble(factors: Iterable[Any]) -> tuple[list[Any], Any]:
    """The factors in one library, on one device and of one dtype; and that dtype."""
    what = "a sequence of factors, 2-D arrays or SciPy sparse matrices"
    check_ordered(factors, "factors", what)
    if getattr(factors, "ndim", None) == 2:
        raise TypeError(f"factors must be {what}, got one matrix: wrap it, [factors].")
    converted: list[Any] = [as_factor(factor, i) for i, factor in enumerate(factors)]
    if not converted:
        raise ValueError("factors is empty; an operator needs at least one factor.")
    for position, (left, right) in enumerate(pairwise(converted)):
        if left.shape[1] != right.shape[0]:
            raise ValueError(
                f"factors[{position}] and factors[{position + 1}] do not fit: their shapes are "
                f"{left.shape} and {right.shape}."
            )
    numerical = [factor for factor in converted if factor.dtype is not None]
    arrays = [factor._array for factor in numerical or converted[:1]]
    xp = array_namespace(*arrays)
    place = device(arrays[0])
    if any(device(array) != place for array in arrays):
        raise ValueError("factors must all live on one device; move them there first.")
    if not numerical:  # selections have no dtype of their own
        return [factor._to_device(xp, place) for factor in converted], namespace_dtype(
            "float64", xp
        )
    dtype = xp.result_type(*arrays)
    return [
        factor._to_device(xp, place) if factor.dtype is None else factor.astype(dtype)
        for factor in converted
    ], dtype


def as_factor(factor: Any, position: int) -> Factor:
    """A factor as one of the three classes: 2-D arrays become dense patterns."""
    if isinstance(factor, Factor):
        return factor
    if is_sparse(factor):
        return SparseFactor(factor)
    array = as_floating(factor, f"factors[{position}]")
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(
            f"factors[{position}] must be a factor, a SciPy sparse matrix or a 2-D array with at "
            f"least one entry, got an array of shape {tuple(array.shape)}."
        )
    m, n = array.shape
    return KroneckerFactor(array_namespace(array).reshape(array, (1, 1, m, n)), (1, m, n, 1))
