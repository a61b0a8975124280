"""Factorized layers in the place of the dense ones of a network."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from torch import nn

from skfact._checks import chosen_names
from skfact.torch._dense import check_linear
from skfact.torch._linear import FactorizedLinear


def swap(module: nn.Module, name: str, new: nn.Module) -> None:
    """Put a layer into the place of the one of that name, as of `named_modules`.

    Transformers of PyTorch around it call it from then on, also in evaluation.
    """
    parent, _, last = name.rpartition(".")
    setattr(module.get_submodule(parent), last, new)
    path = name.split(".")
    for depth in range(len(path)):
        call_layers(module.get_submodule(".".join(path[:depth])))


def call_layers(module: nn.Module) -> None:
    """Keep a transformer of PyTorch from reading weights of its layers, which it does if it can."""
    if isinstance(module, nn.TransformerEncoderLayer):
        module.activation_relu_or_gelu = 0  # one of its conditions; `activation` says what it does
    elif isinstance(module, nn.TransformerEncoder):
        module.use_nested_tensor = False


def replace_linear_layers(
    module: nn.Module,
    supports: Any = "auto",
    *,
    include: str | Iterable[str] | None = None,
    exclude: str | Iterable[str] | None = None,
    inplace: bool = False,
    **how: Any,
) -> nn.Module:
    """Replace the dense linear layers of a network by factorized ones.

    Parameters
    ----------
    module : torch.nn.Module
        The network. Only layers of the type `torch.nn.Linear` are replaced; convolutions,
        embeddings, norms and all others stay.
    supports : str, callable or Chain, default="auto"
        The structure of each weight, as for `butterfly_factorize`.
    include : str or iterable of str, default=None
        Names of layers, as of `module.named_modules()`, that are replaced; patterns of the shell
        such as ``"encoder.*.fc?"``. None stands for all of them.
    exclude : str or iterable of str, default=None
        Names or patterns of those among them that are not.
    inplace : bool, default=False
        Change the module itself, instead of a copy.
    **how
        Other parameters of `butterfly_factorize`: `rank`, `tol`, `max_density`, ...

    Returns
    -------
    torch.nn.Module
        The network with the new layers: a copy, or the module itself if `inplace`. A layer that is
        in several places is one layer in them, and layers that share their weight share the new
        factors.

    Raises
    ------
    TypeError
        If `module` is no module, or a layer that was asked for is of a subclass of `nn.Linear` (as
        `out_proj` of `nn.MultiheadAttention` is), has a quantized weight, or one in half precision.
    ValueError
        If no layer has such a name, if a layer has hooks, or shares its weight with something that
        is not replaced.

    Before any of these errors nothing is replaced, and a note says which layers to exclude.

    See Also
    --------
    FactorizedLinear.from_linear : One layer.

    Notes
    -----
    `nn.TransformerEncoder` and its layers read weights past their layers in evaluation, where they
    can. Those that get new layers call them instead: outputs are the same, but for positions that
    `src_key_padding_mask` masks, which need not be zero.

    Examples
    --------
    >>> import torch
    >>> from scipy.linalg import hadamard
    >>> from skfact.torch import replace_linear_layers
    >>> network = torch.nn.Sequential(
    ...     torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10)
    ... )
    >>> network[0].weight.data = torch.tensor(hadamard(64), dtype=torch.float32)
    >>> smaller = replace_linear_layers(network, "monarch", exclude="2")
    >>> [type(layer).__name__ for layer in smaller]
    ['FactorizedLinear', 'ReLU', 'Linear']
    """
    if not isinstance(module, nn.Module):
        raise TypeError(f"module must be a torch.nn.Module, got {type(module).__name__}.")
    if isinstance(module, nn.Linear):
        raise TypeError(
            "module is itself a layer, without a place in which it can be replaced: use "
            "FactorizedLinear.from_linear(module, ...)."
        )
    names = replaceable(module, include, exclude)
    if not inplace:
        module = copy.deepcopy(module)
    new: dict[int, FactorizedLinear] = {}  # by the layer
    first: dict[int, FactorizedLinear] = {}  # by the weight, which several layers may have
    places = [(name, module.get_submodule(name)) for name in names]
    for _, linear in places:
        if id(linear) not in new:
            layer = first.get(id(linear.weight))
            if layer is None:
                layer = FactorizedLinear.from_linear(linear, supports, **how)
                layer.bias = linear.bias  # itself, which may be tied too
                first[id(linear.weight)] = layer
            else:
                layer = with_factors_of(layer, linear)
            new[id(linear)] = layer
    for name, linear in places:  # none before all can be
        swap(module, name, new[id(linear)])
    return module


def replaceable(module: nn.Module, include: Any, exclude: Any) -> list[str]:
    """Names of the layers to replace, which all can be; an error names all that cannot."""
    linear = [
        name
        for name, layer in module.named_modules(remove_duplicate=False)
        if isinstance(layer, nn.Linear)
    ]
    if not linear:
        raise ValueError(f"module has no nn.Linear: {type(module).__name__} stays as it is.")
    names = chosen_names(linear, include, exclude, {})
    errors: dict[str, TypeError | ValueError] = {}
    for name in names:
        try:
            check_linear(module.get_submodule(name), f"layer {name!r}")
        except (TypeError, ValueError) as error:
            errors[name] = error
    while more := shared(module, [name for name in names if name not in errors]):
        errors |= more  # what stays may be tied to others
    if errors:
        left = [name for name in linear if name not in names or name in errors]
        first = next(iter(errors.values()))
        first.add_note(f"To replace the layers that can be, pass exclude={left}.")
        raise first
    return names


def shared(module: nn.Module, names: list[str]) -> dict[str, ValueError]:
    """An error for each weight that is replaced, and also that of something which stays."""
    owners: dict[int, list[str]] = {}
    for path, parameter in module.named_parameters(remove_duplicate=False):
        owners.setdefault(id(parameter), []).append(path)
    found = {}
    for name in names:
        weight = module.get_submodule(name).weight
        others = [path for path in owners[id(weight)] if path.removesuffix(".weight") not in names]
        if others:
            found[name] = ValueError(
                f"layer {name!r} shares its weight with {', '.join(others)}, which is not "
                f"replaced: they would no longer be tied. Pass exclude={name!r}, or untie them."
            )
    return found


def with_factors_of(layer: FactorizedLinear, linear: nn.Linear) -> FactorizedLinear:
    """A layer that shares the factors of another one, with the bias of a dense one."""
    new = FactorizedLinear(layer.to_operator())
    new.terms, new.bias = layer.terms, linear.bias
    return new.train(linear.training)
