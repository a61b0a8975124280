"""Parts of an operator by index: entries and lines as arrays, submatrices as operators."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse
from array_api_compat import is_array_api_obj

from skfact._backend import array_namespace, device, move_like, to_numpy
from skfact._inputs import dtype_name
from skfact.operators._factors import PartialPermutation, SparseFactor


def part(operator: Any, key: Any) -> Any:
    """What ``operator[key]`` is: an entry, a row or a column as an array, or an operator."""
    keys = both_sides(key)
    rows, columns = (chosen(operator.shape, axis, keys[axis]) for axis in (0, 1))
    if columns.ndim == 0:
        column = line(operator, int(columns))
        return column[int(rows)] if rows.ndim == 0 else taken(column, rows)
    if rows.ndim == 0:
        return taken(line(operator.T, int(rows)), columns)
    no_slice = not any(isinstance(side, slice) for side in keys)
    if no_slice and not rows.ndim == columns.ndim == 2:
        raise IndexError(
            "Two lists of indices would pair rows with columns, as in an array: for the submatrix "
            "use operator[numpy.ix_(rows, columns)], for single entries operator[i, j]."
        )
    left, right = selection(rows, 0, operator), selection(columns, 1, operator)
    if left is None and right is None:
        return operator
    return operator._between(left, None if right is None else right.T)


def both_sides(key: Any) -> tuple[Any, Any]:
    """The index of the rows and that of the columns, which may be missing."""
    keys = key if isinstance(key, tuple) else (key,)
    dots = [i for i, side in enumerate(keys) if side is Ellipsis]
    if len(dots) == 1 and len(keys) <= 3:
        filling = (slice(None),) * (3 - len(keys))
        keys = keys[: dots[0]] + filling + keys[dots[0] + 1 :]
    keys = (*keys, slice(None))[: max(2, len(keys))]
    if len(keys) != 2 or any(
        side is None or side is Ellipsis or isinstance(side, bool | np.bool_) for side in keys
    ):
        raise IndexError(
            f"An operator is indexed as operator[rows, columns], each an int, a slice, a list or a "
            f"mask; got {key!r}."
        )
    return keys


def chosen(shape: tuple[int, int], axis: int, key: Any) -> np.ndarray:
    """Numbers of the rows (axis 0) or columns (axis 1) that an index takes, as NumPy reads it."""
    if is_array_api_obj(key):
        key = to_numpy(key)
    numbers = np.arange(shape[axis])
    # indexed as one of two axes, so that errors name the right one
    found = numbers[:, None][key, 0] if axis == 0 else numbers[None, :][0, key]
    if found.size == 0:
        raise IndexError(
            f"The index of axis {axis} takes nothing, but an operator has at least one row and one "
            "column."
        )
    if found.ndim > 2 or (found.ndim == 2 and found.shape[1 - axis] != 1):
        raise IndexError(
            f"The index of axis {axis} has shape {found.shape}, but must have one dimension, or be "
            "that of numpy.ix_(rows, columns)."
        )
    return np.asarray(found)


def line(operator: Any, number: int) -> Any:
    """A column of the operator as an array."""
    array = operator._products.array
    places = operator._namespace.arange(operator.shape[1], device=device(array))
    return operator._products.vector(operator._namespace.astype(places == number, operator.dtype))


def taken(vector: Any, numbers: np.ndarray) -> Any:
    """Entries of a vector."""
    return array_namespace(vector).take(vector, move_like(numbers, vector))


def selection(numbers: np.ndarray, axis: int, operator: Any) -> Any:
    """The factor that takes these rows of what stands to its right; None if all in their order."""
    numbers, n = numbers.reshape(-1), operator.shape[axis]
    if np.array_equal(numbers, np.arange(n)):
        return None
    array = operator._products.array
    if np.unique(numbers).size == numbers.size:
        return PartialPermutation._of(numbers.astype(np.int64), n, array)
    ones = np.ones(numbers.size, dtype_name(operator.dtype))
    rows = (ones, numbers, np.arange(numbers.size + 1))
    repeating = SparseFactor(scipy.sparse.csr_array(rows, shape=(numbers.size, n)))
    return repeating._to_device(operator._namespace, device(array))
