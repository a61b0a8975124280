"""v @ abs(W)^q in compiled loops where they are there and apply, else in the array library."""

from __future__ import annotations

from typing import Any

import numpy as np

from skfact._kernels._jit import as_if_writeable, compiled
from skfact._kernels._threads import run_slices
from skfact._kernels.paths import generic

# Bytes of a matrix that one thread reads in a second from the last cache, roughly.
BYTES_PER_SECOND = 3e10


def power_product(v: Any, w: Any, q: float) -> Any:
    """Multiply a row vector by the powers of a matrix's magnitudes; see `generic.power_product`."""
    if isinstance(w, np.ndarray) and v.ndim == 1 and q in (1, 2):
        loops = compiled("skfact._kernels.paths.numba")
        if loops is not None:
            return _compiled_product(loops, v, w, q == 2)
    return generic.power_product(v, w, q)


def _compiled_product(loops: Any, v: np.ndarray, w: np.ndarray, squared: bool) -> np.ndarray:
    """The matrix is read once, as it lies in memory, and no other of its size is made."""
    v = as_if_writeable(np.ascontiguousarray(v, dtype=w.dtype))
    seconds = w.nbytes / BYTES_PER_SECOND
    if w.flags.f_contiguous and not w.flags.c_contiguous:
        columns = as_if_writeable(w.T)
        out = np.empty(w.shape[1], dtype=w.dtype)
        run_slices(
            lambda start, stop: loops.by_columns(v, columns, squared, out, start, stop),
            len(out),
            seconds,
        )
        return out
    rows = as_if_writeable(np.ascontiguousarray(w))
    parts = run_slices(
        lambda start, stop: loops.by_rows(v, rows, squared, start, stop), len(v), seconds
    )
    return parts[0] if len(parts) == 1 else np.sum(parts, axis=0)
