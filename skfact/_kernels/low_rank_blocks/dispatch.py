"""One split of a product pattern in two: compiled code for rank one, or the generic way."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from skfact._backend import array_namespace
from skfact._kernels import _cuda
from skfact._kernels._jit import compiled
from skfact._kernels.low_rank_blocks import cuda, generic
from skfact._kernels.low_rank_blocks.layout import Arranged, Classes


class OutOfScaleError(ArithmeticError):
    """Squares of the entries of a matrix are not finite, or would lose digits."""


def split_product(source: Any, classes: Classes, leftwards: bool = False) -> tuple[Any, Any, float]:
    """Best product of two factors, class by class; see `generic.split_product`.

    The source may be `Arranged`.

    Raises
    ------
    OutOfScaleError
        If an arranged matrix, not checked before, is not finite or of unusual magnitude.
    """
    loops = rank_one_loops(source, classes)
    if loops is not None:
        return _split_compiled(loops, source, classes, leftwards)
    found = _split_on_device(source, classes, leftwards)
    if found is not None:
        return found
    values = source
    if isinstance(source, Arranged):
        if not source.checked:
            with np.errstate(all="ignore"):
                norm = float(array_namespace(source.matrix).linalg.vector_norm(source.matrix))
            _require_ordinary(norm, source.matrix)
        values = source.values()
    return generic.split_product(values, classes, leftwards)


def move_magnitudes(left: Any, right: Any, classes: Classes, rightwards: bool) -> tuple[Any, Any]:
    """Make one of two neighbouring factors orthonormal; see `generic.move_magnitudes`.

    Returns the values of both; those of NumPy arrays may be changed in place.
    """
    loops = rank_one_loops(left, classes)
    if loops is not None:
        loops.move_rank_one(left, right, classes, rightwards)
        return left, right
    return generic.move_magnitudes(left, right, classes, rightwards)


def rank_one_loops(source: Any, classes: Classes) -> Any:
    """The compiled loops, where there are any for such an array and such classes."""
    matrix = source.matrix if isinstance(source, Arranged) else source
    if classes.r != 1 or min(classes.b, classes.c) < 2 or type(matrix) is not np.ndarray:
        return None
    return compiled("skfact._kernels.low_rank_blocks.numba")


def _split_compiled(
    loops: Any, source: Any, classes: Classes, leftwards: bool
) -> tuple[np.ndarray, np.ndarray, float]:
    if not isinstance(source, Arranged):
        source = Arranged(source.reshape(-1, classes.t * classes.c), checked=True)
    rows, cols = (
        loops.NO_INDEX if index is None else np.ascontiguousarray(index, dtype=np.int64)
        for index in (source.rows, source.cols)
    )
    matrix = source.matrix
    if not matrix.flags.carray:  # or read-only
        matrix = np.require(matrix, requirements=["C", "A"])
    left, right, missed, norm2 = loops.split_rank_one(matrix, classes, leftwards, rows, cols)
    if not source.checked:
        with np.errstate(over="ignore"):
            _require_ordinary(math.sqrt(norm2.sum()), matrix)
    largest = float(missed.max())
    if largest == 0:
        return left, right, 0.0
    missed /= largest  # squares must not underflow
    return left, right, largest * math.sqrt(np.vdot(missed, missed))


def _split_on_device(
    source: Any, classes: Classes, leftwards: bool
) -> tuple[Any, Any, float] | None:
    """By the CUDA kernel; None where it does not apply."""
    if classes.r != 1 or min(classes.b, classes.c) < 2:
        return None
    arranged = source if isinstance(source, Arranged) else Arranged(source, checked=True)
    xp, _ = _cuda.place(arranged.matrix)
    if not _cuda.serves(xp):
        return None
    matrix = xp.reshape(arranged.toarray(), (-1, classes.t * classes.c))
    split = cuda.split_rank_one(matrix, classes, leftwards)
    if split is None:
        return None
    summary = cuda.summarize(split, matrix.dtype)
    if not arranged.checked:
        _require_ordinary(summary.norm, matrix)
    if summary.uncertified:
        generic.replace_uncertified(Arranged(matrix), classes, leftwards, *split[:3])
        summary = cuda.summarize(split, matrix.dtype)
    return split.left, split.right, summary.missed


def _require_ordinary(norm: float, matrix: Any) -> None:
    """Raise unless squares and fourth powers of the entries neither over- nor underflow."""
    digits = array_namespace(matrix).finfo(matrix.dtype)
    bits = 100 if digits.eps < 1e-10 else 24
    if not 2.0**-bits <= norm <= 2.0**bits:
        raise OutOfScaleError
