"""What kind of factor a sparse matrix could be."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse

from skfact._inputs import as_floating, is_sparse
from skfact.operators._factors.factor import Factor
from skfact.operators._factors.kronecker import KroneckerFactor
from skfact.operators._factors.partial_permutation import PartialPermutation
from skfact.operators._factors.sparse import SparseFactor
from skfact.supports import KroneckerSparse

FILLED = 2  # a pattern is worth it that has at most so many entries for each non-zero


def recognize_factor(matrix: Any) -> Factor:
    """Make the factor of the fastest kind of a matrix.

    What other libraries write as sparse matrices is often a permutation or Kronecker-sparse, and
    then runs in compiled loops, as a :class:`SparseFactor` does not.

    Parameters
    ----------
    matrix : SciPy sparse array or matrix, or 2-D array of NumPy
        The matrix.

    Returns
    -------
    PartialPermutation, KroneckerFactor or SparseFactor
        The first one if all non-zeros are ones, no two of them in a row or a column; the second one
        if some Kronecker-sparse pattern has all non-zeros and at most as many zeros, with the
        smallest such pattern; or else the third one.

    Raises
    ------
    TypeError
        If the matrix is not numeric, or in half or extended precision.
    ValueError
        If it is not 2-D, or has no row or no column.

    See Also
    --------
    FactorizedOperator.to_sparse : The way back.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse
    >>> from skfact.operators import recognize_factor
    >>> butterfly = np.kron(np.eye(4), np.kron([[1, 1], [1, -1]], np.eye(8)))
    >>> recognize_factor(scipy.sparse.csr_array(butterfly))
    KroneckerFactor((4, 2, 2, 8), float64)
    >>> recognize_factor(np.eye(3)[[2, 0]])
    PartialPermutation(2 x 3)
    """
    if not is_sparse(matrix):
        matrix = as_floating(matrix, "matrix")
        if matrix.ndim != 2:
            raise ValueError(f"matrix must be 2-D, got an array of shape {tuple(matrix.shape)}.")
        matrix = scipy.sparse.csr_array(matrix)
    factor = SparseFactor(matrix)
    nonzeros = factor.to_csr().tocoo()
    nonzeros.eliminate_zeros()
    rows, columns, values = nonzeros.row, nonzeros.col, nonzeros.data
    if np.all(values == 1) and is_unique(rows) and is_unique(columns) and len(rows):
        index = np.full(factor.shape[0], -1)
        index[rows] = columns
        return PartialPermutation(index, factor.shape[1])
    pattern = smallest_pattern(factor.shape, rows, columns)
    if pattern.nnz > FILLED * len(values):
        return factor
    a, b, c, d = pattern
    blocks = np.zeros((a, d, b, c), values.dtype)
    blocks[rows // (b * d), rows % d, rows // d % b, columns // d % c] = values
    return KroneckerFactor(blocks, pattern)


def is_unique(indices: np.ndarray) -> bool:
    """Whether no index is there twice."""
    return len(np.unique(indices)) == len(indices)


def smallest_pattern(
    shape: tuple[int, int], rows: np.ndarray, columns: np.ndarray
) -> KroneckerSparse:
    """The Kronecker-sparse pattern of fewest entries that has all of these places."""
    m, n = shape
    common = int(np.gcd(m, n))
    found = 1, m, n, 1
    for a in (a for a in range(1, common + 1) if common % a == 0):
        height, width = m // a, n // a
        if np.any(rows // height != columns // width):
            continue
        # the differences of rows and columns within a block are multiples of d
        d = int(np.gcd.reduce(rows % height - columns % width, initial=common // a))
        if a * d >= found[0] * found[3]:
            found = a, height // d, width // d, d
    return KroneckerSparse(*found)
