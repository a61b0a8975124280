"""A product of Kronecker-sparse factors on a CUDA device: `apply.cu`, for CuPy arrays.

A call launches one kernel and reads nothing back.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from skfact._kernels import _cuda
from skfact._kernels._cuda import LOAD, SECTOR, TILE_BYTES
from skfact._kernels.apply.layout import LARGEST_BLOCK, Factors, Pattern

SOURCE = Path(__file__).with_name("apply.cu")
WIDTH = 128  # bytes that shared memory serves at once
FEWEST, MOST = 12, 32  # samples of a tile, each of which reads all values
MAX_STAGES = 24
REGISTERS = 65536  # of a multiprocessor

STAGE = np.dtype([(name, "i4") for name in ("blocks", "b", "c", "d", "from", "to", "values")])
NUMBERS = ("n_in", "n_out", "samples", "height", "half", "swizzle", "fill", "direct_in")
PROGRAM = np.dtype(
    [(name, "i8") for name in ("batch", "pitch")]
    + [(name, "i4") for name in (*NUMBERS, "direct_out", "n_stages", "adds")]
    + [("stages", STAGE, MAX_STAGES)],
    align=True,
)
assert PROGRAM.itemsize == 736, "apply.cu lays it out alike"


SIDES = (2, 3, 4)  # of squares that are multiplied in place; larger ones would spill registers


class Tuning(NamedTuple):
    """What changes no result, only the time. None of it has been measured yet."""

    threads: int = 256
    in_flight: int = 1  # samples that a thread works on at once
    samples: int | None = None  # rows of a tile
    swizzle: int | None = None
    direct: bool = True  # the first factor reads X, the last one writes Y


USUAL = Tuning()


@dataclass(frozen=True)
class Program:
    """A product laid out on a device."""

    table: np.ndarray  # a PROGRAM, but for what depends on X
    values: Any  # on the device, as are the indices
    into: Any  # where entries of the argument go; None for their own places
    out: Any  # where entries of the result are
    options: tuple[str, ...]  # of the compiler
    tuning: Tuning
    row_bytes: int  # of a sample in the tile
    memory: int  # bytes of shared memory that a thread block may take
    multiprocessors: int


def cost(pattern: Pattern, dtype: np.dtype) -> float:
    """Nanoseconds that a factor takes per vector; infinite where a matrix product is better.

    A model of an H100 with nothing measured: the time of shared memory for two traversals, of the
    second-level cache for the values, shared by `FEWEST` vectors, and of the multiplications.
    """
    a, b, c, d = pattern
    if min(b, c) > LARGEST_BLOCK:
        return math.inf
    # multiplications of reals per entry, and float64 at half the rate
    work = {"f4": 1.0, "f8": 2.0, "c8": 4.0, "c16": 8.0}[dtype.str[1:]] * b * c
    if not (b == c and b in SIDES):
        work *= 1.5  # values are read again for each 4 samples
    traversal = (b + c) * dtype.itemsize * 1.2 / 29.7e3
    return a * d * (traversal + b * c * dtype.itemsize / FEWEST / 5.5e3 + (work + 3 * b) / 29.7e3)


def lay_out(
    factors: Factors,
    n_in: int,
    n_out: int,
    source: np.ndarray | None = None,
    result: np.ndarray | None = None,
    tuning: Tuning = USUAL,
) -> Program | None:
    """The program of a product, as of `layout.lay_out`; None where two samples do not fit a tile.

    The values of the factors are on the device that will run it. Waits until they are laid out.
    """
    dtype = factors[0][1].dtype
    xp, where = _cuda.place(factors[0][1])
    row = WIDTH // dtype.itemsize
    height = -(-max(a * d * max(b, c) for (a, b, c, d), _ in factors) // row) * row
    in_place = [b == c and b in SIDES for (_, b, c, _), _ in reversed(factors)]
    row_bytes = height * dtype.itemsize * (1 if all(in_place) else 2)
    facts = where.attributes
    memory = facts["MaxSharedMemoryPerBlockOptin"]
    if len(factors) > MAX_STAGES or 2 * row_bytes > memory:
        return None
    into, fill = _scattered(source, n_in)
    with where:
        packed = [
            _packed(xp, values, here)
            for (_, values), here in zip(reversed(factors), in_place, strict=True)
        ]
        values = xp.concat(packed)
        into, out = (None if i is None else xp.asarray(i.astype(np.int32)) for i in (into, result))
        xp.cuda.get_current_stream().synchronize()  # later calls may be on any stream
    table = np.zeros((), PROGRAM)
    table["n_in"], table["n_out"], table["height"], table["fill"] = n_in, n_out, height, fill
    table["n_stages"] = len(factors)
    counts = [pack.shape[0] * dtype.itemsize // LOAD for pack in packed]
    stages = _stages(factors, in_place, counts)
    table["stages"][: len(factors)] = stages
    first, last = stages[0], stages[-1]
    aligned = in_place[0] and first[3] == 1 and first[1] * dtype.itemsize % LOAD == 0
    sectors = in_place[-1] and last[3] * dtype.itemsize >= SECTOR
    table["direct_in"] = tuning.direct and source is None and aligned
    table["direct_out"] = tuning.direct and result is None and sectors
    swizzle = tuning.swizzle
    if swizzle is None:  # fewest conflicts for radices 2 to 8; odd ones have few without
        swizzle = 0 if first[1] % 2 else 7 if dtype.itemsize == LOAD else 13
    table["swizzle"] = swizzle
    sides = {stage[1] for stage in stages if stage[4] == stage[5]}
    compiled = options(dtype, sides, not all(in_place), tuning)
    processors = facts["MultiProcessorCount"]
    return Program(table, values, into, out, compiled, tuning, row_bytes, memory, processors)


def options(
    dtype: np.dtype,
    sides: Iterable[int] = SIDES,
    general: bool = True,
    tuning: Tuning = USUAL,
) -> tuple[str, ...]:
    """What the source is compiled with, for squares of these sides in place, and other blocks.

    By default for all that a chain may have.
    """
    registers = (128 if dtype.itemsize == LOAD else 80) * tuning.in_flight  # enough without spills
    return _cuda.options(
        dtype,
        SIDES=sum(1 << side for side in sides),
        GENERAL=int(general),
        IN_FLIGHT=tuning.in_flight,
        THREADS=tuning.threads,
        RESIDENT=max(1, REGISTERS // (registers * tuning.threads)),
    )


def _stages(
    factors: Factors, in_place: Sequence[bool], packs: Sequence[int]
) -> list[tuple[int, ...]]:
    """A STAGE for each factor, the one applied first in front."""
    stages: list[tuple[int, ...]] = []
    half = place = 0
    for ((a, b, c, d), _), here, count in zip(reversed(factors), in_place, packs, strict=True):
        target = half if here else 1 - half
        stages.append((a * d, b, c, d, half, target, place))
        half, place = target, place + count
    return stages


def multiply_chain(program: Program, X: Any, onto: Any = None) -> Any:
    """Images (batch, n_out), C-ordered, of the rows of X (batch, n_in), of the program's dtype.

    They are added to what is in `onto`, if given: an array like the result.
    """
    (xp, where), batch = _cuda.place(X), X.shape[0]
    with where:
        X = _cuda.in_rows(xp, X)
        table = program.table.copy()
        Y = xp.empty((batch, int(table["n_out"])), dtype=X.dtype) if onto is None else onto
        table["adds"] = onto is not None
        if batch == 0:
            return Y
        samples = program.tuning.samples or _samples(program, batch)
        table["batch"], table["pitch"] = batch, X.strides[0] // X.itemsize
        table["samples"], table["half"] = samples, samples * int(table["height"])
        arguments = X, Y, program.values, program.into, program.out, table
        compiled = xp, where.id, SOURCE, "multiply_chain", program.options, program.memory
        _cuda.kernel(*compiled)(
            (-(-batch // samples),), (program.tuning.threads,), arguments,
            shared_mem=samples * program.row_bytes,
        )  # fmt: skip
    return Y


def _samples(program: Program, batch: int) -> int:
    """Rows of a tile: as many as leave room for other tiles, and fewer where the batch is small."""
    roomy = min(TILE_BYTES, program.memory) // program.row_bytes
    most = min(MOST, max(roomy, min(FEWEST, program.memory // program.row_bytes)))
    return min(most, -(-batch // program.multiprocessors))


def _packed(xp: Any, values: Any, in_place: bool) -> Any:
    """Values (a, d, b, c) in the order in which threads load them, flat.

    Squares that are multiplied in place: (ceil(b c / v), a d, v), v to a load; others by four rows,
    (ceil(b / 4), c, a d, 4). Zeros fill up.
    """
    a, d, b, c = values.shape
    blocks = xp.reshape(values, (a * d, b * c, 1) if in_place else (a * d, b, c))
    lot = LOAD // values.dtype.itemsize if in_place else 4
    rows, columns = blocks.shape[1:]
    rest = -rows % lot
    if rest:
        zeros = xp.zeros((a * d, rest, columns), dtype=values.dtype)
        blocks = xp.concat([blocks, zeros], axis=1)
    lots = xp.reshape(blocks, (a * d, (rows + rest) // lot, lot, columns))
    return xp.reshape(xp.permute_dims(lots, (1, 3, 0, 2)), (-1,))


def _scattered(source: np.ndarray | None, n_in: int) -> tuple[np.ndarray | None, bool]:
    """Where each entry of the argument goes, -1 for nowhere, and whether that leaves gaps."""
    if source is None:
        return None, False
    into = np.full(n_in, -1)
    (taken,) = np.nonzero(source >= 0)
    into[source[taken]] = taken
    return into, len(taken) < len(source)
