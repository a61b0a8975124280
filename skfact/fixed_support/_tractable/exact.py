"""Closed forms for tractable supports: low-rank approximations, then complete classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from skfact._backend import array_namespace, device, move_like
from skfact._inputs import is_numpy
from skfact._kernels.low_rank_blocks import low_rank_blocks, split_product
from skfact._linalg import abs2, norm2
from skfact.fixed_support._supports.rank_one import RankOneSupport
from skfact.fixed_support._supports.runs import places_of, run_of, run_places
from skfact.fixed_support._tractable.flat_factor import (
    FlatFactor,
    collected,
    factor_product,
    sources,
)
from skfact.fixed_support._tractable.grids import Batch, block_of, gather
from skfact.fixed_support._tractable.report import SupportReport


def exact_factors(
    A: Any, report: SupportReport, alpha: float = 0.0, checked: bool = True
) -> tuple[Any, Any, float, float]:
    """Globally optimal factors of a tractable problem, as flat vectors, the loss, and ||A||_F^2.

    The loss is ``||A - left @ right||_F^2 + alpha (||left||_F^2 + ||right||_F^2)``. With ``alpha``
    the singular values of each block shrink by it, since over all factorizations of M the penalty
    is at least ``2 alpha ||M||_*``; that is for the route "blockwise" only. If not `checked`,
    nobody has looked at A yet: OutOfScaleError unless it is finite and of ordinary magnitude (for
    supports that `reads_all_once`).
    """
    left, right = FlatFactor(report.left_support), FlatFactor(report.right_support)
    loss, whole = fit_pieces(A, report.piece_batches, left, right, alpha, checked)
    if report.absorbed or sum(s.size for s in report.pieces) < report.shape[0] * report.shape[1]:
        outside = norm2_outside(A, [*report.pieces, *report.absorbed])
        loss, whole = loss + outside, whole + outside
    if report.absorbed:
        fit_remainder(A, report, left, right)
        whole = norm2(A)
    return left.vector(A), right.vector(A), loss, whole


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
) -> tuple[float, float]:
    """Best low-rank approximation of A on each piece: the loss on all of them, and ||A||_F^2."""
    xp = array_namespace(A)
    loss, whole = 0.0, 0.0
    for batch in pieces:
        x_places, y_places = batch_places(batch, left, right)
        for part, u, rows, lost in low_rank_pieces(A, batch, checked):
            x, y, shrinking = balanced(u, rows, alpha)
            loss += lost**2 + shrinking
            whole += lost**2 + norm2(rows)  # u is orthonormal
            left.put(x_places[part], xp.matrix_transpose(x))
            right.put(y_places[part], y)
    return loss, whole


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


def batch_places(
    batch: Batch, left: FlatFactor, right: FlatFactor
) -> tuple[np.ndarray, np.ndarray]:
    """Places of the left (n_blocks, p, a) and right (n_blocks, p, b) values of a batch."""
    found = []
    for mask, lines in ((left.mask, batch.rows), (right.mask, batch.columns)):
        lengths = mask.indptr[batch.components + 1] - mask.indptr[batch.components]
        if (lengths == lines.shape[1]).all():  # whole supports, not pieces of them
            found.append(run_places(mask, batch.components, lines.shape[1]))
        else:
            found.append(np.stack([places_of(mask, k, i) for k, i in zip(batch.components, lines)]))
    return found[0], found[1]


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
    outside = uncovered(A.shape, supports)
    xp = array_namespace(A)
    return norm2(xp.where(move_like(outside, A), A, xp.zeros_like(A))) if outside.any() else 0.0


def uncovered(shape: tuple[int, int], supports: Sequence[RankOneSupport]) -> np.ndarray:
    """Mask of the entries that no support covers."""
    outside = np.ones(shape, dtype=bool)
    for support in supports:
        outside[support.rows[:, None], support.columns] = False
    return outside


def fit_remainder(A: Any, report: SupportReport, left: FlatFactor, right: FlatFactor) -> None:
    """Complete classes and pieces reproduce what is left of A where they answer for it.

    The last one absorbed comes first: it disturbs only entries that earlier ones answer for. Each
    takes the identity on its shorter side, and the remainder on the other.
    """
    xp = array_namespace(A)
    x, y = left.vector(A), right.vector(A)
    rest = A - factor_product(report.left_support, x, report.right_support, y)
    shared = _SharedComponents(report)
    for t in range(len(report.absorbed) - 1, -1, -1):
        piece = report.absorbed[t]
        a, b = piece.shape
        target = xp.where(
            move_like(shared.answers_for(t), A),
            block_of(rest, piece.rows, piece.columns),
            xp.zeros((), dtype=A.dtype, device=device(A)),
        )
        side = min(a, b)
        largest = float(xp.max(xp.abs(target)))
        unit = 2.0 ** round(np.log2(largest) / 2) if largest > 0 else 1.0  # exact, and balances
        eye = unit * xp.eye(side, dtype=A.dtype, device=device(A))
        u, v = (eye, target / unit) if a <= b else (target / unit, eye)
        components = piece.components[:side]
        left.put(places_of(left.mask, components, piece.rows), xp.matrix_transpose(u))
        right.put(places_of(right.mask, components, piece.columns), v)
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
                indices = run_of(factor.mask, k)
                elsewhere = np.flatnonzero(~np.isin(indices, own))
                places = int(factor.mask.indptr[k]) + elsewhere
                whole.append((indices[elsewhere], xp.take(vector, move_like(places, A))))
            (rows, x_k), (columns, y_k) = whole
            changes.append((rows, piece.columns, x_k[:, None] * v[q, :][None, :]))
            changes.append((piece.rows, columns, u[:, q][:, None] * y_k[None, :]))
        return changes


def subtract_block(A: Any, rows: np.ndarray, columns: np.ndarray, change: Any) -> Any:
    """A with `change` subtracted from A[rows][:, columns]; may reuse the memory of A."""
    xp = array_namespace(A)
    if not len(rows) or not len(columns):
        return A
    if is_numpy(xp):  # without a copy for each piece: a staircase has one in each row
        A[rows[:, None], columns] -= change
        return A
    # the other libraries cannot write at indices: they subtract a matrix with zeros elsewhere
    places = rows[:, None] * A.shape[1] + columns
    spread = collected([change], sources([places], A.shape[0] * A.shape[1]), A)
    return A - xp.reshape(spread, A.shape)
