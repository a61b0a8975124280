"""What an operator is applied to: arrays and sparse matrices that fit it."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse

from skfact._backend import array_namespace, device
from skfact._inputs import as_floating


def dense_operand(
    array: Any, name: str, products: Any, ndims: tuple[int, ...], axes: tuple[int, int]
) -> Any:
    """A floating array of the operator's library and device that fits it.

    The array's axis axes[0] has to have the length of the operator's axis axes[1].
    """
    on_numpy = products.on_numpy
    if not (on_numpy and type(array) is np.ndarray and array.dtype == products.dtype):
        array = as_floating(array, name, products.dtype)
    if not (on_numpy and isinstance(array, np.ndarray)):
        require_same_place(array, name, products)
    if array.ndim not in ndims:
        wanted = " or ".join(f"{ndim}-D" for ndim in ndims)
        raise ValueError(f"{name} must be {wanted}, got shape {tuple(array.shape)}.")
    if array.shape[axes[0]] != products.shape[axes[1]]:
        raise ValueError(misfit(array, name, products, axes))
    return array


def require_same_place(array: Any, name: str, products: Any) -> None:
    """Raise if an array is of another library, or on another device, than the operator."""
    array_namespace(products.array, array)  # raises if they differ
    place = device(products.array)
    if device(array) != place:
        raise ValueError(
            f"{name} is on device {device(array)}, the operator on {place}: move the array, or the "
            "operator by to_device(array)."
        )


def sparse_operand(
    matrix: Any, name: str, products: Any, axes: tuple[int, int]
) -> scipy.sparse.csr_array:
    """A SciPy sparse matrix of floating numbers that fits a NumPy operator, axes as above."""
    if not products.on_numpy:
        raise TypeError(
            f"{name} is a SciPy sparse matrix, which goes with NumPy operators only: use "
            f"operator.to_device('numpy'), or make {name} dense."
        )
    if matrix.ndim != 2:
        raise ValueError(f"{name} must be 2-D, got a sparse array of shape {matrix.shape}.")
    if matrix.shape[axes[0]] != products.shape[axes[1]]:
        raise ValueError(misfit(matrix, name, products, axes))
    as_floating(np.empty(0, matrix.dtype), name)  # refuses dtypes that cannot be computed with
    if matrix.dtype.kind in "biu":
        matrix = matrix.astype(products.dtype)
    return scipy.sparse.csr_array(matrix)


def misfit(array: Any, name: str, products: Any, axes: tuple[int, int]) -> str:
    """What is wrong with the length of an axis."""
    return (
        f"{name} has shape {tuple(array.shape)}, but its axis {axes[0]} must have length "
        f"{products.shape[axes[1]]}: the operator has shape {products.shape}."
    )


def right_hand_side(B: Any, products: Any, name: str = "B") -> Any:
    """One or several right-hand sides of an operator, dense."""
    if scipy.sparse.issparse(B):
        return sparse_operand(B, name, products, (0, 0)).toarray()
    return dense_operand(B, name, products, (1, 2), (0, 0))
