"""Apply one Kronecker-sparse factor: a batched matrix product, in any array-API namespace."""

from __future__ import annotations

from typing import Any

import numpy as np

from skfact._backend import array_namespace


def apply_factor(values: Any, X: Any) -> Any:
    """Product of a Kronecker-sparse factor and a feature-major batch.

    The factor of pattern ``(a, b, c, d)`` consists of ``a * d`` dense blocks: block ``(i, l)``
    maps the rows ``i*c*d + k*d + l`` of `X` (k < c) to the rows ``i*b*d + j*d + l`` of the result
    (j < b).

    Parameters
    ----------
    values : array of shape (a, d, b, c)
        The blocks.
    X : array of shape (a * c * d, batch)
        One vector per column, of the same namespace, device and dtype as `values`.

    Returns
    -------
    array of shape (a * b * d, batch)
        The products, one per column; a new array.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact._kernels.apply import apply_factor
    >>> values = np.ones((1, 2, 1, 2))  # pattern (1, 1, 2, 2): adds entries 0, 2 and 1, 3
    >>> apply_factor(values, np.arange(4.0).reshape(4, 1))
    array([[2.],
           [4.]])
    """
    if isinstance(X, np.ndarray):
        return _apply_in_place(values, X)
    xp = array_namespace(values, X)
    a, d, b, c = values.shape
    batch = X.shape[1]
    blocks = xp.permute_dims(xp.reshape(X, (a, c, d, batch)), (0, 2, 1, 3))  # (a, d, c, batch)
    out = xp.matmul(values, blocks)  # (a, d, b, batch)
    return xp.reshape(xp.permute_dims(out, (0, 2, 1, 3)), (a * b * d, batch))


def _apply_in_place(values: np.ndarray, X: np.ndarray) -> np.ndarray:
    """The same with NumPy, which can read and write strided blocks where they lie.

    BLAS takes a block of rows of `X` as it is if the batch has unit stride, or (a transposed
    batch of rows) if the features have and ``d == 1``; np.matmul does not call BLAS otherwise.
    """
    a, d, b, c = values.shape
    batch = X.shape[1]
    unit = X.itemsize
    if not (X.strides[1] == unit or (d == 1 and X.strides[0] == unit)) or min(X.strides) < 0:
        X = np.ascontiguousarray(X)
    out = np.empty((a, b, d, batch), np.result_type(values, X))
    np.matmul(
        values, X.reshape(a, c, d, batch).transpose(0, 2, 1, 3), out=out.transpose(0, 2, 1, 3)
    )
    return out.reshape(a * b * d, batch)
