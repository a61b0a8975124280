"""Which way a product takes: compiled loops on the memory of tensors, or PyTorch's operations.

The loops take ordinary tensors on the host in single or double precision. Everything else, and
whatever PyTorch wants to see the operations of, goes through PyTorch: `torch.compile` and
`torch.export`, the transforms of `torch.func`, forward derivatives, half precision, other devices.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

try:  # there are no public names for these
    from torch._C import _dispatch_key_set, _len_torch_dispatch_stack
    from torch._C._functorch import peek_interpreter_stack
except ImportError:  # a PyTorch that tells less: its operations are right everywhere
    _dispatch_key_set = _len_torch_dispatch_stack = None  # type: ignore[assignment]
    peek_interpreter_stack = None  # type: ignore[assignment]

DTYPES = (torch.float32, torch.float64, torch.complex64, torch.complex128)
CONVERTED = (torch.float32, torch.float16, torch.bfloat16)  # by autocast


def is_followed() -> bool:
    """Whether PyTorch records or transforms the operations that are done now."""
    return (
        torch.compiler.is_compiling()
        or torch.jit.is_tracing()
        or peek_interpreter_stack is None  # not known
        or peek_interpreter_stack() is not None
        or _len_torch_dispatch_stack() > 0
        or getattr(forward_ad, "_current_level", 0) >= 0
    )


def is_ordinary(tensor: Any) -> bool:
    """Whether the loops can read the memory of a tensor."""
    return (
        (type(tensor) is Tensor or type(tensor) is nn.Parameter)
        and tensor.is_cpu
        and tensor.dtype in DTYPES
        and tensor.layout is torch.strided
    )


def is_batched(gradient: Tensor) -> bool:
    """Whether this stands for several gradients, as with `is_grads_batched` of autograd."""
    return _dispatch_key_set is None or "Batched" in _dispatch_key_set(gradient)


def autocast_dtype(X: Tensor) -> torch.dtype | None:
    """The half precision that PyTorch converts to here, as it does for an `nn.Linear`, or None."""
    kind = "cpu" if X.is_cpu else X.device.type
    if kind == "meta" or not torch.is_autocast_enabled(kind) or X.dtype not in CONVERTED:
        return None
    found: torch.dtype = torch.get_autocast_dtype(kind)
    return found
