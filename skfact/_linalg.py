"""Small matrix algebra over batches (..., rows, columns), for any array library."""

from __future__ import annotations

from typing import Any

from skfact._backend import array_namespace
from skfact._inputs import is_numpy


def is_complex(x: Any) -> bool:
    """Whether the array has a complex dtype."""
    return bool(array_namespace(x).isdtype(x.dtype, "complex floating"))


def adjoint(x: Any) -> Any:
    """Conjugate transpose of the last two axes."""
    xp = array_namespace(x)
    transposed = xp.matrix_transpose(x)
    return xp.conj(transposed) if is_complex(x) else transposed


def abs2(x: Any) -> Any:
    """Squared magnitude, real."""
    xp = array_namespace(x)
    return xp.real(x) ** 2 + xp.imag(x) ** 2 if is_complex(x) else x * x


def limited(x: Any, low: float | None = None, high: float | None = None) -> Any:
    """x within limits; `xp.clip` counts entries beyond them, for which the host waits on CUDA."""
    xp = array_namespace(x)
    if low is not None:
        x = xp.maximum(x, xp.full_like(x, low))
    return x if high is None else xp.minimum(x, xp.full_like(x, high))


def norm2(x: Any) -> float:
    """Squared Frobenius norm."""
    return float(array_namespace(x).sum(abs2(x)))


def count_nonzero(x: Any) -> int:
    """Number of entries that are not zero; not every library has a function for it."""
    xp = array_namespace(x)
    if is_numpy(xp):
        return int(xp.count_nonzero(x))
    return int(xp.sum(xp.astype(x != 0, xp.int64)))


def inner(x: Any, y: Any) -> float:
    """Real part of the inner product."""
    xp = array_namespace(x)
    if not is_complex(x):
        return float(xp.sum(x * y))
    return float(xp.sum(xp.real(x) * xp.real(y) + xp.imag(x) * xp.imag(y)))


def column_means(x: Any, weights: Any = None) -> Any:
    """Means over the rows, summed in double precision: single precision loses many rows."""
    xp = array_namespace(x)
    total = x.shape[0] if weights is None else xp.sum(weights, dtype=xp.float64)
    weighted = x if weights is None else weights[:, None] * x
    return xp.astype(xp.sum(weighted, axis=0, dtype=xp.float64) / total, x.dtype)


def thin_qr(x: Any) -> tuple[Any, Any]:
    """QR of tall matrices; one column is just normalized, and stays zero where it is zero."""
    xp = array_namespace(x)
    if x.shape[-1] > 1:
        q, r = xp.linalg.qr(x)
        return q, r
    size = xp.sqrt(xp.sum(abs2(x), axis=-2, keepdims=True))
    nonzero = xp.where(size > 0, size, xp.ones_like(size))
    return x / xp.astype(nonzero, x.dtype), xp.astype(size, x.dtype)
