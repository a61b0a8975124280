"""One split of a product pattern in two factors, in place of the layout."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from skfact._backend import array_namespace, device, move
from skfact._kernels._jit import compiled
from skfact._kernels.low_rank_blocks.generic import low_rank_blocks
from skfact._kernels.low_rank_blocks.layout import Classes
from skfact._linalg import adjoint, thin_qr

# Entries of the product copied at once by the generic loop: a batch stays in cache.
CHUNK = 2**17


class Arranged(NamedTuple):
    """A matrix as the user gave it, to be read with rows and columns permuted and padded.

    `rows` and `cols`, integers on the host, name the row and column of `matrix` for every row and
    column of the product, -1 for zeros; None takes them as they are. Nobody has looked at the
    entries yet unless `checked`: the first split finds those that are not finite.
    """

    matrix: Any  # (n_out, n_in)
    rows: np.ndarray | None = None
    cols: np.ndarray | None = None
    checked: bool = False

    def toarray(self) -> Any:
        """The arranged matrix; a copy only where something is permuted or padded."""
        xp, where = array_namespace(self.matrix), device(self.matrix)
        found = self.matrix
        for axis, index in enumerate((self.rows, self.cols)):
            if index is None:
                continue
            if np.any(index < 0):  # an index beyond the end reads the zeros put there
                shape = list(found.shape)
                index = np.where(index < 0, shape[axis], index)
                shape[axis] = 1
                zero = xp.zeros(tuple(shape), dtype=found.dtype, device=where)
                found = xp.concat([found, zero], axis=axis)
            found = xp.take(found, move(index, xp, where), axis=axis)
        return found

    def values(self) -> Any:
        """The arranged matrix as values (1, 1, b, c) of a dense pattern."""
        found = self.toarray()
        return array_namespace(found).reshape(found, (1, 1, *found.shape))


class OutOfScaleError(ArithmeticError):
    """Squares of the entries of a matrix are not finite, or would lose digits."""


def split_product(source: Any, classes: Classes, leftwards: bool = False) -> tuple[Any, Any, float]:
    """Best product of two factors, class by class (blockwise SVD, arXiv 2112.00386).

    Parameters
    ----------
    source : array of shape (a, d, b u, t c), or Arranged
        Values of the product pattern.
    classes : Classes
        Sizes of the blocks and their rank r.
    leftwards : bool
        Which side is orthonormal in each class: the left one, or with `leftwards` the right one.

    Returns
    -------
    left : array of shape (a, u d, b, t r)
        Values of the left factor.
    right : array of shape (a t, d, r u, c)
        Values of the right factor.
    missed : float
        Frobenius norm of what is lost.

    Raises
    ------
    OutOfScaleError
        If an arranged matrix, not checked before, is not finite or of unusual magnitude.
    """
    loops = rank_one_loops(source, classes)
    if loops is not None:
        return _split_compiled(loops, source, classes, leftwards)
    values = source
    if isinstance(source, Arranged):
        if not source.checked:
            with np.errstate(all="ignore"):
                norm = float(array_namespace(source.matrix).linalg.vector_norm(source.matrix))
            _require_ordinary(norm, source.matrix)
        values = source.values()
    return _split_generic(values, classes, leftwards)


def move_magnitudes(left: Any, right: Any, classes: Classes, rightwards: bool) -> tuple[Any, Any]:
    """Make one of two neighbouring factors orthonormal in each class; the product stays.

    Returns the values of both; those of NumPy arrays may be changed in place.
    """
    loops = rank_one_loops(left, classes)
    if loops is not None:
        loops.move_rank_one(left, right, classes, rightwards)
        return left, right
    columns, rows = classes.columns_of_left(left), classes.rows_of_right(right)
    if rightwards:
        columns, triangle = thin_qr(columns)
        rows = triangle @ rows
    else:
        basis, triangle = thin_qr(adjoint(rows))
        columns, rows = columns @ adjoint(triangle), adjoint(basis)
    return classes.left_from_columns(columns), classes.right_from_rows(rows)


def rank_one_loops(source: Any, classes: Classes) -> Any:
    """The compiled loops, where there are any for such an array and such classes."""
    matrix = source.matrix if isinstance(source, Arranged) else source
    if classes.r != 1 or min(classes.b, classes.c) < 2 or type(matrix) is not np.ndarray:
        return None
    return compiled("skfact._kernels.low_rank_blocks.rank_one")


def _split_compiled(
    loops: Any, source: Any, classes: Classes, leftwards: bool
) -> tuple[np.ndarray, np.ndarray, float]:
    if not isinstance(source, Arranged):
        source = Arranged(source.reshape(-1, classes.t * classes.c), checked=True)
    rows, cols = (
        loops.NO_INDEX if index is None else np.ascontiguousarray(index, dtype=np.int64)
        for index in (source.rows, source.cols)
    )
    matrix = np.require(source.matrix, requirements=["C", "A"])
    left, right, missed, norm2 = loops.split_rank_one(matrix, classes, leftwards, rows, cols)
    if not source.checked:
        with np.errstate(over="ignore"):
            _require_ordinary(math.sqrt(np.sum(norm2)), source.matrix)
    largest = float(np.max(missed))
    missed /= largest or 1.0  # squares must not underflow
    return left, right, largest * math.sqrt(np.vdot(missed, missed))


def _require_ordinary(norm: float, matrix: Any) -> None:
    """Raise unless squares and fourth powers of the entries neither over- nor underflow."""
    digits = array_namespace(matrix).finfo(matrix.dtype)
    bits = 100 if digits.eps < 1e-10 else 24
    if not 2.0**-bits <= norm <= 2.0**bits:
        raise OutOfScaleError


def _split_generic(values: Any, classes: Classes, leftwards: bool) -> tuple[Any, Any, float]:
    xp = array_namespace(values)
    blocks = classes.blocks_of_product(values)  # (a, t, u, d, b, c)
    batch, (p, q), r = blocks.shape[:4], blocks.shape[4:], classes.r
    axis = max(range(4), key=lambda i: batch[i])
    step = max(1, CHUNK * batch[axis] // math.prod(blocks.shape))
    columns, rows, missed = [], [], 0.0
    for first in range(0, batch[axis], step):
        last = min(first + step, batch[axis])
        index = (slice(None),) * axis + (slice(first, last), ...)
        chunk = blocks[index]
        some = chunk.shape[:4]
        chunk = xp.reshape(chunk, (-1, p, q))
        if leftwards:
            y, x, residual = low_rank_blocks(adjoint(chunk), r)
            x, y = adjoint(x), adjoint(y)
        else:
            x, y, residual = low_rank_blocks(chunk, r)
        columns.append(xp.reshape(x, (*some, p, r)))
        rows.append(xp.reshape(y, (*some, r, q)))
        missed = math.hypot(missed, float(xp.linalg.vector_norm(residual)))
    x, y = xp.concat(columns, axis=axis), xp.concat(rows, axis=axis)
    return classes.left_from_columns(x), classes.right_from_rows(y), missed
