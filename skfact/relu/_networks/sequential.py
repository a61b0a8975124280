"""PyTorch's nn.Sequential, read where what it computes is what its weights say.

A hook may compute anything, and a shared number belongs to two layers: both are refused, by name.
So is what only does nothing in evaluation while it is in training.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from skfact.relu._networks.batch_norm import affine
from skfact.relu._networks.layered import LayeredNetwork, checked_layers
from skfact.relu._networks.network import Arrays

WHOLE = "of the network"  # the place of the module itself

# PyTorch's reparametrizations by the class of their hooks, and what makes them plain weights
REMEDIES = {
    "BasePruningMethod": "torch.nn.utils.prune.remove({path}, {name!r})",
    "WeightNorm": "torch.nn.utils.remove_weight_norm({path}, {name!r})",
    "SpectralNorm": "torch.nn.utils.remove_spectral_norm({path}, {name!r})",
}


def read_sequential(module: Any, check_finite: bool) -> LayeredNetwork:
    """Linear, ReLU, Linear, ..., Linear, possibly nested, or a module around one Sequential.

    Identity, Flatten, and Dropout in evaluation do nothing; BatchNorm1d in evaluation is folded
    into the Linear before or after it; a Softmax at the end is left out.
    """
    nn = sys.modules["torch"].nn
    _refuse_hooks(module, nn)
    linears = _linears(module, nn)
    _refuse_shared_numbers([(linear.number, linear.layer) for linear in linears])

    def name_of(l: int, part: str) -> str:
        return f"module {linears[l].number} (Linear): {part}"

    network = checked_layers(
        [linear.layer.weight.T for linear in linears],
        [linear.layer.bias for linear in linears],
        lambda l: (name_of(l, "weight"), name_of(l, "bias")),
        "relu",
        _Writer(module, nn),
        check_finite,
    )
    weights, biases = list(network.weights), list(network.biases)
    for l, linear in enumerate(linears):
        for number, norm in reversed(linear.before):
            factor, shift = _affine(norm, number, weights[l].shape[0])
            biases[l] = biases[l] + shift @ weights[l]
            weights[l] = factor[:, None] * weights[l]
        for number, norm in linear.after:
            factor, shift = _affine(norm, number, weights[l].shape[1])
            weights[l], biases[l] = weights[l] * factor, biases[l] * factor + shift
    ends = [n for n, m in _modules(module, nn) if type(m) in (nn.Softmax, nn.LogSoftmax)]
    network = replace(
        network.with_arrays(weights, biases), left_out=f"module {ends[0]} (softmax)" if ends else ""
    )
    if type(module) is not nn.Sequential:
        _require_only_its_sequential(module, network)
    return network


@dataclass(frozen=True)
class _Writer:
    """Puts weights and biases into a copy of a module, in which batch norms are Identity."""

    module: Any
    nn: Any

    def __call__(self, weights: Arrays, biases: Arrays) -> Any:
        nn = self.nn
        try:
            written = copy.deepcopy(self.module)
        except (RuntimeError, TypeError) as error:
            raise ValueError(
                f"network cannot be copied by copy.deepcopy: {error} Detach the tensors that hang "
                "on its modules, or remove them."
            ) from error
        for (_, layer, *_), w, b in zip(_linears(written, nn), weights, biases):
            trained = layer.weight.requires_grad
            data = w.T.clone(memory_format=sys.modules["torch"].contiguous_format)
            # new parameters: gradients of the old ones are none of theirs
            layer.weight = nn.Parameter(data, requires_grad=trained)
            layer.in_features, layer.out_features = (int(n) for n in w.shape)
            if layer.bias is not None:
                layer.bias = nn.Parameter(b.clone(), requires_grad=layer.bias.requires_grad)
            elif bool((b != 0).any()):
                layer.bias = nn.Parameter(b.clone())
        for _, container in list(_modules(written, nn)):
            if type(container) is nn.Sequential:
                for place, child in enumerate(container):
                    if type(child) is nn.BatchNorm1d:
                        container[place] = nn.Identity().train(child.training)
        return written


class _Linear(NamedTuple):
    """A Linear, its place, and the batch norms next to it, with theirs."""

    number: str
    layer: Any
    before: list[tuple[str, Any]]
    after: list[tuple[str, Any]]


def _linears(module: Any, nn: Any) -> list[_Linear]:
    """The Linear modules in a sequence of which each has its ReLU."""
    found: list[_Linear] = []
    waiting: list[tuple[str, Any]] = []  # batch norms before the next Linear
    last, end = "ReLU", ""
    for number, layer in _modules(module, nn):
        kind = type(layer).__name__
        if _does_nothing(layer, number, nn):
            continue
        if number == WHOLE and len(_inner(layer, nn)) == 1:
            continue
        if end:
            raise ValueError(f"{end} is not the last module: what follows it, {number}, has paths.")
        if type(layer) is nn.BatchNorm1d:
            _require_evaluation(layer, number)
            (found[-1].after if last == "Linear" else waiting).append((number, layer))
            continue
        if type(layer) in (nn.Softmax, nn.LogSoftmax) and last == "Linear":
            _require_of_outputs(layer, number)
            end = f"module {number} ({kind})"
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
            if any(layer is other.layer for other in found):
                raise ValueError(
                    f"module {number} is a Linear that is used twice: its weights are tied, and "
                    "cannot be changed one by one. Pass a network with a copy in each place."
                )
            found.append(_Linear(number, layer, waiting, []))
            waiting = []
        last = kind
    if found and last == "ReLU":
        raise ValueError("The last module is ReLU; the output layer must be Linear: remove it.")
    return found


def _does_nothing(layer: Any, number: str, nn: Any) -> bool:
    """Whether a module passes rows of features on as they are."""
    if type(layer) in (nn.Identity, nn.Sequential):
        return True
    if type(layer) is nn.Flatten:
        if (layer.start_dim, layer.end_dim) != (1, -1):
            raise ValueError(
                f"module {number} is Flatten(start_dim={layer.start_dim}, end_dim={layer.end_dim}),"
                " which mixes samples or keeps dimensions: use torch.nn.Flatten()."
            )
        return True
    if type(layer) is nn.Dropout:
        if layer.p:
            _require_evaluation(layer, number)
        return True
    return False


def _require_evaluation(layer: Any, number: str) -> None:
    kind = type(layer).__name__
    if layer.training:
        raise ValueError(
            f"module {number} ({kind}) is in training mode, where it depends on the batch or on "
            "chance: call network.eval() first."
        )
    if kind == "BatchNorm1d" and layer.running_mean is None:
        raise ValueError(
            f"module {number} ({kind}) has no running statistics, and depends on the batch: train "
            "it with track_running_stats=True."
        )


def _require_of_outputs(layer: Any, number: str) -> None:
    if layer.dim not in (1, -1):
        raise ValueError(
            f"module {number} ({type(layer).__name__}) has dim={layer.dim}: give it dim=1, the "
            "outputs of a sample."
        )


def _affine(norm: Any, number: str, size: int) -> tuple[Any, Any]:
    """s, t with s x + t for a batch norm in evaluation."""
    label = f"module {number} (BatchNorm1d)"
    return affine(
        norm.running_mean, norm.running_var, norm.weight, norm.bias, norm.eps, size, label
    )


def _inner(module: Any, nn: Any) -> list[tuple[str, Any]]:
    """The Sequentials that a module of another class holds, with their names."""
    if type(module) is nn.Sequential:
        return []
    children = module.named_children()
    return [(name, child) for name, child in children if type(child) is nn.Sequential]


def _require_only_its_sequential(module: Any, network: LayeredNetwork) -> None:
    """Raise unless a module around a Sequential computes what that does, on a few rows."""
    torch = sys.modules["torch"]
    ((name, inner),) = _inner(module, torch.nn)
    n = network.sizes[0]
    like = network.weights[0]
    rows = torch.cos(torch.arange(4 * n, dtype=like.dtype, device=like.device)).reshape(4, n)
    advice = f"pass network.{name}, if that is what you mean."
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        expected = inner(rows)
        try:
            found = copy.deepcopy(module)(rows)
        except Exception as error:
            raise ValueError(
                f"network ({type(module).__name__}) does not take rows of {n} features, as its "
                f"Sequential {name!r} does ({type(error).__name__}: {error}): {advice}"
            ) from error
    same = isinstance(found, torch.Tensor) and found.shape == expected.shape
    if not same or not torch.allclose(found, expected, rtol=1e-5, atol=1e-6):
        raise ValueError(
            f"network ({type(module).__name__}) does not compute what its Sequential {name!r} "
            f"does: {advice}"
        )


def _what_else(layer: Any, number: str, nn: Any) -> str:
    if nn.utils.parametrize.is_parametrized(layer):
        (name, *_) = layer.parametrizations
        return (
            f"its {name} is computed by a parametrization. Make it a plain parameter: "
            f"torch.nn.utils.parametrize.remove_parametrizations({_path(number)}, {name!r})."
        )
    if number == WHOLE and len(found := _inner(layer, nn)) > 1:
        names = ", ".join(f"network.{name}" for name, _ in found)
        return f"it holds {len(found)} Sequentials: pass one of them, {names}."
    if number == WHOLE and not found:
        return (
            "a module that is no Linear or Sequential is read if it holds exactly one Sequential "
            "and computes what that does. Write its layers as one, or as a NetworkGraph."
        )
    return (
        "only Linear, ReLU, Identity, nested Sequential, and Flatten, Dropout and BatchNorm1d in "
        "evaluation are read, and one Softmax or LogSoftmax at the end. Take off what else follows "
        "the last Linear; write convolutions, skip connections and maxima as a NetworkGraph."
    )


def _modules(module: Any, nn: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """All modules with their places, the containers before what they hold."""
    yield prefix or WHOLE, module
    if type(module) is nn.Sequential:
        for number, child in enumerate(module):  # `named_children` leaves out modules used twice
            yield from _modules(child, nn, f"{prefix}.{number}" if prefix else str(number))
    elif not prefix and len(inner := _inner(module, nn)) == 1:
        ((name, child),) = inner
        yield from _modules(child, nn, name)


def _path(number: str) -> str:
    """The place of a module as code."""
    if number == WHOLE:
        return "network"
    parts = number.split(".")
    return "network" + "".join(f"[{p}]" if p.isdigit() else f".{p}" for p in parts)


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
