"""Draw blocks and copy them, compiled: most are small, and there are many places to draw from."""

from __future__ import annotations

import numpy as np

from skfact._kernels._jit import jit


@jit
def drawn_blocks(A, P, ways, energies, uniform, blocks, weights):  # type: ignore[no-untyped-def]
    """See `generic.drawn_blocks`; blocks (w, count, rows, columns), all of them for no `uniform`."""
    count, rows, cols = blocks.shape[1], blocks.shape[2], blocks.shape[3]
    Q = A.shape[0] // rows
    cumulated = np.zeros(Q * P)
    for w in range(len(ways)):
        contiguous, spaced = ways[w, 0], ways[w, 1]
        row_step, first_row = (1, rows) if contiguous else (Q, 1)
        step, first = (P, 1) if spaced else (1, cols)
        total = 0.0
        if uniform.shape[1] > 0:
            for at in range(Q * P):
                q, start = at // P, (at % P) * first
                for j in range(cols):
                    total += energies[contiguous, q, start + j * step]
                cumulated[at] = total
        for c in range(count):
            at = c
            weights[w, c] = 1.0
            if uniform.shape[1] > 0:
                target, at = total * uniform[w, c], 0
                while at < Q * P - 1 and cumulated[at] <= target:
                    at += 1
                own = cumulated[at] - (cumulated[at - 1] if at > 0 else 0.0)
                weights[w, c] = total / count / own if own > 0 else 0.0
            row, start = (at // P) * first_row, (at % P) * first
            for i in range(rows):
                for j in range(cols):
                    blocks[w, c, i, j] = A[row + i * row_step, start + j * step]
