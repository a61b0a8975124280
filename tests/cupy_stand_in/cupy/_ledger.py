"""What a test sets and reads: the machine that is played, and what happened on it."""

from __future__ import annotations

import sys
from collections import Counter
from importlib import import_module
from typing import Any


class Ledger:
    """A machine of `n_devices` devices with `limit` bytes each, and the counts since `clear`."""

    n_devices: int
    no_driver: str  # what the driver answers instead of a number of devices
    limit: float
    raw_module: Any
    launches: Counter[str]  # by function
    traffic: list[int]  # bytes that each function reads and writes; no views
    to_device: list[int]  # bytes of each transfer
    to_host: list[int]
    waits: Counter[str]  # where the host waits for the device, by line of the package

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Two devices with memory without end, and no count."""
        self.n_devices, self.no_driver, self.limit = 2, "", float("inf")
        self.run_kernels_by(None)
        self.launches, self.waits = Counter(), Counter()
        self.to_device, self.to_host, self.traffic = [], [], []

    def run_kernels_by(self, raw_module: Any) -> None:
        """Have a `RawModule`, whose kernels are those of this class; None has none."""
        self.raw_module = raw_module
        spaces = [sys.modules.get(name) for name in ("cupy", "array_api_compat.cupy")]
        for space in filter(None, spaces):
            vars(space).pop("RawModule", None)
            if raw_module is not None:
                vars(space)["RawModule"] = import_module("cupy._raw").RawModule

    def wait(self, why: str) -> None:
        """The host waits for the device."""
        frame: Any = sys._getframe(1)
        while frame.f_back and not in_package(frame.f_code.co_filename):
            frame = frame.f_back
        file = frame.f_code.co_filename.rpartition("/skfact/")[2]
        self.waits[f"{file}:{frame.f_lineno} {frame.f_code.co_name}: {why}"] += 1


def in_package(file: str) -> bool:
    """Whether the file decides what to compute, and does not only move arrays."""
    return "/skfact/" in file and not file.endswith("/_backend.py")


ledger = Ledger()
