"""CUDA kernels without a device: NumPy's arrays stand for those of CuPy."""

import pytest

from skfact._kernels import _cuda
from tests._kernels.cuda_on_cpu import emulation


def put_on_device(monkeypatch, raw_module):
    device, namespace = emulation.Device(), emulation.Namespace(raw_module)
    monkeypatch.setattr(_cuda, "place", lambda array: (namespace, device))
    monkeypatch.setattr(_cuda, "address", lambda array: array.ctypes.data)
    return namespace


@pytest.fixture
def cuda_on_cpu(monkeypatch):
    """Kernels run on the CPU; the namespace that has them."""
    return put_on_device(monkeypatch, emulation.RawModule)


@pytest.fixture
def last_block_of_vast_arrays(cuda_on_cpu, monkeypatch):
    """Only the last block of a launch is run, and results take no memory but what it writes.

    Offsets that overflow lead to memory that is there, so that nothing but the result is wrong.
    """
    try:
        emulation.vast((2**33,), "float32")
    except OSError as error:
        pytest.skip(f"there is too little address space: {error}")
    monkeypatch.setattr(emulation.Kernel, "last_block_only", True)
    monkeypatch.setattr(cuda_on_cpu, "empty", emulation.vast, raising=False)


@pytest.fixture
def recorder(monkeypatch):
    """Launches are kept in a list and not run."""
    module = emulation.Recorder
    monkeypatch.setattr(module, "launches", [], raising=False)
    put_on_device(monkeypatch, module)
    return module
