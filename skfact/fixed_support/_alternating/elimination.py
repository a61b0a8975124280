"""A start for alternating least squares by elimination: one class of components after the other.

Without pivoting, an LU decomposition takes from A what its first component has to explain alone,
the first row and column, subtracts this component, and goes on. The same works for all supports.
An entry is *owned* by a class if no other class that still waits reaches it. The class with the
largest share of owned entries is next: its components fit what is left of A on these entries, and
are subtracted.

This finds the factors where there is an LU decomposition, and for other products too where the
owned entries of each component determine it. Where A is no product, it is a start.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import scipy.sparse

from skfact._backend import array_namespace, device, move, move_like
from skfact._linalg import abs2, is_complex
from skfact.fixed_support._supports.rank_one import RankOneSupport
from skfact.fixed_support._supports.runs import with_values
from skfact.fixed_support._tractable.flat_factor import factor_product
from skfact.fixed_support._tractable.grids import block_of
from skfact.fixed_support._tractable.report import SupportReport

# Bits of the sum of the numbers of the classes that reach an entry; above them their count.
BITS = 40
# Weighted least-squares steps for a component, which starts from a row and a column.
STEPS = 3


def eliminated_start(A: Any, report: SupportReport, given: Any = None) -> Any | None:
    """Left factor by elimination, as a flat vector; None if no class owns an entry at the outset.

    Entries count by the weights `given`, in the dtype of A; None is ones.

    Components whose turn does not come, because no class owns anything any more, stay zero.
    """
    xp, where = array_namespace(A), device(A)
    left, right = report.left_support, report.right_support
    x, y = (xp.zeros((int(s.nnz) + 1,), dtype=A.dtype, device=where) for s in (left, right))
    # the places of the entries, from 1: at the others there is no number
    in_left = with_values(left, np.arange(1, left.nnz + 1)).tocsr()
    in_right = with_values(right, np.arange(1, right.nnz + 1)).tocsc()
    is_done = np.zeros(report.n_components, dtype=bool)
    for support, owned in elimination_order(report.classes, left, right):
        rest, weights = block_of(A, support.rows, support.columns), move(owned, xp, where)
        weights = xp.astype(weights, xp.real(A).dtype if is_complex(A) else A.dtype)
        if given is not None:
            seen = block_of(given, support.rows, support.columns)
            weights = weights * (xp.real(seen) if is_complex(seen) else seen)
        of_rows, of_columns = in_left[support.rows], in_right[:, support.columns]
        near = np.intersect1d(of_rows.indices, of_columns.indices)
        near = near[is_done[near]]
        if len(near):
            rest = rest - _part(x, of_rows[:, near]) @ _part(y, of_columns[near])
        for k in support.components.tolist():
            u, v = rank_one(rest, weights)
            rest = rest - u[:, None] * v[None, :]
            x[left.indptr[k] : left.indptr[k + 1]] = u
            y[right.indptr[k] : right.indptr[k + 1]] = v
            is_done[k] = True
    return x[:-1] if is_done.any() else None


def elimination_order(
    classes: Sequence[RankOneSupport], left: Any, right: Any
) -> Iterator[tuple[RankOneSupport, np.ndarray]]:
    """Classes in the order of elimination, with what they own: (a, b) truth values.

    Ends when no class that waits owns anything.
    """
    if not classes:
        return
    firsts = np.array([support.components[0] for support in classes])
    of_left, of_right = left[:, firsts], right[firsts]  # one component for each class
    numbers = np.repeat(np.arange(1.0, len(classes) + 1), np.diff(of_left.indptr))
    ones = np.ones(of_right.nnz)
    reached = factor_product(of_left, np.ones(of_left.nnz), of_right, ones).astype(np.int64) << BITS
    reached += factor_product(of_left, numbers, of_right, ones).astype(np.int64)
    sizes = np.array([support.size for support in classes])
    n_owned = _owners(reached, len(classes))
    is_waiting = np.ones(len(classes), dtype=bool)
    for _ in classes:
        t = int(np.argmax(np.where(is_waiting, n_owned / sizes, -1)))
        if not is_waiting[t] or not n_owned[t]:
            return
        is_waiting[t] = False
        rectangle = np.ix_(classes[t].rows, classes[t].columns)
        block = reached[rectangle]
        yield classes[t], block >> BITS == 1
        block -= (1 << BITS) + t + 1
        reached[rectangle] = block
        n_owned += _owners(block, len(classes))


def _owners(reached: np.ndarray, n_classes: int) -> np.ndarray:
    """How many of these entries each class owns."""
    owners = reached[reached >> BITS == 1] - (1 << BITS)
    return np.bincount(owners - 1, minlength=n_classes)


def rank_one(B: Any, weights: Any) -> tuple[Any, Any]:
    """u and v with u v^T about B where the weights are one.

    From the row and the column with the most such entries (the largest ones among equals), which
    determine u and v where B has rank one; then a few steps of least squares.
    """
    xp = array_namespace(B)
    seen = weights * B
    size = xp.abs(seen)
    largest = float(xp.max(size))
    if not largest > 0:
        return xp.zeros_like(seen[:, 0]), xp.zeros_like(seen[0, :])
    by_row = xp.sum(weights, axis=1) + xp.sum(size, axis=1) / (2 * largest * size.shape[1])
    i = int(xp.argmax(by_row))
    by_column = xp.sum(weights, axis=0) + size[i, :] / (2 * largest)
    j = int(xp.argmax(xp.where(weights[i, :] > 0, by_column, -xp.ones_like(by_column))))
    u, v = seen[:, j], seen[i, :]
    if float(size[i, j]) > float(xp.finfo(B.dtype).eps) * largest:
        u = u / seen[i, j]
    for _ in range(STEPS):
        v = _least_squares(xp.matrix_transpose(seen), xp.matrix_transpose(weights), u, v)
        u = _least_squares(seen, weights, v, u)
    norms = float(xp.linalg.vector_norm(u)), float(xp.linalg.vector_norm(v))
    scale = (norms[1] / norms[0]) ** 0.5 if min(norms) > 0 else 1.0
    return u * scale, v / scale


def _least_squares(seen: Any, weights: Any, given: Any, old: Any) -> Any:
    """The vector that fits best beside the given one; the old one where there is nothing to fit."""
    xp = array_namespace(seen)
    norm2 = weights @ abs2(given)
    one = xp.ones_like(norm2)
    fitted = seen @ (xp.conj(given) if is_complex(given) else given)
    return xp.where(norm2 > 0, fitted / xp.where(norm2 > 0, norm2, one), old)


def _part(vector: Any, numbers: scipy.sparse.sparray) -> Any:
    """Part of a factor as a dense matrix, by the places + 1; the last value is zero."""
    return vector[move_like((numbers.toarray() - 1) % vector.shape[0], vector)]
