"""Products with Kronecker-sparse factors: in compiled loops, BLAS, or any array library."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from skfact._kernels._jit import as_if_writeable, compiled
from skfact._kernels._threads import run_slices
from skfact._kernels.apply import generic
from skfact._kernels.apply.layout import WIDTH, Program

DIRECT_BYTES = 2**22  # columns up to this size are read and written where they lie
GROUP_BYTES = 2**23  # tiles of columns read together, for long runs of neighbours in memory
LARGEST_KEPT = 2**25  # bytes of working memory that a thread keeps between calls


def loops() -> Any:
    """The compiled loops; None where there is no numba."""
    return compiled("skfact._kernels.apply.numba")


def apply_factor(values: Any, X: Any) -> Any:
    """Product of one Kronecker-sparse factor and a batch; see `generic.apply_factor`.

    NumPy reads and writes strided blocks where they lie. BLAS takes a block of rows of `X` as it is
    if the batch has unit stride, or (a transposed batch of rows) if the features have and
    ``d == 1``; np.matmul does not call BLAS otherwise.
    """
    if not isinstance(X, np.ndarray):
        return generic.apply_factor(values, X)
    a, d, b, c = values.shape
    batch = X.shape[1]
    unit = X.itemsize
    if not (X.strides[1] == unit or (d == 1 and X.strides[0] == unit)) or min(X.strides) < 0:
        X = np.ascontiguousarray(X)
    out = np.empty((a, b, d, batch), np.result_type(values, X))
    np.matmul(
        values, X.reshape(a, c, d, batch).transpose(0, 2, 1, 3), out=out.transpose(0, 2, 1, 3)
    )
    return out.reshape(a * b * d, batch)


def multiply_tiles(program: Program, X: np.ndarray, *, rows: bool) -> np.ndarray:
    """Images (batch, n_out) of the rows of X (batch, n_in), by a program laid out in `TILES`.

    X is C- or F-ordered and of the program's dtype; the result is C-ordered if `rows` says so, else
    F-ordered.
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
    direct = columns and p.plain and p.parts == 1 and X.nbytes <= DIRECT_BYTES
    group = 1 if direct else group

    def run(start: int, stop: int) -> None:
        loops().multiply_tiles(
            source, _reals(source), X_has_rows, target, _reals(target), Y_has_rows, len(X),
            _memory(p, group), p.blocks, p.stages, p.into, p.into_parts, p.zeros, p.out,
            p.out_parts, p.row, p.parts, p.size, direct, group, start, stop,
        )  # fmt: skip

    return run


def multiply_lanes(program: Program, X: np.ndarray) -> np.ndarray:
    """Images of one vector (n_in,), or of the rows of an array (batch, n_in), both C-ordered."""
    p = program
    if X.ndim == 1 and X.flags.writeable:  # the usual case is fast
        source, Y = X, np.empty(p.n_out, X.dtype)
    else:
        source = _flat(X)
        Y = np.empty(source.size // p.n_in * p.n_out, X.dtype)
    X_reals, Y_reals = (source, Y) if p.parts == 1 else (_reals(source), _reals(Y))
    loops().multiply_lanes(
        X_reals, Y_reals, _memory(p, 1), p.blocks, p.stages, p.into_parts, p.zeros, p.out_parts,
        p.row, p.parts,
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
