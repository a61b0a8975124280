"""Launching CUDA kernels through CuPy, which nothing here imports.

A namespace is taken for CuPy's if it has `RawModule`. A launch goes to the current stream of the
device of its arrays.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from skfact._backend import array_namespace, device

COMMON = Path(__file__).with_name("number.cu")
LOAD = 16  # bytes of the widest load
SECTOR = 32  # bytes that memory moves at least
# Shared memory of a thread block. Three share a multiprocessor that has 228 KB (compute capability
# 9.0 and 10.0), fewer do elsewhere; a block never takes more than its device gives.
TILE_BYTES = 72 * 1024


def serves(xp: Any) -> bool:
    """Whether arrays of the namespace can be given to kernels: CuPy's, but for that of ROCm."""
    return hasattr(xp, "RawModule") and not xp.cuda.runtime.is_hip


def place(array: Any) -> tuple[Any, Any]:
    """Namespace and device of an array."""
    return array_namespace(array), device(array)


def address(array: Any) -> int:
    """Where the first entry of an array lies."""
    return array.data.ptr


def in_rows(xp: Any, X: Any) -> Any:
    """X, or a copy: entries of a row side by side, and each where an entry can be."""
    if X.strides[1] == X.itemsize and not (X.strides[0] | address(X)) % X.itemsize:
        return X
    return xp.asarray(X, order="C", copy=True)


def code(source: Path) -> str:
    """The source of a kernel, after what all have in common."""
    return "\n".join(path.read_text("utf-8") for path in (COMMON, source))


def options(dtype: np.dtype, **macros: int) -> tuple[str, ...]:
    """What a kernel is compiled with for numbers of a dtype."""
    parts = 2 if dtype.kind == "c" else 1
    real = {4: "float", 8: "double"}[dtype.itemsize // parts]
    defined = {"REAL": real, "PARTS": parts, **macros}
    return "-std=c++17", *(f"-D{name}={value}" for name, value in defined.items())


@cache
def kernel(
    xp: Any, number: int, source: Path, name: str, options: tuple[str, ...], memory: int
) -> Any:
    """The kernel, compiled for the current device, of this number, with all its shared memory."""
    found = xp.RawModule(code=code(source), options=options).get_function(name)
    found.max_dynamic_shared_size_bytes = memory
    return found
