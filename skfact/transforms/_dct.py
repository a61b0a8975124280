"""Discrete cosine and sine transforms."""

from __future__ import annotations

from typing import Any

import numpy as np

from skfact._checks import check_number, positive_int
from skfact.operators import FactorizedOperator
from skfact.transforms._fourier.stages import checked_dtype
from skfact.transforms._fourier.trigonometric import DCT, DST
from skfact.transforms._norm import norm_scale

Scales = tuple[np.ndarray, np.ndarray | None]  # of the results, and of the samples


def dct(
    n: int, type: int = 2, *, norm: str = "backward", dtype: Any = np.float64
) -> FactorizedOperator:
    r"""Discrete cosine transform: ``dct(n) @ x`` is ``scipy.fft.dct(x)``.

    Parameters
    ----------
    n : int
        Size, any; at least 2 for type 1.
    type : {1, 2, 3, 4}, default=2
        Which of the four transforms, with

        .. math::
            y_k &= x_0 + (-1)^k x_{n-1}
                   + 2 \sum_{0 < j < n - 1} x_j \cos \frac{\pi j k}{n - 1} & \text{(1)} \\
            y_k &= 2 \sum_{j < n} x_j \cos \frac{\pi (2 j + 1) k}{2 n} & \text{(2)} \\
            y_k &= x_0 + 2 \sum_{0 < j < n} x_j \cos \frac{\pi j (2 k + 1)}{2 n} & \text{(3)} \\
            y_k &= 2 \sum_{j < n} x_j \cos \frac{\pi (2 j + 1) (2 k + 1)}{4 n} & \text{(4)}
    norm : {"backward", "ortho", "forward"}, default="backward"
        As in SciPy: the formulas above; with "ortho" the operator is orthogonal; "forward" divides
        the formulas by 2 n, or by 2 (n - 1) for type 1.
    dtype : dtype or str, default=float64
        One of float32, float64, complex64 and complex128. The factors are real.

    Returns
    -------
    FactorizedOperator of shape (n, n)
        Kronecker-sparse factors between two permutations.

    Raises
    ------
    TypeError
        If `n` or `type` is no integer, or `dtype` none of the four.
    ValueError
        If `n` is too small, `type` is not from 1 to 4, or `norm` is unknown.

    See Also
    --------
    dst : Sine transforms.
    kron : Transforms of images, along rows and columns.

    Notes
    -----
    Types 2 and 3 are a Fourier transform of n real samples [1]_, type 4 one of n / 2 complex
    samples, or of n real samples for odd n. For powers of two, n > 2, they have :math:`4 n (\log_2
    n - 1)` non-zeros, a quarter of which are zeros within blocks of size 4; type 1 is a Fourier
    transform of 2 (n - 1) real samples. A prime factor of these sizes above some hundreds makes a
    convolution with a chirp, see :func:`dft`.

    References
    ----------
    .. [1] J. Makhoul, "A fast cosine transform in one and two dimensions", IEEE Trans. Acoust.
       Speech Signal Process. 28 (1), 1980.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.fft
    >>> from skfact.transforms import dct
    >>> op = dct(1024, norm="ortho")
    >>> op
    FactorizedOperator(1024 x 1024, 11 factors, nnz=36864, float64)
    >>> x = np.random.default_rng(0).standard_normal(1024)
    >>> bool(np.allclose(op @ x, scipy.fft.dct(x, norm="ortho")))
    True
    """
    n, type = positive_int(n, "n"), checked_type(type)
    if type == 1 and n < 2:
        raise ValueError("n must be at least 2 for the cosine transform of type 1, got 1.")
    return trigonometric(DCT[type], n, 2 * (n - (type == 1)), ortho_cosines(n, type), norm, dtype)


def dst(
    n: int, type: int = 2, *, norm: str = "backward", dtype: Any = np.float64
) -> FactorizedOperator:
    r"""Discrete sine transform: ``dst(n) @ x`` is ``scipy.fft.dst(x)``.

    Parameters
    ----------
    n : int
        Size, any.
    type : {1, 2, 3, 4}, default=2
        Which of the four transforms, with

        .. math::
            y_k &= 2 \sum_{j < n} x_j \sin \frac{\pi (j + 1) (k + 1)}{n + 1} & \text{(1)} \\
            y_k &= 2 \sum_{j < n} x_j \sin \frac{\pi (2 j + 1) (k + 1)}{2 n} & \text{(2)} \\
            y_k &= (-1)^k x_{n - 1}
                   + 2 \sum_{j < n - 1} x_j \sin \frac{\pi (j + 1) (2 k + 1)}{2 n} & \text{(3)} \\
            y_k &= 2 \sum_{j < n} x_j \sin \frac{\pi (2 j + 1) (2 k + 1)}{4 n} & \text{(4)}
    norm : {"backward", "ortho", "forward"}, default="backward"
        As in SciPy: the formulas above; with "ortho" the operator is orthogonal; "forward" divides
        the formulas by 2 n, or by 2 (n + 1) for type 1.
    dtype : dtype or str, default=float64
        One of float32, float64, complex64 and complex128. The factors are real.

    Returns
    -------
    FactorizedOperator of shape (n, n)
        Kronecker-sparse factors between two permutations.

    Raises
    ------
    TypeError
        If `n` or `type` is no integer, or `dtype` none of the four.
    ValueError
        If `n` is less than 1, `type` is not from 1 to 4, or `norm` is unknown.

    See Also
    --------
    dct : Cosine transforms, with the same numbers of non-zeros.

    Notes
    -----
    Types 2 to 4 are cosine transforms with signs and permutations; type 1 is a Fourier transform
    of 2 (n + 1) real samples.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.fft
    >>> from skfact.transforms import dst
    >>> x = np.random.default_rng(0).standard_normal(255)
    >>> bool(np.allclose(dst(255, 1) @ x, scipy.fft.dst(x, 1)))
    True
    """
    n, type = positive_int(n, "n"), checked_type(type)
    return trigonometric(DST[type], n, 2 * (n + (type == 1)), ortho_sines(n, type), norm, dtype)


def trigonometric(
    stages: Any, n: int, length: int, ortho: Scales, norm: Any, dtype: Any
) -> FactorizedOperator:
    """The operator of an unscaled transform, with what makes it orthogonal if that is asked for."""
    dtype, scale = checked_dtype(dtype), norm_scale(norm, length)
    rows, columns = ortho if norm == "ortho" else (np.ones(n), None)
    return stages(n).scaled(rows=scale * rows, columns=columns).operator(dtype)


def ortho_cosines(n: int, type: int) -> Scales:
    """Multiples of the results and of the samples that make rows and columns orthogonal."""
    rows, columns = np.ones(n), np.ones(n)
    ends = [0, -1] if type == 1 else [0]
    if type in (1, 2):
        rows[ends] = np.sqrt(0.5)
    if type in (1, 3):
        columns[ends] = np.sqrt(2)
    return rows, columns if type in (1, 3) else None


def ortho_sines(n: int, type: int) -> Scales:
    """The same for sines."""
    rows, columns = np.ones(n), np.ones(n)
    if type == 2:
        rows[-1] = np.sqrt(0.5)
    if type == 3:
        columns[-1] = np.sqrt(2)
    return rows, columns if type == 3 else None


def checked_type(type: Any) -> int:
    """One of the four types."""
    check_number(type, "type", int, 1)
    if type > 4:
        raise ValueError(f"type must be 1, 2, 3 or 4, got {type!r}.")
    return int(type)
