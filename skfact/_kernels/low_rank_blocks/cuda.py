"""Best rank-one approximation of the class blocks of a product on a CUDA device: `rank_one.cu`.

One kernel reads the matrix once; blocks that it does not certify go to the generic loop. Another
one sums up what the host has to know of all blocks.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from skfact._backend import to_numpy
from skfact._kernels import _cuda
from skfact._kernels._cuda import SECTOR, TILE_BYTES
from skfact._kernels.low_rank_blocks.generic import POWER_STEPS
from skfact._kernels.low_rank_blocks.layout import Classes

SOURCE = Path(__file__).with_name("rank_one.cu")
THREADS = 128
SUMMING = 1024  # threads that sum up, a power of two
MOST_BLOCKS = 2**31  # of a matrix, which kernels count by int
LINE = 128  # bytes of neighbours in memory that are read together

COUNTS = ("t", "u", "d", "b", "c", "together", "thread_blocks", "steps", "leftwards", "unused")
SIZES = np.dtype([("pitch", "i8"), *((name, "i4") for name in COUNTS)])
assert SIZES.itemsize == 48, "rank_one.cu lays it out alike"


class Split(NamedTuple):
    """Values of both factors, and of each block what it loses (-1 without certificate)."""

    left: Any  # (a, u * d, b, t)
    right: Any  # (a * t, d, u, c)
    missed: Any  # (a * d * u, t)
    norm2: Any  # squared norms of the blocks, likewise; not finite where an entry is not


class Summary(NamedTuple):
    """What the host has to know of all blocks: one transfer."""

    missed: float  # the norm of what is lost
    norm: float
    uncertified: int


def options(dtype: np.dtype) -> tuple[str, ...]:
    """What the source is compiled with."""
    return _cuda.options(dtype, THREADS=THREADS)


def split_rank_one(
    matrix: Any, classes: Classes, leftwards: bool, steps: int | None = None
) -> Split | None:
    """`generic.split_product` for rank one, of a matrix (a d b u, t c), but for hard blocks.

    None where a block does not fit the memory of a multiprocessor, or its rows are so short that
    most of what memory moves would be others', or there are too many to be counted.
    """
    a, t, u, d, b, c, _ = classes
    xp, where = _cuda.place(matrix)
    dtype, facts = matrix.dtype, where.attributes
    memory = facts["MaxSharedMemoryPerBlockOptin"]
    row, most = c * dtype.itemsize, memory // _block_bytes(b, c, dtype)
    if (most * row < SECTOR and most < t) or a * d * u * t >= MOST_BLOCKS:
        return None
    roomy = max(1, min(TILE_BYTES, memory) // _block_bytes(b, c, dtype))
    # all threads have a row or a column, and lines of memory are read whole
    together = min(t, most, max(min(roomy, THREADS // max(b, c)), -(-LINE // row)))
    if together == 0:
        return None
    thread_blocks = -(-t // together)
    real = dtype.type().real.dtype
    if steps is None:  # twice as many for twice as many digits
        steps = POWER_STEPS * real.itemsize // 4
    with where:
        matrix = _cuda.in_rows(xp, matrix)
        pitch = matrix.strides[0] // dtype.itemsize
        counts = t, u, d, b, c, together, thread_blocks, steps, leftwards, 0
        sizes = np.array((pitch, *counts), SIZES)
        left = xp.empty((a, u * d, b, t), dtype=dtype)
        right = xp.empty((a * t, d, u, c), dtype=dtype)
        missed, norm2 = (xp.empty((a * d * u, t), dtype=real) for _ in range(2))
        _cuda.kernel(xp, where.id, SOURCE, "split_rank_one", options(dtype), memory)(
            (a * d * u * thread_blocks,), (THREADS,), (matrix, left, right, missed, norm2, sizes),
            shared_mem=together * _block_bytes(b, c, dtype),
        )  # fmt: skip
    return Split(left, right, missed, norm2)


def summarize(split: Split, dtype: np.dtype) -> Summary:
    """What the kernel found, for the host: one launch, one transfer."""
    xp, where = _cuda.place(split.missed)
    memory = SUMMING * 8
    with where:
        numbers = xp.empty((3,), dtype=xp.float64)
        arguments = split.missed, split.norm2, numbers, np.int32(math.prod(split.missed.shape))
        _cuda.kernel(xp, where.id, SOURCE, "summarize", options(dtype), memory)(
            (1,), (SUMMING,), arguments, shared_mem=memory
        )
    missed, norm2, uncertified = map(float, to_numpy(numbers))
    return Summary(missed, math.sqrt(norm2), int(uncertified))


def _block_bytes(b: int, c: int, dtype: np.dtype) -> int:
    """Shared memory of a block, its vectors, sums and state."""
    real = dtype.itemsize // (2 if dtype.kind == "c" else 1)
    numbers = b * (c | 1) + b + 2 * c
    return numbers * dtype.itemsize + (b + 2 * c) * real + 4 * real + 8
