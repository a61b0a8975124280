"""One sweep of PALM over Kronecker-sparse factors, in place (numba).

The same steps as `skfact.deep_linear._palm.sweeps.GenericSweeps`, which says what they are. A
factor of pattern (a, b, c, d) lies in a flat array at its offset, in the order (a, d, b, c).
"""

from __future__ import annotations

import math

import numpy as np

from skfact._kernels._jit import jit


def _multiply(values, a, b, c, d, X, Y):  # type: ignore[no-untyped-def]
    """Y = S X."""
    place = 0
    for i in range(a):
        for l in range(d):
            for j in range(b):
                y = Y[(i * b + j) * d + l]
                if c == 2:
                    v, w = values[place], values[place + 1]
                    x, z = X[i * c * d + l], X[(i * c + 1) * d + l]
                    for t in range(y.size):
                        y[t] = v * x[t] + w * z[t]
                else:
                    y[:] = 0
                    for k in range(c):
                        v, x = values[place + k], X[(i * c + k) * d + l]
                        for t in range(y.size):
                            y[t] += v * x[t]
                place += c


def _multiply_adjoint(values, a, b, c, d, X, Y):  # type: ignore[no-untyped-def]
    """Y = S^H X."""
    for i in range(a):
        for l in range(d):
            block = (i * d + l) * b * c
            for k in range(c):
                y = Y[(i * c + k) * d + l]
                if b == 2:
                    v, w = np.conj(values[block + k]), np.conj(values[block + c + k])
                    x, z = X[i * b * d + l], X[(i * b + 1) * d + l]
                    for t in range(y.size):
                        y[t] = v * x[t] + w * z[t]
                else:
                    y[:] = 0
                    for j in range(b):
                        v, x = np.conj(values[block + j * c + k]), X[(i * b + j) * d + l]
                        for t in range(y.size):
                            y[t] += v * x[t]


def _multiply_vector(values, a, b, c, d, x, y):  # type: ignore[no-untyped-def]
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


def _multiply_vector_adjoint(values, a, b, c, d, x, y):  # type: ignore[no-untyped-def]
    """y = S^H x."""
    for i in range(a):
        for l in range(d):
            block = (i * d + l) * b * c
            for k in range(c):
                total = np.conj(values[block + k]) * x[i * b * d + l]
                for j in range(1, b):
                    total += np.conj(values[block + j * c + k]) * x[(i * b + j) * d + l]
                y[(i * c + k) * d + l] = total


def _correlate(a, b, c, d, P, R, out):  # type: ignore[no-untyped-def]
    """out = P R^H on the support."""
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


def _restrict(a, b, c, d, P, out):  # type: ignore[no-untyped-def]
    """The entries of P on the support."""
    place = 0
    for i in range(a):
        for l in range(d):
            for j in range(b):
                for k in range(c):
                    out[place] = P[(i * b + j) * d + l, (i * c + k) * d + l]
                    place += 1


def _write_dense(values, a, b, c, d, Y):  # type: ignore[no-untyped-def]
    """Y = S."""
    Y[:] = 0
    place = 0
    for i in range(a):
        for l in range(d):
            for j in range(b):
                for k in range(c):
                    Y[(i * b + j) * d + l, (i * c + k) * d + l] = values[place]
                    place += 1


def _norm2(X):  # type: ignore[no-untyped-def]
    total = 0.0
    for x in X.flat:
        total += x.real * x.real + x.imag * x.imag
    return total


def _chain(values, patterns, offsets, first, last, X, other):  # type: ignore[no-untyped-def]
    """S_first ... S_(last-1) X in one of the two buffers; returns it and the other one."""
    for j in range(last - 1, first - 1, -1):
        a, b, c, d = patterns[j]
        multiply(values[offsets[j] : offsets[j + 1]], a, b, c, d, X, other)
        X, other = other, X
    return X, other


def _chain_adjoint(values, patterns, offsets, first, last, X, other):  # type: ignore[no-untyped-def]
    """The adjoint of S_first ... S_(last-1) times X, likewise."""
    for j in range(first, last):
        a, b, c, d = patterns[j]
        multiply_adjoint(values[offsets[j] : offsets[j + 1]], a, b, c, d, X, other)
        X, other = other, X
    return X, other


def _vector_chain(values, patterns, offsets, first, last, is_adjoint, x, y):  # type: ignore[no-untyped-def]
    """S_first ... S_(last-1) x, or its adjoint times x, likewise."""
    for step in range(first, last):
        j = step if is_adjoint else first + last - 1 - step
        a, b, c, d = patterns[j]
        if is_adjoint:
            multiply_vector_adjoint(values[offsets[j] : offsets[j + 1]], a, b, c, d, x, y)
        else:
            multiply_vector(values[offsets[j] : offsets[j + 1]], a, b, c, d, x, y)
        x, y = y, x
    return x, y


