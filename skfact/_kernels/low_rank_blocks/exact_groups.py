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

# Rows that are compared together: v_w is read once for all of them.
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
    matrix, rows, cols, lines, gathered, first, step, group, bound, missed, norm2, x, v
):
    """Whether the blocks of a group are all of rank one: block w is x_w v_w then, ||v_w|| = 1.

    Its rows are `first`, first + step, ...
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
        for e in range(parts):
            for l in range(c):
                v[w, e, l] = scale * lines[row, w, e, l]
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
                    rest2, kept2 = four_rows(lines, r0, r1, r2, r3, w, j, x, v)
                else:
                    rest2, kept2 = two_complex_rows(lines, r0, r1, w, j, x, v)
                    more, kept = two_complex_rows(lines, r2, r3, w, j + 2, x, v)
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
            rest2, kept2 = one_row(lines, row, w, j, x, v)
            missed[group, w] += rest2
            norm2[group, w] += rest2 + kept2
            if not missed[group, w] <= bound * norm2[group, w]:
                return False
    return True


@partial(jit, inline=True)
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


@partial(jit, inline=True)
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


@partial(jit, inline=True)
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


@partial(jit, inline=True)
def store_group(left, right, top, out, step, group, unit_column, missed, norm2, x, v):  # type: ignore[no-untyped-def]
    """Write x_w v_w of every block: the column or the row as a unit vector.

    Columns go to the rows `top`, `top` + 1, ... of left, rows to the rows `out`, `out` + `step`,
    ... of right.
    """
    parts, b, t = x.shape
    c = v.shape[2]
    for w in range(t):
        # what one takes and the other gives has to be the same, whatever its rounding errors
        length = math.sqrt(norm2[group, w]) if unit_column else 1.0
        scale = 1.0 / length
        for j in range(b):
            left[top + j, parts * w] = scale * x[0, j, w]
            if parts == 2:
                left[top + j, 2 * w + 1] = scale * x[1, j, w]
        for e in range(parts):
            for l in range(c):
                right[out + w * step, parts * l + e] = length * v[w, e, l]
        missed[group, w] = math.sqrt(missed[group, w])
