"""Convolution of signals and images."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from skfact._backend import array_namespace, to_numpy
from skfact._checks import (
    check_choice,
    is_number,
    positive_int,
    positive_ints,
    refuse_lazy,
    require_finite,
)
from skfact._inputs import as_floating, is_numpy
from skfact.operators import FactorizedOperator
from skfact.transforms._toeplitz import like, shift_invariant


def convolution(kernel: Any, shape: Any, mode: str = "full") -> FactorizedOperator:
    """Convolution of signals or images with a kernel, as ``scipy.signal.convolve(x, kernel)``.

    Parameters
    ----------
    kernel : array-like of shape (k,) or (k_1, k_2)
        The kernel, real or complex, from any array library.
    shape : int or tuple of int
        Shape of what is convolved: n for a signal, (n_1, n_2) for an image.
    mode : {"full", "same", "valid"}, default="full"
        Which part of the result: all of it, of shape n + k - 1; the middle, of shape n; or
        what does not touch zeros beyond the borders, of shape n - k + 1.

    Returns
    -------
    FactorizedOperator of shape (prod(result shape), prod(shape))
        In the dtype and array library of the kernel; the factors are computed on the host. Images
        are flattened row by row: ``(op @ image.ravel()).reshape(result shape)``.

    Raises
    ------
    TypeError
        If the kernel is sparse or not numeric, or `shape` not of integers.
    ValueError
        If the kernel has not one or two dimensions, is empty, or has NaN or infinite entries; if
        `shape` has another number of dimensions; if `mode` is unknown, or "valid" for a
        kernel that is larger than `shape`.

    See Also
    --------
    circulant : Circular convolution of signals.
    kron : Convolution with a separable kernel, from those of its parts.

    Notes
    -----
    An image is one long signal, with zeros between its rows, and its convolution a part of a
    circulant matrix, see :func:`circulant`. Few non-zeros in the kernel make a sparse matrix.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.signal import convolve
    >>> from skfact.transforms import convolution
    >>> random = np.random.default_rng(0)
    >>> image, kernel = random.standard_normal((64, 48)), random.standard_normal((9, 9))
    >>> op = convolution(kernel, image.shape, mode="same")
    >>> blurred = (op @ image.ravel()).reshape(image.shape)
    >>> bool(np.allclose(blurred, convolve(image, kernel, mode="same")))
    True
    """
    refuse_lazy(kernel, "kernel")
    kernel = as_floating(kernel, "kernel")
    if kernel.ndim not in (1, 2) or 0 in kernel.shape:
        raise ValueError(
            "kernel must be 1-D or 2-D with at least one entry, got an array of shape "
            f"{tuple(kernel.shape)}."
        )
    xp = array_namespace(kernel)
    require_finite(float(xp.max(xp.abs(kernel))), "kernel")
    check_choice(mode, "mode", ("full", "same", "valid"))
    n = (positive_int(shape, "shape"),) if is_number(shape, int) else positive_ints(shape, "shape")
    if len(n) != kernel.ndim:
        raise ValueError(
            f"shape must have as many dimensions as the kernel, {kernel.ndim}; got {shape!r}."
        )
    host = to_numpy(kernel)
    k = host.shape
    if mode == "valid" and any(ki > ni for ki, ni in zip(k, n, strict=True)):
        raise ValueError(
            f"kernel has shape {k}, larger than shape={shape!r}: nothing is left with mode='valid'."
        )
    width = 1 if len(n) == 1 else n[1] + k[1] - 1  # of a row with the zeros after it
    spans = [span(ni, ki, mode) for ni, ki in zip(n, k, strict=True)]
    rows = positions(spans, width)
    columns = positions([range(ni) for ni in n], width)
    if len(n) == 2:
        flat = np.zeros((k[0], width), host.dtype)
        flat[:, : k[1]] = host
        host = flat.ravel()[: (k[0] - 1) * width + k[1]]
    return like(shift_invariant(host, 0, rows, columns, is_numpy(xp)), kernel)


def span(n: int, k: int, mode: str) -> range:
    """Which entries of the full convolution are kept."""
    if mode == "full":
        return range(n + k - 1)
    if mode == "same":
        return range((k - 1) // 2, (k - 1) // 2 + n)
    return range(k - 1, n)


def positions(spans: list[range], width: int) -> np.ndarray:
    """Places in the long signal."""
    if len(spans) == 1:
        return np.array(spans[0])
    return (np.array(spans[0])[:, None] * width + np.array(spans[1])).reshape(prod(map(len, spans)))
