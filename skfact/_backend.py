"""Which array library and which device, and how arrays move between them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import array_api_compat
import numpy as np
from array_api_compat import (
    device,
    is_array_api_obj,
    is_array_api_strict_namespace,
    is_cupy_array,
    is_torch_array,
    is_torch_namespace,
)

BACKENDS = ("auto", "numpy", "cupy")
FORWARD_HOOKS = ("_forward_pre_hooks", "_forward_hooks")  # of PyTorch modules
HOOKS = (*FORWARD_HOOKS, "_backward_pre_hooks", "_backward_hooks")
NUMPY = array_api_compat.array_namespace(np.empty(0))


def array_namespace(*arrays: Any) -> Any:
    """Array-API namespace shared by the arrays; NumPy where none of them has one.

    Raises
    ------
    ValueError
        If the arrays come from different array libraries.
    """
    if all(type(array) is np.ndarray for array in arrays):  # the rule, answered in no time
        return NUMPY
    found = [array for array in arrays if is_array_api_obj(array)]
    if not found:
        return NUMPY
    try:
        return array_api_compat.array_namespace(*found)
    except TypeError as error:
        names = sorted({type(array).__module__.split(".")[0] for array in found})
        raise ValueError(
            f"The arrays come from different libraries ({', '.join(names)}); all must use the same "
            "namespace: convert them first, or move the operator with `to_device`."
        ) from error


def compute_namespace(backend: str, X: Any) -> tuple[Any, Any]:
    """Namespace and device that `backend` stands for, given the input `X`; "auto" is where X lives.

    Raises
    ------
    ValueError
        If `backend` is none of the three names.
    ImportError
        If CuPy is asked for and not installed.
    RuntimeError
        If CuPy is installed and finds no CUDA device.
    """
    if not isinstance(backend, str) or backend not in BACKENDS:
        raise ValueError(f"backend must be one of {BACKENDS}, got {backend!r}.")
    if backend == "auto":
        return array_namespace(X), device(X)
    if backend == "numpy":
        return NUMPY, device(np.empty(0))
    xp = import_cupy()
    return xp, device(X) if is_cupy_array(X) else device(xp.empty(0))


def import_cupy() -> Any:
    """CuPy's array-API namespace, or the reason why there is none."""
    try:
        import array_api_compat.cupy as xp
        import cupy
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name == "cupy"
        why = "is not installed" if missing else f"cannot be imported ({error})"
        raise ImportError(
            f"backend='cupy' needs CuPy, which {why}: `pip install skfact[cuda12]` (or "
            "`skfact[cuda13]`, to match your CUDA driver), and backend='numpy' does without."
        ) from error
    reason = ""
    try:
        if cupy.cuda.runtime.getDeviceCount():
            return xp
    except cupy.cuda.runtime.CUDARuntimeError as error:
        reason = f" ({error})"
    raise RuntimeError(
        f"backend='cupy' needs a CUDA device, and CuPy finds none{reason}. "
        "Use backend='auto' or 'numpy' on this machine."
    )


def to_numpy(array: Any) -> np.ndarray:
    """Copy an array of any library to the host, as NumPy; NumPy arrays come back as they are."""
    if isinstance(array, np.ndarray):
        return array
    if is_cupy_array(array):
        return array.get()
    if is_torch_array(array):
        return array.detach().cpu().resolve_conj().resolve_neg().numpy()
    if is_array_api_obj(array):
        xp = array_api_compat.array_namespace(array)
        if is_array_api_strict_namespace(xp):  # which converts from its host device only
            array = array.to_device(xp.Device("CPU_DEVICE"))
    return np.asarray(array)


class Portable:
    """What is pickled of a CuPy array: it is loaded as a NumPy array where there is no CuPy."""

    def __init__(self, array: Any) -> None:
        self._host = to_numpy(array)

    def __reduce__(self) -> Any:
        return on_device_if_there, (self._host,)


def portable(value: Any) -> Any:
    """What to pickle for an array, or for the arrays in lists, tuples and dictionaries."""
    if type(value) is dict:
        return {key: portable(item) for key, item in value.items()}
    if isinstance(value, list | tuple) and any(is_cupy_array(item) for item in value):
        items = [portable(item) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return Portable(value) if is_cupy_array(value) else value


def on_device_if_there(host: np.ndarray) -> Any:
    """The array of the host as a CuPy array, or as it is where there is no CuPy or no device."""
    try:
        return import_cupy().asarray(host)
    except (ImportError, RuntimeError):
        return host


def is_full_device(error: BaseException) -> bool:
    """Whether an error says that a device has too little memory, in CuPy's or PyTorch's words."""
    return type(error).__name__ == "OutOfMemoryError"


def advise_if_full(error: BaseException, what: str) -> None:
    """Add to an error what helps where the memory of a device is too small for something."""
    if is_full_device(error):
        error.add_note(
            f"The device has too little memory for {what}: pass fewer rows at a time or float32, "
            "free arrays that it still holds, or compute on the host, with NumPy arrays."
        )


def detached(array: Any) -> Any:
    """The array, or the tensors in nested lists, without the graph of autograd."""
    if isinstance(array, list | tuple):
        return [detached(item) for item in array] if "torch" in sys.modules else array
    return array.detach() if is_torch_array(array) else array


def move(array: Any, xp: Any, target_device: Any) -> Any:
    """The array in namespace `xp` on `target_device`; the array itself if it is there already."""
    if is_array_api_obj(array) and array_api_compat.array_namespace(array) is xp:
        return (
            array
            if device(array) == target_device
            else array_api_compat.to_device(array, target_device)
        )
    host = to_numpy(array)
    if is_torch_namespace(xp):
        # PyTorch would share the memory, and accepts neither read-only memory nor negative strides
        host = np.array(host, order="C")
    return xp.asarray(host, device=target_device)


def move_like(array: Any, like: Any) -> Any:
    """The array in the namespace and on the device of `like`."""
    return move(array, array_namespace(like), device(like))


def on_backend(backend: str, X: Any, *others: Any) -> tuple[Any, ...]:
    """`X` and the other arrays where `backend` says to compute, given the input `X`."""
    xp, where = compute_namespace(backend, X)
    return tuple(move(array, xp, where) for array in (X, *others))


def is_torch_module(obj: Any) -> bool:
    """Whether it is a PyTorch module: there is none where PyTorch was not imported."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(obj, torch.nn.Module)


def has_hooks(module: Any, kinds: Sequence[str] = HOOKS) -> bool:
    """Whether something else is to be done at each call of a PyTorch module."""
    return any(getattr(module, hooks) for hooks in kinds)
