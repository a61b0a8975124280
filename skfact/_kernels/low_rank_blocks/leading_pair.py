"""Leading singular pair of one small block, in compiled loops.

A block P of shape (p, q), p <= q, is held in double precision as ``block[k, part, l]``, with one
part if it is real and the real and the imaginary part if it is complex. Vectors are laid out alike.
A right vector y, of norm 1, comes with x = P y and z = P^H x; all three take one pass over the rows
(`sweep`). ||P - x y^H||^2 = ||P||_F^2 - ||x||^2 is what it misses.

Vectors are sought through M = P^H P without a loss: its rounding errors, eps ||P||^2, turn the
leading vector by eps s_1^2 / (s_1^2 - s_2^2), and what is missed changes by the square of that
angle times the gap s_1^2 - s_2^2. What is missed is summed from the remainder itself, never by
subtraction.
"""

from __future__ import annotations

import math

import numpy as np

from skfact._kernels._jit import inner

# Power steps before Lanczos.
POWER_STEPS = 7
EPS = 2.0**-52
# Lanczos steps between two looks at the Ritz values.
LOOK_EVERY = 12


@inner
def sweep(block, y, x, z):  # type: ignore[no-untyped-def]
    """x = P y, z = P^H x and ||P - x y^H||^2, for y of norm 1."""
    p, parts, q = block.shape
    missed = 0.0
    z[:] = 0.0
    if parts == 1:
        for k in range(0, p - 3, 4):  # four rows at a time: y and z are read a quarter as often
            a = b = c = d = 0.0
            for l in range(q):
                a += block[k, 0, l] * y[0, l]
                b += block[k + 1, 0, l] * y[0, l]
                c += block[k + 2, 0, l] * y[0, l]
                d += block[k + 3, 0, l] * y[0, l]
            x[0, k], x[0, k + 1], x[0, k + 2], x[0, k + 3] = a, b, c, d
            for l in range(q):
                e, f = block[k, 0, l], block[k + 1, 0, l]
                g, h = block[k + 2, 0, l], block[k + 3, 0, l]
                z[0, l] += a * e + b * f + c * g + d * h
                e, f, g, h = e - a * y[0, l], f - b * y[0, l], g - c * y[0, l], h - d * y[0, l]
                missed += e * e + f * f + g * g + h * h
        for k in range(p - p % 4, p):
            a = 0.0
            for l in range(q):
                a += block[k, 0, l] * y[0, l]
            x[0, k] = a
            for l in range(q):
                e = block[k, 0, l]
                z[0, l] += a * e
                e -= a * y[0, l]
                missed += e * e
        return missed
    for k in range(p):
        real = imag = 0.0
        for l in range(q):
            real += block[k, 0, l] * y[0, l] - block[k, 1, l] * y[1, l]
            imag += block[k, 0, l] * y[1, l] + block[k, 1, l] * y[0, l]
        x[0, k], x[1, k] = real, imag
        for l in range(q):
            r, i = block[k, 0, l], block[k, 1, l]
            z[0, l] += real * r + imag * i
            z[1, l] += imag * r - real * i
            rest = r - real * y[0, l] - imag * y[1, l]
            rest_imag = i - imag * y[0, l] + real * y[1, l]
            missed += rest * rest + rest_imag * rest_imag
    return missed


@inner
def multiply(block, basis, j, x, z):  # type: ignore[no-untyped-def]
    """x = P y and z = P^H x for the vector y = basis[j]."""
    p, parts, q = block.shape
    for k in range(p):
        real = imag = 0.0
        if parts == 1:
            for l in range(q):
                real += block[k, 0, l] * basis[j, 0, l]
            x[0, k] = real
        else:
            for l in range(q):
                real += block[k, 0, l] * basis[j, 0, l] - block[k, 1, l] * basis[j, 1, l]
                imag += block[k, 0, l] * basis[j, 1, l] + block[k, 1, l] * basis[j, 0, l]
            x[0, k], x[1, k] = real, imag
    multiply_adjoint(block, x, z)


