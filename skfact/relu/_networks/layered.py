"""Networks that are a chain of layers, and the checks of what they are made from."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from array_api_compat import is_torch_array

from skfact._backend import array_namespace, device
from skfact._inputs import as_floating, is_numpy
from skfact.relu._networks.network import Arrays, Network, Step, require_numbers

SHAPES = {
    1: "(n_out,)",
    2: "(n_in, n_out)",
    3: "(n_out, n_in, length)",
    4: "(n_out, n_in, height, width)",
}


@dataclass(frozen=True)
class LayeredNetwork(Network):
    """x -> relu(...relu(x W_0 + b_0)...) W_{L-1} + b_{L-1}: a node for the input, one a layer."""

    activation: str = "relu"  # or "identity", of the hidden layers
    left_out: str = ""  # what makes probabilities of the outputs, by name, where a network says so

    @property
    def sizes(self) -> tuple[int, ...]:
        """Widths n_0, ..., n_L: inputs, hidden layers, outputs."""
        return (int(self.weights[0].shape[0]), *(int(w.shape[1]) for w in self.weights))

    @property
    def hidden_sizes(self) -> tuple[int, ...]:
        """Widths of the hidden layers."""
        return self.sizes[1:-1]

    @property
    def linear(self) -> tuple[int, ...]:
        """All layers but the input."""
        return tuple(range(1, len(self.weights) + 1))

    @property
    def output(self) -> int:
        """The last layer."""
        return len(self.weights)

    def steps(self) -> list[Step]:
        """One step a layer."""
        arrays = zip(self.weights, self.biases)
        return [Step(()), *(Step((l,), w, b) for l, (w, b) in enumerate(arrays))]

    def propagate(self, X: Any, steps: Sequence[Step]) -> tuple[list[Any], list[Any]]:
        """Inputs z of the hidden neurons, (n_samples, n_l) for each layer, and which are active."""
        xp = array_namespace(X)
        h, inputs, active = X, [], []
        for step in steps[1:-1]:
            z = h @ step.matrix + step.bias
            inputs.append(z)
            active.append(z > 0 if self.activation == "relu" else xp.ones_like(z, dtype=xp.bool))
            h = xp.where(active[-1], z, xp.zeros_like(z))
        return inputs, active

    def require_same_nodes(self, other: Any) -> None:
        """Raise unless the layers of the other one have equal sizes and activations."""
        if self.sizes != other.sizes:
            raise ValueError(
                f"Both networks must have the same layer sizes; got {self.sizes} and {other.sizes}."
            )
        if self.activation != other.activation and self.hidden_sizes:
            raise ValueError(
                f"Both networks must have the same activation; got {self.activation!r} and "
                f"{other.activation!r}."
            )


def checked_layers(
    weights: Arrays,
    biases: Sequence[Any | None],
    names: Callable[[int], tuple[str, str]],
    activation: str,
    writer: Callable[[Arrays, Arrays], Any],
    check_finite: bool = True,
) -> LayeredNetwork:
    """Build the description of a network; `names(l)` says what layer l's arrays are called.

    A TypeError tells of an array that is not of float32, float64, integers or bools, a ValueError
    that there is no layer, that shapes do not chain, that arrays come from different libraries, or
    of NaN and infinity.
    """
    if len(weights) == 0:
        raise ValueError("The network has zero layers; it needs at least one weight matrix.")
    checked_weights, checked_biases = [], []
    width = None
    for l, (w, b) in enumerate(zip(weights, biases, strict=True)):
        weight_name, bias_name = names(l)
        w = real_array(w, weight_name, 2, check_finite)
        n_in, n_out = w.shape
        if 0 in (n_in, n_out):
            raise ValueError(
                f"{weight_name} has shape {tuple(w.shape)}: each layer needs at least one neuron."
            )
        if width is not None and n_in != width:
            raise ValueError(
                f"{weight_name} has shape {tuple(w.shape)} and does not chain: layer {l - 1} has "
                f"{width} outputs, so {width} rows are needed (shapes are (n_in, n_out))."
            )
        width = n_out
        if b is not None:
            b = real_array(b, bias_name, 1, check_finite)
            if b.shape != (n_out,):
                raise ValueError(
                    f"{bias_name} has shape {tuple(b.shape)}, but layer {l} has {n_out} outputs: "
                    f"shape ({n_out},) is needed."
                )
        checked_weights.append(w)
        checked_biases.append(b)
        for array, name in ((w, weight_name), (b, bias_name)):
            if array is not None:
                require_same_library(array, checked_weights[:1], name)
    given = [a for a in (*checked_weights, *checked_biases) if a is not None]
    xp = array_namespace(*given)
    dtype = xp.result_type(*given)
    all_biases = [
        xp.zeros(w.shape[1], dtype=dtype, device=device(w)) if b is None else b
        for w, b in zip(checked_weights, checked_biases)
    ]
    weights, biases = (
        tuple(a if a.dtype == dtype else xp.astype(a, dtype) for a in arrays)
        for arrays in (checked_weights, all_biases)
    )
    return LayeredNetwork(weights, biases, writer, activation)


def real_array(array: Any, name: str, ndim: int, check_finite: bool = True) -> Any:
    """A finite weight matrix (2-D), bias (1-D) or kernel in float32 or float64, in its library."""
    array = as_floating(array, name, real=True)
    if array.ndim != ndim:
        raise ValueError(
            f"{name} must be {ndim}-D, of shape {SHAPES[ndim]}; got an array of shape "
            f"{tuple(array.shape)}."
        )
    require_numbers(array, name)
    if is_torch_array(array):
        array = array.detach()
    if check_finite and not _all_finite(array):
        xp = array_namespace(array)
        found = "NaN" if bool(xp.any(xp.isnan(array))) else "infinity"
        raise ValueError(f"{name} contains {found}: the network is not usable; train it again.")
    return array


def require_same_library(array: Any, others: Sequence[Any], name: str) -> None:
    """Raise unless an array belongs to the library of the others of a network."""
    if not others or type(array) is type(others[0]):
        return
    if array_namespace(others[0]) is not array_namespace(array):
        spaces = (array_namespace(a).__name__ for a in (array, others[0]))
        names = [space.rsplit(".", maxsplit=1)[-1] for space in spaces]
        raise ValueError(
            f"{name} belongs to {names[0]}, but the arrays before it to {names[1]}: convert one of "
            "them."
        )


def _all_finite(array: Any) -> bool:
    xp = array_namespace(array)
    if is_numpy(xp):  # one pass of BLAS; the sum of squares of finite numbers may overflow
        flat = array.ravel(order="K")
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            if math.isfinite(flat @ flat):
                return True
    return bool(xp.all(xp.isfinite(array)))
