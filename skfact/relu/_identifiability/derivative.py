"""The derivative of the outputs on samples by the parameters, in blocks of samples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from skfact._backend import array_namespace, device, move, to_numpy
from skfact.relu._identifiability.kinks import unit_samples

# A column whose terms cancel to this part of their magnitudes is rounding: it counts as zero.
CANCELLED = 1e-12
BLOCK_ENTRIES = 1 << 23  # of a block of rows: 64 MB


class ScaledDerivative:
    """J diag(theta) with unit columns: (n_samples * n_outputs, n_parameters), in blocks of rows.

    Layers (n_l + 1, n_{l+1}) have biases in the last row and hidden neurons of unit norm; gates
    (n_samples, n_l) are one where a neuron is active, in the library of X. The scale of parameters
    that are zero is one. Columns run through the layers, through the rows of each: that of the
    weight from i to j has the entries a_i(x) g_j(x), with the input a of its layer and the
    derivative g of an output by the input of neuron j.
    """

    def __init__(self, layers: list[np.ndarray], X: Any, gates: list[Any]) -> None:
        self.xp, self.gates = array_namespace(X), gates
        xp, where = self.xp, device(X)
        self.n_samples, self.n_outputs = X.shape[0], layers[-1].shape[1]
        self.n_rows = self.n_samples * self.n_outputs
        self.n_columns = sum(layer.size for layer in layers)
        self.weights = [move(layer[:-1], xp, where) for layer in layers]
        self.signs = [move(np.where(layer < 0, -1.0, 1.0), xp, where) for layer in layers]
        h, one = unit_samples(X)  # rescales the outputs, hence no column
        self.inputs, largest = [], []
        for l, layer in enumerate(layers):
            a = xp.concat([h, one], axis=1)  # (n, n_l + 1)
            largest.append(xp.max(xp.abs(a), axis=0))
            self.inputs.append(a / _or_one(largest[l]))
            if l < len(gates):
                h = (h @ self.weights[l] + one * move(layer[-1], xp, where)) * gates[l]
        n_parameters = max(self.n_columns, 1)
        self.step = max(1, BLOCK_ENTRIES // (n_parameters * self.n_outputs))
        self._find_scales(largest)

    def blocks(self) -> Iterator[Any]:
        """Rows of some samples after the other, outputs of each sample together."""
        xp = self.xp
        for rows in self._slices():
            parts = []
            for l, (g, _) in enumerate(self._backward(rows)):
                a, g = self.inputs[l][rows, ...], g / self.scales[l]
                block = a[:, None, :, None] * g[:, :, None, :]  # (n, n_outputs, n_l + 1, n_{l+1})
                parts.append(xp.reshape(block * self.factors[l], (g.shape[0] * g.shape[1], -1)))
            yield xp.concat(parts, axis=1)

    def is_column(self) -> np.ndarray:
        """Which parameters move an output on some sample, (n_parameters,)."""
        return np.concatenate([to_numpy(factor != 0).ravel() for factor in self.factors])

    def _slices(self) -> Iterator[slice]:
        for start in range(0, self.n_samples, self.step):
            yield slice(start, min(start + self.step, self.n_samples))

    def _find_scales(self, largest: list[Any]) -> None:
        """Of the neurons, so that squares are in range, then of the columns, from matrix products.

        A column that is rounding is multiplied by zero.
        """
        xp = self.xp
        n_layers = len(self.weights)
        tops: list[Any] = [0.0] * n_layers
        usual: list[Any] = [0.0] * n_layers
        for rows in self._slices():
            for l, (g, magnitude) in enumerate(self._backward(rows)):
                tops[l] = _larger(tops[l], xp.max(xp.abs(g), axis=(0, 1)))
                usual[l] = _larger(usual[l], xp.max(magnitude, axis=(0, 1)))
        self.scales = [_or_one(top) for top in tops]
        squares: list[Any] = [0.0] * n_layers
        for rows in self._slices():
            for l, (g, _) in enumerate(self._backward(rows)):
                g = xp.sum((g / self.scales[l]) ** 2, axis=1)  # (n, n_{l+1})
                squares[l] = squares[l] + (self.inputs[l][rows, ...] ** 2).T @ g
        self.factors = []
        for l, square in enumerate(squares):
            norm = xp.sqrt(square)
            sound = (norm * self.scales[l] > CANCELLED * usual[l]) & (largest[l] > 0)[:, None]
            one = xp.ones_like(norm)
            factor = self.signs[l] / xp.where(sound, norm, one)
            self.factors.append(xp.where(sound, factor, xp.zeros_like(norm)))

    def _backward(self, rows: slice) -> list[tuple[Any, Any]]:
        """For each layer g, (n, n_outputs, n_{l+1}), and its magnitude without cancellation."""
        xp, last = self.xp, self.weights[-1]
        size = _or_one(xp.max(xp.abs(last), axis=0))
        n = rows.stop - rows.start
        g = xp.zeros((n, self.n_outputs, self.n_outputs), dtype=last.dtype, device=device(last))
        g = g + move(np.eye(self.n_outputs), xp, device(last)) / size[:, None]
        found = [(g, g)]
        magnitude = g
        for l in range(len(self.weights) - 1, 0, -1):
            gate = self.gates[l - 1][rows, ...][:, None, :]
            g = (g @ self.weights[l].T) * gate
            magnitude = (magnitude @ xp.abs(self.weights[l]).T) * gate
            found.append((g, magnitude))
        return found[::-1]


def _or_one(x: Any) -> Any:
    xp = array_namespace(x)
    return xp.where(x > 0, x, xp.ones_like(x))


def _larger(x: Any, y: Any) -> Any:
    return y if isinstance(x, float) else array_namespace(y).maximum(x, y)
