"""The discrete Hartley transform."""

from __future__ import annotations

from typing import Any

import numpy as np

from skfact._checks import positive_int
from skfact.operators import FactorizedOperator
from skfact.transforms._fourier.stages import checked_dtype
from skfact.transforms._fourier.trigonometric import hartley_stages
from skfact.transforms._norm import norm_scale


def hartley(n: int, *, norm: str = "backward", dtype: Any = np.float64) -> FactorizedOperator:
    r"""Discrete Hartley transform, the real counterpart of the Fourier transform.

    .. math:: y_k = \sum_{j < n} x_j (\cos(2 \pi j k / n) + \sin(2 \pi j k / n))

    Parameters
    ----------
    n : int
        Size, any.
    norm : {"backward", "ortho", "forward"}, default="backward"
        Scale: 1, :math:`1 / \sqrt n` (then the operator is orthogonal) or :math:`1 / n`.
    dtype : dtype or str, default=float64
        One of float32, float64, complex64 and complex128.

    Returns
    -------
    FactorizedOperator of shape (n, n)
        Symmetric, and n times its own inverse.

    Raises
    ------
    TypeError
        If `n` is no integer, or `dtype` none of the four.
    ValueError
        If `n` is less than 1 or `norm` unknown.

    See Also
    --------
    dft : Its result is the real part of a Fourier transform minus the imaginary part.

    Notes
    -----
    The factors are those of the real :func:`rfft`, as many and as large.

    References
    ----------
    .. [1] R. N. Bracewell, "Discrete Hartley transform", J. Opt. Soc. Am. 73 (12), 1983.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.transforms import hartley
    >>> op = hartley(64, norm="ortho")
    >>> op
    FactorizedOperator(64 x 64, 7 factors, nnz=1280, float64)
    >>> x = np.random.default_rng(0).standard_normal(64)
    >>> bool(np.allclose(op @ (op @ x), x))
    True
    """
    n, dtype = positive_int(n, "n"), checked_dtype(dtype)
    scale = np.full(n, norm_scale(norm, n))
    return hartley_stages(n).scaled(rows=scale).operator(dtype)
