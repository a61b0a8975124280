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


@jit
def gather(matrix, rows, cols, row, lines):  # type: ignore[no-untyped-def]
    """Row of the product: the row and the columns of the matrix that the indices say, 0 for -1."""
    _, t, parts, c = lines.shape
    source = rows[row] if rows.size > 0 else row
    for w in range(t):
        for l in range(c):
            k = w * c + l
            if cols.size > 0:
                k = cols[k]
            if source < 0 or k < 0:
                lines[0, w, 0, l] = 0.0
                if parts == 2:
                    lines[0, w, 1, l] = 0.0
            elif parts == 2:
                lines[0, w, 0, l] = matrix[source, 0, 0, 2 * k]
                lines[0, w, 1, l] = matrix[source, 0, 0, 2 * k + 1]
            else:
                lines[0, w, 0, l] = matrix[source, 0, 0, k]


@partial(jit, inline=True)
def exact_group(  # type: ignore[no-untyped-def]
    matrix, rows, cols, lines, gathered, first, step, group, with_z, bound, missed, norm2, x, v, z
):
    """Whether the blocks of a group are all of rank one: block w is x_w v_w then.

    ||v_w|| = 1 and, with `with_z`, z_w = x_w^H block. Its rows are `first`, first + step, ...
    """
    parts, b, t = x.shape
    c = v.shape[2]
    row = first
    if gathered:
        gather(matrix, rows, cols, row, lines)
        row = 0
    exact = True
    for w in range(t):
        total = 0.0
        for l in range(c):
            total += lines[row, w, 0, l] * (1.0 * lines[row, w, 0, l])
        if parts == 2:
            for l in range(c):
                total += lines[row, w, 1, l] * (1.0 * lines[row, w, 1, l])
            x[1, 0, w] = 0.0
        exact &= 1e-200 < total < 1e200
        length = math.sqrt(total)
        x[0, 0, w] = length
        missed[group, w], norm2[group, w] = 0.0, total
        scale = 1.0 / length if length > 0.0 else 0.0
        for e in range(parts):
            for l in range(c):
                v[w, e, l] = scale * lines[row, w, e, l]
            if with_z:
                for l in range(c):
                    z[w, e, l] = length * lines[row, w, e, l]
    for j in range(1, b):
        if not exact:
            return False
        row = first + j * step
        if gathered:
            gather(matrix, rows, cols, row, lines)
            row = 0
        for w in range(t):
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
            else:
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
                x[1, j, w] = imag
            x[0, j, w] = real
            missed[group, w] += rest2
            norm2[group, w] += rest2 + real * real + imag * imag
            exact &= missed[group, w] <= bound * norm2[group, w]  # false for NaN
    return exact


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
