"""A deep linear network: factors and selections between them, loss and exact gradient."""

from __future__ import annotations

import math
from collections.abc import Sequence
from difflib import get_close_matches
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from skfact._backend import array_namespace, device, move, to_numpy
from skfact._checks import positive_ints
from skfact._kernels import chain_gradient
from skfact.deep_linear._factor_sets.parameters import (
    KroneckerParameters,
    Parameters,
    parameters_of,
)
from skfact.deep_linear._factor_sets.resolve import resolve_factor_supports
from skfact.deep_linear._factor_sets.slots import Slot, make_slot
from skfact.deep_linear._factor_sets.structured import check_adjoints
from skfact.operators import FactorizedOperator, PartialPermutation
from skfact.supports import Chain, FixedMask, KroneckerSparse, KSparse, resolve_supports
from skfact.supports._families import FAMILIES


class Layer(NamedTuple):
    """One layer of a family: its shape, and a chain with a product at least that large.

    A mirrored layer (Kaleidoscope) has the transposed chain to the left of the chain.
    """

    shape: tuple[int, int]
    chain: Chain
    mirrored: bool = False

    @property
    def patterns(self) -> list[KroneckerSparse]:
        """The supports of its factors, from left to right."""
        mirror = [pattern.T for pattern in reversed(self.chain)] if self.mirrored else []
        return [*mirror, *self.chain]


class Network:
    """The map ``W = S_1 ... S_L``: supports, and what stands between them.

    Parameters
    ----------
    supports : list
        One support per factor, from left to right.
    shapes : list of pairs of int
        The shapes of the factors.
    pieces : list, default=None
        Supports and the selections (padding and cropping) between them; None if there are none.
    layers : list of Layer, default=()
        What the supports belong to, if all are those of chains.
    n_decoding : int, default=None
        Pieces that follow the codes; None is up to the first of `supports`.
    """

    def __init__(
        self,
        supports: Sequence[Any],
        shapes: Sequence[tuple[int, int]],
        pieces: Sequence[Any] | None = None,
        layers: Sequence[Layer] = (),
        n_decoding: int | None = None,
    ) -> None:
        self.supports, self.shapes, self.layers = supports, shapes, layers
        self.budgeted = any(isinstance(support, KSparse) for support in supports)
        # a budget has no parameters of its own: sweeps project whole factors
        self.slots: list[Slot] = (
            [make_slot(*pair) for pair in zip(supports, shapes)] if self.budgeted else []
        )
        self.pieces: list[Any] = self.slots or [
            piece if isinstance(piece, PartialPermutation) else parameters_of(piece)
            for piece in (supports if pieces is None else pieces)
        ]
        cropped = isinstance(self.pieces[0], PartialPermutation)
        self.n_decoding = 1 + cropped if n_decoding is None else n_decoding

    @property
    def parameters(self) -> list[Parameters]:
        """The pieces that have parameters, from left to right."""
        return [piece for piece in self.pieces if not isinstance(piece, PartialPermutation)]

    @property
    def values_shapes(self) -> list[tuple[int, ...]]:
        """Shapes of the values of the factors, from left to right."""
        return [tuple(piece.values_shape) for piece in self.parameters]

    @property
    def is_dense(self) -> bool:
        """Whether the network is one matrix without zeros."""
        support = self.supports[0]
        return (
            len(self.pieces) == 1
            and isinstance(support, KroneckerSparse)
            and support.a == support.d == 1
        )

    def start(self, random: np.random.RandomState, like: Any) -> list[Any]:
        """Random values with which every factor keeps the size of its input."""
        xp = array_namespace(like)
        return [
            xp.astype(
                move(random.standard_normal(p.values_shape) / math.sqrt(p.fan), xp, device(like)),
                like.dtype,
            )
            for p in self.parameters
        ]

    def operator(self, values: Sequence[Any]) -> FactorizedOperator:
        """The operator of some values."""
        remaining, factors = list(values), []
        for piece in self.pieces:
            selection = isinstance(piece, PartialPermutation)
            factors.append(piece if selection else piece.factor(remaining.pop(0)))
        return FactorizedOperator(factors)

    def loss_and_gradient(
        self, values: Sequence[Any], X: Any, Y: Any, alpha: float = 0.0
    ) -> tuple[float, list[Any], Any]:
        """0.5 ||W X - Y||^2 + 0.5 alpha sum ||values||^2, its gradient, and the residual.

        X has shape (n_in, batch), Y (n_out, batch). The inputs of the factors are kept on the way
        forward; on the way back the gradient G of an output gives ``G @ input^T`` on the support
        for the values, and ``S^T G`` for the factor before.
        """
        xp = array_namespace(X)
        patterned = all(isinstance(piece, KroneckerParameters) for piece in self.pieces)
        if patterned and chain_gradient.pays(values, X):
            loss, gradients, residual = chain_gradient.loss_and_gradient(values, X, Y)
        else:
            loss, gradients, residual = self._piece_by_piece(values, X, Y)
        if alpha:
            loss += 0.5 * alpha * sum(float(xp.sum(v * v)) for v in values)
            gradients = [g + alpha * v for g, v in zip(gradients, values)]
        return loss, gradients, residual

    def _piece_by_piece(
        self, values: Sequence[Any], X: Any, Y: Any
    ) -> tuple[float, list[Any], Any]:
        """The same without penalty, in any array library."""
        xp = array_namespace(X)
        inputs, remaining, signal = [], list(values), X
        for piece in reversed(self.pieces):
            if isinstance(piece, PartialPermutation):
                signal = piece.apply(signal)
            else:
                inputs.append(signal)
                signal = piece.times(remaining.pop(), signal)
        residual = signal - Y
        loss = 0.5 * float(xp.sum(residual * residual))
        gradients, signal, left = [], residual, list(values)
        for position, piece in enumerate(self.pieces):
            if isinstance(piece, PartialPermutation):
                signal = piece.T.apply(signal)
                continue
            value = left.pop(0)
            gradients.append(piece.correlate(signal, inputs.pop()))
            if position + 1 < len(self.pieces):
                signal = piece.adjoint_times(value, signal)
        return loss, gradients, residual


