"""Networks as a pair of lists of arrays."""

from __future__ import annotations

from typing import Any

from skfact.relu._networks.layered import LayeredNetwork, checked_layers
from skfact.relu._networks.network import copied

KIND = "a pair (coefs, intercepts) of lists of arrays"


def accepts(network: Any) -> bool:
    """Whether it is a tuple or list."""
    return isinstance(network, (tuple, list))


def read(pair: Any, check_finite: bool) -> LayeredNetwork:
    """One array per layer in each list; None in place of intercepts is none."""
    if len(pair) != 2:
        raise ValueError(
            f"network as arrays must be a pair (coefs, intercepts); got {len(pair)} elements."
        )
    coefs, intercepts = pair
    for name, arrays in (("coefs", coefs), ("intercepts", intercepts)):
        if not isinstance(arrays, (list, tuple)) and not (name == "intercepts" and arrays is None):
            raise TypeError(
                f"{name} must be a list with one array per layer; got {type(arrays).__name__}. "
                "A network as arrays is a pair (coefs, intercepts)."
            )
    biases = [None] * len(coefs) if intercepts is None else intercepts
    if len(coefs) != len(biases):
        raise ValueError(
            f"coefs and intercepts must have one array per layer; got {len(coefs)} and "
            f"{len(biases)} arrays."
        )
    return checked_layers(
        coefs,
        biases,
        lambda l: (f"layer {l}: coefs[{l}]", f"layer {l}: intercepts[{l}]"),
        "relu",
        lambda weights, biases: (copied(weights), copied(biases)),
        check_finite,
    )
