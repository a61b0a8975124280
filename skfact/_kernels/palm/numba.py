"""One sweep of PALM over Kronecker-sparse factors, in place (numba).

The same steps as `skfact.deep_linear._palm.sweeps.GenericSweeps`, which says what they are. A
factor of pattern (a, b, c, d) lies in a flat array at its offset, in the order (a, d, b, c), and
its adjoint, of pattern (a, c, b, d), at the same place of another one.
"""

from __future__ import annotations

import math

import numpy as np

from skfact._kernels._jit import inner, jit
from skfact._kernels.kronecker.numba import (
    adjoint,
    correlate,
    multiply,
    multiply_vector,
    restrict,
    write_dense,
)


@inner
def norm2(X):  # type: ignore[no-untyped-def]
    total = 0.0
    for x in X.flat:
        total += x.real * x.real + x.imag * x.imag
    return total


@inner
def copy(x, out):  # type: ignore[no-untyped-def]
    """The entries of x into the beginning of out; an assignment of slices compiles for seconds."""
    for t in range(x.size):
        out[t] = x[t]


@inner
def prefix(values, patterns, offsets, start, stop, step, X, other):  # type: ignore[no-untyped-def]
    """X times some factors, S_start first, in one of two buffers; the other one."""
    for j in range(start, stop, step):
        a, b, c, d = patterns[j]
        multiply(values[offsets[j] : offsets[j + 1]], a, b, c, d, X, other, X.shape[1])
        X, other = other, X
    return X, other


@inner
def between(values, patterns, offsets, first, last, x, y, forward):  # type: ignore[no-untyped-def]
    """The same for a vector and the factors S_first ... S_(last-1)."""
    for i in range(last - first):
        j = first + i if forward else last - 1 - i
        a, b, c, d = patterns[j]
        multiply_vector(values[offsets[j] : offsets[j + 1]], a, b, c, d, x, y)
        x, y = y, x
    return x, y


@inner
def eigenvalue(  # type: ignore[no-untyped-def]
    values, patterns, adjoints, turned, offsets, first, last, left, vector, steps, precision, x, y
):
    """Largest eigenvalue of L^H L (`left`) or R R^H, L and R being S_first ... S_(last-1)."""
    value = 0.0
    size = vector.size
    for _ in range(steps):
        copy(vector, x)
        for half in range(2):
            forward = (half == 1) == left
            V, P = (adjoints, turned) if forward else (values, patterns)
            x, y = between(V, P, offsets, first, last, x, y, forward)
        found = math.sqrt(norm2(x[:size]))
        if not found > 0 or not math.isfinite(found):
            return value
        for t in range(size):
            vector[t] = x[t] / found
        if abs(found - value) <= precision * found:
            return found
        value = found
    return value


@jit
def products(A, patterns, offsets, values, suffixes):  # type: ignore[no-untyped-def]
    """Suffix products of the factors, then the best scale."""
    count = len(patterns)
    a, b, c, d = patterns[count - 1]
    write_dense(values[offsets[count - 1] :], a, b, c, d, suffixes[count - 1, : a * b * d])
    for j in range(count - 2, -1, -1):
        a, b, c, d = patterns[j]
        here = values[offsets[j] : offsets[j + 1]]
        multiply(here, a, b, c, d, suffixes[j + 1], suffixes[j], A.shape[1])
    product = suffixes[0]
    common, size = 0.0, 0.0
    for r in range(len(A)):
        for t in range(A.shape[1]):
            p, q = A[r, t], product[r, t]
            common += p.real * q.real + p.imag * q.imag
            size += q.real * q.real + q.imag * q.imag
    return (common / size if size > 0 else 1.0), size > 0


@jit
def residual_of(A, product, scale, out):  # type: ignore[no-untyped-def]
    """out = scale * product - A; its squared norm."""
    total = 0.0
    for r in range(len(A)):
        for t in range(A.shape[1]):
            e = scale * product[r, t] - A[r, t]
            out[r, t] = e
            total += e.real * e.real + e.imag * e.imag
    return total


@jit
def sweep(  # type: ignore[no-untyped-def]
    A, patterns, offsets, values, suffixes, residual, candidate, X, Y, x, y, lefts, rights,
    scale, steps, precision, margin, backtracks, check, rounding,
):  # fmt: skip
    """Update all factors, their suffix products, the scale and the residual.

    Returns the new scale and whether the product is zero.
    """
    count = len(patterns)
    change, gradient = np.empty_like(values), np.empty_like(values)
    adjoints, turned = np.empty_like(values), np.empty_like(patterns)
    for j in range(count):
        a, b, c, d = patterns[j]
        turned[j, 0], turned[j, 1], turned[j, 2], turned[j, 3] = a, c, b, d
        here = slice(offsets[j], offsets[j + 1])
        adjoint(values[here], a, b, c, d, adjoints[here])
    loss = norm2(residual)
    for j in range(count):
        a, b, c, d = patterns[j]
        here = slice(offsets[j], offsets[j + 1])
        old, g, new = values[here], gradient[here], change[here]
        for r in range(len(residual)):
            copy(residual[r], X[r])
        P, Q = prefix(adjoints, turned, offsets, np.int64(0), j, np.int64(1), X, Y)
        if j < count - 1:
            correlate(a, b, c, d, P, suffixes[j + 1], g)
        else:
            restrict(a, b, c, d, P, g)
        bound = scale * scale
        for left in (True, False):
            first, last = (0, j) if left else (j + 1, count)
            vector = lefts[j, : a * b * d] if left else rights[j, : a * c * d]
            if first < last:
                bound *= eigenvalue(
                    values, patterns, adjoints, turned, offsets, first, last, left,
                    vector, steps, precision, x, y,
                )  # fmt: skip
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
                multiply(new, a, b, c, d, suffixes[j + 1], P, A.shape[1])
            else:
                write_dense(new, a, b, c, d, P[: a * b * d])
            P, Q = prefix(values, patterns, offsets, j - 1, np.int64(-1), np.int64(-1), P, Q)
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
            for t in range(new.size):
                old[t] += new[t]
            adjoint(values[here], a, b, c, d, adjoints[here])
            residual, candidate, loss = candidate, residual, total
    return products(A, patterns, offsets, values, suffixes)
