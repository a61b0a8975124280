"""What `supports` and `hidden_layer_sizes` stand for: a network of layers, or of a list."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from skfact._checks import positive_ints, unknown_name
from skfact.deep_linear._factor_sets.kronecker import patterns_of
from skfact.deep_linear._factor_sets.resolve import resolve_factor_sets
from skfact.deep_linear._linear_network import Layer, LinearNetwork
from skfact.supports import Chain, resolve_supports
from skfact.supports._families import FAMILIES


def resolve_network(supports: Any, hidden: Any, n_out: int, n_in: int, like: Any) -> LinearNetwork:
    """The network that `supports` and `hidden_layer_sizes` stand for.

    Raises
    ------
    TypeError, ValueError
        If they do not fit each other or the data, or an adjoint fails its test.
    """
    if hidden is not None:
        sizes = (hidden,) if isinstance(hidden, int | np.integer) else hidden
        hidden = positive_ints(sizes, "hidden_layer_sizes")
    if isinstance(supports, Sequence) and not isinstance(supports, str | Chain):
        return _listed(list(supports), hidden, n_out, n_in, like)
    if not isinstance(supports, str | Chain) and not callable(supports):
        raise TypeError(
            "supports must be the name of a family, a Chain, a callable (n_out, n_in) -> Chain, or "
            "a list with one pattern, mask, structured factor or budget per factor, got "
            f"{supports!r}. One factor is a list of one."
        )
    names = [*FAMILIES, "kaleidoscope"]
    if isinstance(supports, str) and supports not in names:
        raise unknown_name("supports", supports, names)
    if isinstance(supports, Chain) and hidden:
        raise ValueError(
            f"hidden_layer_sizes={hidden} contradicts a Chain, which has its own sizes. Pass None, "
            "or the name of a family for each layer."
        )
    # widths from the output to the input; hidden_layer_sizes counts from the input, as in an MLP
    widths = [n_out, *reversed(hidden or ()), n_in]
    layers = [_layer(supports, *pair) for pair in pairwise(widths)]
    sets = [one for layer in layers for one in layer.sets]
    return LinearNetwork(sets, layers, len(layers[0].sets) if hidden else 1)


def _layer(supports: Any, rows: int, columns: int) -> Layer:
    """One layer of a family."""
    if isinstance(supports, str) and supports == "kaleidoscope":
        side = max(rows, columns)
        return Layer((rows, columns), resolve_supports("butterfly", side, side), mirrored=True)
    return Layer((rows, columns), resolve_supports(supports, rows, columns))


def _listed(supports: list[Any], hidden: Any, n_out: int, n_in: int, like: Any) -> LinearNetwork:
    """A network of one support per factor."""
    sizes = None if hidden is None else tuple(reversed(hidden))
    if sizes is not None and len(sizes) != len(supports) - 1:
        raise ValueError(
            f"hidden_layer_sizes={hidden} has the wrong length: {len(supports)} supports have "
            f"{max(len(supports) - 1, 0)} sizes between them, got {len(sizes)}."
        )
    sets = resolve_factor_sets(supports, (n_out, n_in), like, sizes)
    for i, one in enumerate(sets):
        if math.prod(one.values_shape) == 0:
            raise ValueError(
                f"supports[{i}] is a mask without a True entry: the product would be zero."
            )
    patterns = patterns_of(sets)
    if patterns is None or not Chain.is_chainable(patterns):
        return LinearNetwork(sets)
    return LinearNetwork(sets, [Layer((n_out, n_in), Chain(patterns))])
