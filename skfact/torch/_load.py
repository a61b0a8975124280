"""The state of a network with factorized layers, loaded into one that is dense."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.sparse
from torch import Tensor, nn

from skfact.operators import FactorizedOperator, KroneckerFactor, OperatorSum, PartialPermutation
from skfact.torch._dense import numbers_of
from skfact.torch._linear import FactorizedLinear
from skfact.torch._replace import swap, with_factors_of

KEY = re.compile(r"(?:(.*)\.)?terms\.(\d+)\.(\d+)\.(weight|values|rows|columns|index)")

Arrays = dict[str, Any]  # tensors of a factor, by the name of the parameter or buffer


def load_factorized(
    module: nn.Module, state_dict: Mapping[str, Tensor], *, inplace: bool = False
) -> nn.Module:
    """Load the state of a network with factorized layers into one that has dense layers.

    The state says which layers are factorized, and how: only code that makes the dense network is
    needed, and a file of tensors, without pickled classes.

    Parameters
    ----------
    module : torch.nn.Module
        The network before layers were replaced, with any numbers.
    state_dict : mapping of str to tensor
        What `state_dict` gave of the network with :class:`FactorizedLinear` layers, that
        `compress`, `replace_linear_layers` or training made.
    inplace : bool, default=False
        Change the module itself, instead of a copy.

    Returns
    -------
    torch.nn.Module
        The network with factorized layers, on the devices and in the precision of the given one: a
        copy, or the module itself if `inplace`. Layers that share their weight share
        the factors.

    Raises
    ------
    TypeError
        If `module` is no module, `state_dict` no mapping, or factors stand for a layer that is no
        nn.Linear.
    ValueError
        If factors do not fit together, or into their layer.
    RuntimeError
        If the state has other names or shapes than the network: PyTorch names them.

    See Also
    --------
    replace_linear_layers : Put such layers into a network.
    skfact.compression.compress : The same within one budget, for given inputs.

    Notes
    -----
    If the state does not fit, no layer is replaced, also with `inplace`; numbers under names that
    do fit may have been loaded then, as PyTorch does.

    Examples
    --------
    >>> import torch
    >>> from skfact.compression import compress
    >>> from skfact.torch import load_factorized
    >>> def make_network():
    ...     return torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU())
    >>> small = compress(make_network(), max_density=0.5).network
    >>> again = load_factorized(make_network(), small.state_dict())
    >>> torch.equal(again(torch.eye(64)), small(torch.eye(64)))
    True
    """
    if not isinstance(module, nn.Module):
        raise TypeError(f"module must be a torch.nn.Module, got {type(module).__name__}.")
    if not isinstance(state_dict, Mapping):
        raise TypeError(
            f"state_dict must be a mapping of names to tensors, got {type(state_dict).__name__}: "
            "pass network.state_dict(), or torch.load(path)."
        )
    if not inplace:
        module = copy.deepcopy(module)
    new: dict[int, FactorizedLinear] = {}  # by the layer
    first: dict[int, FactorizedLinear] = {}  # by the weight, which several layers may have
    places = []
    own = module.state_dict()
    news = {key: tensor for key, tensor in state_dict.items() if key not in own}
    for name, terms in factors_in(news).items():
        try:
            linear: Any = module.get_submodule(name)
        except AttributeError as error:
            raise ValueError(
                f"state_dict has factors for {name}, and module has nothing of that name: pass the "
                "network as it was before layers were replaced."
            ) from error
        if type(linear) is not nn.Linear or not name:
            raise TypeError(
                f"state_dict has factors for {name or 'the module itself'}, which must be an "
                f"nn.Linear inside of module, and is of the class {type(linear).__name__}: pass "
                "the network as it was before layers were replaced."
            )
        places.append((name, linear))
        if id(linear) in new:
            continue
        if id(linear.weight) in first:
            new[id(linear)] = with_factors_of(first[id(linear.weight)], linear)
            continue
        try:
            made = layer_like(linear, terms)
        except (TypeError, ValueError) as error:
            raise ValueError(f"state_dict has wrong factors for {name}: {error}") from error
        new[id(linear)] = first[id(linear.weight)] = made
    for name, linear in places:  # none before all can be
        swap(module, name, new[id(linear)])
    try:
        module.load_state_dict(state_dict)
    except RuntimeError:
        for name, linear in places:
            swap(module, name, linear)
        raise
    return module


def factors_in(state_dict: Mapping[str, Tensor]) -> dict[str, list[list[Arrays]]]:
    """The factors of each term of each layer, by its name."""
    found: dict[str, dict[int, dict[int, Arrays]]] = {}
    for key, tensor in state_dict.items():
        if match := KEY.fullmatch(key):
            name, term, factor, kind = match.groups()
            kind = "weight" if kind == "values" else kind  # its old name
            terms = found.setdefault(name or "", {})
            terms.setdefault(int(term), {}).setdefault(int(factor), {})[kind] = tensor
    return {
        name: [[term[f] for f in sorted(term)] for _, term in sorted(terms.items())]
        for name, terms in found.items()
    }


def layer_like(linear: nn.Linear, terms: list[list[Arrays]]) -> FactorizedLinear:
    """A layer with these factors in the place of a dense one."""
    if linear.weight.device.type == "meta":
        raise ValueError(
            "the layer is on the device 'meta': move the network first, network.to_empty(...)."
        )
    products = [FactorizedOperator(factors_of(term, linear)) for term in terms]
    operator = products[0] if len(products) == 1 else OperatorSum(products)
    if operator.shape != (linear.out_features, linear.in_features):
        raise ValueError(
            f"their product has the shape {operator.shape}, and the layer "
            f"{(linear.out_features, linear.in_features)}."
        )
    layer = FactorizedLinear(operator)
    weight = linear.weight
    layer.to(weight.device, weight.dtype).requires_grad_(weight.requires_grad)
    layer.bias = linear.bias  # itself, which may be tied
    return layer.train(linear.training)


def factors_of(term: list[Arrays], linear: nn.Linear) -> list[Any]:
    """The factors of a product, in its order; shapes that are not in the arrays follow."""
    found: list[Any] = []
    width = linear.in_features
    for place in reversed(range(len(term))):
        arrays = {name: numbers_of(tensor) for name, tensor in term[place].items()}
        if "index" in arrays:
            found.insert(0, PartialPermutation(arrays["index"], width))
        elif "rows" in arrays:
            entries = arrays["weight"], (arrays["rows"], arrays["columns"])
            n_out = max(n_in_of(term[place - 1]), 1 + int(np.max(arrays["rows"], initial=-1)))
            shape = n_out if place else linear.out_features, width
            found.insert(0, scipy.sparse.coo_array(entries, shape=shape))
        else:
            a, d, b, c = arrays["weight"].shape
            found.insert(0, KroneckerFactor(arrays["weight"], (a, b, c, d)))
        width = found[0].shape[0]
    return found


def n_in_of(arrays: Arrays) -> int:
    """The width of what comes into a factor, as far as it is read."""
    if "rows" not in arrays and "weight" in arrays:
        a, d, _, c = arrays["weight"].shape
        return int(a * c * d)
    places = arrays["columns" if "columns" in arrays else "index"]
    return int(np.max(numbers_of(places), initial=-1)) + 1
