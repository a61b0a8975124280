"""PyTorch modules: every nn.Linear whose weight and bias alone say what it computes.

All runs are those of copies in evaluation, without gradients. That a layer is replaced must be
all the same to the modules around it: some read its weight past it. So the network is run once
with layers that compute the same but have no weight, and those that are missed stay.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from skfact._backend import to_numpy
from skfact.compression._layers.network import Batch, Linear, Replaced, Replacement
from skfact.torch import FactorizedLinear
from skfact.torch._dense import check_linear
from skfact.torch._replace import swap

ROWS = 256  # of a tensor that go through the network at a time
CLOSE = 1e-4  # relative difference of outputs that is rounding
READ_PAST = (
    "another module reads its weight (PyTorch's transformers do in evaluation, unless "
    "torch.backends.mha.set_fastpath_enabled(False) is called, here and where the network runs)"
)


class ModuleNetwork:
    """A module with batches of what it takes, or None."""

    def __init__(self, module: nn.Module, batches: Iterable[Any] | None) -> None:
        self.module, self.batches = module, batches
        self.original = _copied(module).eval()
        self._changed = _copied(module).eval()
        self._swapped: dict[int, tuple[Replacement, nn.Module]] = {}  # and what was taken out
        self.skipped: dict[str, str] = {}
        self._places = self._found()
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

    def inputs(self, which: Collection[int], replaced: Replaced) -> Iterator[Batch]:
        """What comes into some layers, with others replaced, batch for batch."""
        module = self._with(replaced)
        caught: dict[int, list[np.ndarray]] = {}

        def catch(place: int, layer: nn.Module, args: Any, named: Any) -> None:
            came = args[0] if args else named["input"]
            rows = to_numpy(came).reshape(-1, came.shape[-1])
            caught.setdefault(place, []).append(np.array(rows))
            if all(len(caught.get(other, ())) >= self._calls[other] for other in which):
                raise _Enough

        with ExitStack() as hooks:
            for place in which:
                layer = module.get_submodule(self._places[place][0])
                hooks.enter_context(
                    layer.register_forward_pre_hook(partial(catch, place), with_kwargs=True)
                )
            for batch in _each(self.batches):
                caught.clear()
                with suppress(_Enough):
                    _run(module, batch)
                yield {place: np.concatenate(rows) for place, rows in caught.items()}

    def outputs(self, replaced: Replaced) -> Iterator[np.ndarray]:
        """The first tensor of floats of the outputs, its last axis kept, batch for batch."""
        module = self._with(replaced)
        for batch in _each(self.batches):
            found = next(_tensors(_run(module, batch)), None)
            if found is not None:
                rows = to_numpy(found.double())
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
        batch = next(_each(self.batches), None)
        if batch is None:
            raise ValueError("X has no batches: pass samples.")
        called: Counter[int] = Counter()
        with ExitStack() as hooks:
            for place, names in enumerate(self._places):
                note = partial(lambda place, *_: called.update([place]), place)
                layer = self.original.get_submodule(names[0])
                hooks.enter_context(layer.register_forward_pre_hook(note))
            expected = list(_tensors(_run(self.original, batch)))
        for place, names in enumerate(self._places):
            if place not in called:
                self.skipped[names[0]] = f"it is not called for X: {READ_PAST}"
        kept = list(called)
        if kept and not self._is_same_without_weights(kept, batch, expected):
            for place in list(kept):
                if not self._is_same_without_weights([place], batch, expected):
                    kept.remove(place)
                    name = self._places[place][0]
                    self.skipped[name] = f"the network fails or changes without it: {READ_PAST}"
        self._places = [self._places[place] for place in kept]
        self._calls = [called[place] for place in kept]

    def _is_same_without_weights(
        self, places: list[int], batch: Any, expected: list[Tensor]
    ) -> bool:
        """Whether the network computes the same with layers that have no weight to be read."""
        probe = _copied(self.original)
        for place in places:
            for name in self._places[place]:
                swap(probe, name, _WithoutWeight(probe.get_submodule(name)))
        try:
            found = list(_tensors(_run(probe, batch)))
        except Exception:  # noqa: BLE001  (whatever modules do without a weight)
            return False
        return len(found) == len(expected) and all(
            one.shape == two.shape
            and torch.allclose(one, two, CLOSE, CLOSE * _size(two), equal_nan=True)
            for one, two in zip(found, expected)
        )

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
    """What computes the same as a layer, and is called as a new one would be."""

    def __init__(self, linear: nn.Module) -> None:
        super().__init__()
        self.hidden = [linear]  # no submodule

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
    return ModuleNetwork(module, None if X is None else _batches(module, X))


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


def _each(batches: Iterable[Any] | None) -> Iterator[Any]:
    yield from batches or ()


def _run(module: nn.Module, batch: Any) -> Any:
    """What the module gives for a batch; an error says what was passed."""
    with torch.no_grad():
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
    kind = type(layer).__name__.lower()
    return not list(layer.children()) and ("linear" in kind or "conv" in kind)


def _why_not(name: str, layer: nn.Module, owners: dict[int, list[str]]) -> str:
    """Why a layer cannot be replaced; nothing if it can."""
    if isinstance(layer, FactorizedLinear):
        return "it is factorized already"
    if isinstance(layer, nn.modules.linear.NonDynamicallyQuantizableLinear):
        return "the attention around it reads its weight"
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
