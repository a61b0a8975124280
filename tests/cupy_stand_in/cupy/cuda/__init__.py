"""Devices and streams of a machine that is not there."""

from __future__ import annotations

from typing import Any

from cupy._ledger import ledger
from cupy.cuda import memory, nvrtc, runtime

_current = [0]


def current_device() -> int:
    return _current[-1]


class Device:
    """A device, which is also a context."""

    attributes = {"MultiProcessorCount": 132, "MaxSharedMemoryPerBlockOptin": 232448}
    compute_capability = "90"

    def __init__(self, device: Any = None) -> None:
        self.id = current_device() if device is None else int(device)

    def __int__(self) -> int:
        return self.id

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"<CUDA Device {self.id}>"

    def __enter__(self) -> Device:
        if not 0 <= self.id < runtime.getDeviceCount():
            raise runtime.CUDARuntimeError("cudaErrorInvalidDevice: invalid device ordinal")
        _current.append(self.id)
        return self

    def __exit__(self, *error: object) -> None:
        _current.pop()

    def synchronize(self) -> None:
        ledger.wait("synchronize")


class Stream:
    """The one stream there is."""

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *error: object) -> None: ...

    def synchronize(self) -> None:
        ledger.wait("synchronize")


class Event:
    """A mark on the stream."""

    def record(self) -> None: ...

    def synchronize(self) -> None:
        ledger.wait("synchronize")


def get_elapsed_time(start: Event, end: Event) -> float:
    """A millisecond, for all that is known."""
    return 1.0


class ExternalStream(Stream):
    """The same, by its address."""


def get_current_stream() -> Stream:
    return Stream()
