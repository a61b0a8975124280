"""How many devices there are."""

from cupy._ledger import ledger


class CUDARuntimeError(RuntimeError):
    """As CUDA words it."""


def getDeviceCount() -> int:
    if ledger.no_driver:
        raise CUDARuntimeError(ledger.no_driver)
    return ledger.n_devices
