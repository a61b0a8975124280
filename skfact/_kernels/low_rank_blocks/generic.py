"""Best rank-r approximation of a batch of blocks: the specification, for any array library.

Three routes, each taken only where it is known to be right:

1. *Pivoted start and power steps.* r columns chosen by pivoting span the block exactly when its
   rank is at most r. Otherwise subspace iteration goes on until a certificate says that nothing is
   left to win.
2. *Gram matrix and `eigh`.* It squares the condition number, so its result counts only where the
   discarded part is no smaller than `GRAM_TAIL` of the block.
3. *SVD* for every block that is left.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from skfact._backend import array_namespace, device
from skfact._kernels.low_rank_blocks.layout import Arranged, Classes
from skfact._linalg import abs2, adjoint, limited, thin_qr

# A discarded part (squared, relative) below this is computed from the residual itself, not by
# subtraction, and is never taken from a Gram matrix: the objective keeps 12 digits.
GRAM_TAIL = 1e-3
POWER_STEPS = 8
# Entries of a product copied at once: a batch stays in cache.
CHUNK = 2**17
# Bytes of blocks that are decomposed at once where a compiled loop has no certificate.
BUFFER = 2**22


def low_rank_blocks(blocks: Any, rank: int) -> tuple[Any, Any, Any]:
    """Best approximation `left @ right` of rank `rank` of every block (n_blocks, p, q).

    Returns `left` (n_blocks, p, rank), with orthonormal columns, or zero ones where a block has
    smaller rank or `rank` exceeds min(p, q); ``right = left^H @ block``; and the Frobenius norms
    (n_blocks,) of what is lost. Blocks are real or complex, finite, with entries of magnitude
    around 1 or less: their fourth powers must not overflow.
    """
    xp = array_namespace(blocks)
    n_blocks, p, q = blocks.shape
    if rank >= min(p, q):
        return _whole_blocks(blocks, rank)
    tiny = _smallest_safe_norm(xp, blocks)
    norm2 = xp.sum(abs2(blocks), axis=(1, 2))
    # squares under- or overflow: bring each block to largest entry 1 (a power of two: no rounding)
    if n_blocks and not (bool(xp.all(norm2 > tiny)) and bool(xp.all(norm2 < 1 / tiny))):
        largest = xp.max(xp.abs(blocks), axis=(1, 2))
        if bool(xp.any((largest > 0) & ~((norm2 > tiny) & (norm2 < 1 / tiny)))):
            scale = _power_of_two(xp, largest)
            left, right, residual = low_rank_blocks(blocks / scale[:, None, None], rank)
            return left, right * scale[:, None, None], residual * scale
    # some BLAS raise the invalid flag over finite float32 operands: certificates look at results
    with np.errstate(invalid="ignore"):
        return _route(blocks, norm2, rank)


def low_rank_pairs(blocks: Any, rank: int, leftwards: bool) -> tuple[Any, Any, Any]:
    """`low_rank_blocks`; with `leftwards` it is `right` that is orthonormal."""
    if not leftwards:
        return low_rank_blocks(blocks, rank)
    right, left, residual = low_rank_blocks(adjoint(blocks), rank)
    return adjoint(left), adjoint(right), residual


def split_product(values: Any, classes: Classes, leftwards: bool = False) -> tuple[Any, Any, float]:
    """Best product of two factors, class by class (blockwise SVD, arXiv 2112.00386).

    From values (a, d, b u, t c) of the product pattern to those of the left factor,
    (a, u d, b, t r), and of the right one, (a t, d, r u, c), and the Frobenius norm of what is
    lost. In each class the left side is orthonormal, or with `leftwards` the right one.
    """
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
        x, y, residual = low_rank_pairs(xp.reshape(chunk, (-1, p, q)), r, leftwards)
        columns.append(xp.reshape(x, (*some, p, r)))
        rows.append(xp.reshape(y, (*some, r, q)))
        missed = math.hypot(missed, float(xp.linalg.vector_norm(residual)))
    x, y = xp.concat(columns, axis=axis), xp.concat(rows, axis=axis)
    return classes.left_from_columns(x), classes.right_from_rows(y), missed


def replace_uncertified(
    source: Arranged, classes: Classes, leftwards: bool, left: Any, right: Any, missed: Any
) -> None:
    """Approximate the blocks that a compiled loop marked by -1 in `missed` (a d u, t), in place.

    For NumPy and CuPy: arrays are indexed by arrays. The index arrays of the source are taken for
    arrays of the library of its matrix.
    """
    xp, where = array_namespace(source.matrix), device(source.matrix)
    _, t, u, d, b, c, _ = classes
    all_groups, all_w = xp.nonzero(missed < 0)
    from_row, from_col = xp.arange(b, device=where), xp.arange(c, device=where)
    step = max(1, BUFFER // (b * c * source.matrix.itemsize))
    for first in range(0, all_w.shape[0], step):
        group, w = all_groups[first : first + step], all_w[first : first + step]
        rows = ((group // u * b)[:, None] + from_row) * u + (group % u)[:, None]
        cols = (w * c)[:, None] + from_col
        rows = rows if source.rows is None else source.rows[rows]
        cols = cols if source.cols is None else source.cols[cols]
        blocks = source.matrix[rows[:, :, None], cols[:, None, :]]
        if source.rows is not None or source.cols is not None:
            blocks[(rows < 0)[:, :, None] | (cols < 0)[:, None, :]] = 0
        x, y, residual = low_rank_pairs(blocks, 1, leftwards)
        s, i, m = group % u, group // u // d, group // u % d
        left[i, s * d + m, :, w] = x[:, :, 0]
        right[i * t + w, m, s, :] = y[:, 0, :]
        missed[group, w] = residual


def move_magnitudes(left: Any, right: Any, classes: Classes, rightwards: bool) -> tuple[Any, Any]:
    """Make one of two neighbouring factors orthonormal in each class; the product stays."""
    columns, rows = classes.columns_of_left(left), classes.rows_of_right(right)
    if rightwards:
        columns, triangle = thin_qr(columns)
        rows = triangle @ rows
    else:
        basis, triangle = thin_qr(adjoint(rows))
        columns, rows = columns @ adjoint(triangle), adjoint(basis)
    return classes.left_from_columns(columns), classes.right_from_rows(rows)


def _route(blocks: Any, norm2: Any, rank: int) -> tuple[Any, Any, Any]:
    """Send every block down the cheapest route that certifies it."""
    xp = array_namespace(blocks)
    done: list[tuple[Any, ...]] = []
    todo = xp.arange(blocks.shape[0], device=device(blocks))
    for route in (_power_route, _gram_route, _svd_route):
        left, right, residual2, certified = route(blocks, norm2, rank)
        if bool(xp.all(certified)):
            done.append((todo, left, right, residual2))
            break
        keep, rest = xp.nonzero(certified)[0], xp.nonzero(~certified)[0]
        done.append(tuple(xp.take(part, keep, axis=0) for part in (todo, left, right, residual2)))
        todo, blocks, norm2 = (xp.take(part, rest, axis=0) for part in (todo, blocks, norm2))
    if len(done) == 1:
        _, left, right, residual2 = done[0]
    else:
        order = xp.argsort(xp.concat([part[0] for part in done]))
        left, right, residual2 = (
            xp.take(xp.concat([part[i] for part in done], axis=0), order, axis=0) for i in (1, 2, 3)
        )
    return left, right, xp.sqrt(residual2)


def _power_route(blocks: Any, norm2: Any, rank: int) -> tuple[Any, Any, Any, Any]:
    """Pivoted columns, then subspace iteration while a certificate is in reach.

    With U orthonormal, M = B B^H, S = U^H M U and R = M U - U S, the best rank-r approximation
    keeps at most ||R||_F^2 / (lambda_min(S) - tail) more than U does, where
    tail = ||B||_F^2 - tr S bounds the largest eigenvalue of M off the span of U: for r = 1 this
    asks for sigma^2 > ||B||_F^2 / 2. It is brought down to rounding, so that the span itself, not
    only what it keeps, hardly depends on how it was found.
    """
    xp = array_namespace(blocks)
    eps = float(xp.finfo(blocks.dtype).eps)
    left, right = _pivoted_columns(blocks, norm2, rank)
    captured = xp.sum(abs2(right), axis=(1, 2))
    residual2 = _residual2(blocks, left, right, norm2, captured)
    exact = residual2 <= (8 * eps) ** 2 * blocks.shape[2] * norm2
    hopeful = captured > 0.4 * norm2
    if bool(xp.all(exact | ~hopeful)):
        return left, right, residual2, exact
    for _ in range(POWER_STEPS):
        image = blocks @ adjoint(right)  # M U: (n_blocks, p, rank)
        gram = right @ adjoint(right)  # S
        image_off = image - left @ gram
        tail = norm2 - captured
        gap = _smallest_eigenvalue(gram) - tail
        excess = xp.sum(abs2(image_off), axis=(1, 2)) / xp.where(gap > 0, gap, xp.ones_like(gap))
        certified = (gap > 0) & (excess <= (16 * eps) ** 2 * norm2)
        left = thin_qr(image)[0]
        right = adjoint(left) @ blocks
        captured = xp.sum(abs2(right), axis=(1, 2))
        if bool(xp.all(certified | exact | ~hopeful)):
            break
    # a power step never lowers what is captured; blocks that were exact before it still are
    residual2 = _residual2(blocks, left, right, norm2, captured)
    return left, right, residual2, certified | exact


def _gram_route(blocks: Any, norm2: Any, rank: int) -> tuple[Any, Any, Any, Any]:
    """Leading eigenvectors of the Gram matrix of the shorter side."""
    xp = array_namespace(blocks)
    _, p, q = blocks.shape
    if p <= q:
        left = xp.linalg.eigh(blocks @ adjoint(blocks))[1][:, :, -rank:]
    else:
        span = xp.linalg.eigh(adjoint(blocks) @ blocks)[1][:, :, -rank:]
        left = thin_qr(blocks @ span)[0]
    right = adjoint(left) @ blocks
    residual2 = norm2 - xp.sum(abs2(right), axis=(1, 2))
    return left, right, residual2, residual2 >= GRAM_TAIL * norm2


def _svd_route(blocks: Any, norm2: Any, rank: int) -> tuple[Any, Any, Any, Any]:
    xp = array_namespace(blocks)
    u, s, vh = xp.linalg.svd(blocks, full_matrices=False)
    # noise in place of zero singular values would survive as columns of its own
    noise = 50 * float(xp.finfo(blocks.dtype).eps) * s[:, :1]
    kept = xp.astype(s[:, :rank] > noise, s.dtype)
    left = u[:, :, :rank] * xp.astype(kept, blocks.dtype)[:, None, :]
    right = xp.astype(s[:, :rank] * kept, blocks.dtype)[:, :, None] * vh[:, :rank, :]
    return left, right, xp.sum(s[:, rank:] ** 2, axis=1), xp.ones_like(norm2, dtype=xp.bool)


def _pivoted_columns(blocks: Any, norm2: Any, rank: int) -> tuple[Any, Any]:
    """Orthonormal basis of `rank` columns, the largest remainder first, and its coefficients."""
    xp = array_namespace(blocks)
    eps = float(xp.finfo(blocks.dtype).eps)
    n_blocks, p, q = blocks.shape
    column2 = xp.sum(abs2(blocks), axis=1)
    entries = xp.reshape(blocks, (-1,))
    # flat index of the first entry of each row; take_along_axis is newer than some libraries
    first = xp.reshape(q * xp.arange(n_blocks * p, device=device(blocks)), (n_blocks, p))
    basis: list[Any] = []
    coefficients: list[Any] = []
    for _ in range(rank):
        pivot = xp.argmax(column2, axis=1)[:, None]
        column = xp.reshape(xp.take(entries, xp.reshape(first + pivot, (-1,))), (n_blocks, p, 1))
        if basis:
            so_far = xp.concat(basis, axis=2)
            for _ in range(2):  # twice is enough (Kahan, Parlett)
                column = column - so_far @ (adjoint(so_far) @ column)
        size2 = xp.sum(abs2(column), axis=1, keepdims=True)
        # below rounding: the block has smaller rank, and noise must not become a column
        real = size2 > (50 * eps) ** 2 * norm2[:, None, None]
        inverse = xp.where(
            real, 1 / xp.sqrt(xp.where(real, size2, xp.ones_like(size2))), xp.zeros_like(size2)
        )
        column = column * xp.astype(inverse, blocks.dtype)
        row = adjoint(column) @ blocks
        column2 = column2 - abs2(row)[:, 0, :]
        basis.append(column)
        coefficients.append(row)
    return xp.concat(basis, axis=2), xp.concat(coefficients, axis=1)


def _whole_blocks(blocks: Any, rank: int) -> tuple[Any, Any, Any]:
    """A factorization without loss: rank is at least the shorter side."""
    xp = array_namespace(blocks)
    n_blocks, p, q = blocks.shape
    where = device(blocks)
    if p <= q:
        eye = xp.eye(p, dtype=blocks.dtype, device=where)
        left, right = xp.broadcast_to(eye, (n_blocks, p, p)), blocks
    else:
        left, right = xp.linalg.qr(blocks)
    pad = rank - min(p, q)
    left = xp.concat([left, xp.zeros((n_blocks, p, pad), dtype=blocks.dtype, device=where)], axis=2)
    right = xp.concat(
        [right, xp.zeros((n_blocks, pad, q), dtype=blocks.dtype, device=where)], axis=1
    )
    return left, right, xp.zeros_like(xp.sum(abs2(blocks), axis=(1, 2)))


def _residual2(blocks: Any, left: Any, right: Any, norm2: Any, captured: Any) -> Any:
    """||block - left @ right||_F^2, by subtraction where that keeps 12 digits."""
    xp = array_namespace(blocks)
    by_subtraction = norm2 - captured
    small = xp.nonzero(by_subtraction < GRAM_TAIL * norm2)[0]
    if small.shape[0] == 0:
        return by_subtraction
    if small.shape[0] == blocks.shape[0]:
        return xp.sum(abs2(blocks - left @ right), axis=(1, 2))
    part = xp.take(blocks, small, axis=0) - xp.take(left, small, axis=0) @ xp.take(
        right, small, axis=0
    )
    large = xp.nonzero(by_subtraction >= GRAM_TAIL * norm2)[0]
    both = xp.concat([xp.sum(abs2(part), axis=(1, 2)), xp.take(by_subtraction, large, axis=0)])
    return xp.take(both, xp.argsort(xp.concat([small, large])), axis=0)


def _smallest_eigenvalue(gram: Any) -> Any:
    xp = array_namespace(gram)
    if gram.shape[-1] == 1:
        return (
            xp.real(gram[:, 0, 0]) if xp.isdtype(gram.dtype, "complex floating") else gram[:, 0, 0]
        )
    return xp.linalg.eigvalsh(gram)[:, 0]


def _smallest_safe_norm(xp: Any, x: Any) -> float:
    """Squared norms between this and its inverse lose nothing to under- or overflow."""
    info = xp.finfo(x.dtype)
    return float(info.smallest_normal) / float(info.eps) ** 4


def _power_of_two(xp: Any, largest: Any) -> Any:
    """Powers of two near the given magnitudes, 1 for zero."""
    positive = largest > 0
    exponent = xp.floor(xp.log2(xp.where(positive, largest, xp.ones_like(largest))))
    # 2**-1074 itself cannot be divided by without overflow: stop at the smallest normal number
    lowest = math.log2(float(xp.finfo(largest.dtype).smallest_normal))
    return xp.full_like(exponent, 2.0) ** limited(exponent, low=lowest)
