"""Matrices that are constant along diagonals: Toeplitz and circulant ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse

from skfact._backend import array_namespace, to_numpy
from skfact._checks import refuse_lazy, require_finite
from skfact._inputs import as_floating, is_numpy
from skfact.operators import FactorizedOperator
from skfact.supports._radices import prime_factors
from skfact.transforms._fourier.circular import complex_circulant, real_circulant
from skfact.transforms._fourier.sizes import fast_size, real_nnz
from skfact.transforms._fourier.stages import Stages

SPARSE_COST = 8  # times that a number of a sparse matrix takes that of one in a compiled chain


def circulant(c: Any) -> FactorizedOperator:
    r"""Circulant matrix: circular convolution with `c`, as ``scipy.linalg.circulant``.

    Parameters
    ----------
    c : array-like of shape (n,)
        First column, real or complex, from any array library.

    Returns
    -------
    FactorizedOperator of shape (n, n)
        In the dtype and array library of `c`; the factors are computed on the host. Those of a real
        column are real.

    Raises
    ------
    TypeError
        If `c` is sparse or not numeric.
    ValueError
        If `c` is no vector, is empty, or has NaN or infinite entries.

    See Also
    --------
    toeplitz : Convolution that is not circular, and other matrices with constant diagonals.
    skfact.butterfly.circulant_factorize : Square complex factors, of the whole matrix too.

    Notes
    -----
    A product with the spectrum of `c` between two Fourier transforms, the last of which is
    the transpose of the first. For a power of two, n > 2, a real column has :math:`8 n (\log_2 n -
    1)` non-zeros and a complex one :math:`4 n \log_2 n`. If n has a large prime factor, the
    transforms are of another size, of at least 2 n - 1. What has fewer non-zeros is chosen, a dense
    or a sparse matrix included.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.linalg
    >>> from skfact.transforms import circulant
    >>> c = np.random.default_rng(0).standard_normal(256)
    >>> op = circulant(c)
    >>> op
    FactorizedOperator(256 x 256, 16 factors, nnz=14336, float64)
    >>> bool(np.allclose(op.toarray(), scipy.linalg.circulant(c)))
    True
    """
    c = finite_vector(c, "c")
    host = to_numpy(c)
    n = len(host)
    places = np.arange(n)
    found = shift_invariant(
        np.concatenate([host[1:], host]), 1 - n, places, places, is_numpy(array_namespace(c)), n
    )
    return like(found, c)


def toeplitz(c: Any, r: Any = None) -> FactorizedOperator:
    """Toeplitz matrix, constant along diagonals, as ``scipy.linalg.toeplitz``.

    Parameters
    ----------
    c : array-like of shape (n_out,)
        First column, real or complex, from any array library.
    r : array-like of shape (n_in,), default=None
        First row, whose first entry is not used. None is the conjugate of `c`.

    Returns
    -------
    FactorizedOperator of shape (n_out, n_in)
        In the common dtype and the array library of both; the factors are computed on the host.

    Raises
    ------
    TypeError
        If `c` or `r` is sparse or not numeric.
    ValueError
        If `c` or `r` is no vector, is empty, or has NaN or infinite entries.

    See Also
    --------
    circulant : Matrices that are periodic as well.
    convolution : Bands, of signals and images.

    Notes
    -----
    A corner of a circulant matrix of at least n_out + n_in - 1 rows, of a size whose prime factors
    are small. What has fewer non-zeros is chosen, a dense or a sparse matrix included.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.linalg
    >>> from skfact.transforms import toeplitz
    >>> c, r = np.random.default_rng(0).standard_normal((2, 300))
    >>> op = toeplitz(c, r)
    >>> bool(np.allclose(op.toarray(), scipy.linalg.toeplitz(c, r)))
    True
    """
    c = finite_vector(c, "c")
    xp = array_namespace(c)
    r = (xp.conj(c) if xp.isdtype(c.dtype, "complex floating") else c) if r is None else r
    r = finite_vector(r, "r")
    column, row = to_numpy(c), to_numpy(r)
    found = shift_invariant(
        np.concatenate([row[:0:-1], column]),
        1 - len(row),
        np.arange(len(column)),
        np.arange(len(row)),
        is_numpy(array_namespace(c, r)),
    )
    return like(found, c)


def finite_vector(c: Any, name: str) -> Any:
    """A vector with entries, in its array library."""
    refuse_lazy(c, name)
    c = as_floating(c, name)
    if c.ndim != 1 or not c.shape[0]:
        raise ValueError(
            f"{name} must be 1-D with at least one entry, got an array of shape {tuple(c.shape)}."
        )
    xp = array_namespace(c)
    require_finite(float(xp.max(xp.abs(c))), name)
    return c


def like(operator: FactorizedOperator, array: Any) -> FactorizedOperator:
    """The operator in the library and on the device of an array."""
    return operator if isinstance(array, np.ndarray) else operator.to_device(array)


def shift_invariant(
    kernel: np.ndarray,
    low: int,
    rows: np.ndarray,
    columns: np.ndarray,
    may_be_sparse: bool,
    period: int | None = None,
) -> FactorizedOperator:
    """The matrix with entries ``kernel[rows[i] - columns[j] - low]``, and 0 beyond the kernel.

    `rows` and `columns` are ascending. `period` is that of the kernel, if it is known to have one.
    """
    first, last = int(rows[0] - columns[-1]), int(rows[-1] - columns[0])  # differences there are
    kernel, low = kernel[max(0, first - low) : last - low + 1], max(low, first)
    sides = [int(places[-1] - places[0]) + 1 for places in (rows, columns)]
    size = max(low + len(kernel) - first, last - low + 1, *sides)
    is_complex = kernel.dtype.kind == "c"

    def cost(M: int) -> int:
        return 2 * (M * sum(prime_factors(M)) if is_complex else real_nnz(M))

    M = fast_size(size, is_complex=is_complex)
    if period is not None and cost(period) <= cost(M):
        M = period
    n_dense = len(rows) * len(columns)
    n_sparse = n_dense
    if may_be_sparse:
        n_sparse = min(int(np.count_nonzero(kernel)) * min(len(rows), len(columns)), n_dense)
    if SPARSE_COST * n_sparse <= min(cost(M), n_dense):
        return FactorizedOperator([banded(kernel, low, rows, columns)])
    if n_dense <= cost(M):
        lag = rows[:, None] - columns - low
        inside = (lag >= 0) & (lag < len(kernel))
        return FactorizedOperator([np.where(inside, kernel[lag * inside], 0)])
    column = np.zeros(M, np.result_type(kernel, float))
    column[(low + np.arange(min(len(kernel), M))) % M] = kernel[:M]
    whole = (complex_circulant if is_complex else real_circulant)(column)
    taken = np.full(M, -1)
    taken[columns % M] = np.arange(len(columns))
    corner = Stages(whole.values, taken[whole.into], whole.out[rows % M], len(columns))
    return corner.operator(kernel.dtype)


def banded(
    kernel: np.ndarray, low: int, rows: np.ndarray, columns: np.ndarray
) -> scipy.sparse.csr_array:
    """The same as a sparse matrix, from the non-zeros of the kernel."""
    (used,) = np.nonzero(kernel)
    wanted = rows[:, None] - low - used  # (n_out, n_used), where the column should be
    found = np.minimum(np.searchsorted(columns, wanted), len(columns) - 1)
    there = columns[found] == wanted
    values = np.broadcast_to(kernel[used], wanted.shape)[there]
    entries = values, (np.nonzero(there)[0], found[there])
    return scipy.sparse.csr_array(entries, shape=(len(rows), len(columns)))
