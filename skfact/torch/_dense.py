"""Dense layers: which ones can be factored, and what is to be done about the others."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from skfact._backend import has_hooks, to_numpy
from skfact._inputs import as_floating, is_complex_dtype
from skfact.butterfly import butterfly_factorize
from skfact.torch._layers import tensor
from skfact.torch._ways import DTYPES

# what a module of another type has to do with nn.Linear, by words in the name of its type
OTHER_TYPES = {
    "Conv": "a convolution is applied to each window of its input: leave it dense",
    "Quant": "quantized weights are whole numbers with scales: factor the layer before quantizing",
    "Bilinear": "its output is not linear in one input: leave it dense",
    "Embedding": "an embedding looks rows up instead of multiplying: leave it dense",
    "Sequential": "replace_linear_layers finds the layers inside of a module",
}


def check_linear(linear: Any, name: str) -> None:
    """Raise unless the module is an nn.Linear whose output its weight and bias alone say."""
    require_linear(linear, name)
    weight = linear.weight
    if weight.dtype not in DTYPES:
        raise TypeError(
            f"{name} has dtype {weight.dtype}, in which no factorization is computed: pass "
            f"{name}.float(), and convert the new layer with .to({weight.dtype})."
        )
    if has_hooks(linear):
        raise ValueError(
            f"{name} has hooks, which a new layer would not run: remove them, and register them "
            "with the new layer."
        )


def require_linear(linear: Any, name: str) -> None:
    """Raise unless the module is an nn.Linear with numbers."""
    if type(linear) is not nn.Linear:
        kind = type(linear).__name__
        raise TypeError(f"{name} must be an nn.Linear, got {kind}: {remedy(linear)}.")
    weight = linear.weight
    check_numbers(weight, name)
    if not weight.dtype.is_floating_point and not weight.dtype.is_complex:
        raise TypeError(
            f"{name} has a quantized weight, of dtype {weight.dtype}: factor the layer before it "
            "is quantized, or make an nn.Linear of the dequantized weight."
        )


def remedy(module: Any) -> str:
    """What to do with a module that is no nn.Linear."""
    kind = type(module)
    if nn.utils.parametrize.is_parametrized(module) if isinstance(module, nn.Module) else False:
        return (
            "its weight is computed by a parametrization; make it plain with "
            "torch.nn.utils.parametrize.remove_parametrizations(module, 'weight')"
        )
    if isinstance(module, nn.modules.lazy.LazyModuleMixin):
        return "its shape is not known yet: run a batch through it first"
    if isinstance(module, nn.modules.linear.NonDynamicallyQuantizableLinear):
        return "the attention around it reads its weight: leave it dense"
    if isinstance(module, nn.Linear):
        return (
            "a subclass may compute something else, or be read by the module around it: make an "
            "nn.Linear of its weight and bias if it is one"
        )
    path = f"{kind.__module__}.{kind.__name__}".lower()
    for word, advice in OTHER_TYPES.items():
        if word.lower() in path:
            return advice
    return "make an nn.Linear of its matrix, or factor that with butterfly_factorize"


def factorize_weight(linear: Any, name: str, supports: Any, how: dict[str, Any]) -> Any:
    """The operator of the weight of an nn.Linear, computed on the host."""
    check_linear(linear, name)
    if isinstance(how.get("inputs"), Tensor):
        how = {**how, "inputs": to_numpy(how["inputs"])}
    return butterfly_factorize(to_numpy(linear.weight), supports, **how)


def bias_of(bias: Any, operator: Any) -> nn.Parameter | None:
    """The bias of a layer as its parameter, of the dtype and on the device of the operator."""
    if bias is None:
        return None
    given = as_floating(bias, "bias")
    n_out = operator.shape[0]
    if isinstance(bias, bool) or tuple(given.shape) != (n_out,):
        raise ValueError(
            f"bias must be None or have shape ({n_out},), one entry for each output, got "
            f"{tuple(given.shape)}."
        )
    if is_complex_dtype(given.dtype) and not is_complex_dtype(operator.dtype):
        raise TypeError(
            "bias is complex and the operator is real: convert the operator with astype first."
        )
    like = tensor(operator._products.array[:0])
    dtype = getattr(torch, str(operator.dtype).rsplit(".")[-1])
    return nn.Parameter(tensor(given).to(like.device, dtype))


def check_numbers(weight: Tensor, name: str) -> None:
    """Raise if a parameter is on a device where it has a shape and no numbers."""
    if weight.is_meta:
        raise ValueError(
            f"{name} has its weight on the device 'meta', where it has no numbers: load them "
            "first, with load_state_dict(..., assign=True), or with to_empty and load_state_dict."
        )


def numbers_of(values: Tensor, name: str = "layer") -> np.ndarray:
    """A copy on the host, of a dtype that operators have."""
    check_numbers(values, name)
    half = values.dtype in (torch.float16, torch.bfloat16)
    return np.array(to_numpy(values.float() if half else values), order="C")
