"""Two networks to be compared."""

from __future__ import annotations

from typing import Any

from skfact.relu._networks.layered import Network
from skfact.relu._networks.readers import read_network


def read_pair(network: Any, other: Any) -> tuple[Network, Network]:
    """Two networks of equal sizes in one array library and dtype: those of the first.

    Raises
    ------
    ValueError
        If layer sizes or activations differ.
    """
    a, b = read_network(network), read_network(other)
    if a.sizes != b.sizes:
        raise ValueError(
            f"Both networks must have the same layer sizes; got {a.sizes} and {b.sizes}."
        )
    if a.activation != b.activation and a.hidden_sizes:
        raise ValueError(
            f"Both networks must have the same activation; got {a.activation!r} and "
            f"{b.activation!r}."
        )
    xp = a.xp
    b = b.moved(xp, a.device)
    dtype = xp.result_type(a.dtype, b.dtype)
    return a.moved(xp, a.device, dtype), b.moved(xp, a.device, dtype)
