"""Circulant matrices in closed form: butterflies of a Fourier transform around a diagonal."""

from __future__ import annotations

from typing import Any

import numpy as np

from skfact._backend import array_namespace, move_like
from skfact._checks import check_matrix, require_finite
from skfact._inputs import as_floating, dtype_name, namespace_dtype
from skfact.operators import FactorizedOperator, KroneckerFactor
from skfact.supports import Chain, digit_reversal
from skfact.transforms._fourier.cooley_tukey import fourier_values

# relative differences along a diagonal that are rounding errors, in multiples of eps
ROUNDING = 1000


def circulant_factorize(c: Any) -> FactorizedOperator:
    r"""Factor a circulant matrix exactly, through the fast Fourier transform.

    The Fourier transform makes a circulant matrix diagonal. With the butterfly factors B of the
    transform, whose columns are in digit-reversed order, and the transform :math:`\hat c` of the
    first column in the same order,

    .. math:: C = \tfrac1n \, \overline{B} \operatorname{diag}(\hat c) B^T .

    These are a butterfly and a transposed one in one product, as in kaleidoscope matrices [1]_; for
    such chains there is no closed form for all matrices.

    Parameters
    ----------
    c : array-like of shape (n,) or (n, n)
        First column, or the whole matrix, real or complex, from any array library.

    Returns
    -------
    operator : FactorizedOperator of shape (n, n)
        Complex, in the array library of `c`: 2 L + 1 factors, where n has L prime factors. A power
        of two has :math:`n (4 \log_2 n + 1)` non-zeros; a prime n has dense factors.

    Raises
    ------
    TypeError
        If `c` is sparse or not numeric.
    ValueError
        If `c` is neither a vector nor a square matrix, is empty, or has NaN or infinite entries; if
        it is a matrix that is not circulant; if n is a product of primes that take long to find.

    See Also
    --------
    butterfly_factorize : The factors of other matrices.
    skfact.transforms.circulant : Real factors of a real matrix, and sizes with large prime factors.
    skfact.deep_linear.CirculantFactor : Circulant factors of an unknown product, from samples.

    Notes
    -----
    The product of a real matrix has imaginary parts of the size of rounding errors. A Toeplitz
    matrix of size n is a corner of a circulant matrix of size 2 n: ``operator[:n, :]`` and then
    ``[:, :n]``.

    References
    ----------
    .. [1] T. Dao, N. S. Sohoni, A. Gu, M. Eichhorn, A. Blonder, M. Leszczynski, A. Rudra, C. Ré,
       "Kaleidoscope: an efficient, learnable representation for all structured linear maps", ICLR
       2020, arXiv:2012.14966.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.linalg import circulant
    >>> from skfact.butterfly import circulant_factorize
    >>> c = np.random.default_rng(0).standard_normal(64)
    >>> operator = circulant_factorize(c)
    >>> operator
    FactorizedOperator(64 x 64, 13 factors, nnz=1600, complex128)
    >>> bool(np.allclose(operator.toarray(), circulant(c)))
    True
    """
    c = first_column(c)
    n = int(c.shape[0])
    xp = array_namespace(c)
    kind = "complex64" if dtype_name(c.dtype) in ("float32", "complex64") else "complex128"
    spectrum = xp.fft.fft(xp.astype(c, namespace_dtype(kind, xp))) / n
    chain = Chain.butterfly(n)
    order = move_like(digit_reversal(chain.in_radices), c)
    diagonal = KroneckerFactor(xp.reshape(xp.take(spectrum, order), (1, n, 1, 1)), (1, 1, 1, n))
    fourier = FactorizedOperator(
        KroneckerFactor(xp.astype(move_like(values, c), spectrum.dtype), pattern)
        for values, pattern in zip(fourier_values(chain.in_radices), chain)
    )
    return fourier.conj() @ FactorizedOperator([diagonal]) @ fourier.T


def first_column(c: Any) -> Any:
    """The first column of a circulant matrix that is given by it, or whole."""
    c = as_floating(c, "c")
    xp = array_namespace(c)
    if c.ndim == 1 and c.shape[0]:
        require_finite(float(xp.max(xp.abs(c))), "c")
        return c
    if c.ndim != 2 or c.shape[0] != c.shape[1]:
        raise ValueError(
            "c must be the first column of a circulant matrix, with one entry or more, or the "
            f"matrix itself, which is square; got an array of shape {tuple(c.shape)}."
        )
    matrix = check_matrix(c, "c")
    largest = float(xp.max(xp.abs(matrix)))
    require_finite(largest, "c")
    n = np.arange(matrix.shape[0])
    column = matrix[:, 0]
    shifts = move_like(((n[:, None] - n) % len(n)).ravel(), matrix)
    error = xp.abs(matrix - xp.reshape(xp.take(column, shifts), matrix.shape))
    worst = int(xp.argmax(error))
    i, j = divmod(worst, len(n))
    if float(error[i, j]) > ROUNDING * float(xp.finfo(matrix.dtype).eps) * largest:
        raise ValueError(
            f"c is not circulant: c[{i}, {j}] is {complex(matrix[i, j]):.6g}, and on the same "
            f"diagonal, wrapped around, c[{(i - j) % len(n)}, 0] is "
            f"{complex(column[(i - j) % len(n)]):.6g}. Use butterfly_factorize for other matrices."
        )
    return column
