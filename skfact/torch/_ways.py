"""Which way a product takes: compiled loops on the memory of tensors, or PyTorch's operations.

The loops take ordinary tensors on the host in single or double precision. Everything else, and
whatever PyTorch wants to see the operations of, goes through PyTorch: `torch.compile` and
`torch.export`, the transforms of `torch.func`, forward derivatives, half precision, other devices.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

DTYPES = (torch.float32, torch.float64, torch.complex64, torch.complex128)
ORDINARY = (Tensor, nn.Parameter)


def is_transformed() -> bool:
    """Whether PyTorch follows, or transforms, the operations that are done."""
    return (
        torch.compiler.is_compiling()
        or torch.jit.is_tracing()
        or torch._C._functorch.peek_interpreter_stack() is not None
        or torch._C._len_torch_dispatch_stack() > 0
        or torch.autograd.forward_ad._current_level >= 0
    )


def serve(X: Tensor, tensors: Iterable[Tensor]) -> bool:
    """Whether the loops take these."""
    return (
        not is_transformed()
        and X.dtype in DTYPES
        and all(type(t) in ORDINARY and t.device.type == "cpu" for t in (X, *tensors))
        and X.layout == torch.strided
    )


def has_hooks(module: nn.Module) -> bool:
    """Whether something is to be done at each call of a module."""
    return bool(
        module._forward_pre_hooks
        or module._forward_hooks
        or module._backward_pre_hooks
        or module._backward_hooks
    )
