"""Running vectors through an operator: input check, plan of fused factors, tiles.

Kronecker-sparse factors on NumPy arrays go through compiled loops where numba is installed,
everything else through batched matrix products of the array library.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse

from skfact._backend import array_namespace, device
from skfact._inputs import as_floating, dtype_name, is_numpy
from skfact._kernels.apply.program import multiply_lanes, tile_cost
from skfact.operators._compiled import (
    compiled_factors,
    compiled_product,
    fused_safely,
    in_dtype,
    program,
)
from skfact.operators._fuse import USUAL_BATCH, cheapest_partition, numpy_cost

# Bytes of one intermediate result. Of 1/2, 1, 2 and 4 MiB this was the fastest or near it for real
# and complex products at n = 1024 and 4096, batches of 16 to 1024, on one core with 0.5 MiB of
# second-level cache: up to 27 % faster than 1/2 MiB, and 4 MiB costs up to 40 % for large batches.
TILE_BYTES = 2**21
SMALLEST_TILE = 32


def check_operand(
    operator: Any,
    array: Any,
    name: str,
    ndims: tuple[int, ...],
    axis: int,
    *,
    adjoint: bool = False,
) -> Any:
    """A floating array of the operator's library and device that fits it along `axis`.

    With `adjoint` it has to fit the operator's rows, else its columns.
    """
    dtype, xp = operator.dtype, operator._xp
    on_numpy = is_numpy(xp)
    if not (on_numpy and type(array) is np.ndarray and array.dtype == dtype):  # the usual case
        array = as_floating(array, name, dtype)
    if not (on_numpy and isinstance(array, np.ndarray)):
        array_namespace(operator.factors[0]._array, array)  # raises if they differ
        if device(array) != operator._device:
            raise ValueError(
                f"{name} is on device {device(array)}, the operator on {operator._device}: use "
                f"operator.to_device({name})."
            )
    if array.ndim not in ndims:
        wanted = " or ".join(f"{ndim}-D" for ndim in ndims)
        raise ValueError(f"{name} must be {wanted}, got shape {tuple(array.shape)}.")
    size = operator.shape[0 if adjoint else 1]
    if array.shape[axis] != size:
        raise ValueError(
            f"{name} has shape {tuple(array.shape)}, but its axis {axis} must have length {size}: "
            f"the operator has shape {operator.shape}."
        )
    return array


def tile_width(factors: Sequence[Any], itemsize: int) -> int:
    """Number of vectors that go through all factors together with NumPy."""
    widest = max(max(factor.shape) for factor in factors)
    return max(SMALLEST_TILE, TILE_BYTES // (itemsize * widest) // SMALLEST_TILE * SMALLEST_TILE)


def plan(operator: Any, dtype: Any, batch: int) -> tuple[tuple[Any, ...], int]:
    """The factors to compute with, some multiplied out, and the width of a tile."""
    doublings = (batch - 1).bit_length() if batch else 0
    key = (dtype, (doublings + 1) // 2)  # one plan for each of 1, 4, 16, 64, ...
    found = operator._cache.get(key)
    if found is None:
        width = tile_width(operator.factors, np.dtype(dtype_name(dtype)).itemsize)
        size = 4 ** key[1]
        factors = make_plan(operator, dtype, min(size, width) if is_numpy(operator._xp) else size)
        found = operator._cache[key] = (factors, width)
    return found


def make_plan(operator: Any, dtype: Any, batch: int) -> tuple[Any, ...]:
    """The factors in `dtype`, fused as the cost model advises for this batch."""
    runs = cheapest_partition(in_dtype(operator, dtype), numpy_cost(dtype, batch))
    return fused_safely(operator, dtype, runs)


def usual_plan(operator: Any) -> tuple[Any, ...]:
    """The factors as they are fastest for a batch of usual size."""
    compiled = compiled_factors(operator, operator.dtype, tile_cost)
    return compiled or make_plan(operator, operator.dtype, USUAL_BATCH)


def multiply(factors: Sequence[Any], X: Any) -> Any:
    """Product of the factors and the columns of `X`: the last factor comes first."""
    for factor in reversed(factors):
        X = factor.apply(X)
    return X


def promote(operator: Any, X: Any) -> Any:
    """`X` in the dtype that it has in common with the operator."""
    if X.dtype == operator.dtype:
        return X
    xp = operator._xp
    return xp.astype(X, xp.result_type(X.dtype, operator.dtype), copy=False)


def multiply_columns(operator: Any, X: Any) -> Any:
    """Product with the columns of an array (n_in, batch) that has been checked.

    With NumPy, in tiles of the batch that stay in cache.
    """
    X = promote(operator, X)
    if isinstance(X, np.ndarray):
        found = compiled_product(operator, X.T, rows=False)
        if found is not None:
            return found.T
    factors, width = plan(operator, X.dtype, X.shape[1])
    if not isinstance(X, np.ndarray) or X.shape[1] <= width:
        return own(operator, multiply(factors, X))
    out = np.empty((operator.shape[0], X.shape[1]), X.dtype)
    for start in range(0, X.shape[1], width):
        tile = slice(start, start + width)
        out[:, tile] = multiply(factors, X[:, tile])
    return out


def multiply_rows(operator: Any, X: Any) -> Any:
    """The same for the rows of an array (batch, n_in)."""
    X = promote(operator, X)
    if isinstance(X, np.ndarray):
        found = compiled_product(operator, X, rows=True)
        if found is not None:
            return found
    xp = operator._xp
    factors, width = plan(operator, X.dtype, X.shape[0])
    if not isinstance(X, np.ndarray):
        columns = multiply(factors, xp.permute_dims(X, (1, 0)))
        return xp.permute_dims(own(operator, columns), (1, 0))
    out = np.empty((X.shape[0], operator.shape[0]), X.dtype)
    for start in range(0, X.shape[0], width):
        tile = slice(start, start + width)
        out[tile] = multiply(factors, X[tile].T).T
    return out


def multiply_vector(operator: Any, x: Any) -> Any:
    """The same for one vector (n_in,)."""
    x = promote(operator, x)
    if isinstance(x, np.ndarray):
        lanes = program(operator, x.dtype, "lanes")
        if lanes is not None:
            return multiply_lanes(lanes, x if x.flags.carray else x.copy())
    factors, _ = plan(operator, x.dtype, 1)
    return own(operator, multiply(factors, x[:, None]))[:, 0]


def own(operator: Any, result: Any) -> Any:
    """A result that shares no memory with the input, as that of selections alone may do."""
    if any(factor.dtype is not None for factor in operator.factors):
        return result
    return operator._xp.asarray(result, copy=True)


def apply_sparse(operator: Any, X: Any) -> np.ndarray:
    """Images of the rows of a SciPy sparse matrix, sparse through the first factor applied."""
    if not is_numpy(operator._xp):
        raise TypeError(
            "X is a SciPy sparse matrix, which goes with NumPy operators only: use "
            "operator.to_device('numpy'), or make X dense."
        )
    if X.ndim != 2 or X.shape[1] != operator.shape[1]:
        raise ValueError(
            f"X has shape {X.shape}, but must be 2-D with {operator.shape[1]} columns: the "
            f"operator has shape {operator.shape}."
        )
    as_floating(np.empty(0, X.dtype), "X")  # refuses dtypes that cannot be computed with
    if X.dtype.kind in "biu":
        X = X.astype(operator.dtype)
    first, rest = operator._cached("head and rest", lambda: first_applied(operator))
    rows = (scipy.sparse.csr_array(X) @ first.T).toarray()
    return rows if rest is None else multiply_rows(rest, rows)


def first_applied(operator: Any) -> tuple[Any, Any]:
    """The last factor with numbers and the selections after it as one CSR; the other factors."""
    factors = operator.factors
    numerical = [i for i, factor in enumerate(factors) if factor.dtype is not None]
    cut = numerical[-1] if numerical else 0
    (first,) = operator._from(factors[cut:], operator.dtype).to_sparse()
    return first, operator._from(factors[:cut], operator.dtype) if cut else None
