"""Squared error and gradient of a product of Kronecker-sparse factors, tile by tile (numba).

A tile of samples goes through all factors and back before the next one is read, and stays in cache.
The blocks of a factor of pattern (a, b, c, d) lie in a flat array at its offset, in the order
(a, d, b, c).
"""

from __future__ import annotations

from skfact._kernels._jit import jit
from skfact._kernels.kronecker.numba import multiply


@jit
def backward(values, a, b, c, d, G, X, H, gradient, width):  # type: ignore[no-untyped-def]
    """H = S^T G, and G X^T on the support is added to the gradient."""
    for i in range(a):
        for l in range(d):
            block = (i * d + l) * b * c
            if b == 2:
                g, h = G[i * b * d + l], G[(i * b + 1) * d + l]
                for k in range(c):
                    x, out = X[(i * c + k) * d + l], H[(i * c + k) * d + l]
                    v, w = values[block + k], values[block + c + k]
                    first, second = g[0] * x[0], h[0] * x[0]
                    out[0] = v * g[0] + w * h[0]
                    for t in range(1, width):
                        first += g[t] * x[t]
                        second += h[t] * x[t]
                        out[t] = v * g[t] + w * h[t]
                    gradient[block + k] += first
                    gradient[block + c + k] += second
                continue
            for k in range(c):
                x, out = X[(i * c + k) * d + l], H[(i * c + k) * d + l]
                for t in range(width):
                    out[t] = 0
                for j in range(b):
                    g, v = G[(i * b + j) * d + l], values[block + j * c + k]
                    total = g[0] * x[0]
                    out[0] += v * g[0]
                    for t in range(1, width):
                        total += g[t] * x[t]
                        out[t] += v * g[t]
                    gradient[block + j * c + k] += total


@jit
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
        for j in range(count - 1, -1, -1):
            a, b, c, d = patterns[j]
            here = values[offsets[j] : offsets[j + 1]]
            multiply(here, a, b, c, d, signals[j + 1], signals[j], width)
        signal = signals[0]
        for r in range(len(Y)):
            y, row, rest = Y[r], signal[r], residual[r]
            for t in range(width):
                e = row[t] - y[first + t]
                row[t] = e
                rest[first + t] = e
            losses[0] += squares(row, width)
        G, H = signals[0], signals[count + 1]
        for j in range(count):
            a, b, c, d = patterns[j]
            here = slice(offsets[j], offsets[j + 1])
            backward(values[here], a, b, c, d, G, signals[j + 1], H, gradient[here], width)
            G, H = H, G
