"""Norms of an operator, which is never written as one large dense matrix."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from skfact._backend import array_namespace, move_like, to_numpy
from skfact._exponents import times_power_of_two, unscaled_number
from skfact._inputs import dtype_name, is_complex_dtype
from skfact._linalg import is_complex

BLOCK_BYTES = 2**23  # of columns that are looked at together
SMALL = 2**16  # entries of which a dense singular value decomposition takes milliseconds
TOLERANCE = 1e-6  # of singular vectors, whose squares are the errors of singular values


def frobenius_norm(operator: Any) -> float:
    """Root of the sum of squares of all entries, from as many columns at a time as fit a block."""
    tall = operator if operator.shape[0] >= operator.shape[1] else operator.T
    xp, (n_out, n_in) = tall._namespace, tall.shape
    width = max(1, BLOCK_BYTES // (16 * n_out))
    norm = 0.0
    for start in range(0, n_in, width):
        count = min(width, n_in - start)
        columns = xp.eye(n_in, count, k=-start, dtype=tall.dtype, device=tall._device)
        norm = math.hypot(norm, root_of_squares(tall._products.columns(columns)))
    return norm


def root_of_squares(array: Any) -> float:
    """Frobenius norm of an array of any magnitude; NaN or infinite if an entry is."""
    xp = array_namespace(array)
    if is_complex(array):  # the magnitude of an entry may overflow where its parts do not
        return math.hypot(root_of_squares(xp.real(array)), root_of_squares(xp.imag(array)))
    largest = float(xp.max(xp.abs(array)))
    if largest == 0 or not math.isfinite(largest):
        return largest
    ordinary = xp.astype(array, xp.float64) / largest
    return largest * math.sqrt(float(xp.sum(ordinary**2)))


def spectral_norm(operator: Any) -> float:
    """The largest singular value, in double precision."""
    if min(operator.shape) == 1:
        return frobenius_norm(operator)
    double = operator.astype("complex128" if is_complex_dtype(operator.dtype) else "float64")
    if math.prod(double.shape) > SMALL:
        return largest_singular_value(double if double.shape[0] >= double.shape[1] else double.T)
    dense = double.toarray()
    size = root_of_squares(dense)
    if not math.isfinite(size):  # LAPACK does not take it
        return size
    return float(double._namespace.max(double._namespace.linalg.svdvals(dense)))


def largest_singular_value(tall: Any) -> float:
    """The largest singular value of an operator with at most as many columns as rows.

    Lanczos' iteration of ARPACK runs on the host, and the products where the operator is.
    """
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, svds

    def product(operator: Any, x: np.ndarray) -> np.ndarray:
        there = move_like(x.reshape(-1).astype(dtype, copy=False), operator._products.array)
        return to_numpy(operator._products.vector(there))

    dtype, adjoint = np.dtype(dtype_name(tall.dtype)), tall.H
    start = np.random.default_rng(0).standard_normal(tall.shape[1])
    size = root_of_squares(product(tall, start))
    if size == 0 or not math.isfinite(size):
        return size
    exponent = math.frexp(size)[1]  # squares of singular values are formed
    ordinary = LinearOperator(
        tall.shape,
        matvec=lambda x: times_power_of_two(product(tall, x), -exponent),
        rmatvec=lambda y: times_power_of_two(product(adjoint, y), -exponent),
        dtype=dtype,
    )
    try:
        values = svds(ordinary, k=1, tol=TOLERANCE, v0=start, return_singular_vectors=False)
    except ArpackNoConvergence as error:
        raise RuntimeError(
            f"norm(2) did not converge ({error}): take the largest singular value of toarray()."
        ) from error
    return unscaled_number(values[0], exponent)
