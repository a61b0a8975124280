"""Kernels from source, which a class that a test gives builds for the processor."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cupy._array import ndarray, unwrapped
from cupy._ledger import ledger
from cupy.cuda import Device

INVALID = "CUDA_ERROR_INVALID_VALUE: invalid argument"


class RawModule:
    """A source with its options; `ledger.raw_module` is called in the same way."""

    def __init__(self, code: str | None = None, *, options: tuple[str, ...] = ()) -> None:
        self.built = ledger.raw_module(code=code, options=options)

    def get_function(self, name: str) -> RawKernel:
        return RawKernel(self.built.get_function(name), name)


class RawKernel:
    """Called as CuPy's: with grid, block and arguments, and bytes of shared memory."""

    num_regs, local_size_bytes = 32, 0

    def __init__(self, run: Any, name: str) -> None:
        self.run, self.name = run, name
        self.max_dynamic_shared_size_bytes = 48 * 1024

    @property
    def max_dynamic_shared_size_bytes(self) -> int:
        return self._most

    @max_dynamic_shared_size_bytes.setter
    def max_dynamic_shared_size_bytes(self, most: int) -> None:
        if most > Device.attributes["MaxSharedMemoryPerBlockOptin"]:
            raise RuntimeError(INVALID)
        self._most = most

    def __call__(self, grid: Any, block: Any, args: Any, *, shared_mem: int = 0) -> None:
        most = math.prod(block) <= 1024 and 0 < grid[0] < 2**31
        if not most or shared_mem > self.max_dynamic_shared_size_bytes:
            raise RuntimeError(INVALID)
        for arg in args:
            if isinstance(arg, ndarray):
                unwrapped(arg, self.name)  # of the current device
            elif isinstance(arg, np.ndarray) and arg.size != 1:
                raise TypeError(f"Unsupported type {type(arg)}: an array of the host of {arg.size}")
        ledger.launches[self.name] += 1
        self.run.max_dynamic_shared_size_bytes = self.max_dynamic_shared_size_bytes
        self.run(grid, block, args, shared_mem=shared_mem)