@inner
def multiply_adjoint(block, x, z):  # type: ignore[no-untyped-def]
    """z = P^H x."""
    p, parts, q = block.shape
    z[:] = 0.0
    for k in range(p):
        if parts == 1:
            for l in range(q):
                z[0, l] += x[0, k] * block[k, 0, l]
        else:
            for l in range(q):
                z[0, l] += x[0, k] * block[k, 0, l] + x[1, k] * block[k, 1, l]
                z[1, l] += x[1, k] * block[k, 0, l] - x[0, k] * block[k, 1, l]


@inner
def square(v):  # type: ignore[no-untyped-def]
    """||v||^2."""
    total = 0.0
    for e in range(v.shape[0]):
        for l in range(v.shape[1]):
            total += v[e, l] * v[e, l]
    return total


@inner
def scaled(v, factor, out):  # type: ignore[no-untyped-def]
    """Out = factor * v."""
    for e in range(v.shape[0]):
        for l in range(v.shape[1]):
            out[e, l] = factor * v[e, l]


@inner
def rotate(blocks, w, row2, x, z):  # type: ignore[no-untyped-def]
    """Two rows: the Jacobi rotation that makes them orthogonal.

    For block w, x is the first column of the rotation, of norm 1, and z = P^H x; returns
    ||P - x z^H||^2, which is the squared norm of the other row.
    """
    parts, q = blocks.shape[2], blocks.shape[3]
    real = imag = 0.0  # (P P^H)_01
    if parts == 1:
        for l in range(q):
            real += blocks[w, 0, 0, l] * blocks[w, 1, 0, l]
    else:
        for l in range(q):
            f, f_imag = blocks[w, 0, 0, l], blocks[w, 0, 1, l]
            s, s_imag = blocks[w, 1, 0, l], blocks[w, 1, 1, l]
            real += f * s + f_imag * s_imag
            imag += f_imag * s - f * s_imag
    half = 0.5 * (row2[w, 0] - row2[w, 1])
    off2 = real * real + imag * imag
    large = abs(half) + math.sqrt(half * half + off2)
    scale = 1.0 / math.sqrt(large * large + off2) if large > 0.0 else 0.0
    large = large * scale if large > 0.0 else 1.0
    real, imag = real * scale, imag * scale
    # the larger row gets the real coefficient
    if half >= 0.0:
        a, a_imag, b, b_imag = large, 0.0, real, -imag
    else:
        a, a_imag, b, b_imag = real, imag, large, 0.0
    missed = 0.0
    x[0, 0], x[0, 1] = a, b
    if parts == 1:
        for l in range(q):
            f, s = blocks[w, 0, 0, l], blocks[w, 1, 0, l]
            z[0, l] = a * f + b * s
            rest = a * s - b * f
            missed += rest * rest
        return missed
    x[1, 0], x[1, 1] = a_imag, b_imag
    for l in range(q):
        f, f_imag = blocks[w, 0, 0, l], blocks[w, 0, 1, l]
        s, s_imag = blocks[w, 1, 0, l], blocks[w, 1, 1, l]
        z[0, l] = a * f + a_imag * f_imag + b * s + b_imag * s_imag
        z[1, l] = a_imag * f - a * f_imag + b_imag * s - b * s_imag
        rest = a * s - a_imag * s_imag - b * f + b_imag * f_imag
        rest_imag = a * s_imag + a_imag * s - b * f_imag - b_imag * f
        missed += rest * rest + rest_imag * rest_imag
    return missed


