"""PyTorch's nn.Sequential of Linear and ReLU, read where what it computes is what its weights say.

A hook may compute anything, and a shared number belongs to two layers: both are refused, by name.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from skfact.relu._networks.layered import LayeredNetwork, checked_layers
from skfact.relu._networks.network import Arrays

# PyTorch's reparametrizations by the class of their hooks, and what makes them plain weights
REMEDIES = {
    "BasePruningMethod": "torch.nn.utils.prune.remove({path}, {name!r})",
    "WeightNorm": "torch.nn.utils.remove_weight_norm({path}, {name!r})",
    "SpectralNorm": "torch.nn.utils.remove_spectral_norm({path}, {name!r})",
}


def read_sequential(module: Any, check_finite: bool) -> LayeredNetwork:
    """Linear, ReLU, Linear, ..., Linear, possibly nested, with Identity."""
    nn = sys.modules["torch"].nn
    _refuse_hooks(module, nn)
    linears = _linears(module, nn)
    _refuse_shared_numbers(linears)
    numbers = [number for number, _ in linears]

    def write(weights: Arrays, biases: Arrays) -> Any:
        try:
            written = copy.deepcopy(module)
        except (RuntimeError, TypeError) as error:
            raise ValueError(
                f"network cannot be copied by copy.deepcopy: {error} Detach the tensors that hang "
                "on its modules, or remove them."
            ) from error
        for (_, layer), w, b in zip(_linears(written, nn), weights, biases):
            trained = layer.weight.requires_grad
            data = w.T.clone(memory_format=sys.modules["torch"].contiguous_format)
            # new parameters: gradients of the old ones are none of theirs
            layer.weight = nn.Parameter(data, requires_grad=trained)
            layer.in_features, layer.out_features = (int(n) for n in w.shape)
            if layer.bias is not None:
                layer.bias = nn.Parameter(b.clone(), requires_grad=layer.bias.requires_grad)
            elif bool((b != 0).any()):
                layer.bias = nn.Parameter(b.clone())
        return written

    return checked_layers(
        [layer.weight.T for _, layer in linears],
        [layer.bias for _, layer in linears],
        lambda l: (f"module {numbers[l]} (Linear): weight", f"module {numbers[l]} (Linear): bias"),
        "relu",
        write,
        check_finite,
    )


def _linears(module: Any, nn: Any) -> list[tuple[str, Any]]:
    """The Linear modules with their places, in a sequence of which each has its ReLU."""
    found: list[tuple[str, Any]] = []
    last = "ReLU"
    for number, layer in _modules(module, nn):
        kind = type(layer).__name__
        if type(layer) in (nn.Identity, nn.Sequential):
            continue
        if type(layer) not in (nn.Linear, nn.ReLU):
            raise ValueError(f"module {number} is {kind}; {_what_else(layer, number, nn)}")
        if kind == last:
            raise ValueError(
                f"module {number} is Linear and follows Linear, but two of them without a ReLU "
                "between them are one: multiply them."
                if kind == "Linear"
                else f"module {number} is ReLU, and a ReLU must follow a Linear: remove it."
            )
        if kind == "Linear":
            if any(layer is other for _, other in found):
                raise ValueError(
                    f"module {number} is a Linear that is used twice: its weights are tied, and "
                    "cannot be changed one by one. Pass a network with a copy in each place."
                )
            found.append((number, layer))
        last = kind
    if found and last == "ReLU":
        raise ValueError("The last module is ReLU; the output layer must be Linear: remove it.")
    return found


def _what_else(layer: Any, number: str, nn: Any) -> str:
    if nn.utils.parametrize.is_parametrized(layer):
        (name, *_) = layer.parametrizations
        return (
            f"its {name} is computed by a parametrization. Make it a plain parameter: "
            f"torch.nn.utils.parametrize.remove_parametrizations({_path(number)}, {name!r})."
        )
    return (
        "only Linear, ReLU, Identity and nested Sequential are read. Replace what does nothing in "
        "evaluation, such as Dropout, by torch.nn.Identity(), and take what follows the last "
        "Linear off; write batch norms, skip connections and maxima as a NetworkGraph."
    )


def _modules(module: Any, nn: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """All modules with their places, the containers before what they hold."""
    yield prefix or "of the network", module
    if type(module) is nn.Sequential:
        for number, child in enumerate(module):  # `named_children` leaves out modules used twice
            yield from _modules(child, nn, f"{prefix}.{number}" if prefix else str(number))


def _path(number: str) -> str:
    """The place of a module as code."""
    if not number[0].isdigit():
        return "network"
    return "network" + "".join(f"[{part}]" for part in number.split("."))


def _refuse_hooks(network: Any, nn: Any) -> None:
    """Raise if something other than the modules themselves takes part in the forward pass."""
    everywhere = nn.modules.module
    for hooks in (everywhere._global_forward_pre_hooks, everywhere._global_forward_hooks):
        for hook in hooks.values():
            raise ValueError(
                f"torch runs {_name(hook)!r} on every module, a global hook, which may change what "
                "the network computes. Remove it first: handle.remove()."
            )
    for number, module in _modules(network, nn):
        place = f"module {number} ({type(module).__name__})"
        for kind, hooks in (
            ("forward pre-hook", module._forward_pre_hooks),
            ("forward hook", module._forward_hooks),
        ):
            for hook in hooks.values():
                raise ValueError(
                    f"{place} has a {kind}, {_name(hook)!r}, which may change what it computes. "
                    f"{_remedy(hook, number)}"
                )
        if "forward" in vars(module):
            raise ValueError(
                f"{place} has a `forward` of its own, {_name(module.forward)!r}, which may compute "
                f"anything. Remove it first: del {_path(number)}.forward."
            )
        for name in ("weight", "bias") if type(module) is nn.Linear else ():
            if name not in module._parameters:
                raise ValueError(
                    f"{place}: {name} is no parameter, and may be computed from others. Replace "
                    f"{_path(number)} by a Linear whose parameters are its numbers."
                )


def _name(hook: Any) -> str:
    return str(getattr(hook, "__qualname__", type(hook).__name__))


def _remedy(hook: Any, number: str) -> str:
    name = getattr(hook, "_tensor_name", getattr(hook, "name", "weight"))
    for kind in type(hook).__mro__:
        if kind.__name__ in REMEDIES and kind.__module__.startswith("torch."):
            code = REMEDIES[kind.__name__].format(path=_path(number), name=name)
            return f"Make it part of the {name} first: {code}."
    return "Remove it first: handle.remove()."


class _Piece(NamedTuple):
    """A weight or bias, and where it lies in memory: the first address and past the last one."""

    device: str
    first: int
    end: int
    place: int  # among all weights and biases
    name: str
    tensor: Any


def _refuse_shared_numbers(linears: list[tuple[str, Any]]) -> None:
    """Raise if a weight or bias and another one are the same numbers in memory, or some of them."""
    open_pieces: list[_Piece] = []
    for piece in sorted(_pieces(linears)):  # by address
        open_pieces = [p for p in open_pieces if p.device == piece.device and p.end > piece.first]
        for other in open_pieces:
            if _overlap(piece.tensor, other.tensor):
                one, two = sorted((piece, other), key=lambda p: p.place)
                raise ValueError(
                    f"{two.name} and {one.name} are tied: they share numbers, which cannot be "
                    "changed one by one. Pass a network with a copy in each place."
                )
        open_pieces.append(piece)


def _pieces(linears: list[tuple[str, Any]]) -> Iterator[_Piece]:
    """Those that lie in memory: sparse and imaginary tensors are refused when they are read."""
    for place, (number, layer) in enumerate(linears):
        for part in ("weight", "bias"):
            x = getattr(layer, part)
            if x is None or x.is_meta or x.layout is not sys.modules["torch"].strided:
                continue
            last = sum((n - 1) * step for n, step in zip(x.shape, x.stride()))
            end = x.data_ptr() + (last + 1) * x.element_size()
            name = f"module {number} (Linear): {part}"
            yield _Piece(str(x.device), x.data_ptr(), end, 2 * place + (part == "bias"), name, x)


def _overlap(x: Any, y: Any) -> bool:
    """Whether two tensors have an element at the same address; both may be views with gaps."""
    return bool(sys.modules["torch"].isin(_addresses(x), _addresses(y)).any())


def _addresses(x: Any) -> Any:
    torch = sys.modules["torch"]
    found = torch.full((), x.data_ptr(), dtype=torch.int64)
    for n, step in zip(x.shape, x.stride()):
        found = found[..., None] + step * x.element_size() * torch.arange(n)
    return found
