"""How many devices there are."""

from typing import Any

from cupy._ledger import ledger

is_hip = False  # AMD's devices, with ROCm


class CUDARuntimeError(RuntimeError):
    """As CUDA words it."""


def getDeviceCount() -> int:
    if ledger.no_driver:
        raise CUDARuntimeError(ledger.no_driver)
    return ledger.n_devices


def getDeviceProperties(device: int) -> dict[str, Any]:
    return {"name": b"stand-in", "multiProcessorCount": 132, "l2CacheSize": 2**20}


def memGetInfo() -> tuple[int, int]:
    return 2**30, 2**30


def runtimeGetVersion() -> int:
    return 13000


driverGetVersion = runtimeGetVersion
