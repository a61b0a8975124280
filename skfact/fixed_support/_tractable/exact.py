"""Closed forms for tractable supports: low-rank approximations, then complete classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from skfact._backend import array_namespace, device, move
from skfact._inputs import is_numpy
from skfact._kernels.low_rank_blocks import low_rank_blocks, split_product
from skfact._linalg import abs2
from skfact.fixed_support._supports.rank_one import RankOneSupport
from skfact.fixed_support._tractable.grids import Batch, FlatFactor, gather, product, slots
from skfact.fixed_support._tractable.report import SupportReport


def exact_factors(
    A: Any, report: SupportReport, alpha: float = 0.0, checked: bool = True
) -> tuple[Any, Any, float]:
    """Globally optimal factors of a tractable problem, as flat vectors, and the loss.

    The loss is ``||A - left @ right||_F^2 + alpha (||left||_F^2 + ||right||_F^2)``. With ``alpha``
    the singular values of each block shrink by it, since over all factorizations of M the penalty
    is at least ``2 alpha ||M||_*``; that is for the route "blockwise" only. If not `checked`,
    nobody has looked at A yet: OutOfScaleError unless it is finite and of ordinary magnitude (for
    supports that `reads_all_once`).
    """
    left, right = FlatFactor(report.left_support), FlatFactor(report.right_support)
    loss = fit_pieces(A, report.piece_batches, left, right, alpha, checked)
    if report.absorbed or sum(s.size for s in report.pieces) < report.shape[0] * report.shape[1]:
        loss += norm2_outside(A, [*report.pieces, *report.absorbed])
    if report.absorbed:
        fit_remainder(A, report, left, right)
    return left.vector(A), right.vector(A), loss


def reads_all_once(report: SupportReport) -> bool:
    """Whether the closed form is one grid of blocks that holds every entry of the matrix."""
    if report.absorbed or len(report.piece_batches) != 1:
        return False
    grid = report.piece_batches[0].grid
    return grid is not None and (grid.rows.size, grid.columns.size) == report.shape


def fit_pieces(
    A: Any,
    pieces: Sequence[Batch],
    left: FlatFactor,
    right: FlatFactor,
    alpha: float,
    checked: bool = True,
) -> float:
    """Best low-rank approximation of A on each piece; returns the loss on all of them."""
    xp = array_namespace(A)
    loss = 0.0
    for batch in pieces:
        x_slots, y_slots = batch_slots(batch, left, right)
        for part, u, rows, lost in low_rank_pieces(A, batch, checked):
            x, y, shrinking = balanced(u, rows, alpha)
            loss += lost**2 + shrinking
            left.put(x_slots[part], xp.matrix_transpose(x))
            right.put(y_slots[part], y)
    return loss


def low_rank_pieces(A: Any, batch: Batch, checked: bool) -> Iterator[tuple[slice, Any, Any, float]]:
    """Best approximations of blocks of A by `left @ right`, the left one orthonormal.

    Yields (part of the batch, left (n_blocks, a, p), right (n_blocks, p, b), norm of what is lost).
    Blocks that form a grid are read in place: that of a butterfly's halves, groups of columns.
    """
    xp = array_namespace(A)
    rank, grid = batch.components.shape[1], batch.grid
    if grid is not None:
        classes = grid.classes(rank)
        left, right, lost = split_product(grid.arranged(A, checked), classes)
        columns = grid.in_order(classes.columns_of_left(left))
        yield slice(None), columns, grid.in_order(classes.rows_of_right(right)), lost
        return
    for part, blocks in gather(A, batch):
        left, right, residual = low_rank_blocks(blocks, rank)
        yield part, left, right, float(xp.linalg.vector_norm(residual))


def batch_slots(batch: Batch, left: FlatFactor, right: FlatFactor) -> tuple[np.ndarray, np.ndarray]:
    """Slots of the left (n_blocks, p, a) and right (n_blocks, p, b) values of a batch."""
    result = []
    for factor, places in ((left, batch.rows), (right, batch.columns)):
        starts = factor.compressed.indptr[batch.components]
        lengths = factor.compressed.indptr[batch.components + 1] - starts
        if (lengths == places.shape[1]).all():  # whole supports, not pieces of them
            result.append(starts[..., None].astype(np.int64) + np.arange(places.shape[1]))
        else:
            parts = [slots(factor.compressed, k, i) for k, i in zip(batch.components, places)]
            result.append(np.stack(parts))
    return result[0], result[1]


def balanced(left: Any, right: Any, alpha: float = 0.0) -> tuple[Any, Any, float]:
    """Split ``left @ right``, left orthonormal, in halves of equal norms: (x, y, loss by alpha).

    x = U sqrt(S) and y = sqrt(S) V^H for the singular values S of the product. Those that are only
    rounding are zeroed before the square root, which would raise them to 1e-8 of the largest.
    """
    xp = array_namespace(left)
    n_blocks, p, rank = left.shape
    q = right.shape[2]
    kept = min(rank, p, q)
    eps = float(xp.finfo(right.dtype).eps)
    if kept == 1:
        s = xp.sqrt(xp.sum(abs2(right[:, :1, :]), axis=2))  # (n_blocks, 1)
        u, vh = left[:, :, :1], right[:, :1, :] / _like(xp.where(s > 0, s, 1 + 0 * s), right)
    else:
        rotation, s, vh = xp.linalg.svd(right[:, :kept, :], full_matrices=False)
        u = left[:, :, :kept] @ rotation
        s = xp.where(s > 50 * eps * s[:, :1], s, xp.zeros_like(s))
    lost = 0.0
    if alpha:
        shrunk = xp.where(s > alpha, s - alpha, xp.zeros_like(s))
        lost = float(xp.sum((s - shrunk) ** 2)) + 2 * alpha * float(xp.sum(shrunk))
        s = shrunk
    root = _like(xp.sqrt(s), right)
    x, y = u * xp.matrix_transpose(root), root * vh
    if rank > kept:
        where = device(left)
        x_pad = xp.zeros((n_blocks, p, rank - kept), dtype=x.dtype, device=where)
        y_pad = xp.zeros((n_blocks, rank - kept, q), dtype=y.dtype, device=where)
        x, y = xp.concat([x, x_pad], axis=2), xp.concat([y, y_pad], axis=1)
    return x, y, lost


def _like(s: Any, values: Any) -> Any:
    """Real (n_blocks, k) as (n_blocks, k, 1) in the dtype of the values."""
    return array_namespace(s).astype(s, values.dtype)[:, :, None]


def norm2_outside(A: Any, supports: Sequence[RankOneSupport]) -> float:
    """Squared norm of the entries of A that no support covers."""
    xp = array_namespace(A)
    covered = covered_mask(A.shape, supports)
    if covered.all():
        return 0.0
    outside = xp.where(move(~covered, xp, device(A)), A, xp.zeros_like(A))
    return float(xp.sum(abs2(outside)))


def covered_mask(shape: tuple[int, int], supports: Sequence[RankOneSupport]) -> np.ndarray:
    """Mask of the entries that some support covers."""
    covered = np.zeros(shape, dtype=bool)
    for support in supports:
        covered[support.rows[:, None], support.columns] = True
    return covered


def fit_remainder(A: Any, report: SupportReport, left: FlatFactor, right: FlatFactor) -> None:
    """Complete classes and pieces reproduce what is left of A where they answer for it.

    The last one absorbed comes first: it disturbs only entries that earlier ones answer for. Each
    takes the identity on its shorter side, and the remainder on the other.
    """
    xp = array_namespace(A)
    x, y = left.vector(A), right.vector(A)
    rest = A - product(report.left_support, x, report.right_support, y)
    shared = _SharedComponents(report)
    for t in range(len(report.absorbed) - 1, -1, -1):
        piece = report.absorbed[t]
        a, b = piece.shape
        target = xp.where(
            move(shared.answers_for(t), xp, device(A)),
            read_block(rest, piece.rows, piece.columns),
            xp.zeros((), dtype=A.dtype, device=device(A)),
        )
        side = min(a, b)
        largest = float(xp.max(xp.abs(target)))
        unit = 2.0 ** round(np.log2(largest) / 2) if largest > 0 else 1.0  # exact, and balances
        eye = unit * xp.eye(side, dtype=A.dtype, device=device(A))
        u, v = (eye, target / unit) if a <= b else (target / unit, eye)
        components = piece.components[:side]
        left.put(slots(report.left_support, components, piece.rows), xp.matrix_transpose(u))
        right.put(slots(report.right_support, components, piece.columns), v)
        rest = subtract_block(rest, piece.rows, piece.columns, u @ v)
        for rows, columns, change in shared.cross_blocks(t, components, u, v, (left, right), A):
            rest = subtract_block(rest, rows, columns, change)


class _SharedComponents:
    """Who answers for which entries, and which components lie in several pieces."""

    def __init__(self, report: SupportReport) -> None:
        self.report = report
        everyone = [*report.pieces, *report.absorbed]
        counts = np.bincount(
            np.concatenate([piece.components for piece in everyone]), minlength=report.n_components
        )
        self._shared = counts > 1
        self._owner = np.full(report.shape, -1, dtype=np.int32)
        for t in range(len(report.absorbed) - 1, -1, -1):
            piece = report.absorbed[t]
            self._owner[piece.rows[:, None], piece.columns] = t

    def answers_for(self, t: int) -> np.ndarray:
        """Mask, on the rectangle of the t-th absorbed piece, of the entries it answers for."""
        piece = self.report.absorbed[t]
        return self._owner[piece.rows[:, None], piece.columns] == t

    def cross_blocks(
        self, t: int, components: np.ndarray, u: Any, v: Any, factors: Any, A: Any
    ) -> list[tuple[np.ndarray, np.ndarray, Any]]:
        """Products of the new values with values of the same components in other pieces."""
        positions = np.flatnonzero(self._shared[components])
        if not len(positions):
            return []
        xp, piece = array_namespace(A), self.report.absorbed[t]
        left, right = factors
        x, y = left.vector(A), right.vector(A)
        changes = []
        for q in positions.tolist():
            k = int(components[q])
            whole = []
            for factor, own, vector in ((left, piece.rows, x), (right, piece.columns, y)):
                start, stop = factor.compressed.indptr[k : k + 2]
                indices = factor.compressed.indices[start:stop]
                elsewhere = np.flatnonzero(~np.isin(indices, own))
                values = xp.take(vector[int(start) : int(stop)], move(elsewhere, xp, device(A)))
                whole.append((indices[elsewhere], values))
            (rows, x_k), (columns, y_k) = whole
            changes.append((rows, piece.columns, x_k[:, None] * v[q, :][None, :]))
            changes.append((piece.rows, columns, u[:, q][:, None] * y_k[None, :]))
        return changes


def read_block(A: Any, rows: np.ndarray, columns: np.ndarray) -> Any:
    """A[rows][:, columns] for any array library."""
    xp, where = array_namespace(A), device(A)
    if is_numpy(xp):
        return A[rows[:, None], columns]
    return xp.take(xp.take(A, move(rows, xp, where), axis=0), move(columns, xp, where), axis=1)


def subtract_block(A: Any, rows: np.ndarray, columns: np.ndarray, change: Any) -> Any:
    """A with `change` subtracted from A[rows][:, columns]; may reuse the memory of A."""
    xp, where = array_namespace(A), device(A)
    if not len(rows) or not len(columns):
        return A
    if is_numpy(xp):
        A[rows[:, None], columns] -= change
        return A
    row_of = np.full(A.shape[0], len(rows))
    row_of[rows] = np.arange(len(rows))
    column_of = np.full(A.shape[1], len(columns))
    column_of[columns] = np.arange(len(columns))
    change = xp.concat([change, xp.zeros((1, len(columns)), dtype=A.dtype, device=where)], axis=0)
    change = xp.concat([change, xp.zeros((len(rows) + 1, 1), dtype=A.dtype, device=where)], axis=1)
    spread = xp.take(change, move(row_of, xp, where), axis=0)
    return A - xp.take(spread, move(column_of, xp, where), axis=1)
