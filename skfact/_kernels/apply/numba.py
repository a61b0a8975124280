"""Apply a product of Kronecker-sparse factors to many vectors: compiled, tile by tile.

A tile of vectors goes through all factors before the next one is read, and stays in cache. The
blocks of a factor follow each other in memory in the order in which they are used. Positions and
sizes count reals: `parts` of them make an entry, `row` of them a row of a tile (see `simd`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from skfact._kernels._jit import inner, jit
from skfact._kernels.apply.simd import block_product, copy_row, transpose_in, transpose_out

# Squares up to this side stay in registers: the product takes the place of its argument.
square_1, square_2, square_3, square_4 = (block_product(n, n) for n in (1, 2, 3, 4))
square_5, square_6, square_7, square_8 = (block_product(n, n) for n in (5, 6, 7, 8))
rows_1, rows_2, rows_3, rows_4 = (block_product(n) for n in (1, 2, 3, 4))
# The same for one vector whose neighbouring entries are the lanes.
lanes_1, lanes_2, lanes_3, lanes_4 = (block_product(n, entries="rows") for n in (1, 2, 3, 4))
lane_row = block_product(1, entries="rows", vector="numbers")


@inner
def multiply_stage(
    to: Any, to_at: int, to_row: int, x: Any, x_at: int, x_row: int, in_place: bool, blocks: Any,
    at: int, a: int, b: int, c: int, d: int, parts: int, shared: int,
) -> int:  # fmt: skip
    """Multiply a tile by one factor of pattern (a, b, c, d); the position of the next one's blocks.

    Row r of the result is at ``to_at + r * to_row`` of `to`, row r of the argument at
    ``x_at + r * x_row`` of `x`, both real. The entries of the blocks, of `parts` reals each, begin
    at position `at`: blocks are stored whole if `in_place`, else four rows at a time. They are the
    same for all i if `shared`.
    """
    to_step, x_step = d * to_row, d * x_row
    start = at
    for i in range(a):
        if shared:
            at = start
        for l in range(d):
            u = x_at + (i * c * d + l) * x_row
            v = to_at + (i * b * d + l) * to_row
            if not in_place:
                for _ in range(b // 4):
                    rows_4(to, v, to_step, x, u, x_step, blocks, at, c)
                    at += 4 * c * parts
                    v += 4 * to_step
                if b % 4 == 3:
                    rows_3(to, v, to_step, x, u, x_step, blocks, at, c)
                elif b % 4 == 2:
                    rows_2(to, v, to_step, x, u, x_step, blocks, at, c)
                elif b % 4 == 1:
                    rows_1(to, v, to_step, x, u, x_step, blocks, at, c)
                at += b % 4 * c * parts
                continue
            if b == 4:
                square_4(to, v, to_step, x, u, x_step, blocks, at, c)
            elif b == 2:
                square_2(to, v, to_step, x, u, x_step, blocks, at, c)
            elif b == 3:
                square_3(to, v, to_step, x, u, x_step, blocks, at, c)
            elif b == 8:
                square_8(to, v, to_step, x, u, x_step, blocks, at, c)
            elif b == 5:
                square_5(to, v, to_step, x, u, x_step, blocks, at, c)
            elif b == 6:
                square_6(to, v, to_step, x, u, x_step, blocks, at, c)
            elif b == 7:
                square_7(to, v, to_step, x, u, x_step, blocks, at, c)
            elif b == 1:
                square_1(to, v, to_step, x, u, x_step, blocks, at, c)
            at += b * c * parts
    return at


@inner
def read_rows(
    X: Any, tile: Any, into: Any, row: int, parts: int, tile_at: int, number: int
) -> None:  # fmt: skip
    """Fill a tile from rows of X, flat and real: entry j of a sample goes to ``into[j]``."""
    lanes, n_in = row // 2, into.shape[0]
    whole = n_in // lanes * lanes
    for half in range(3 - parts):  # real tiles hold twice as many samples as there are lanes
        offset = tile_at + half * lanes
        at = (number * (3 - parts) + half) * lanes * n_in
        for j in range(0, whole, lanes):
            transpose_in(tile, into, j, offset, X, at + j, n_in)
        for j in range(whole, n_in):
            for sample in range(lanes):
                tile[into[j] + offset + sample] = X[at + sample * n_in + j]


@inner
def write_rows(
    Y: Any, tile: Any, out: Any, row: int, parts: int, tile_at: int, number: int
) -> None:  # fmt: skip
    """Write rows of Y, flat and real, from a tile: entry j of a sample comes from ``out[j]``."""
    lanes, n_out = row // 2, out.shape[0]
    whole = n_out // lanes * lanes
    for half in range(3 - parts):
        offset = tile_at + half * lanes
        at = (number * (3 - parts) + half) * lanes * n_out
        for j in range(0, whole, lanes):
            transpose_out(Y, at + j, n_out, tile, out, j, offset)
        for j in range(whole, n_out):
            for sample in range(lanes):
                Y[at + sample * n_out + j] = tile[out[j] + offset + sample]


@jit
def multiply_tiles(
    X: Any, X_reals: Any, X_has_rows: bool, Y: Any, Y_reals: Any, Y_has_rows: bool, batch: int,
    tile: Any, blocks: Any, stages: Any, into: Any, into_parts: Any, zeros: Any, out: Any,
    out_parts: Any, row: int, parts: int, size: int, direct: bool, group: int, start: int,
    stop: int,
) -> None:  # fmt: skip
    """Map vectors of X to vectors of Y, both flat, from tile `start` to tile `stop`.

    X and Y are C-ordered with one vector per row, or else with `batch` vectors in columns;
    `X_reals` and `Y_reals` are the same memory as reals. `tile` (group * size,) is working memory
    for `group` tiles. `blocks` are those of the factor applied first, then those of the next;
    `stages` (n_factors, 7) says (a, b, c, d, where to read, where to write, whether blocks are
    shared) for each. For other arguments see `Program`.

    If `direct`, both are real and in columns, whose rows have the form of a tile's: the first
    factor reads X, the last one writes Y.
    """
    last = stages.shape[0] - 1
    for t in range(start, stop, group):
        n_tiles = min(group, stop - t)
        if X_has_rows:
            for g in range(n_tiles):
                read_rows(X_reals, tile, into_parts, row, parts, g * size, t + g)
        elif not direct:
            for j in range(into.shape[0]):
                at = j * batch * parts + t * row
                for g in range(n_tiles):
                    copy_row(tile, into[j] + g * size, X, at + g * row)
        for g in range(n_tiles):
            if not direct:
                for z in zeros:
                    tile[g * size + z : g * size + z + row] = 0
            next_block: Any = np.int64(0)
            here, there = g * size, t * row
            for s in range(last + 1):
                a, b, c, d, source, target, shared = stages[s]
                x, x_at, x_row = tile, here + source, row
                to, to_at, to_row = tile, here + target, row
                if direct and s == 0:
                    x, x_at, x_row = X_reals, there, batch
                if direct and s == last:
                    to, to_at, to_row = Y_reals, there, batch
                next_block = multiply_stage(
                    to, to_at, to_row, x, x_at, x_row, source == target, blocks, next_block,
                    a, b, c, d, parts, shared,
                )  # fmt: skip
        if Y_has_rows:
            for g in range(n_tiles):
                write_rows(Y_reals, tile, out_parts, row, parts, g * size, t + g)
        elif not direct:
            for j in range(out.shape[0]):
                at = j * batch * parts + t * row
                for g in range(n_tiles):
                    copy_row(Y, at + g * row, tile, out[j] + g * size)


@jit
def multiply_lanes(
    X: Any, Y: Any, work: Any, blocks: Any, stages: Any, into: Any, zeros: Any, out: Any, row: int,
    parts: int,
) -> None:  # fmt: skip
    """Map rows of X to rows of Y, both flat and real, one after the other.

    The lanes are neighbouring entries of one vector. The patterns (a, b, c, d) in `stages` have as
    d a multiple of the lanes' number, or d = 1 and b and c equal to it.
    """
    n_in, n_out, lanes = into.shape[0], out.shape[0], row // parts
    for sample in range(X.shape[0] // n_in):
        for j in range(n_in):
            work[into[j]] = X[sample * n_in + j]
        for z in zeros:
            work[z] = 0
        at = np.int64(0)
        for s in range(stages.shape[0]):
            a, b, c, d = stages[s, 0], stages[s, 1], stages[s, 2], stages[s, 3]
            x, y = stages[s, 4], stages[s, 5]
            start, shared = at, stages[s, 6]
            if d == 1:
                for i in range(a):
                    if shared:
                        at = start
                    lane_row(work, y + i * row, row, work, x + i * row, 1, blocks, at, c)
                    at += c * row
                continue
            step = d * parts
            for i in range(a):
                if shared:
                    at = start
                for l in range(0, d, lanes):
                    u = x + (i * c * d + l) * parts
                    v = y + (i * b * d + l) * parts
                    for _ in range(b // 4):
                        lanes_4(work, v, step, work, u, step, blocks, at, c)
                        at += 4 * c * row
                        v += 4 * step
                    if b % 4 == 3:
                        lanes_3(work, v, step, work, u, step, blocks, at, c)
                    elif b % 4 == 2:
                        lanes_2(work, v, step, work, u, step, blocks, at, c)
                    elif b % 4 == 1:
                        lanes_1(work, v, step, work, u, step, blocks, at, c)
                    at += b % 4 * c * row
        for j in range(n_out):
            Y[sample * n_out + j] = work[out[j]]