def to_vector(values: Sequence[Any]) -> np.ndarray:
    """All values as one float64 vector on the host."""
    return np.concatenate([to_numpy(value).ravel().astype(np.float64) for value in values])


def from_vector(vector: np.ndarray, network: Network, like: Any) -> list[Any]:
    """The values in such a vector, in the library, device and dtype of `like`."""
    xp, values, start = array_namespace(like), [], 0
    for p in network.parameters:
        stop = start + math.prod(p.values_shape)
        part = vector[start:stop].reshape(p.values_shape)
        values.append(xp.astype(move(part, xp, device(like)), like.dtype, copy=False))
        start = stop
    return values


def resolve_network(supports: Any, hidden: Any, n_out: int, n_in: int, like: Any) -> Network:
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
    names = sorted([*FAMILIES, "kaleidoscope"])
    if isinstance(supports, str) and supports not in names:
        close = get_close_matches(supports, names, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"supports={supports!r} is not a family; the names are {names}.{hint}")
    if isinstance(supports, Chain) and hidden:
        raise ValueError(
            f"hidden_layer_sizes={hidden} contradicts a Chain, which has its own sizes. Pass None, "
            "or the name of a family for each layer."
        )
    # widths from the output to the input; hidden_layer_sizes counts from the input, as in an MLP
    layers = [_layer(supports, *pair) for pair in pairwise([n_out, *reversed(hidden or ()), n_in])]
    listed: list[Any] = []
    pieces: list[Any] = []
    n_decoding = None
    for layer in layers:
        (rows, columns), patterns = layer.shape, layer.patterns
        listed += patterns
        if patterns[0].shape[0] > rows:
            pieces.append(PartialPermutation(np.arange(rows), patterns[0].shape[0]))
        pieces += patterns
        if patterns[-1].shape[1] > columns:
            index = np.arange(patterns[-1].shape[1])
            pieces.append(PartialPermutation(np.where(index < columns, index, -1), columns))
        if hidden and n_decoding is None:
            n_decoding = len(pieces)
    xp = array_namespace(like)
    pieces = [
        piece._to_device(xp, device(like)) if isinstance(piece, PartialPermutation) else piece
        for piece in pieces
    ]
    return Network(listed, [pattern.shape for pattern in listed], pieces, layers, n_decoding)


def _layer(supports: Any, rows: int, columns: int) -> Layer:
    """One layer of a family."""
    if isinstance(supports, str) and supports == "kaleidoscope":
        side = max(rows, columns)
        return Layer((rows, columns), resolve_supports("butterfly", side, side), mirrored=True)
    return Layer((rows, columns), resolve_supports(supports, rows, columns))


def _listed(supports: list[Any], hidden: Any, n_out: int, n_in: int, like: Any) -> Network:
    """A network of one support per factor."""
    sizes = None if hidden is None else tuple(reversed(hidden))
    if sizes is not None and len(sizes) != len(supports) - 1:
        raise ValueError(
            f"hidden_layer_sizes={hidden} has the wrong length: {len(supports)} supports have "
            f"{max(len(supports) - 1, 0)} sizes between them, got {len(sizes)}."
        )
    resolved = resolve_factor_supports(supports, (n_out, n_in), sizes)
    check_adjoints(resolved.supports, like)
    for i, support in enumerate(resolved.supports):
        if isinstance(support, FixedMask) and support.nnz == 0:
            raise ValueError(
                f"supports[{i}] is a mask without a True entry: the product would be zero."
            )
    layers = []
    patterns = all(isinstance(support, KroneckerSparse) for support in resolved.supports)
    if patterns and Chain.is_chainable(resolved.supports):
        layers = [Layer((n_out, n_in), Chain(resolved.supports))]
    return Network(resolved.supports, resolved.shapes, layers=layers)
