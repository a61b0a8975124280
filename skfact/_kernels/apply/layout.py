"""A product of Kronecker-sparse factors as the compiled loops want it.

In *tiles* a row of memory holds one entry of several vectors, in *lanes* neighbouring entries of
one vector. A row is `WIDTH` bytes: real numbers, or as many real as imaginary parts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

WIDTH = 128  # bytes of a row: two registers of an AVX-512 processor
IN_PLACE = 8  # squares up to this side are multiplied in place, in tiles
# Larger blocks are left to the matrix product of BLAS, which reads them once for many vectors.
LARGEST_BLOCK = 64

Pattern = Iterable[int]  # a, b, c, d
Factors = Sequence[tuple[Pattern, np.ndarray]]


def vectors_per_row(dtype: np.dtype) -> int:
    """Vectors that go through a tile together."""
    return WIDTH // dtype.itemsize


class Layout(NamedTuple):
    """How vectors lie in memory, and blocks beside them."""

    whole_rows: bool  # an entry of several vectors fills a row
    cost: Callable[[Pattern, np.dtype], float]  # nanoseconds that a factor takes per vector
    blocks: Callable[[np.ndarray], np.ndarray]  # values (a, d, b, c) -> in order of use, flat


def is_shared(values: np.ndarray) -> bool:
    """Whether the values (a, d, b, c) of several diagonal blocks are the same memory."""
    return len(values) > 1 and values.strides[0] == 0


def distinct(values: np.ndarray) -> np.ndarray:
    """Those of the first diagonal block, if all are the same."""
    return values[:1] if is_shared(values) else values


def tile_cost(pattern: Pattern, dtype: np.dtype) -> float:
    """Nanoseconds that a factor takes per vector of a tile; infinite where BLAS is better.

    Fitted to one core with AVX-512, where squares of side 4 to 8 come close to the peak.
    """
    a, b, c, d = pattern
    if min(b, c) > LARGEST_BLOCK:
        return math.inf
    parts = 2 if dtype.kind == "c" else 1
    size = dtype.itemsize / parts / 8
    call = 0.0 if b == c <= IN_PLACE else 0.1 * math.ceil(b / 4)
    return a * d * size * (0.036 * parts**2 * b * c + 0.012 * parts * (b + c) + parts * call)


def lane_cost(pattern: Pattern, dtype: np.dtype) -> float:
    """The same for one vector in lanes; infinite where its entries do not fill them.

    Each coefficient is used once: what counts are the bytes that are read.
    """
    a, b, c, d = pattern
    lanes = vectors_per_row(dtype)
    if d % lanes and not (d == 1 and b == c == lanes):
        return math.inf
    return a * d * (b * c + (b + c) / 2) * dtype.itemsize / 50


def _tile_blocks(values: np.ndarray) -> np.ndarray:
    b, c = values.shape[2:]
    return _by_columns(values, b if b == c <= IN_PLACE else 4).ravel()


def _lane_blocks(values: np.ndarray) -> np.ndarray:
    (a, d, b, c), lanes = values.shape, vectors_per_row(values.dtype)
    if d == 1:  # a column of the block fills a row: (a, c, lanes)
        rows = values[:, 0].swapaxes(1, 2)
    else:  # one entry of `lanes` blocks does: (a, d / lanes, b * c, lanes)
        neighbours = values.reshape(a, d // lanes, lanes, b, c).transpose(0, 1, 3, 4, 2)
        rows = _by_columns(neighbours, 4)
    if values.dtype.kind == "c":
        rows = np.stack([rows.real, rows.imag], axis=-2)
    return rows.ravel().view(values.dtype)


def _by_columns(values: np.ndarray, rows: int) -> np.ndarray:
    """Blocks (a, d, b, c, ...) as (a, d, b * c, ...): some rows at a time, each by columns."""
    b = values.shape[2]
    groups = [values[:, :, j : j + rows].swapaxes(2, 3) for j in range(0, b, rows)]
    flat = [g.reshape(*g.shape[:2], -1, *g.shape[4:]) for g in groups]
    return np.concatenate(flat, axis=2)


TILES = Layout(True, tile_cost, _tile_blocks)
LANES = Layout(False, lane_cost, _lane_blocks)


@dataclass(frozen=True)
class Program:
    """Everything that the loops take beside the vectors. Positions and sizes count reals."""

    real: np.dtype  # float32 or float64
    n_in: int
    n_out: int
    blocks: np.ndarray  # those of the factor applied first, in order of use, then the next one's;
    # the first one of diagonal blocks that share their values
    stages: np.ndarray  # (n_factors, 7): a, b, c, d, where to read and to write, shared or not
    into: np.ndarray  # where entries of the argument go
    out: np.ndarray  # where entries of the result are
    into_parts: np.ndarray  # the same for the real and the imaginary part of each
    out_parts: np.ndarray
    zeros: np.ndarray  # what no entry of the argument fills
    size: int  # of the working memory
    row: int
    parts: int  # 1 for real, 2 for complex
    plain: bool  # no selection at either end
    seconds: float  # per vector


def lay_out(
    layout: Layout,
    factors: Factors,
    n_in: int,
    n_out: int,
    source: np.ndarray | None = None,
    result: np.ndarray | None = None,
) -> Program:
    """The program of a product, for vectors of `n_in` entries and images of `n_out`.

    The factors, patterns and values (a, d, b, c) in the order of the product, have a finite cost in
    the layout. `source` says which entry of the argument each input of the product takes, and
    `result` which output of the product each entry of the result takes; -1 stands for none.
    """
    dtype = factors[0][1].dtype
    real, lanes = dtype.type().real.dtype, vectors_per_row(dtype)
    row, parts = WIDTH // real.itemsize, 2 if dtype.kind == "c" else 1

    def position(entry: np.ndarray) -> np.ndarray:
        return entry * row if layout.whole_rows else entry // lanes * row + entry % lanes

    def split(positions: np.ndarray) -> np.ndarray:
        return (positions[:, None] + row // 2 * np.arange(parts)).ravel()

    # the memory has two halves, an unused entry and a zero, which all begin at whole rows
    height = -(-max(a * d * max(b, c) for (a, b, c, d), _ in factors) // WIDTH) * WIDTH
    unused, zero = 2 * height, 2 * height + WIDTH
    stages, half = [], 0
    for (a, b, c, d), values in reversed(factors):
        in_place = layout.whole_rows and b == c <= IN_PLACE
        target = half if in_place else height - half
        stages.append((a, b, c, d, half, target, int(is_shared(values))))
        half = target
    a, _, c, d = factors[-1][0]
    taken = np.arange(a * c * d) if source is None else source
    into = np.full(n_in, unused)
    into[taken[taken >= 0]] = np.nonzero(taken >= 0)[0]
    zeros = position(np.append(np.nonzero(taken < 0)[0], zero))
    given = np.arange(n_out) if result is None else result
    into, out = position(into), position(np.where(given < 0, zero, given + half))
    table = np.array(stages)
    table[:, 4:6] = position(table[:, 4:6])
    return Program(
        real=real,
        n_in=n_in,
        n_out=n_out,
        blocks=np.concatenate([layout.blocks(distinct(values)) for _, values in reversed(factors)]),
        stages=table,
        into=into,
        out=out,
        into_parts=split(into),
        out_parts=split(out),
        zeros=zeros if layout.whole_rows else split(zeros),
        size=int(position(np.array(2 * height + 2 * WIDTH))),
        row=row,
        parts=parts,
        plain=source is None and result is None,
        seconds=1e-9 * sum(layout.cost(pattern, dtype) for pattern, _ in factors),
    )
