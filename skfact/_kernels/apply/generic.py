"""Apply one Kronecker-sparse factor: a batched matrix product, in any array-API namespace."""

from __future__ import annotations

from typing import Any

from ..._backend import array_namespace, is_numpy_namespace


def apply_factor(values: Any, X: Any, *, xp: Any = None) -> Any:
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
    xp : module, optional
        Their array-API namespace, where the caller knows it already (finding it takes
        microseconds, which counts for a single vector).

    Returns
    -------
    array of shape (a * b * d, batch)
        The products, one per column.

    Notes
    -----
    A C-contiguous `X` seen as (a, d, c, batch) has unit stride along the batch, so BLAS reads every
    block of rows in place; so it does the transpose of a C-contiguous array if ``d == 1``. With
    NumPy the result too is written in place.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact._kernels.apply import apply_factor
    >>> values = np.ones((1, 2, 1, 2))  # pattern (1, 1, 2, 2): adds entries 0, 2 and 1, 3
    >>> apply_factor(values, np.arange(4.0).reshape(4, 1))
    array([[2.],
           [4.]])
    """
    a, d, b, c = values.shape
    batch = X.shape[1]
    if xp is None:
        xp = array_namespace(values, X)
    on_numpy = is_numpy_namespace(xp)
    if on_numpy and not (X.flags.c_contiguous or (d == 1 and X.flags.f_contiguous)):
        X = xp.ascontiguousarray(X)  # any other layout would keep np.matmul from calling BLAS
    X_blocks = xp.permute_dims(xp.reshape(X, (a, c, d, batch)), (0, 2, 1, 3))  # (a, d, c, batch)
    if on_numpy:
        out = xp.empty((a, b, d, batch), dtype=xp.result_type(values, X))
        # np.matmul is the only one of the libraries that writes through a strided `out`
        xp.matmul(values, X_blocks, out=out.transpose(0, 2, 1, 3))
    else:
        out = xp.permute_dims(xp.matmul(values, X_blocks), (0, 2, 1, 3))  # (a, b, d, batch)
    return xp.reshape(out, (a * b * d, batch))
