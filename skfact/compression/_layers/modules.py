"""PyTorch modules: every nn.Linear whose weight and bias alone say what it computes.

All runs are those of copies in evaluation, without gradients. That a layer is replaced must be
all the same to the modules around it: some read its weight past it. So the network is run once
with layers that compute the same but have no weight, and those that are missed stay. PyTorch's
transformers are told to call their layers.
"""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from skfact._backend import to_numpy
from skfact.compression._layers.network import Batch, Linear, Replaced, Replacement
from skfact.torch import FactorizedLinear
from skfact.torch._dense import check_linear, numbers_of, remedy
from skfact.torch._replace import call_layers, swap

ROWS = 256  # of a tensor that go through the network at a time
CLOSE = 1e-4  # relative difference of outputs that is rounding
SEED = 0  # of what networks draw in evaluation: the same in each run


class ModuleNetwork:
    """A module with batches of what it takes, or None."""

    def __init__(self, module: nn.Module, batches: Sequence[Any] | None) -> None:
        self.module, self.batches = module, batches or ()
        self.original = _for_runs(module)
        self._changed = _for_runs(module)
        self._swapped: dict[int, tuple[Replacement, nn.Module]] = {}  # and what was taken out
        self.skipped: dict[str, str] = {}
        self._places = self._found()
        self._calls: list[Counter[int]] = []  # of each layer in each batch
        self._n_rows: list[Counter[int]] = []  # and of how many rows
        if batches is not None:
            self._leave_what_is_read_past()

    @property
    def linears(self) -> list[Linear]:
        """The layers, in the order in which they are first called where that is known."""
        found = []
        for names in self._places:
            layer = self.original.get_submodule(names[0])
            bias = None if layer.bias is None else to_numpy(layer.bias)
            found.append(Linear(names[0], to_numpy(layer.weight), bias))
        return found

    @property
    def n_numbers(self) -> int:
        """Entries of all parameters that have a shape, each once."""
        lazy = nn.parameter.is_lazy
        return sum(p.numel() for p in self.module.parameters() if not lazy(p))

    def inputs(self, which: Collection[int], replaced: Replaced) -> Iterator[Batch]:
        """What comes into some layers, with others replaced, batch for batch."""
        module = self._with(replaced)
        caught: dict[int, list[np.ndarray]] = {}

        def catch(place: int, layer: nn.Module, args: Any, named: Any) -> None:
            came = _came(args, named)
            caught.setdefault(place, []).append(numbers_of(came).reshape(-1, came.shape[-1]))
            if all(len(caught.get(other, ())) >= calls[other] for other in which):
                raise _Enough

        with ExitStack() as hooks:
            for place in which:
                layer = module.get_submodule(self._places[place][0])
                hooks.enter_context(
                    layer.register_forward_pre_hook(partial(catch, place), with_kwargs=True)
                )
            for batch, calls, numbers in zip(self.batches, self._calls, self._n_rows):
                caught.clear()
                if any(calls[place] for place in which):
                    with suppress(_Enough):
                        _run(module, batch)
                found = {place: self._joined(place, caught.get(place, [])) for place in which}
                for place, rows in found.items():
                    if len(rows) != numbers[place]:
                        raise ValueError(
                            f"layer {self._places[place][0]!r} gets {len(rows)} rows of a batch "
                            f"of X where layers before it are replaced, and {numbers[place]} "
                            "otherwise, so that they cannot be compared: pass sequential=False."
                        )
                yield found

    def _joined(self, place: int, rows: list[np.ndarray]) -> np.ndarray:
        """The rows of all calls of a layer, which may be none."""
        layer = self.original.get_submodule(self._places[place][0])
        none = np.empty((0, layer.in_features), to_numpy(layer.weight[:0]).dtype)
        return np.concatenate([none, *rows])

    def outputs(self, replaced: Replaced) -> Iterator[np.ndarray]:
        """The first tensor of floats of the outputs, its last axis kept, batch for batch."""
        module = self._with(replaced)
        for batch in self.batches:
            found = next(_tensors(_run(module, batch)), None)
            if found is not None:
                rows = numbers_of(found)
                yield rows.reshape(-1, rows.shape[-1] if rows.ndim else 1)

    def written(self, replaced: Replaced) -> nn.Module:
        """A copy of the module with layers replaced; what is trained and in training stays so."""
        written = _copied(self.module)
        for place, replacement in replaced.items():
            old = written.get_submodule(self._places[place][0])
            self._put(written, place, _layer(old, replacement))
        return written

    def _found(self) -> list[list[str]]:
        """Names of each layer that can be replaced; others are remembered with the reason."""
        found: dict[int, list[str]] = {}
        owners = _owners(self.original)
        for name, layer in self.original.named_modules(remove_duplicate=False):
            if isinstance(layer, nn.MultiheadAttention):
                read = [*(own for own, _ in _projections(layer)), "out_proj"]
                self.skipped |= dict.fromkeys(
                    (f"{name}.{own}".lstrip(".") for own in read),
                    "the attention itself reads it",
                )
            if name in self.skipped:
                continue
            known = isinstance(layer, nn.Linear | FactorizedLinear)
            if not known and not _is_like_linear(layer):
                continue
            why = _why_not(name, layer, owners)
            if why:
                self.skipped[name] = why
            else:
                found.setdefault(id(layer), []).append(name)
        return list(found.values())

    def _leave_what_is_read_past(self) -> None:
        """Keep the layers that are called, in this order, and whose weight nobody else reads."""
        if not self.batches:
            raise ValueError("X has no batches: pass samples.")
        self._count_calls()
        first: dict[int, int] = {}  # the batch in which a layer is called first, in this order
        for i, n_rows in enumerate(self._n_rows):
            first |= {place: i for place, n in n_rows.items() if n and place not in first}
        for place, names in enumerate(self._places):
            if place not in first:
                why = self._changed_without([place], self.batches[0])
                self.skipped[names[0]] = why or "no batch of X has it called"
        batches = dict.fromkeys(first.values())
        if any(self._changed_without([*first], self.batches[i]) for i in batches):
            for place, i in list(first.items()):
                if why := self._changed_without([place], self.batches[i]):
                    self.skipped[self._places[place][0]] = why
                    del first[place]
        new = {place: at for at, place in enumerate(first)}
        self._places = [self._places[place] for place in first]
        for counts in (*self._calls, *self._n_rows):
            kept = {new[place]: n for place, n in counts.items() if place in new}
            counts.clear()
            counts.update(kept)

    def _count_calls(self) -> None:
        """Note how often each batch has each layer called, and for how many rows, in this order."""

        def note(place: int, layer: nn.Module, args: Any, named: Any) -> None:
            self._calls[-1][place] += 1
            self._n_rows[-1][place] += math.prod(_came(args, named).shape[:-1])

        with ExitStack() as hooks:
            for place, names in enumerate(self._places):
                layer = self.original.get_submodule(names[0])
                hooks.enter_context(
                    layer.register_forward_pre_hook(partial(note, place), with_kwargs=True)
                )
            for batch in self.batches:
                self._calls.append(Counter())
                self._n_rows.append(Counter())
                _run(self.original, batch)

    def _changed_without(self, places: list[int], batch: Any) -> str:
        """What the network does with layers that have no weight to be read, if not the same."""
        expected = list(_tensors(_run(self.original, batch)))
        probe = _copied(self.original)
        for place in places:
            for name in self._places[place]:
                swap(probe, name, _WithoutWeight(probe.get_submodule(name)))
        try:
            found = list(_tensors(_run(probe, batch)))
        except Exception as error:  # noqa: BLE001  (whatever modules do without a weight)
            if isinstance(error, AttributeError) and error.name == "weight":
                return "another module reads its weight"
            return f"the network fails with another in its place ({type(error).__name__}: {error})"
        if _are_close(found, expected):
            return ""
        if not _are_close(list(_tensors(_run(self.original, batch))), expected):
            raise ValueError(
                "network gives other outputs for the same batch each time, so that errors cannot "
                "be measured: make it forget what it saw, and draw nothing, in evaluation."
            )
        return "another module reads its weight: the network changes without it"

    def _with(self, replaced: Replaced) -> nn.Module:
        """The network with these layers replaced and all others as they were."""
        if not replaced:
            return self.original
        for place, (replacement, taken_out) in list(self._swapped.items()):
            if replaced.get(place) is not replacement:
                self._put(self._changed, place, taken_out)
                del self._swapped[place]
        for place, replacement in replaced.items():
            if place not in self._swapped:
                taken_out = self._changed.get_submodule(self._places[place][0])
                self._put(self._changed, place, _layer(taken_out, replacement))
                self._swapped[place] = replacement, taken_out
        return self._changed

    def _put(self, module: nn.Module, place: int, layer: nn.Module) -> None:
        """A layer in all places of another one."""
        for name in self._places[place]:
            swap(module, name, layer)


