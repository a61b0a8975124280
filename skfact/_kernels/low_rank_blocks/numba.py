"""Best rank-one approximation of the class blocks of a product, in place of the layout (numba)."""

from __future__ import annotations

import math

import numpy as np

from skfact._kernels._jit import as_if_writeable, inner, jit
from skfact._kernels._threads import run_slices
from skfact._kernels.low_rank_blocks.exact_groups import gather, places, split_exact_groups
from skfact._kernels.low_rank_blocks.generic import replace_uncertified
from skfact._kernels.low_rank_blocks.layout import Arranged, Classes
from skfact._kernels.low_rank_blocks.leading_pair import leading_pair, rotate, square

# Bytes of one row that are copied at once, at least: long enough for the hardware to fetch ahead.
STRETCH = 4096
# Bytes up to which all blocks of a group are copied at once.
BUFFER = 2**22
# Rough time of a block and of an entry, in seconds.
PER_BLOCK, PER_ENTRY = 5e-8, 5e-10
NO_INDEX = np.empty(0, dtype=np.int64)
ROUNDING = {np.dtype(real): float(np.finfo(real).eps) for real in (np.float32, np.float64)}


def split_rank_one(
    matrix: np.ndarray,
    classes: Classes,
    leftwards: bool,
    rows: np.ndarray = NO_INDEX,
    cols: np.ndarray = NO_INDEX,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """`split_product` for rank one, of a C-contiguous matrix (a * d * b * u, t * c).

    Or of a matrix with other rows and columns: `rows` (a * d * b * u,) and `cols` (t * c,), of
    int64, name those of `matrix` for each row and column of the product, -1 for zeros. Returns the
    values (a, u * d, b, t) and (a * t, d, u, c), and of each block (a * d * u, t) the norm of what
    it loses and its squared norm; NaN and infinity come through in the latter.
    """
    a, t, u, d, b, c, _ = classes
    dtype = matrix.dtype
    parts = 2 if dtype.kind == "c" else 1
    left, right = np.empty((a, u * d, b, t), dtype), np.empty((a * t, d, u, c), dtype)
    real = left.real.dtype if parts == 2 else dtype
    missed, norm2 = np.empty((a * d * u, t)), np.empty((a * d * u, t))
    view = as_if_writeable(matrix.view(real))
    in_place = parts == 1 and rows.size + cols.size == 0
    view = view.reshape(len(matrix), t if in_place else 1, 1, -1)
    arguments = (
        view,
        rows,
        cols,
        (a, t, u, d, b, c),
        parts,
        leftwards,
        ROUNDING[real],
        left.view(real).reshape(-1, parts * t),
        right.view(real).reshape(-1, parts * c),
        missed,
        norm2,
    )
    n_groups, seconds = a * d * u, t * (PER_BLOCK + PER_ENTRY * b * c * parts)
    run_slices(
        lambda start, stop: split_exact_groups(*arguments, start, stop),
        n_groups,
        n_groups * seconds,
    )
    others = np.flatnonzero(missed[:, 0] < 0)
    if others.size:
        run_slices(
            lambda start, stop: split_blocks(*arguments, others[start:stop]),
            others.size,
            others.size * seconds,
        )
        if missed.min() < 0:
            source = Arranged(matrix, rows if rows.size else None, cols if cols.size else None)
            replace_uncertified(source, classes, leftwards, left, right, missed)
    return left, right, missed, norm2


@jit
def split_blocks(  # type: ignore[no-untyped-def]
    matrix, rows, cols, sizes, parts, leftwards, eps, left, right, missed, norm2, groups
):
    """Approximate the blocks of some groups, one by one; `missed` is -1 without a certificate."""
    _, t, u, d, b, c = sizes
    gathered = rows.size + cols.size > 0 or parts == 2
    lines = np.empty((1, t, parts, c), matrix.dtype) if gathered else matrix
    # the rows of a block are its long side
    transposed = b > c
    p, q = (c, b) if transposed else (b, c)
    chunk = t
    if not gathered and 8 * t * b * c * parts > BUFFER:
        chunk = max(1, min(t, STRETCH // (8 * c * parts)))
    buffer, row2 = np.empty((chunk, p, parts, q)), np.empty((chunk, p))
    y, x, z = np.empty((parts, q)), np.empty((parts, p)), np.empty((parts, q))
    long = p if p > 2 else 0
    basis, tridiagonal = np.empty((long, parts, q)), np.empty((5, long))
    # whether the unit vector is the column, in the buffer's orientation
    unit_column = leftwards == transposed
    for group in groups:
        first, top, out = places(group, sizes)
        for w0 in range(0, t, chunk):
            n = min(chunk, t - w0)
            row2[:] = 0.0
            for j in range(b):
                row = first + j * u
                if gathered:
                    gather(matrix, rows, cols, row, lines, np.int64(0))
                    row = np.int64(0)
                load(lines, row, w0, n, j, transposed, buffer, row2)
            for w in range(n):
                total = 0.0
                for k in range(p):
                    total += row2[w, k]
                norm2[group, w0 + w] = total
                unit = 1.0
                if not 1e-100 < total < 1e100:
                    unit, total = rescale(buffer, w, row2)
                column_scale = row_scale = 1.0
                along = z
                if p == 2:
                    lost = rotate(buffer, w, row2, x, z)
                    if not unit_column:
                        column_scale = math.sqrt(square(z))
                        row_scale = 1.0 / column_scale if column_scale > 0.0 else 0.0
                elif total > 0.0:
                    lost = leading_pair(buffer[w], row2[w], eps, y, x, z, basis, tridiagonal)
                    if unit_column:
                        column_scale = row_scale = 1.0 / math.sqrt(square(x))
                    else:
                        along = y
                else:
                    lost, column_scale, row_scale = 0.0, 0.0, 0.0
                    x[:] = 0.0
                    z[:] = 0.0
                missed[group, w0 + w] = math.sqrt(lost) * unit if lost >= 0.0 else -1.0
                if unit_column:
                    row_scale *= unit
                else:
                    column_scale *= unit
                line = out + (w0 + w) * d * u
                if transposed:
                    store_down(left, top, w0 + w, along, row_scale, -1.0)
                    store_along(right, line, x, column_scale, 1.0)
                else:
                    store_down(left, top, w0 + w, x, column_scale, 1.0)
                    store_along(right, line, along, row_scale, -1.0)


@inner
def load(lines, row, w0, n, j, transposed, buffer, row2):  # type: ignore[no-untyped-def]
    """Copy row j of n neighbouring blocks, and sum the squares of the rows of the buffer."""
    _, t, parts, c = lines.shape
    for w in range(n):
        if transposed:
            for e in range(parts):
                for l in range(c):
                    entry = lines[row, w0 + w, e, l] * 1.0
                    row2[w, l] += entry * entry
                    buffer[w, l, e, j] = entry
            continue
        total = 0.0
        for e in range(parts):
            for l in range(c):
                entry = lines[row, w0 + w, e, l] * 1.0
                buffer[w, j, e, l] = entry
                total += entry * entry
        row2[w, j] = total


@inner
def rescale(blocks, w, row2):  # type: ignore[no-untyped-def]
    """Bring the largest entry of block w near 1, by a power of two: its fourth power is formed.

    Returns the power and the new squared norm; a block of zeros or with entries that are not finite
    is set to zero.
    """
    _, p, parts, q = blocks.shape
    largest, usable = 0.0, True
    for k in range(p):
        for e in range(parts):
            for l in range(q):
                largest = max(largest, abs(blocks[w, k, e, l]))
                usable &= abs(blocks[w, k, e, l]) < math.inf  # false for NaN
    usable &= largest > 0.0
    exponent = math.frexp(largest)[1] - 1 if usable else 0
    total = 0.0
    for k in range(p):
        row2[w, k] = 0.0
        for e in range(parts):
            for l in range(q):
                entry = math.ldexp(blocks[w, k, e, l], -exponent) if usable else 0.0
                blocks[w, k, e, l] = entry
                row2[w, k] += entry * entry
        total += row2[w, k]
    return math.ldexp(1.0, exponent), total


@inner
def store_down(target, top, w, vector, scale, sign):  # type: ignore[no-untyped-def]
    """Write scale * vector, or with sign -1 its conjugate, into column w from row `top` on."""
    parts, n = vector.shape
    for j in range(n):
        target[top + j, parts * w] = scale * vector[0, j]
        if parts == 2:
            target[top + j, 2 * w + 1] = sign * scale * vector[1, j]


@inner
def store_along(target, row, vector, scale, sign):  # type: ignore[no-untyped-def]
    """Write scale * vector, or with sign -1 its conjugate, into a row."""
    parts, n = vector.shape
    for l in range(n):
        target[row, parts * l] = scale * vector[0, l]
        if parts == 2:
            target[row, 2 * l + 1] = sign * scale * vector[1, l]


def move_rank_one(left: np.ndarray, right: np.ndarray, classes: Classes, rightwards: bool) -> None:
    """`move_magnitudes` for rank one, in place."""
    a, t, u, d, b, c, _ = classes
    real = left.real.dtype
    parts = 2 if left.dtype.kind == "c" else 1
    move_groups(
        left.view(real).reshape(-1, parts * t),
        right.view(real).reshape(-1, parts * c),
        (a, t, u, d, b),
        parts,
        rightwards,
    )


@jit
def move_groups(left, right, sizes, parts, rightwards):  # type: ignore[no-untyped-def]
    """Normalize one side of every class and multiply the other by the norm."""
    a, t, u, d, b = sizes
    norms = np.empty(t)
    for i in range(a):
        for s in range(u):
            for m in range(d):
                top = ((i * u + s) * d + m) * b
                if rightwards:
                    norms[:] = 0.0
                    for j in range(b):
                        for w in range(t):
                            for e in range(parts):
                                entry = left[top + j, parts * w + e] * 1.0
                                norms[w] += entry * entry
                else:
                    for w in range(t):
                        norms[w] = 0.0
                        line = right[((i * t + w) * d + m) * u + s]
                        for l in range(line.size):
                            entry = line[l] * 1.0
                            norms[w] += entry * entry
                for w in range(t):
                    norms[w] = math.sqrt(norms[w])
                    scale = 1.0 / norms[w] if norms[w] > 0.0 else 0.0
                    scale = norms[w] if rightwards else scale
                    line = right[((i * t + w) * d + m) * u + s]
                    for l in range(line.size):
                        line[l] *= scale
                for j in range(b):
                    line = left[top + j]
                    for w in range(t):
                        scale = 1.0 / norms[w] if norms[w] > 0.0 else 0.0
                        scale = scale if rightwards else norms[w]
                        for e in range(parts):
                            line[parts * w + e] *= scale
