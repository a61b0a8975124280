"""Orthogonal wavelet transforms of periodic signals."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse

from skfact._checks import check_number, positive_int
from skfact.operators import FactorizedOperator, SparseFactor
from skfact.operators._factors import repeated
from skfact.transforms._fourier.stages import Stages, checked_dtype

HAAR = np.sqrt(0.5) * np.array([[1.0, 1.0], [1.0, -1.0]])


def haar(n: int, level: int | None = None, *, dtype: Any = np.float64) -> FactorizedOperator:
    r"""Haar wavelet transform, orthogonal.

    Parameters
    ----------
    n : int
        Number of samples, a multiple of ``2 ** level``.
    level : int, default=None
        How often averages are halved, at least 1; None is as often as 2 divides n.
    dtype : dtype or str, default=float64
        One of float32, float64, complex64 and complex128.

    Returns
    -------
    FactorizedOperator of shape (n, n)
        The results are the averages of the last level, then the differences of each level from the
        last one to the first, as PyWavelets orders them.

    Raises
    ------
    TypeError
        If `n` or `level` is no integer, or `dtype` none of the four.
    ValueError
        If n is odd, or no multiple of ``2 ** level``.

    See Also
    --------
    wavelet : Other wavelets.

    Notes
    -----
    Each level is a factor with 2 n non-zeros: blocks of size 2, which are identities where
    differences wait. They run in compiled loops, which sparser factors would not.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.transforms import haar
    >>> op = haar(8)
    >>> op
    FactorizedOperator(8 x 8, 4 factors, nnz=48, float64)
    >>> op @ np.arange(8.0)
    array([ 9.89949494, -5.65685425, -2.        , -2.        , -0.70710678,
           -0.70710678, -0.70710678, -0.70710678])
    """
    n, dtype = positive_int(n, "n"), checked_dtype(dtype)
    level = checked_level(n, level, n)
    values = []
    for l in range(level):  # averages are at multiples of 2^l
        blocks = np.broadcast_to(np.eye(2), (1, 1 << l, 2, 2)).copy()
        blocks[0, 0] = HAAR
        values.append(repeated(blocks, n >> (l + 1)))
    places = [np.arange(0, n, 1 << level)]
    places += [np.arange(1 << l, n, 2 << l) for l in reversed(range(level))]
    stages = Stages(tuple(reversed(values)), np.arange(n), np.concatenate(places), n)
    return stages.operator(dtype)


def wavelet(
    n: int, name: str = "db2", level: int | None = None, *, dtype: Any = np.float64
) -> FactorizedOperator:
    """Orthogonal wavelet transform of periodic signals.

    Parameters
    ----------
    n : int
        Number of samples, a multiple of ``2 ** level``.
    name : str, default="db2"
        An orthogonal wavelet of PyWavelets: "haar", "db1" to "db38", "sym2" to "sym20", "coif1" to
        "coif17". Other names than "haar" need PyWavelets.
    level : int, default=None
        How often averages are halved, at least 1. None is as often as 2 divides n and the averages
        are at least as many as the coefficients of the filter less one, as PyWavelets takes it, but
        once at least.
    dtype : dtype or str, default=float64
        One of float32, float64, complex64 and complex128.

    Returns
    -------
    FactorizedOperator of shape (n, n)
        The results are those of ``pywt.wavedec(x, name, "periodization", level)``, one after the
        other. It is orthogonal: its transpose is the reconstruction.

    Raises
    ------
    ImportError
        If PyWavelets is not installed: ``pip install "skfact[wavelet]"``.
    TypeError
        If `n` or `level` is no integer, `name` no text, or `dtype` none of the four.
    ValueError
        If n is odd, or no multiple of ``2 ** level``; if the wavelet is unknown or not orthogonal.

    See Also
    --------
    haar : The shortest one, in factors that are faster.
    kron : Transforms of images.

    Notes
    -----
    Each level is a sparse matrix; with filters of k coefficients, L levels have fewer than
    (2 k + L) n non-zeros.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.transforms import wavelet
    >>> op = wavelet(64, "haar", level=2)
    >>> x = np.random.default_rng(0).standard_normal(64)
    >>> bool(np.allclose(op.T @ (op @ x), x))
    True
    """
    n, dtype = positive_int(n, "n"), checked_dtype(dtype)
    if not isinstance(name, str):
        raise TypeError(f"name must be a str such as 'db2', got {name!r}.")
    if name == "haar":
        return haar(n, level, dtype=dtype)
    filters = orthogonal_filters(name)
    level = checked_level(n, level, max(1, n // (filters.shape[1] - 1)))
    matrices = [
        one_level(n, n >> l, filters.astype(dtype)).astype(dtype) for l in reversed(range(level))
    ]
    return FactorizedOperator([SparseFactor(matrix) for matrix in matrices])


def checked_level(n: int, level: Any, largest: int) -> int:
    """The number of levels; None is as many as n has twos, and `largest` is at least 2 ** level."""
    twos = (n & -n).bit_length() - 1
    if level is None:
        if not twos:
            raise ValueError(f"n must be even, got {n}: pad the signals, or leave out an entry.")
        return max(1, min(twos, largest.bit_length() - 1))
    check_number(level, "level", int, 1)
    if level > twos:
        raise ValueError(
            f"n must be a multiple of 2 ** level, but n = {n} can be halved only {twos} times and "
            f"level is {level}."
        )
    return int(level)


def orthogonal_filters(name: str) -> np.ndarray:
    """The filters (2, k) of averages and differences, from PyWavelets."""
    try:
        import pywt
    except ImportError as error:
        raise ImportError(
            f"The filters of wavelet {name!r} come from PyWavelets, which is not installed: pip "
            "install 'skfact[wavelet]'. Without it there is 'haar'."
        ) from error
    known = [family for family in pywt.wavelist(kind="discrete") if pywt.Wavelet(family).orthogonal]
    if name not in known:
        raise ValueError(
            f"name must be an orthogonal wavelet of PyWavelets, {known}; got {name!r}."
        )
    found = pywt.Wavelet(name)
    return np.array([found.dec_lo, found.dec_hi])


def one_level(n: int, m: int, filters: np.ndarray) -> scipy.sparse.csr_array:
    """Averages and differences (m / 2 each) of the first m of n entries; the others stay."""
    k = filters.shape[1]
    columns = (2 * np.arange(m // 2)[:, None] + k // 2 - np.arange(k)) % m
    rows = np.arange(m).reshape(2, m // 2, 1)
    values, rows, columns = np.broadcast_arrays(filters[:, None, :], rows, columns)
    entries = values.ravel(), (rows.ravel(), columns.ravel())
    change = scipy.sparse.csr_array(entries, shape=(m, m))
    if m == n:
        return change
    rest = scipy.sparse.eye_array(n - m, dtype=filters.dtype)
    return scipy.sparse.csr_array(scipy.sparse.block_diag([change, rest]))