class _Enough(BaseException):
    """All that is looked for came by: what follows need not be computed."""


class _WithoutWeight(nn.Module):
    """What computes the same as a layer, and has what a new one would have."""

    def __init__(self, linear: Any) -> None:
        super().__init__()
        self.hidden = [linear]  # no submodule
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.bias = linear.bias

    def forward(self, input: Tensor) -> Tensor:
        """The images of rows."""
        (linear,) = self.hidden
        images: Tensor = linear(input)
        return images


def read_module(module: Any, X: Any) -> ModuleNetwork:
    """Any module; X is what it takes."""
    if isinstance(module, nn.Linear):
        raise TypeError(
            "network is itself one nn.Linear, without a place in which it could be replaced: pass "
            "nn.Sequential(linear), or use FactorizedLinear.from_linear(linear, inputs=X)."
        )
    if X is None:
        return ModuleNetwork(module, None)
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        if tensor.device.type == "meta":
            raise ValueError(
                f"network has {name} on the device 'meta', where it has no numbers, and cannot run "
                "on X: load them first."
            )
    for name, part in module.named_modules():
        if isinstance(getattr(part, "_orig_mod", None), nn.Module):
            raise ValueError(
                f"network{f'.{name}' if name else ''} is compiled by torch.compile, which does not "
                "stop at its layers: pass the network as it was before (compiled._orig_mod), and "
                "compile what comes back."
            )
    return ModuleNetwork(module, _batches(module, X))


