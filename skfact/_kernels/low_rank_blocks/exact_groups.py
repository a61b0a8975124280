"""Blocks that have rank one exactly, found in one pass over the matrix, in compiled loops.

The t blocks of a group stand side by side in the same rows, so that whole rows are read from one
end to the other: several times faster, from main memory, than block by block, and nothing is
copied. Row j of block w is compared with the direction v_w of its first row; the first remainder
that is more than rounding ends the attempt.

Rows come as ``lines[row, w]``, the stretch of block w in a row; complex numbers as real and
imaginary parts in turn (`parts` is 2 then, otherwise 1). No slices here: counting the references to
one costs more than a small block.
"""

from __future__ import annotations

import math

from skfact._kernels._jit import jit


@jit
def gather(matrix, rows, cols, row, parts, lines):  # type: ignore[no-untyped-def]
    """Row of the product: the row and the columns of the matrix that the indices say, 0 for -1."""
    _, t, n = lines.shape
    source = rows[row] if rows.size > 0 else row
    for w in range(t):
        for l in range(n // parts):
            k = w * (n // parts) + l
            if cols.size > 0:
                k = cols[k]
            for e in range(parts):
                absent = source < 0 or k < 0
                lines[0, w, parts * l + e] = 0.0 if absent else matrix[source, 0, parts * k + e]


@jit
def exact_group(  # type: ignore[no-untyped-def]
    matrix, rows, cols, lines, first, step, group, with_z, bound, missed, norm2, x, v, z
):
    """Whether the blocks of a group are all of rank one: block w is x_w v_w then.

    ||v_w|| = 1 and, with `with_z`, z_w = x_w^H block. Its rows are `first`, first + step, ...
    """
    parts, b, t = x.shape
    n = v.shape[1]
    indexed = rows.size + cols.size > 0
    row = first
    if indexed:
        gather(matrix, rows, cols, first, parts, lines)
        row = 0
    exact = True
    for w in range(t):
        total = 0.0
        for l in range(n):
            total += lines[row, w, l] * (1.0 * lines[row, w, l])
        exact &= 1e-200 < total < 1e200
        length = math.sqrt(total)
        scale = 1.0 / length if length > 0.0 else 0.0
        for l in range(n):
            v[w, l] = scale * lines[row, w, l]
        if with_z:
            for l in range(n):
                z[w, l] = length * lines[row, w, l]
        x[0, 0, w] = length
        if parts == 2:
            x[1, 0, w] = 0.0
        missed[group, w], norm2[group, w] = 0.0, total
    for j in range(1, b):
        if not exact:
            return False
        row = first + j * step
        if indexed:
            gather(matrix, rows, cols, row, parts, lines)
            row = 0
        for w in range(t):
            real = imag = rest2 = 0.0
            if parts == 1:
                for l in range(n):
                    real += lines[row, w, l] * v[w, l]
                for l in range(n):
                    rest = lines[row, w, l] - real * v[w, l]
                    rest2 += rest * rest
                if with_z:
                    for l in range(n):
                        z[w, l] += real * lines[row, w, l]
            else:
                for l in range(0, n, 2):
                    re, im = lines[row, w, l], lines[row, w, l + 1]
                    real += re * v[w, l] + im * v[w, l + 1]
                    imag += im * v[w, l] - re * v[w, l + 1]
                for l in range(0, n, 2):
                    re, im = lines[row, w, l], lines[row, w, l + 1]
                    rest = re - real * v[w, l] + imag * v[w, l + 1]
                    rest_imag = im - real * v[w, l + 1] - imag * v[w, l]
                    rest2 += rest * rest + rest_imag * rest_imag
                if with_z:
                    for l in range(0, n, 2):
                        re, im = lines[row, w, l], lines[row, w, l + 1]
                        z[w, l] += real * re + imag * im
                        z[w, l + 1] += real * im - imag * re
                x[1, j, w] = imag
            x[0, j, w] = real
            missed[group, w] += rest2
            norm2[group, w] += rest2 + real * real + imag * imag
            exact &= missed[group, w] <= bound * norm2[group, w]  # false for NaN
    return exact


@jit
def store_group(left, right, top, out, step, group, with_z, missed, norm2, x, v, z):  # type: ignore[no-untyped-def]
    """Write x_w v_w of every block or, with z, x_w / ||x_w|| and z_w / ||x_w||.

    Columns go to the rows `top`, `top` + 1, ... of left, rows to the rows `out`, `out` + `step`,
    ... of right.
    """
    parts, b, t = x.shape
    n = v.shape[1]
    for w in range(t):
        scale = 1.0 / math.sqrt(norm2[group, w]) if with_z else 1.0
        for j in range(b):
            left[top + j, parts * w] = scale * x[0, j, w]
            if parts == 2:
                left[top + j, 2 * w + 1] = scale * x[1, j, w]
        if with_z:
            for l in range(n):
                right[out + w * step, l] = scale * z[w, l]
        else:
            for l in range(n):
                right[out + w * step, l] = v[w, l]
        missed[group, w] = math.sqrt(missed[group, w])
