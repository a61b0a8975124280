"""Squared error and gradient of a product of Kronecker-sparse factors, tile by tile (numba).

A tile of samples goes through all factors and back before the next one is read, and stays in cache.
The blocks of a factor of pattern (a, b, c, d) lie in a flat array at its offset, in the order
(a, d, b, c).
"""

from __future__ import annotations

import numpy as np

from skfact._kernels._jit import inner, jit
from skfact._kernels.kronecker.numba import multiply

ROWS = 8  # rows of an array in which entries are read in turn: more do not stay in cache


@inner
def backward(values, a, b, c, d, G, X, H, gradient, width):  # type: ignore[no-untyped-def]
    """H = S^H G, and G X^H on the support is added to the gradient."""
    for i in range(a):
        for l in range(d):
            block = (i * d + l) * b * c
            if b == 2:
                g, h = G[i * b * d + l], G[(i * b + 1) * d + l]
                for k in range(c):
                    x, out = X[(i * c + k) * d + l], H[(i * c + k) * d + l]
                    v, w = np.conj(values[block + k]), np.conj(values[block + c + k])
                    first, second = g[0] * np.conj(x[0]), h[0] * np.conj(x[0])
                    out[0] = v * g[0] + w * h[0]
                    for t in range(1, width):
                        first += g[t] * np.conj(x[t])
                        second += h[t] * np.conj(x[t])
                        out[t] = v * g[t] + w * h[t]
                    gradient[block + k] += first
                    gradient[block + c + k] += second
                continue
            for k in range(c):
                x, out = X[(i * c + k) * d + l], H[(i * c + k) * d + l]
                for t in range(width):
                    out[t] = 0
                for j in range(b):
                    g, v = G[(i * b + j) * d + l], np.conj(values[block + j * c + k])
                    total = g[0] * np.conj(x[0])
                    out[0] += v * g[0]
                    for t in range(1, width):
                        total += g[t] * np.conj(x[t])
                        out[t] += v * g[t]
                    gradient[block + j * c + k] += total


@inner
def through(patterns, offsets, values, signals, width):  # type: ignore[no-untyped-def]
    """Multiply a tile at the last end by all factors, and keep what is at each end."""
    for j in range(len(patterns) - 1, -1, -1):
        a, b, c, d = patterns[j]
        here = values[offsets[j] : offsets[j + 1]]
        multiply(here, a, b, c, d, signals[j + 1], signals[j], width)


@inner
def back(patterns, offsets, values, signals, gradient, width):  # type: ignore[no-untyped-def]
    """Add to the gradient what a gradient at the first end gives; that at the last one."""
    G, H = signals[0], signals[len(patterns) + 1]
    for j in range(len(patterns)):
        a, b, c, d = patterns[j]
        here = slice(offsets[j], offsets[j + 1])
        backward(values[here], a, b, c, d, G, signals[j + 1], H, gradient[here], width)
        G, H = H, G
    return G


@inner
def read_rows(X, first, index, signal, width):  # type: ignore[no-untyped-def]
    """A tile of vectors from rows of X from `first` on: entry ``index[r]`` in r, 0 for -1."""
    for begin in range(0, width, ROWS):
        end = min(begin + ROWS, width)
        for r in range(len(index)):
            entry, row = index[r], signal[r]
            if entry < 0:
                for t in range(begin, end):
                    row[t] = 0
            else:
                for t in range(begin, end):
                    row[t] = X[first + t, entry]


@inner
def write_rows(Y, first, index, signal, width):  # type: ignore[no-untyped-def]
    """Rows of Y from `first` on, from a tile of vectors: entry ``index[r]`` in r, 0 for -1."""
    for begin in range(0, width, ROWS):
        end = min(begin + ROWS, width)
        for r in range(len(index)):
            entry = index[r]
            if entry < 0:
                for t in range(begin, end):
                    Y[first + t, r] = 0
            else:
                row = signal[entry]
                for t in range(begin, end):
                    Y[first + t, r] = row[t]


@inner
def squares(x, width):  # type: ignore[no-untyped-def]
    """Sum of squares, in a loop without stores: the order of its sum depends on no address."""
    total = x[0] * x[0]
    for t in range(1, width):
        total += x[t] * x[t]
    return total


@jit
def loss_and_gradient(  # type: ignore[no-untyped-def]
    X, Y, patterns, offsets, values, residual, gradient, signals, start, stop, losses
):  # fmt: skip
    """Columns `start` to `stop` of the residual S_1 ... S_L X - Y, and what they add.

    `gradient` of the shape of `values` is overwritten, and ``losses[0]`` with the squared error.
    `signals` holds a tile of columns at each of the L + 1 ends of factors, and one more.
    """
    count, tile = len(patterns), signals.shape[2]
    gradient[:] = 0
    losses[0] = 0
    for first in range(start, stop, tile):
        width = min(tile, stop - first)
        signal = signals[count]
        for r in range(len(X)):
            x, row = X[r], signal[r]
            for t in range(width):
                row[t] = x[first + t]
        through(patterns, offsets, values, signals, width)
        signal = signals[0]
        for r in range(len(Y)):
            y, row, rest = Y[r], signal[r], residual[r]
            for t in range(width):
                e = row[t] - y[first + t]
                row[t] = e
                rest[first + t] = e
            losses[0] += squares(row, width)
        back(patterns, offsets, values, signals, gradient, width)


@jit
def map_rows(  # type: ignore[no-untyped-def]
    X, Y, patterns, offsets, values, source, result, signals, start, stop
):  # fmt: skip
    """Rows `start` to `stop` of Y, the images of rows of X; entries are selected on both sides.

    `signals` (2, ., .) holds a tile of vectors before and after a factor.
    """
    tile = signals.shape[2]
    for first in range(start, stop, tile):
        width = min(tile, stop - first)
        here, there = signals[0], signals[1]
        read_rows(X, first, source, here, width)
        for j in range(len(patterns) - 1, -1, -1):
            a, b, c, d = patterns[j]
            part = values[offsets[j] : offsets[j + 1]]
            multiply(part, a, b, c, d, here, there, width)
            here, there = there, here
        write_rows(Y, first, result, here, width)


@jit
def pull_back_rows(  # type: ignore[no-untyped-def]
    X, G, patterns, offsets, values, source, result, into, out, of_X, gradient, signals, start, stop
):  # fmt: skip
    """Gradients from those of the images of rows `start` to `stop`: of X, and of the values.

    That of the values is overwritten. `source` and `result` select entries on both sides, as in
    `map_rows`, and `into` and `out` are the ways back. The signals are those of
    `loss_and_gradient`; no row of X gets a gradient if there is none in `of_X`.
    """
    tile = signals.shape[2]
    gradient[:] = 0
    for first in range(start, stop, tile):
        width = min(tile, stop - first)
        read_rows(X, first, source, signals[len(patterns)], width)
        through(patterns, offsets, values, signals, width)
        read_rows(G, first, out, signals[0], width)
        H = back(patterns, offsets, values, signals, gradient, width)
        if len(of_X):
            write_rows(of_X, first, into, H, width)