@inner
def leading_pair(block, row2, eps, y, x, z, basis, tridiagonal):  # type: ignore[no-untyped-def]
    """Find y, of norm 1, with x = P y and z = P^H x; returns ||P - x y^H||^2, or -1.

    -1 says that no certificate was reached. With theta = ||x||^2, r = ||z - theta y|| and
    tail = ||P||^2 - theta, which bounds every other eigenvalue of P^H P if it is less than theta,
    y misses too much by at most r^2 / (theta - tail). Otherwise r itself is a bound, where theta
    is known to be next to the largest eigenvalue: Lanczos from a random vector finds that one
    first. Either way r is brought down to rounding.

    `row2` (p,) holds the squared norms of the rows, and `eps` is the rounding of the numbers in the
    block, which may come from single precision. The results y, x and z have shapes (parts, q),
    (parts, p) and (parts, q); `basis` (p, parts, q) and `tridiagonal` (5, p) are work space.
    """
    p, parts, q = block.shape
    norm2, pivot = 0.0, 0
    for k in range(p):
        norm2 += row2[k]
        if row2[k] > row2[pivot]:
            pivot = k
    # rank one exactly: any row is the right vector, and the largest one has the least rounding
    scale = 1.0 / math.sqrt(row2[pivot])
    for e in range(parts):
        for l in range(q):
            y[e, l] = block[pivot, e, l] * (scale if e == 0 else -scale)
    missed = sweep(block, y, x, z)
    if missed <= (8 * eps) ** 2 * q * norm2:
        return missed
    for _ in range(POWER_STEPS):
        theta = square(x)
        if theta <= missed:
            break
        off2, least = residual2(y, z, theta), rounding2(q, theta)
        # an angle of about 1e-13, or less where that is more than rounding of what is missed
        if off2 <= least or off2 <= min(256 * least, 500 * EPS * missed * (theta - missed)):
            return missed
        scaled(z, 1.0 / math.sqrt(square(z)), y)
        missed = sweep(block, y, x, z)
    lanczos(block, norm2, y, x, z, basis, tridiagonal)
    missed = sweep(block, y, x, z)
    theta = square(x)
    return missed if residual2(y, z, theta) <= 64 * rounding2(q, theta) else -1.0


@inner
def rounding2(q, theta):  # type: ignore[no-untyped-def]
    """Squared rounding error of z - theta y, an inner product of length q at a time."""
    return EPS * EPS * (256 + 16 * q) * theta * theta


@inner
def residual2(y, z, theta):  # type: ignore[no-untyped-def]
    """||z - theta y||^2."""
    total = 0.0
    for e in range(y.shape[0]):
        for l in range(y.shape[1]):
            off = z[e, l] - theta * y[e, l]
            total += off * off
    return total


@inner
def lanczos(block, norm2, y, x, z, basis, tridiagonal):  # type: ignore[no-untyped-def]
    """Replace y by the leading Ritz vector of a Krylov space of P^H P that is large enough.

    Every vector is orthogonalized against all before. The start mixes y with a random vector of the
    row space: then no eigenvector is missed by more than an unlikely accident.
    """
    p, parts, q = block.shape
    alpha, beta = tridiagonal[0], tridiagonal[1]
    state = 1
    for e in range(parts):
        for k in range(p):
            state = state * 48271 % 2147483647  # Lehmer's generator: the same for every block
            x[e, k] = state / 2147483647 - 0.5
    multiply_adjoint(block, x, z)
    scale = 1.0 / math.sqrt(square(z))
    for e in range(parts):
        for l in range(q):
            z[e, l] = y[e, l] + scale * z[e, l]
    length = math.sqrt(square(z))
    steps, top = np.int64(0), 0.0
    while True:
        scaled(z, 1.0 / length, basis[steps])
        multiply(block, basis, steps, x, z)
        alpha[steps] = square(x)
        # in exact arithmetic only the last two components are there; the others are rounding, and
        # once is enough for them (twice is enough for all: Kahan, Parlett)
        for j in range(max(steps - 1, 0), steps + 1):
            remove(basis, j, z)
        for j in range(steps + 1):
            remove(basis, j, z)
        length = math.sqrt(square(z))
        beta[steps] = length
        steps += 1
        # the space is exhausted: a further vector would be rounding error
        top = max(top, alpha[steps - 1])
        last = steps == p or length <= 8 * EPS * top
        if last or steps % LOOK_EVERY == 0:
            theta = leading_ritz_pair(alpha, beta, steps, tridiagonal[2:], norm2)
            off = length * tridiagonal[2, steps - 1]
            if last or off * off <= 16 * rounding2(q, theta):
                break
    y[:] = 0.0
    for j in range(steps):
        for e in range(parts):
            for l in range(q):
                y[e, l] += tridiagonal[2, j] * basis[j, e, l]
    scaled(y, 1.0 / math.sqrt(square(y)), y)


