"""PyTorch modules that are a chain of layers."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from typing import Any

from skfact.relu._networks.layered import LayeredNetwork, checked_layers
from skfact.relu._networks.network import Arrays

KIND = "a PyTorch nn.Sequential of Linear and ReLU"


def accepts(network: Any) -> bool:
    """Whether it is a module: there is none where PyTorch was not imported."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(network, torch.nn.Module)


def read(module: Any, check_finite: bool) -> LayeredNetwork:
    """Linear, ReLU, Linear, ..., Linear, possibly nested, with Identity."""
    torch = sys.modules["torch"]
    nn = torch.nn
    linears: list[Any] = []
    numbers: list[str] = []
    last = "ReLU"
    for number, layer in _leaves(module, nn):
        kind = type(layer).__name__
        if type(layer) is nn.Identity:
            continue
        if type(layer) not in (nn.Linear, nn.ReLU):
            raise ValueError(
                f"module {number} is {kind}; only Linear, ReLU, Identity and nested Sequential "
                "are read. Fold or replace it first."
            )
        if kind == last:
            raise ValueError(
                f"module {number} is Linear and follows Linear, but two of them without a ReLU "
                "between them are one: multiply them."
                if kind == "Linear"
                else f"module {number} is ReLU, and a ReLU must follow a Linear: remove it."
            )
        if kind == "Linear":
            if any(layer is other for other in linears):
                raise ValueError(
                    f"module {number} is a Linear that is used twice: its weights are tied, and "
                    "cannot be changed one by one. Pass a network with a copy in each place."
                )
            linears.append(layer)
            numbers.append(number)
        last = kind
    if linears and last == "ReLU":
        raise ValueError("The last module is ReLU; the output layer must be Linear: remove it.")

    def write(weights: Arrays, biases: Arrays) -> Any:
        written = copy.deepcopy(module)
        layers = [layer for _, layer in _leaves(written, nn) if type(layer) is nn.Linear]
        for layer, w, b in zip(layers, weights, biases):
            layer.weight.data = w.T.clone(memory_format=torch.contiguous_format)
            layer.in_features, layer.out_features = (int(n) for n in w.shape)
            if layer.bias is not None:
                layer.bias.data = b.clone()
            elif bool((b != 0).any()):
                layer.bias = nn.Parameter(b.clone())
        return written

    return checked_layers(
        [layer.weight.T for layer in linears],
        [layer.bias for layer in linears],
        lambda l: (f"module {numbers[l]} (Linear): weight", f"module {numbers[l]} (Linear): bias"),
        "relu",
        write,
        check_finite,
    )


def _leaves(module: Any, nn: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if type(module) is not nn.Sequential:
        yield prefix or "of the network", module
        return
    for number, child in enumerate(module):  # `named_children` leaves out modules used twice
        yield from _leaves(child, nn, f"{prefix}.{number}" if prefix else str(number))
