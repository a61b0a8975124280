"""A deep linear network: what `supports` stands for, loss and exact gradient."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from skfact._backend import array_namespace, device, move, to_numpy
from skfact._checks import positive_ints, unknown_name
from skfact._kernels import chain_gradient
from skfact.deep_linear._factor_sets.cropped import cropped
from skfact.deep_linear._factor_sets.factor_set import FactorSet, factor_set, factors_of
from skfact.deep_linear._factor_sets.kronecker import patterns_of
from skfact.deep_linear._factor_sets.resolve import LISTED, resolve_factor_sets, shown
from skfact.operators import FactorizedOperator
from skfact.supports import Chain, resolve_supports
from skfact.supports._families import FAMILIES

COLUMNS = 256  # of a product that are formed at a time


class Layer(NamedTuple):
    """One layer of a family: its shape, and a chain with a product at least that large.

    A mirrored layer (Kaleidoscope) has the transposed chain to the left of the chain.
    """

    shape: tuple[int, int]
    chain: Chain
    mirrored: bool = False

    @property
    def sets(self) -> list[FactorSet]:
        """The sets of its factors, from left to right."""
        mirror = [pattern.T for pattern in reversed(self.chain)] if self.mirrored else []
        return cropped([factor_set(p, p.shape) for p in [*mirror, *self.chain]], self.shape)


class LinearNetwork:
    """The map ``W = S_1 ... S_L``, whose factors are in `sets`, from left to right.

    `layers` are what the factors belong to, if all are those of chains; the first `n_decoding`
    factors follow the codes.
    """

    def __init__(
        self, sets: Sequence[FactorSet], layers: Sequence[Layer] = (), n_decoding: int = 1
    ) -> None:
        self.sets, self.layers, self.n_decoding = sets, layers, n_decoding
        self.budgeted = not all(one.is_linear for one in sets)
        self.modelled = any(one.has_model for one in sets)
        self.patterned = patterns_of(sets) is not None

    @property
    def values_shapes(self) -> list[tuple[int, ...]]:
        """Shapes of the values of the factors, from left to right."""
        return [one.values_shape for one in self.sets]

    @property
    def is_dense(self) -> bool:
        """Whether the network is one matrix without zeros."""
        patterns = patterns_of(self.sets) or []
        return len(patterns) == 1 and patterns[0].a == patterns[0].d == 1

    def start(self, random: np.random.RandomState, like: Any) -> list[Any]:
        """Random values with which every factor keeps the size of its input."""
        host = [random.standard_normal(s.values_shape) / math.sqrt(s.fan) for s in self.sets]
        return [as_like(values, like) for values in host]

    def operator(self, values: Sequence[Any]) -> FactorizedOperator:
        """The operator of some values."""
        return FactorizedOperator(factors_of(self.sets, values, values[0]))

    def halves(self, values: Sequence[Any], like: Any) -> tuple[list[Any], list[Any]]:
        """Factors of an operator on arrays like `like`: those that follow the codes, and the rest.

        A factor with zeros is sparse where the library of `like` has such factors.
        """
        n = self.n_decoding
        decoding, encoding = (self.sets[:n], values[:n]), (self.sets[n:], values[n:])
        return factors_of(*decoding, like), factors_of(*encoding, like)

    def largest_entry(self, values: Sequence[Any]) -> float:
        """The largest magnitude in the product, of which some columns are formed at a time."""
        xp, like, n = array_namespace(values[0]), values[0], self.sets[-1].shape[1]
        found = 0.0
        for first in range(0, n, COLUMNS):
            width = min(COLUMNS, n - first)
            signal = xp.eye(n, width, k=-first, dtype=like.dtype, device=device(like))
            for one, value in zip(self.sets[::-1], values[::-1]):
                signal = one.times(value, signal)
            found = max(found, largest_magnitude(signal))
        return found

    def loss_and_gradient(
        self, values: Sequence[Any], X: Any, Y: Any, alpha: float = 0.0
    ) -> tuple[float, list[Any], Any]:
        """0.5 ||W X - Y||^2 + 0.5 alpha sum ||values||^2, its gradient, and the residual.

        X has shape (n_in, batch), Y (n_out, batch). The inputs of the factors are kept on the way
        forward; on the way back the gradient G of an output gives ``G @ input^T`` on the support
        for the values, and ``S^T G`` for the factor before.
        """
        xp = array_namespace(X)
        if self.patterned and chain_gradient.pays(values, X):
            loss, gradients, residual = chain_gradient.loss_and_gradient(values, X, Y)
        else:
            loss, gradients, residual = self._factor_by_factor(values, X, Y)
        if alpha:
            loss += 0.5 * alpha * sum(float(xp.sum(v * v)) for v in values)
            gradients = [g + alpha * v for g, v in zip(gradients, values)]
        return loss, gradients, residual

    def _factor_by_factor(
        self, values: Sequence[Any], X: Any, Y: Any
    ) -> tuple[float, list[Any], Any]:
        """The same without penalty, in any array library."""
        pairs, inputs, signal = list(zip(self.sets, values)), [], X
        for one, value in reversed(pairs):
            inputs.append(signal)
            signal = one.times(value, signal)
        residual = signal - Y
        loss = 0.5 * float(array_namespace(X).sum(residual * residual))
        gradients, signal = [], residual
        for one, value in pairs:
            gradients.append(one.correlate(signal, inputs.pop()))
            if inputs:
                signal = one.adjoint_times(value, signal)
        return loss, gradients, residual


def largest_magnitude(array: Any) -> float:
    """The largest magnitude of the entries."""
    xp = array_namespace(array)
    return float(xp.max(xp.abs(array)))


def to_vector(values: Sequence[Any]) -> np.ndarray:
    """All values as one float64 vector on the host, where they come in one piece."""
    xp = array_namespace(*values)
    flat = to_numpy(xp.concat([xp.reshape(value, (-1,)) for value in values]))
    return flat.astype(np.float64, copy=False)


def from_vector(vector: np.ndarray, network: LinearNetwork, like: Any) -> list[Any]:
    """The values in such a vector, in the library, device and dtype of `like`."""
    xp, shapes, flat = array_namespace(like), network.values_shapes, as_like(vector, like)
    ends = np.cumsum([math.prod(shape) for shape in shapes]).tolist()
    return [
        xp.reshape(flat[start:end], shape) for start, end, shape in zip([0, *ends], ends, shapes)
    ]


def as_like(array: Any, like: Any) -> Any:
    """The array in the library, device and dtype of `like`."""
    xp = array_namespace(like)
    return xp.astype(move(array, xp, device(like)), like.dtype, copy=False)


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
            f"{shown(supports)}. {LISTED}"
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
