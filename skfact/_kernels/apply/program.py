"""A product of Kronecker-sparse factors as the compiled loops want it.

In a *tile* a row of memory holds one entry of several vectors, in *lanes* neighbouring entries of
one vector. A row is `WIDTH` bytes: real numbers, or as many real as imaginary parts.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from skfact._kernels._jit import as_if_writeable, compiled
from skfact._kernels._threads import run_slices

WIDTH = 128  # two registers of an AVX-512 processor; simd.WIDTH, which is not imported early
IN_PLACE = 8  # squares up to this side are multiplied in place
DIRECT_BYTES = 2**22  # columns up to this size are read and written where they lie
GROUP_BYTES = 2**23  # tiles of columns read together, for long runs of neighbours in memory
LARGEST_KEPT = 2**25  # bytes of working memory that a thread keeps between calls
# Larger blocks are left to the matrix product of BLAS, which reads them once for many vectors.
LARGEST_BLOCK = 64

Pattern = tuple[int, int, int, int]
Factors = Sequence[tuple[Pattern, np.ndarray]]
Stage = tuple[int, int, int, int, int, int]  # a, b, c, d, where to read, where to write


def loops() -> Any:
    """The compiled loops; None where there is no numba."""
    return compiled("skfact._kernels.apply.numba")


def vectors_per_row(dtype: np.dtype) -> int:
    """Vectors that go through a tile together."""
    return WIDTH // dtype.itemsize


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


@dataclass(frozen=True)
class Program:
    """Everything that the loops take beside the vectors. Positions and sizes count reals."""

    real: np.dtype  # float32 or float64
    n_in: int
    n_out: int
    blocks: np.ndarray  # those of the factor applied first, in order of use, then the next one's
    stages: np.ndarray  # (n_factors, 6): a, b, c, d, where to read, where to write
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


def tile_program(
    factors: Factors,
    n_in: int,
    n_out: int,
    source: np.ndarray | None = None,
    result: np.ndarray | None = None,
) -> Program:
    """Lay out a product for tiles.

    Parameters
    ----------
    factors : sequence of ((a, b, c, d), values)
        Patterns, and values of shape (a, d, b, c), in the order of the product.
    n_in, n_out : int
        Entries of the argument and of the result.
    source : int array, optional
        Which entry of the argument each input of the product takes, -1 for none.
    result : int array, optional
        Which output of the product each entry of the result takes, -1 for none.
    """
    dtype = factors[0][1].dtype
    row = WIDTH // dtype.type().real.itemsize
    stages: list[Stage] = []
    blocks, half = [], 0
    for (a, b, c, d), values in reversed(factors):
        in_place = b == c <= IN_PLACE
        stages.append((a, b, c, d, half, half if in_place else 1 - half))
        half = stages[-1][-1]
        blocks.append(_by_columns(values, b if in_place else 4).ravel())
    seconds = 1e-9 * sum(tile_cost(pattern, dtype) for pattern, _ in factors)
    places = _places(stages, n_in, n_out, source, result)
    plain = source is None and result is None
    return _program(dtype, stages, blocks, places, lambda entry: entry * row, plain, seconds)


def lane_program(
    factors: Factors,
    n_in: int,
    n_out: int,
    source: np.ndarray | None = None,
    result: np.ndarray | None = None,
) -> Program:
    """Lay out a product for lanes; all of its patterns have a finite `lane_cost`."""
    dtype = factors[0][1].dtype
    lanes = vectors_per_row(dtype)
    row = WIDTH // dtype.type().real.itemsize
    stages: list[Stage] = []
    blocks, half = [], 0
    for (a, b, c, d), values in reversed(factors):
        stages.append((a, b, c, d, half, 1 - half))
        half = 1 - half
        if d == 1:  # a column of the block fills a row: (a, c, lanes)
            rows = values[:, 0].swapaxes(1, 2)
        else:  # one entry of `lanes` blocks does: (a, d / lanes, b * c, lanes)
            neighbours = values.reshape(a, d // lanes, lanes, b, c).transpose(0, 1, 3, 4, 2)
            rows = _by_columns(neighbours, 4)
        if dtype.kind == "c":
            rows = np.stack([rows.real, rows.imag], axis=-2)
        blocks.append(rows.ravel().view(dtype))
    seconds = 1e-9 * sum(lane_cost(pattern, dtype) for pattern, _ in factors)
    places = _places(stages, n_in, n_out, source, result)
    plain = source is None and result is None

    def position(entry: np.ndarray) -> np.ndarray:
        return entry // lanes * row + entry % lanes

    return _program(dtype, stages, blocks, places, position, plain, seconds)


def _by_columns(values: np.ndarray, rows: int) -> np.ndarray:
    """Blocks (a, d, b, c, ...) as (a, d, b * c, ...): some rows at a time, each by columns."""
    b = values.shape[2]
    groups = [values[:, :, j : j + rows].swapaxes(2, 3) for j in range(0, b, rows)]
    flat = [g.reshape(*g.shape[:2], -1, *g.shape[4:]) for g in groups]
    return np.concatenate(flat, axis=2)


def _places(
    stages: list[Stage],
    n_in: int,
    n_out: int,
    source: np.ndarray | None,
    result: np.ndarray | None,
) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    """Height of a half of the memory, and which entries of it are read and written."""
    heights = [a * d * max(b, c) for a, b, c, d, *_ in stages]
    # halves and the two rows after them begin at whole rows, whatever the dtype
    height = -(-max(heights) // WIDTH) * WIDTH
    unused, zero = 2 * height, 2 * height + WIDTH
    (a, _, c, d, *_), last = stages[0], stages[-1]
    source = np.arange(a * c * d) if source is None else source
    into = np.full(n_in, unused)
    into[source[source >= 0]] = np.nonzero(source >= 0)[0]
    zeros = np.append(np.nonzero(source < 0)[0], zero)
    result = np.arange(n_out) if result is None else result
    out = np.where(result < 0, zero, result + last[5] * height)
    return height, into, out, zeros


def _program(
    dtype: np.dtype,
    stages: list[Stage],
    blocks: list[np.ndarray],
    places: tuple[int, np.ndarray, np.ndarray, np.ndarray],
    position: Callable[[Any], Any],
    plain: bool,
    seconds: float,
) -> Program:
    """The program, with entries of the memory turned into positions."""
    height, into, out, zeros = places
    parts = 2 if dtype.kind == "c" else 1
    row = WIDTH // dtype.type().real.itemsize

    def split(positions: np.ndarray) -> np.ndarray:
        return (positions[:, None] + row // 2 * np.arange(parts)).ravel()

    table = np.array(stages)
    table[:, 4:] = position(table[:, 4:] * height)
    in_tile = position(1) == row
    return Program(
        real=dtype.type().real.dtype,
        n_in=len(into),
        n_out=len(out),
        blocks=np.concatenate(blocks),
        stages=table,
        into=position(into),
        out=position(out),
        into_parts=split(position(into)),
        out_parts=split(position(out)),
        zeros=position(zeros) if in_tile else split(position(zeros)),
        size=int(position(2 * height + 2 * WIDTH)),
        row=row,
        parts=parts,
        plain=plain,
        seconds=seconds,
    )


# Running a program


def multiply_tiles(program: Program, X: np.ndarray, *, rows: bool) -> np.ndarray:
    """Images of vectors.

    Parameters
    ----------
    program : Program
        From `tile_program`.
    X : ndarray of shape (batch, n_in)
        One vector per row, C- or F-ordered, of the program's dtype.
    rows : bool
        Whether the result is to be C-ordered, else F-ordered.

    Returns
    -------
    ndarray of shape (batch, n_out)
        The images.
    """
    Y = np.empty((len(X), program.n_out), X.dtype, order="C" if rows else "F")
    samples = program.row // program.parts
    whole = len(X) // samples
    if whole:
        run_slices(_tiles(program, X, Y), whole, len(X) * program.seconds)
    rest = len(X) - whole * samples
    if rest:  # the lanes are filled up with zeros
        padded = np.zeros((samples, program.n_in), X.dtype)
        padded[:rest] = X[whole * samples :]
        result = np.empty((samples, program.n_out), X.dtype)
        _tiles(program, padded, result)(0, 1)
        Y[whole * samples :] = result[:rest]
    return Y


def _tiles(p: Program, X: np.ndarray, Y: np.ndarray) -> Callable[[int, int], None]:
    """The loop over some of the tiles."""
    X_has_rows, Y_has_rows = X.flags.c_contiguous, Y.flags.c_contiguous
    source, target = _flat(X if X_has_rows else X.T), _flat(Y if Y_has_rows else Y.T)
    group = 1
    if not (X_has_rows and Y_has_rows):
        group = max(1, min(8, GROUP_BYTES // (p.size * X.real.itemsize), len(X) * p.parts // p.row))
    columns = not (X_has_rows or Y_has_rows)
    if columns and p.plain and p.parts == 1 and X.nbytes <= DIRECT_BYTES:
        return lambda start, stop: loops().multiply_real_columns(
            source, target, len(X), _memory(p, 1), p.blocks, p.stages, p.row, start, stop
        )

    def run(start: int, stop: int) -> None:
        loops().multiply_tiles(
            source, _reals(source), X_has_rows, target, _reals(target), Y_has_rows, len(X),
            _memory(p, group), p.blocks, p.stages, p.into, p.into_parts, p.zeros, p.out,
            p.out_parts, p.row, p.parts, p.size, group, start, stop,
        )  # fmt: skip

    return run


def multiply_lanes(program: Program, X: np.ndarray) -> np.ndarray:
    """Images of one vector (n_in,), or of the rows of an array (batch, n_in), both C-ordered."""
    p = program
    source = X if X.ndim == 1 and X.flags.writeable else _flat(X)  # the usual case is fast
    Y = np.empty(source.size // p.n_in * p.n_out, X.dtype)
    loops().multiply_lanes(
        _reals(source), _reals(Y), _memory(p, 1), p.blocks, p.stages, p.into_parts, p.zeros,
        p.out_parts, p.row, p.parts,
    )  # fmt: skip
    return Y if X.ndim == 1 else Y.reshape(len(X), p.n_out)


_kept = threading.local()


def _memory(program: Program, copies: int) -> np.ndarray:
    """Working memory of this thread, which begins at a row of the cache; kept between calls."""
    wanted = program.size * copies, program.real
    try:
        if _kept.wanted == wanted:
            return _kept.memory
    except AttributeError:  # the first call in this thread
        pass
    n_bytes = wanted[0] * program.real.itemsize
    raw = np.empty(n_bytes + WIDTH, np.uint8)
    start = -raw.ctypes.data % WIDTH
    memory = raw[start : start + n_bytes].view(program.real)
    if n_bytes <= LARGEST_KEPT:
        _kept.wanted, _kept.memory = wanted, memory
    return memory


def _flat(X: np.ndarray) -> np.ndarray:
    """A C-ordered array in one dimension, of the type that the loops are compiled for."""
    return as_if_writeable(X.reshape(-1))


def _reals(flat: np.ndarray) -> np.ndarray:
    """Complex numbers as pairs of reals."""
    return flat.view(flat.real.dtype) if flat.dtype.kind == "c" else flat
