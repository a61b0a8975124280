"""What modules ask of their input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, fx, nn

from skfact.torch._dense import check_numbers


def as_one_node(module: nn.Module, X: Any) -> Any:
    """The call of a module as one node of a graph that torch.fx traces; other input is no tensor.

    A tracer goes into all modules but PyTorch's own. What a product does depends on the numbers.
    """
    kind = type(module).__name__
    if not isinstance(X, fx.Proxy):
        raise TypeError(
            f"input must be a tensor, got {type(X).__name__}: use torch.as_tensor(input)."
        )
    tracer: Any = X.tracer
    path = tracer.path_of_module(module)
    if not path:
        raise TypeError(
            f"input is a Proxy, and {kind} the whole module that is traced: it is one node of a "
            f"graph. Trace a module that contains it, such as nn.Sequential(layer)."
        )
    return tracer.create_proxy("call_module", path, (X,), {})


def check_rows(X: Tensor, n: int) -> None:
    """Raise unless rows have n entries."""
    if not X.ndim or X.size(-1) != n:
        raise ValueError(f"input must have shape (..., {n}), got {tuple(X.shape)}.")


def check_like(X: Tensor, own: Sequence[Tensor], name: str) -> None:
    """Raise unless rows have the dtype of the parameters, and are on their device."""
    dtypes = {tensor.dtype for tensor in own}
    if dtypes and X.dtype not in dtypes:
        raise TypeError(
            f"input has dtype {X.dtype}, and the {name} {' and '.join(map(str, dtypes))}: "
            f"convert one of them, with input.to(...) or {name}.to({X.dtype})."
        )
    check_device(X, own, name)


def check_device(X: Tensor, own: Sequence[Tensor], name: str) -> None:
    """Raise unless rows are on the device of the parameters.

    PyTorch does not always: for a weight on "meta", it gives numbers out of nowhere.
    """
    others = {tensor.device for tensor in own if tensor.device != X.device}
    if not others:
        return
    check_numbers(own[0], name)
    raise ValueError(
        f"input is on the device {X.device}, and the {name} on {others.pop()}: move one of them, "
        f"with input.to(...) or {name}.to({str(X.device)!r})."
    )
