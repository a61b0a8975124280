"""Blocks that have rank one exactly, found in one pass over the matrix, in compiled loops.

The t blocks of a group stand side by side in the same rows, so that whole rows are read from one
end to the other: several times faster, from main memory, than block by block, and nothing is
copied. Row j of block w is compared with the direction v_w of its first row; the first remainder
that is more than rounding ends the attempt.

Rows come as ``lines[row, w, part]``, the stretch of block w in a row: one part where they are real,
the real and the imaginary part, copied apart from each other, where they are complex. No slices
here: counting the references to one costs more than a small block.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from skfact._kernels._jit import inner, jit

# Rows that are compared together: v_w is read once for all of them.
TOGETHER = 4


@partial(inner, inline=True)
def places(group, sizes):  # type: ignore[no-untyped-def]
    """Where a group begins in product (a, d, b, u), left (a, u, d, b) and right (a, t, d, u)."""
    _, t, u, d, b, _ = sizes
    s, m, i = group % u, group // u % d, group // u // d
    return (i * d + m) * b * u + s, ((i * u + s) * d + m) * b, (i * t * d + m) * u + s


@partial(inner, inline=True)
def gather(matrix, rows, cols, row, lines, place):  # type: ignore[no-untyped-def]
    """Row of the product: the row and the columns of the matrix that the indices say, 0 for -1."""
    _, t, parts, c = lines.shape
    source = rows[row] if rows.size > 0 else row
    for w in range(t):
        for l in range(c):
            k = w * c + l
            if cols.size > 0:
                k = cols[k]
            if source < 0 or k < 0:
                lines[place, w, 0, l] = 0.0
                if parts == 2:
                    lines[place, w, 1, l] = 0.0
            elif parts == 2:
                lines[place, w, 0, l] = matrix[source, 0, 0, 2 * k]
                lines[place, w, 1, l] = matrix[source, 0, 0, 2 * k + 1]
            else:
                lines[place, w, 0, l] = matrix[source, 0, 0, k]


@jit
def split_exact_groups(  # type: ignore[no-untyped-def]
    matrix, rows, cols, sizes, parts, leftwards, eps, left, right, missed, norm2, start, stop
):
    """Split the groups start .. stop - 1 whose blocks all have rank one; `missed` is -1 in others.

    Block w is x_w v_w then, ||v_w|| = 1; written as a unit column and a row, or with `leftwards` as
    a column and a unit row.
    """
    _, t, u, d, b, c = sizes
    gathered = rows.size + cols.size > 0 or parts == 2
    lines = np.empty((TOGETHER, t, parts, c), matrix.dtype) if gathered else matrix
    x, v = np.empty((parts, b, t)), np.empty((t, parts, c))
    bound = (8 * eps) ** 2 * c
    for group in range(start, stop):
        first, top, out = places(group, sizes)
        exact = True
        for j in range(0, b, TOGETHER):
            n = min(TOGETHER, b - j)
            row, step = first + j * u, u
            if gathered:
                for k in range(n):
                    gather(matrix, rows, cols, row + k * u, lines, k)
                row, step = np.int64(0), np.int64(1)
            if j == 0:
                for w in range(t):
                    total = 0.0
                    for e in range(parts):
                        for l in range(c):
                            total += lines[row, w, e, l] * (1.0 * lines[row, w, e, l])
                        x[e, 0, w] = 0.0
                    exact = 1e-200 < total < 1e200
                    if not exact:
                        break
                    length = math.sqrt(total)
                    x[0, 0, w] = length
                    missed[group, w], norm2[group, w] = 0.0, 0.0 if n == TOGETHER else total
                    scale = 1.0 / length
                    for e in range(parts):
                        for l in range(c):
                            v[w, e, l] = scale * lines[row, w, e, l]
                if not exact:
                    break
            if n == TOGETHER:
                r1, r2, r3 = row + step, row + 2 * step, row + 3 * step
                for w in range(t):
                    if parts == 1:
                        rest2, kept2 = four_rows(lines, row, r1, r2, r3, w, j, x, v)
                    else:
                        rest2, kept2 = two_complex_rows(lines, row, r1, w, j, x, v)
                        more, kept = two_complex_rows(lines, r2, r3, w, j + 2, x, v)
                        rest2 += more
                        kept2 += kept
                    missed[group, w] += rest2
                    norm2[group, w] += rest2 + kept2
                    exact = missed[group, w] <= bound * norm2[group, w]  # not for NaN
                    if not exact:
                        break
            else:
                for k in range(0 if j > 0 else 1, n):
                    for w in range(t):
                        rest2, kept2 = one_row(lines, row + k * step, w, j + k, x, v)
                        missed[group, w] += rest2
                        norm2[group, w] += rest2 + kept2
                        exact = missed[group, w] <= bound * norm2[group, w]
                        if not exact:
                            break
                    if not exact:
                        break
            if not exact:
                break
        if not exact:
            missed[group] = -1.0
            continue
        for w in range(t):
            # what one takes and the other gives has to be the same, whatever its rounding errors
            length = 1.0 if leftwards else math.sqrt(norm2[group, w])
            scale = 1.0 / length
            for j in range(b):
                left[top + j, parts * w] = scale * x[0, j, w]
                if parts == 2:
                    left[top + j, 2 * w + 1] = scale * x[1, j, w]
            for e in range(parts):
                for l in range(c):
                    right[out + w * d * u, parts * l + e] = length * v[w, e, l]
            missed[group, w] = math.sqrt(missed[group, w])


@partial(inner, inline=True)
def one_row(lines, row, w, j, x, v):  # type: ignore[no-untyped-def]
    """Coefficient of a row in the direction v_w, kept as x_w[j]; what is left of it, and kept."""
    parts, c = v.shape[1], v.shape[2]
    real = imag = rest2 = 0.0
    if parts == 1:
        for l in range(c):
            real += lines[row, w, 0, l] * v[w, 0, l]
        for l in range(c):
            rest = lines[row, w, 0, l] - real * v[w, 0, l]
            rest2 += rest * rest
        x[0, j, w] = real
        return rest2, real * real
    for l in range(c):
        re, im = lines[row, w, 0, l], lines[row, w, 1, l]
        real += re * v[w, 0, l] + im * v[w, 1, l]
        imag += im * v[w, 0, l] - re * v[w, 1, l]
    for l in range(c):
        rest = lines[row, w, 0, l] - real * v[w, 0, l] + imag * v[w, 1, l]
        rest_imag = lines[row, w, 1, l] - real * v[w, 1, l] - imag * v[w, 0, l]
        rest2 += rest * rest + rest_imag * rest_imag
    x[0, j, w], x[1, j, w] = real, imag
    return rest2, real * real + imag * imag


@partial(inner, inline=True)
def four_rows(lines, r0, r1, r2, r3, w, j, x, v):  # type: ignore[no-untyped-def]
    """The same for four real rows."""
    c = v.shape[2]
    a0 = a1 = a2 = a3 = rest2 = 0.0
    for l in range(c):
        direction = v[w, 0, l]
        a0 += lines[r0, w, 0, l] * direction
        a1 += lines[r1, w, 0, l] * direction
        a2 += lines[r2, w, 0, l] * direction
        a3 += lines[r3, w, 0, l] * direction
    x[0, j, w], x[0, j + 1, w], x[0, j + 2, w], x[0, j + 3, w] = a0, a1, a2, a3
    kept2 = a0 * a0 + a1 * a1 + a2 * a2 + a3 * a3
    for l in range(c):
        direction = v[w, 0, l]
        d0 = lines[r0, w, 0, l] - a0 * direction
        d1 = lines[r1, w, 0, l] - a1 * direction
        d2 = lines[r2, w, 0, l] - a2 * direction
        d3 = lines[r3, w, 0, l] - a3 * direction
        rest2 += d0 * d0 + d1 * d1 + d2 * d2 + d3 * d3
    return rest2, kept2


@partial(inner, inline=True)
def two_complex_rows(lines, r0, r1, w, j, x, v):  # type: ignore[no-untyped-def]
    """The same for two complex rows."""
    c = v.shape[2]
    a0 = a1 = b0 = b1 = rest2 = 0.0
    for l in range(c):
        re, im = v[w, 0, l], v[w, 1, l]
        a0 += lines[r0, w, 0, l] * re + lines[r0, w, 1, l] * im
        b0 += lines[r0, w, 1, l] * re - lines[r0, w, 0, l] * im
        a1 += lines[r1, w, 0, l] * re + lines[r1, w, 1, l] * im
        b1 += lines[r1, w, 1, l] * re - lines[r1, w, 0, l] * im
    x[0, j, w], x[1, j, w], x[0, j + 1, w], x[1, j + 1, w] = a0, b0, a1, b1
    for l in range(c):
        re, im = v[w, 0, l], v[w, 1, l]
        e0, f0, e1, f1 = (
            lines[r0, w, 0, l],
            lines[r0, w, 1, l],
            lines[r1, w, 0, l],
            lines[r1, w, 1, l],
        )
        d0, g0 = e0 - a0 * re + b0 * im, f0 - a0 * im - b0 * re
        d1, g1 = e1 - a1 * re + b1 * im, f1 - a1 * im - b1 * re
        rest2 += d0 * d0 + g0 * g0 + d1 * d1 + g1 * g1
    return rest2, a0 * a0 + b0 * b0 + a1 * a1 + b1 * b1