def _batches(module: nn.Module, X: Any) -> Sequence[Any]:
    """What the network is called with, batch for batch, the same each time."""
    if isinstance(X, np.ndarray):
        like = next((p for p in module.parameters() if p.is_floating_point()), None)
        X = torch.as_tensor(X)
        if X.is_floating_point() and like is not None:
            X = X.to(like.device, like.dtype)
    if isinstance(X, Tensor):
        return torch.split(X, ROWS) if X.ndim and len(X) else []
    if isinstance(X, tuple | Mapping):
        return [X]
    if isinstance(X, Iterator) or not isinstance(X, Iterable) or isinstance(X, str | bytes):
        raise TypeError(
            "X must be a tensor, a tuple of arguments, a mapping of names to arguments, or batches "
            "of these that can be gone through more than once, as a list or a DataLoader; got "
            f"{type(X).__name__}."
        )
    return list(X)  # a DataLoader that shuffles gives others each time


def _run(module: nn.Module, batch: Any) -> Any:
    """What the module gives for a batch, which it may write to; an error says what was passed."""
    batch = _private(batch, {})
    with torch.no_grad(), _same_draws(module):
        try:
            if isinstance(batch, Mapping):
                return module(**batch)
            return module(*batch) if isinstance(batch, tuple | list) else module(batch)
        except Exception as error:
            error.add_note(
                "The network was called with a batch of X: a tensor as network(X), a tuple or list "
                "as network(*X), a mapping as network(**X). A DataLoader must give the inputs "
                "alone, without targets, on the device of the network."
            )
            raise


def _private(batch: Any, copies: dict[int, Tensor]) -> Any:
    """A batch with copies of its tensors, one of each."""
    if type(batch) is Tensor:
        if id(batch) not in copies:
            copies[id(batch)] = batch.detach().clone().requires_grad_(batch.requires_grad)
        return copies[id(batch)]
    if isinstance(batch, Mapping):
        return {name: _private(part, copies) for name, part in batch.items()}
    if type(batch) in (tuple, list):
        return type(batch)(_private(part, copies) for part in batch)
    return batch


@contextmanager
def _same_draws(module: nn.Module) -> Iterator[None]:
    """Start the random numbers of PyTorch anew, and leave them as they were."""
    devices = sorted({p.device.index for p in module.parameters() if p.device.type == "cuda"})
    with torch.random.fork_rng(devices):
        for generator in (torch.default_generator, *map(_generator, devices)):
            generator.manual_seed(SEED)
        yield


def _generator(device: int) -> Any:
    return torch.cuda.default_generators[device]


