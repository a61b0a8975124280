"""Apply one Kronecker-sparse factor: a batched matrix product, in any array-API namespace."""

from __future__ import annotations

from typing import Any

from skfact._backend import array_namespace
from skfact._linalg import adjoint


def apply_factor(values: Any, X: Any) -> Any:
    """Product of a Kronecker-sparse factor and a feature-major batch.

    The factor of pattern ``(a, b, c, d)`` consists of ``a * d`` dense blocks: block ``(i, l)``
    maps the rows ``i*c*d + k*d + l`` of `X` (k < c) to the rows ``i*b*d + j*d + l`` of the result
    (j < b). `X` has the namespace, device and dtype of `values`; the result is a new array.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact._kernels.apply import apply_factor
    >>> values = np.ones((1, 2, 1, 2))  # pattern (1, 1, 2, 2): adds entries 0, 2 and 1, 3
    >>> apply_factor(values, np.arange(4.0).reshape(4, 1))
    array([[2.],
           [4.]])
    """
    xp = array_namespace(values, X)
    a, d, b, c = values.shape
    batch = X.shape[1]
    blocks = xp.permute_dims(xp.reshape(X, (a, c, d, batch)), (0, 2, 1, 3))  # (a, d, c, batch)
    out = xp.matmul(values, blocks)  # (a, d, b, batch)
    return xp.reshape(xp.permute_dims(out, (0, 2, 1, 3)), (a * b * d, batch))


def correlate(pattern: Any, outputs: Any, inputs: Any) -> Any:
    """Blocks (a, d, b, c) of ``outputs @ inputs^H`` on a pattern.

    That is the gradient, in the values of a factor, of a function of its outputs (a*b*d, batch),
    given its gradient in them and the inputs (a*c*d, batch).
    """
    xp = array_namespace(outputs, inputs)
    a, b, c, d = pattern
    left = xp.permute_dims(xp.reshape(outputs, (a, b, d, -1)), (0, 2, 1, 3))
    right = xp.permute_dims(xp.reshape(inputs, (a, c, d, -1)), (0, 2, 1, 3))
    return xp.matmul(left, adjoint(right))
