"""Sums over all paths by one pass through the layers.

A path's weight is the product of its edges. A sum over paths of products of functions of the edges
is therefore a forward pass through the network of these functions, without ReLU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from skfact._checks import check_number
from skfact._kernels.paths import magnitude_power
from skfact.relu._networks.layered import Network


def check_power(q: float) -> None:
    """Raise unless the exponent `q` of path weights is a finite positive number.

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    check_number(q, "q", float, 0)
    if not 0 < q < float("inf"):
        raise ValueError(f"q must be a finite positive number, got {q!r}.")


def path_power(q: float) -> Callable[[Any], Any]:
    """The map of edges x -> abs(x)^q, for a finite positive q."""
    check_power(q)
    return partial(magnitude_power, q=q)


def edges(
    network: Network, function: Callable[[Any], Any], include_bias: bool = True
) -> Iterator[tuple[Any, Any]]:
    """Layer by layer, the function of the weights and of the biases (None without biases)."""
    for w, b in zip(network.weights, network.biases):
        yield function(w), function(b) if include_bias else None


def forward(layers: Iterable[tuple[Any, Any]], start: Any) -> list[Any]:
    """States h_0 = start, h_{l+1} = h_l W_l + b_l, without ReLU; rows are independent."""
    states = [start]
    for w, b in layers:
        h = states[-1] @ w
        states.append(h if b is None else h + b)
    return states


def backward(matrices: Iterable[Any], end: Any) -> list[Any]:
    """States g_L = end, g_l = W_l g_{l+1}, listed from the inputs on; `matrices` from the end."""
    states = [end]
    for w in matrices:
        states.append(w @ states[-1])
    return states[::-1]


def ones(network: Network, n: int) -> Any:
    """A vector of ones beside the network's arrays."""
    return network.xp.ones(n, dtype=network.dtype, device=network.device)