def _came(args: Any, named: Any) -> Any:
    """What a layer is called with."""
    return args[0] if args else named["input"]


def _are_close(found: list[Tensor], expected: list[Tensor]) -> bool:
    """Whether outputs differ by rounding only."""
    return len(found) == len(expected) and all(
        one.shape == two.shape
        and torch.allclose(one, two, CLOSE, CLOSE * _size(two), equal_nan=True)
        for one, two in zip(found, expected)
    )


def _tensors(outputs: Any) -> Iterator[Tensor]:
    """All tensors of floats in what a network gives."""
    if isinstance(outputs, Tensor):
        if outputs.is_floating_point():
            yield outputs
    elif isinstance(outputs, Mapping):
        for value in outputs.values():
            yield from _tensors(value)
    elif isinstance(outputs, tuple | list):
        for value in outputs:
            yield from _tensors(value)


def _for_runs(module: nn.Module) -> nn.Module:
    """A copy in evaluation that calls its layers."""
    copied = _copied(module).eval()
    for part in copied.modules():
        call_layers(part)
    return copied


def _copied(module: nn.Module) -> nn.Module:
    try:
        return copy.deepcopy(module)
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f"network cannot be copied by copy.deepcopy: {error} Detach the tensors that hang on "
            "its modules, or remove them."
        ) from error


def _layer(linear: nn.Module, replacement: Replacement) -> nn.Module:
    """The new layer, where the old one lives, and trained if that is."""
    like: Any = linear.weight
    bias = replacement.bias
    if replacement.is_dense:
        new: Any = copy.deepcopy(linear)
        with torch.no_grad():
            new.weight.copy_(torch.from_numpy(replacement.weight))
            if bias is not None:
                new.bias.copy_(torch.from_numpy(bias))
        return new
    new = FactorizedLinear(replacement.weight, bias).to(like.device, like.dtype)
    for name, parameter in new.named_parameters():
        of: Any = linear.bias if name == "bias" else like
        parameter.requires_grad_(of.requires_grad)
    return new.train(linear.training)


def _owners(module: nn.Module) -> dict[int, list[str]]:
    """Names under which each parameter stands, those of one layer in several places as one."""
    found: dict[int, list[str]] = {}
    for prefix, layer in module.named_modules():
        for name, parameter in layer.named_parameters(recurse=False):
            found.setdefault(id(parameter), []).append(f"{prefix}.{name}".lstrip("."))
    return found


def _is_like_linear(layer: nn.Module) -> bool:
    """Whether one could expect it to be replaced."""
    kind = getattr(layer, "original_name", type(layer).__name__).lower()  # before TorchScript
    recurs = isinstance(layer, nn.RNNBase | nn.RNNCellBase)
    return not list(layer.children()) and (recurs or "linear" in kind or "conv" in kind)


def _projections(attention: nn.MultiheadAttention) -> list[tuple[str, nn.Parameter]]:
    """Its matrices that are no layers of their own."""
    own = attention.named_parameters(recurse=False)
    return [(name, parameter) for name, parameter in own if name.endswith("proj_weight")]


def _why_not(name: str, layer: nn.Module, owners: dict[int, list[str]]) -> str:
    """Why a layer cannot be replaced; nothing if it can."""
    if isinstance(layer, FactorizedLinear):
        return "it is factorized already"
    if isinstance(layer, torch.jit.ScriptModule):
        return "TorchScript compiled it: compress the network before that"
    if isinstance(layer, nn.RNNBase | nn.RNNCellBase):
        return "its weights are read step by step"
    if type(layer) is not nn.Linear:
        why = remedy(layer).removesuffix(": leave it dense")
        return f"it is no nn.Linear but of the class {type(layer).__name__}: {why}"
    try:
        check_linear(layer, "it")
    except (TypeError, ValueError) as error:
        return str(error).rstrip(".")
    weight: Any = layer.weight
    if weight.is_complex():
        return "its weight is complex"
    if not bool(torch.isfinite(weight).all()):
        return "its weight has entries that are NaN or infinite"
    own = f"{name}.weight"
    tied = [other for other in owners[id(weight)] if other != own]
    if own in owners[id(weight)] and tied:
        return f"its weight is that of {', '.join(tied)}, too: untie them to replace it"
    return ""


def _size(x: Tensor) -> float:
    return float(torch.nan_to_num(x).abs().max()) if x.numel() else 0.0
