"""v @ abs(W)^q for q = 1 and 2 as compiled loops that read W once, from one end to the other."""

from __future__ import annotations

import numpy as np

from skfact._kernels._jit import jit

# Rows that are added at once: the sum, which stays in cache, is loaded and stored once for them.
TOGETHER = 8


@jit
def by_rows(v, rows, squared, start, stop):  # type: ignore[no-untyped-def]
    """Sum of v_i abs(w_i)^q over the rows i of a slice."""
    m = rows.shape[1]
    total = np.zeros(m, rows.dtype)
    i = start
    while i + TOGETHER <= stop:
        v0, v1, v2, v3 = v[i], v[i + 1], v[i + 2], v[i + 3]
        v4, v5, v6, v7 = v[i + 4], v[i + 5], v[i + 6], v[i + 7]
        if squared:
            for j in range(m):
                total[j] += (
                    v0 * (rows[i, j] * rows[i, j])
                    + v1 * (rows[i + 1, j] * rows[i + 1, j])
                    + v2 * (rows[i + 2, j] * rows[i + 2, j])
                    + v3 * (rows[i + 3, j] * rows[i + 3, j])
                    + v4 * (rows[i + 4, j] * rows[i + 4, j])
                    + v5 * (rows[i + 5, j] * rows[i + 5, j])
                    + v6 * (rows[i + 6, j] * rows[i + 6, j])
                    + v7 * (rows[i + 7, j] * rows[i + 7, j])
                )
        else:
            for j in range(m):
                total[j] += (
                    v0 * abs(rows[i, j])
                    + v1 * abs(rows[i + 1, j])
                    + v2 * abs(rows[i + 2, j])
                    + v3 * abs(rows[i + 3, j])
                    + v4 * abs(rows[i + 4, j])
                    + v5 * abs(rows[i + 5, j])
                    + v6 * abs(rows[i + 6, j])
                    + v7 * abs(rows[i + 7, j])
                )
        i += TOGETHER
    while i < stop:
        for j in range(m):
            x = abs(rows[i, j])
            total[j] += v[i] * (x * x if squared else x)
        i += 1
    return total


@jit
def by_columns(v, columns, squared, out, start, stop):  # type: ignore[no-untyped-def]
    """Column j of W, stored as a row: out_j = sum_i v_i abs(w_ij)^q for a slice of columns."""
    for j in range(start, stop):
        total = v[0] * 0  # of the dtype
        if squared:
            for i in range(len(v)):
                total += v[i] * (columns[j, i] * columns[j, i])
        else:
            for i in range(len(v)):
                total += v[i] * abs(columns[j, i])
        out[j] = total
