"""The one reader of networks, with a module for each kind.

A module says in `KIND` what it reads, in `accepts` whether an object is that, and has a function
`read`, which makes a `Network` that knows how to write one of its kind. A new kind is a new module.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, TypeVar

from skfact.relu._networks.layered import LayeredNetwork
from skfact.relu._networks.network import Network

N = TypeVar("N", bound=Network)


def read_network(network: Any, *, check_finite: bool = True) -> Network:
    """Read a network of any kind.

    Parameters
    ----------
    network : network-like
        What a module here accepts; see the user guide. For scikit-learn's networks what is read is
        the function before the output's own link (softmax, logistic, exp).
    check_finite : bool, default=True
        Look for NaN and infinity, which reads all weights once.

    Returns
    -------
    network : Network
        Its weights and biases; nothing is copied that need not be.

    Raises
    ------
    TypeError
        If it is another kind of object, or has arrays of unsupported dtypes.
    ValueError
        If it is not fitted, not a ReLU network, or its arrays do not fit together.
    """
    if isinstance(network, Network):
        return network
    for reader in _readers():
        if not isinstance(network, type) and reader.accepts(network):
            found: Network = reader.read(network, check_finite)
            return found
    got = f"the class {network.__name__}" if isinstance(network, type) else type(network).__name__
    raise TypeError(f"network must be {_kinds()}; got {got}.")


def read_layers(network: Any, why: str) -> LayeredNetwork:
    """Read a network that is a chain of layers; `why` says what no graph has.

    Raises
    ------
    TypeError
        If it is a graph or no network at all, or has arrays of unsupported dtypes.
    ValueError
        If it is not fitted, not a ReLU network, or its arrays do not fit together.
    """
    found = read_network(network)
    if not isinstance(found, LayeredNetwork):
        raise TypeError(f"network is a {type(network).__name__}, but must have layers: {why}.")
    return found


def read_pair(network: Any, other: Any) -> tuple[Network, Network]:
    """Read two networks with the same nodes, to be compared; see `in_common`."""
    return in_common(read_network(network), read_network(other))


def in_common(a: N, b: N) -> tuple[N, N]:
    """Both networks in the array library of the first and in one dtype.

    Raises
    ------
    ValueError
        If they do not have the same nodes.
    """
    a.require_same_nodes(b)
    b = b.moved(a.xp, a.device)
    dtype = a.xp.result_type(a.dtype, b.dtype)
    return a.cast(dtype), b.cast(dtype)


@cache
def _readers() -> list[Any]:
    """The modules of this folder, loaded when the first network is read: they import this one."""
    return [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)]


def _kinds() -> str:
    kinds = sorted(reader.KIND for reader in _readers())
    return f"{', '.join(kinds[:-1])} or {kinds[-1]}"
