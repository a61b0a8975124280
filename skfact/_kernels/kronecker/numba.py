"""One Kronecker-sparse factor S of pattern (a, b, c, d) in compiled loops (numba).

Its values lie flat in the order (a, d, b, c). The adjoint is a factor, too: of pattern
(a, c, b, d), with the values that `adjoint` gives.
"""

from __future__ import annotations

import numpy as np

from skfact._kernels._jit import jit


@jit
def multiply(values, a, b, c, d, X, Y, width):  # type: ignore[no-untyped-def]
    """Y = S X on the first `width` columns."""
    place = 0
    for i in range(a):
        for l in range(d):
            for j in range(b):
                y = Y[(i * b + j) * d + l]
                if c == 2:
                    v, w = values[place], values[place + 1]
                    x, z = X[i * c * d + l], X[(i * c + 1) * d + l]
                    for t in range(width):
                        y[t] = v * x[t] + w * z[t]
                else:
                    x = X[i * c * d + l]
                    for t in range(width):
                        y[t] = values[place] * x[t]
                    for k in range(1, c):
                        v, x = values[place + k], X[(i * c + k) * d + l]
                        for t in range(width):
                            y[t] += v * x[t]
                place += c


@jit
def multiply_vector(values, a, b, c, d, x, y):  # type: ignore[no-untyped-def]
    """y = S x."""
    place = 0
    for i in range(a):
        for l in range(d):
            for j in range(b):
                total = values[place] * x[i * c * d + l]
                for k in range(1, c):
                    total += values[place + k] * x[(i * c + k) * d + l]
                y[(i * b + j) * d + l] = total
                place += c


@jit
def adjoint(values, a, b, c, d, out):  # type: ignore[no-untyped-def]
    """The values of S^H."""
    for block in range(0, a * d * b * c, b * c):
        for j in range(b):
            for k in range(c):
                out[block + k * b + j] = np.conj(values[block + j * c + k])


@jit
def correlate(a, b, c, d, P, R, out):  # type: ignore[no-untyped-def]
    """The values of P R^H on the support."""
    place = 0
    for i in range(a):
        for l in range(d):
            for j in range(b):
                p = P[(i * b + j) * d + l]
                for k in range(c):
                    r = R[(i * c + k) * d + l]
                    total = p[0] * np.conj(r[0])
                    for t in range(1, p.size):
                        total += p[t] * np.conj(r[t])
                    out[place] = total
                    place += 1


@jit
def restrict(a, b, c, d, P, out):  # type: ignore[no-untyped-def]
    """The values of P on the support."""
    place = 0
    for i in range(a):
        for l in range(d):
            for j in range(b):
                for k in range(c):
                    out[place] = P[(i * b + j) * d + l, (i * c + k) * d + l]
                    place += 1


@jit
def write_dense(values, a, b, c, d, Y):  # type: ignore[no-untyped-def]
    """Y = S."""
    Y[:] = 0
    place = 0
    for i in range(a):
        for l in range(d):
            for j in range(b):
                for k in range(c):
                    Y[(i * b + j) * d + l, (i * c + k) * d + l] = values[place]
                    place += 1
