"""The Hadamard transform."""

from __future__ import annotations

from typing import Any

import numpy as np

from skfact._checks import positive_int
from skfact.operators import FactorizedOperator
from skfact.operators._factors import repeated
from skfact.transforms._fourier.stages import Stages, checked_dtype
from skfact.transforms._norm import norm_scale

BLOCK = np.array([[1.0, 1.0], [1.0, -1.0]])


def hadamard(n: int, *, norm: str = "backward", dtype: Any = np.float64) -> FactorizedOperator:
    r"""Hadamard transform, in the order of ``scipy.linalg.hadamard`` (Sylvester's).

    Parameters
    ----------
    n : int
        Size, a power of two.
    norm : {"backward", "ortho", "forward"}, default="backward"
        Scale: 1 (entries 1 and -1), :math:`1 / \sqrt n` (then the operator is orthogonal) or
        :math:`1 / n`.
    dtype : dtype or str, default=float64
        One of float32, float64, complex64 and complex128.

    Returns
    -------
    FactorizedOperator of shape (n, n)
        :math:`\log_2 n` factors with 2 n non-zeros each, without permutations. Symmetric.

    Raises
    ------
    TypeError
        If `n` is no integer, or `dtype` none of the four.
    ValueError
        If `n` is no power of two, or `norm` unknown.

    See Also
    --------
    hartley : A symmetric orthogonal transform of any size.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.linalg import hadamard as dense_hadamard
    >>> from skfact.transforms import hadamard
    >>> op = hadamard(64)
    >>> op
    FactorizedOperator(64 x 64, 6 factors, nnz=768, float64)
    >>> bool(np.all(op.toarray() == dense_hadamard(64)))
    True
    """
    n, dtype = positive_int(n, "n"), checked_dtype(dtype)
    if n & (n - 1):
        raise ValueError(
            f"n must be a power of two, got {n}. Pad to {1 << n.bit_length()}, or use hartley or "
            "dct, which take any n."
        )
    levels = n.bit_length() - 1
    values = [
        repeated(np.broadcast_to(BLOCK, (1, n >> (i + 1), 2, 2)), 1 << i) for i in range(levels)
    ] or [np.ones((1, 1, 1, 1))]
    stages = Stages(tuple(values), np.arange(n), np.arange(n), n)
    return stages.scaled(rows=np.full(n, norm_scale(norm, n))).operator(dtype)
