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

from skfact._kernels._jit import jit

# Rows that are compared together: v_w and z_w are read once for all of them.
TOGETHER = 4


@jit
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


@partial(jit, inline=True)
def exact_group(  # type: ignore[no-untyped-def]
    matrix, rows, cols, lines, gathered, first, step, group, with_z, bound, missed, norm2, x, v, z
):
    """Whether the blocks of a group are all of rank one: block w is x_w v_w then.

    ||v_w|| = 1 and, with `with_z`, z_w = x_w^H block. Its rows are `first`, first + step, ...
    """
    parts, b, t = x.shape
    c = v.shape[2]
    together = b >= TOGETHER
    row = first
    if gathered:
        gather(matrix, rows, cols, row, lines, 0)
        row = 0
    for w in range(t):
        total = 0.0
        for e in range(parts):
            for l in range(c):
                total += lines[row, w, e, l] * (1.0 * lines[row, w, e, l])
            x[e, 0, w] = 0.0
        if not 1e-200 < total < 1e200:
            return False
        length = math.sqrt(total)
        x[0, 0, w] = length
        missed[group, w], norm2[group, w] = 0.0, 0.0 if together else total
        scale = 1.0 / length
        start = 0.0 if together else length  # the first row is among those that come together
        for e in range(parts):
            for l in range(c):
                v[w, e, l] = scale * lines[row, w, e, l]
            if with_z:
                for l in range(c):
                    z[w, e, l] = start * lines[row, w, e, l]
    if together:
        for j in range(0, b - TOGETHER + 1, TOGETHER):
            row = first + j * step
            r0, r1, r2, r3 = row, row + step, row + 2 * step, row + 3 * step
            if gathered:
                gather(matrix, rows, cols, r0, lines, 0)
                gather(matrix, rows, cols, r1, lines, 1)
                gather(matrix, rows, cols, r2, lines, 2)
                gather(matrix, rows, cols, r3, lines, 3)
                r0, r1, r2, r3 = 0, 1, 2, 3
            for w in range(t):
                if parts == 1:
                    rest2, kept2 = four_rows(lines, r0, r1, r2, r3, w, j, with_z, x, v, z)
                else:
                    rest2, kept2 = two_complex_rows(lines, r0, r1, w, j, with_z, x, v, z)
                    more, kept = two_complex_rows(lines, r2, r3, w, j + 2, with_z, x, v, z)
                    rest2 += more
                    kept2 += kept
                missed[group, w] += rest2
                norm2[group, w] += rest2 + kept2
                if not missed[group, w] <= bound * norm2[group, w]:  # or NaN
                    return False
    for j in range(b - b % TOGETHER if together else 1, b):
        row = first + j * step
        if gathered:
            gather(matrix, rows, cols, row, lines, 0)
            row = 0
        for w in range(t):
            rest2, kept2 = one_row(lines, row, w, j, with_z, x, v, z)
            missed[group, w] += rest2
            norm2[group, w] += rest2 + kept2
            if not missed[group, w] <= bound * norm2[group, w]:
                return False
    return True


@partial(jit, inline=True)
def one_row(lines, row, w, j, with_z, x, v, z):  # type: ignore[no-untyped-def]
    """Coefficient of a row in the direction v_w, kept as x_w[j]; what is left of it, and kept."""
    parts, c = v.shape[1], v.shape[2]
    real = imag = rest2 = 0.0
    if parts == 1:
        for l in range(c):
            real += lines[row, w, 0, l] * v[w, 0, l]
        for l in range(c):
            rest = lines[row, w, 0, l] - real * v[w, 0, l]
            rest2 += rest * rest
        if with_z:
            for l in range(c):
                z[w, 0, l] += real * lines[row, w, 0, l]
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
    if with_z:
        for l in range(c):
            re, im = lines[row, w, 0, l], lines[row, w, 1, l]
            z[w, 0, l] += real * re + imag * im
            z[w, 1, l] += real * im - imag * re
    x[0, j, w], x[1, j, w] = real, imag
    return rest2, real * real + imag * imag


@partial(jit, inline=True)
def four_rows(lines, r0, r1, r2, r3, w, j, with_z, x, v, z):  # type: ignore[no-untyped-def]
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
    if with_z:
        for l in range(c):
            e0, e1 = lines[r0, w, 0, l], lines[r1, w, 0, l]
            e2, e3 = lines[r2, w, 0, l], lines[r3, w, 0, l]
            z[w, 0, l] += a0 * e0 + a1 * e1 + a2 * e2 + a3 * e3
            direction = v[w, 0, l]
            d0, d1, d2, d3 = (
                e0 - a0 * direction,
                e1 - a1 * direction,
                e2 - a2 * direction,
                e3 - a3 * direction,
            )
            rest2 += d0 * d0 + d1 * d1 + d2 * d2 + d3 * d3
        return rest2, kept2
    for l in range(c):
        direction = v[w, 0, l]
        d0 = lines[r0, w, 0, l] - a0 * direction
        d1 = lines[r1, w, 0, l] - a1 * direction
        d2 = lines[r2, w, 0, l] - a2 * direction
        d3 = lines[r3, w, 0, l] - a3 * direction
        rest2 += d0 * d0 + d1 * d1 + d2 * d2 + d3 * d3
    return rest2, kept2


@partial(jit, inline=True)
def two_complex_rows(lines, r0, r1, w, j, with_z, x, v, z):  # type: ignore[no-untyped-def]
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
        if with_z:
            z[w, 0, l] += a0 * e0 + b0 * f0 + a1 * e1 + b1 * f1
            z[w, 1, l] += a0 * f0 - b0 * e0 + a1 * f1 - b1 * e1
        d0, g0 = e0 - a0 * re + b0 * im, f0 - a0 * im - b0 * re
        d1, g1 = e1 - a1 * re + b1 * im, f1 - a1 * im - b1 * re
        rest2 += d0 * d0 + g0 * g0 + d1 * d1 + g1 * g1
    return rest2, a0 * a0 + b0 * b0 + a1 * a1 + b1 * b1


@partial(jit, inline=True)
def store_group(left, right, top, out, step, group, with_z, missed, norm2, x, v, z):  # type: ignore[no-untyped-def]
    """Write x_w v_w of every block or, with z, x_w / ||x_w|| and z_w / ||x_w||.

    Columns go to the rows `top`, `top` + 1, ... of left, rows to the rows `out`, `out` + `step`,
    ... of right.
    """
    parts, b, t = x.shape
    c = v.shape[2]
    for w in range(t):
        scale = 1.0 / math.sqrt(norm2[group, w]) if with_z else 1.0
        for j in range(b):
            left[top + j, parts * w] = scale * x[0, j, w]
            if parts == 2:
                left[top + j, 2 * w + 1] = scale * x[1, j, w]
        for e in range(parts):
            if with_z:
                for l in range(c):
                    right[out + w * step, parts * l + e] = scale * z[w, e, l]
            else:
                for l in range(c):
                    right[out + w * step, parts * l + e] = v[w, e, l]
        missed[group, w] = math.sqrt(missed[group, w])
