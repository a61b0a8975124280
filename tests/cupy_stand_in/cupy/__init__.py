"""A stand-in for CuPy: NumPy behind arrays that the host may not look into, and a ledger.

For tests: the fixture `cupy` of `tests/conftest.py`, or `PYTHONPATH=tests/cupy_stand_in`. It has
what skfact and array-api-compat ask of CuPy 14, with its parameters, and nothing more: `_surface`
is the list. What CuPy refuses is refused. Launches, transfers and waits are counted in `ledger`,
which also says how many devices there are and how much memory. There is a `RawModule` once a test
gives one to `ledger.run_kernels_by`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cupy import cuda
from cupy._array import Memory, launch, ndarray, wrapped
from cupy._ledger import ledger
from cupy._surface import CONSTANTS, on_device

__version__ = "14.2.0"

globals().update({name: getattr(np, name) for name in CONSTANTS.split()})
globals().update(on_device(""))

from cupy import fft, linalg  # noqa: E402 - once the functions are there


def __getattr__(name: str) -> Any:
    raise AttributeError(
        f"The stand-in for CuPy has no {name!r}: if CuPy has it, add it to cupy/_surface.py."
    )


def array(obj: Any, dtype: Any = None, copy: bool = True, order: str = "K") -> ndarray:
    """An array of the current device: of one there or on another, of the host, or of numbers."""
    if isinstance(obj, ndarray):
        if not copy and obj.device.id == cuda.current_device() and dtype in (None, obj.dtype):
            return obj
        ledger.launches["copy"] += 1
        return wrapped(np.array(obj.on_host, dtype=dtype, order=order))  # type: ignore[call-overload]
    if isinstance(obj, list | tuple) and any(isinstance(part, ndarray) for part in obj):
        return launch("stack", lambda parts: np.array(parts, dtype=dtype), obj)
    host = np.array(obj, dtype=dtype)
    if host.dtype.kind not in "biufc":
        raise ValueError(f"Unsupported dtype {host.dtype}")
    ledger.to_device.append(host.nbytes)
    return wrapped(host)


def asarray(a: Any, dtype: Any = None, order: str = "K", *, copy: Any = None) -> ndarray:
    return array(a, dtype, copy=bool(copy), order=order)


class MemoryPool:
    """All memory of the current device."""

    def used_bytes(self) -> int:
        return Memory.taken[cuda.current_device()]


def get_default_memory_pool() -> MemoryPool:
    return MemoryPool()


def asnumpy(a: Any) -> np.ndarray:
    return a.get() if isinstance(a, ndarray) else np.asarray(a)