@inner
def remove(basis, j, z):  # type: ignore[no-untyped-def]
    """Subtract from z its component along basis[j], of norm 1."""
    _, parts, q = basis.shape
    real = imag = 0.0
    if parts == 1:
        for l in range(q):
            real += basis[j, 0, l] * z[0, l]
        for l in range(q):
            z[0, l] -= real * basis[j, 0, l]
        return
    for l in range(q):
        real += basis[j, 0, l] * z[0, l] + basis[j, 1, l] * z[1, l]
        imag += basis[j, 0, l] * z[1, l] - basis[j, 1, l] * z[0, l]
    for l in range(q):
        z[0, l] -= real * basis[j, 0, l] - imag * basis[j, 1, l]
        z[1, l] -= real * basis[j, 1, l] + imag * basis[j, 0, l]


@inner
def leading_ritz_pair(alpha, beta, n, work, norm2):  # type: ignore[no-untyped-def]
    """Largest eigenvalue of a symmetric tridiagonal matrix T; its vector goes to ``work[0]``.

    Laguerre's iteration falls from an upper bound to the largest root of the characteristic
    polynomial, cubically at the end. The vector is the column of (T - theta I)^-1 of largest norm,
    from the factorizations of both directions (Dhillon's twisted one).
    """
    theta = 0.0
    for i in range(n):
        disc = alpha[i] + (beta[i] if i < n - 1 else 0.0) + (beta[i - 1] if i > 0 else 0.0)
        theta = max(theta, disc)
    theta = min(theta, norm2) * (1 + 1e-15)
    tiny = 1e-32 * norm2
    for _ in range(60):
        # pivots of theta I - T, positive above the largest root, and their two derivatives
        pivot, first, second = theta - alpha[0], 1.0, 0.0
        below = pivot <= tiny
        total = 1.0 / pivot if not below else 0.0  # sum of 1 / (theta - root)
        squares = total * total  # sum of 1 / (theta - root)^2
        for i in range(1, n):
            if below:
                break
            inverse = 1.0 / pivot
            ratio = beta[i - 1] * beta[i - 1] * inverse * inverse
            second = ratio * (second - 2.0 * first * first * inverse)
            first = 1.0 + ratio * first
            pivot = theta - alpha[i] - ratio * pivot
            below = pivot <= tiny
            if not below:
                slope = first / pivot
                total += slope
                squares += slope * slope - second / pivot
        if below:  # at the root, to rounding
            break
        spread = (n - 1) * max(n * squares - total * total, 0.0)
        step = n / (total + math.sqrt(spread))
        theta -= step
        if step <= 4e-16 * theta:
            break
    vector, down, up = work[0], work[1], work[2]
    down[0] = safe(alpha[0] - theta, tiny)
    for i in range(1, n):
        down[i] = safe(alpha[i] - theta - beta[i - 1] * beta[i - 1] / down[i - 1], tiny)
    up[n - 1] = safe(alpha[n - 1] - theta, tiny)
    for i in range(n - 2, -1, -1):
        up[i] = safe(alpha[i] - theta - beta[i] * beta[i] / up[i + 1], tiny)
    twist, least = 0, math.inf
    for i in range(n):
        gamma = abs(down[i] + up[i] - (alpha[i] - theta))
        if gamma < least:
            twist, least = i, gamma
    vector[twist] = 1.0
    for i in range(twist - 1, -1, -1):
        vector[i] = -beta[i] * vector[i + 1] / down[i]
    for i in range(twist, n - 1):
        vector[i + 1] = -beta[i] * vector[i] / up[i + 1]
    total = 0.0
    for i in range(n):
        total += vector[i] * vector[i]
    for i in range(n):
        vector[i] /= math.sqrt(total)
    return theta


@inner
def safe(pivot, tiny):  # type: ignore[no-untyped-def]
    """A pivot that can be divided by."""
    return pivot if abs(pivot) > tiny else -tiny
