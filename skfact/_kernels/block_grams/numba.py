"""Gram matrices of small blocks, compiled: there are many places with a few blocks each."""

from __future__ import annotations

import numpy as np

from skfact._kernels._jit import jit


@jit
def block_grams(A, looks, energies, uniform, grams, weights):  # type: ignore[no-untyped-def]
    """See `generic.block_grams`; the lower halves, the other ones are left as they are.

    Looks are rows Q, P, contiguous rows, spaced columns, blocks and, where some are drawn, the
    first row of their energies (2, rows, n), otherwise -1.
    """
    at, first_uniform, side = 0, 0, grams.shape[1]
    for x in range(len(looks)):
        Q, P, contiguous, spaced, count, first = looks[x]
        rows, cols = A.shape[0] // Q, A.shape[1] // P
        row_step, row_first = (1, rows) if contiguous else (Q, 1)
        step, col_first = (P, 1) if spaced else (1, cols)
        cumulated, total = np.empty(Q * P), 0.0
        if first >= 0:
            for i in range(Q * P):
                start = (i % P) * col_first
                for j in range(cols):
                    total += energies[contiguous, first + i // P, start + j * step]
                cumulated[i] = total
        block = np.empty((side, max(rows, cols)), grams.dtype)  # in double precision
        for c in range(count):
            chosen = c
            weights[at] = 1.0
            if first >= 0:
                target, chosen = total * uniform[first_uniform], 0
                first_uniform += 1
                while chosen < Q * P - 1 and cumulated[chosen] <= target:
                    chosen += 1
                own = cumulated[chosen] - (cumulated[chosen - 1] if chosen > 0 else 0.0)
                weights[at] = total / count / own if own > 0 else 0.0
            row, start = (chosen // P) * row_first, (chosen % P) * col_first
            for i in range(rows):
                for j in range(cols):
                    entry = A[row + i * row_step, start + j * step]
                    if rows <= cols:
                        block[i, j] = entry
                    else:
                        block[j, i] = np.conj(entry)
            for i in range(side):
                for j in range(i + 1):
                    product = grams[at, i, j] * 0
                    for k in range(max(rows, cols)):
                        product += block[i, k] * np.conj(block[j, k])
                    grams[at, i, j] = product
            at += 1