def _eigenvalue(values, patterns, offsets, first, last, left, vector, steps, precision, x, y):  # type: ignore[no-untyped-def]
    """Largest eigenvalue of L^H L (`left`) or R R^H, L and R being S_first ... S_(last-1)."""
    value = 0.0
    size = vector.size
    for _ in range(steps):
        x[:size] = vector
        x, y = vector_chain(values, patterns, offsets, first, last, not left, x, y)
        x, y = vector_chain(values, patterns, offsets, first, last, left, x, y)
        found = math.sqrt(norm2(x[:size]))
        if not found > 0 or not math.isfinite(found):
            return value
        vector[:] = x[:size] / found
        if abs(found - value) <= precision * found:
            return found
        value = found
    return value


def _sweep(  # type: ignore[no-untyped-def]
    A, patterns, offsets, values, suffixes, residual, candidate, X, Y, x, y, lefts, rights,
    scale, steps, precision, margin, backtracks, check, rounding,
):  # fmt: skip
    """Update all factors, their suffix products, the scale and the residual.

    Returns the new scale and whether the product is zero.
    """
    count = len(patterns)
    change, gradient = np.empty_like(values), np.empty_like(values)
    loss = norm2(residual)
    for j in range(count):
        a, b, c, d = patterns[j]
        here = slice(offsets[j], offsets[j + 1])
        old, g, new = values[here].copy(), gradient[here], change[here]
        X[: len(residual)] = residual
        P, Q = chain_adjoint(values, patterns, offsets, 0, j, X, Y)
        bound = scale * scale
        if j > 0:
            bound *= eigenvalue(
                values, patterns, offsets, 0, j, True, lefts[j, : a * b * d], steps, precision, x, y
            )
        if j < count - 1:
            correlate(a, b, c, d, P, suffixes[j + 1], g)
            bound *= eigenvalue(
                values, patterns, offsets, j + 1, count, False, rights[j, : a * c * d], steps,
                precision, x, y,
            )  # fmt: skip
        else:
            restrict(a, b, c, d, P, g)
        step = (1 + margin) * bound if bound > 0 else 1.0
        ceiling = loss + 2 * rounding * math.sqrt(loss)
        accepted, total = False, loss
        for _ in range(backtracks):
            for t in range(new.size):
                new[t] = old[t] - scale * g[t] / step
            size = math.sqrt(norm2(new))
            for t in range(new.size):
                new[t] = (new[t] / size if size > 0 else new[t]) - old[t]
            if j < count - 1:
                multiply(new, a, b, c, d, suffixes[j + 1], P)
            else:
                write_dense(new, a, b, c, d, P[: a * b * d])
            P, Q = chain(values, patterns, offsets, 0, j, P, Q)
            total = 0.0
            for r in range(len(residual)):
                for t in range(residual.shape[1]):
                    e = residual[r, t] + scale * P[r, t]
                    candidate[r, t] = e
                    total += e.real * e.real + e.imag * e.imag
            if not check or total <= ceiling:
                accepted = True
                break
            step *= 2
        if accepted:
            values[here] = old + new
            residual, candidate, loss = candidate, residual, total
    return products(A, patterns, offsets, values, suffixes, residual, scale)


def _products(A, patterns, offsets, values, suffixes, residual, scale):  # type: ignore[no-untyped-def]
    """Suffix products of the factors, then the best scale."""
    count = len(patterns)
    a, b, c, d = patterns[count - 1]
    write_dense(values[offsets[count - 1] :], a, b, c, d, suffixes[count - 1, : a * b * d])
    for j in range(count - 2, -1, -1):
        a, b, c, d = patterns[j]
        multiply(values[offsets[j] : offsets[j + 1]], a, b, c, d, suffixes[j + 1], suffixes[j])
    product = suffixes[0]
    inner, size = 0.0, 0.0
    for r in range(len(A)):
        for t in range(A.shape[1]):
            p, q = A[r, t], product[r, t]
            inner += p.real * q.real + p.imag * q.imag
            size += q.real * q.real + q.imag * q.imag
    return (inner / size if size > 0 else 1.0), size > 0


def _residual_of(A, product, scale, out):  # type: ignore[no-untyped-def]
    """out = scale * product - A; its squared norm."""
    total = 0.0
    for r in range(len(A)):
        for t in range(A.shape[1]):
            e = scale * product[r, t] - A[r, t]
            out[r, t] = e
            total += e.real * e.real + e.imag * e.imag
    return total


multiply = jit(_multiply)
multiply_adjoint = jit(_multiply_adjoint)
multiply_vector = jit(_multiply_vector)
multiply_vector_adjoint = jit(_multiply_vector_adjoint)
correlate = jit(_correlate)
restrict = jit(_restrict)
write_dense = jit(_write_dense)
norm2 = jit(_norm2)
chain = jit(_chain)
chain_adjoint = jit(_chain_adjoint)
vector_chain = jit(_vector_chain)
eigenvalue = jit(_eigenvalue)
products = jit(_products)
residual_of = jit(_residual_of)
sweep = jit(_sweep)
