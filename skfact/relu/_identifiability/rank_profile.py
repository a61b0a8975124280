"""The rank of the first columns of a tall matrix, and of more and more of them, in one sweep."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from scipy.linalg import lapack

COLUMNS_AT_ONCE = 128
# From so many columns on, and twice as many rows, rows are mixed before they are factored.
COLUMNS_TO_SKETCH = 2000
ROWS_MIXED, ROWS_REACHED = 64, 512
POWER_STEPS = 30


@dataclass(frozen=True)
class RankProfile:
    """Ranks of leading columns, and what they rest on.

    With r the rank of all columns: at least r singular values are `smallest_kept` or more, as
    inverse iteration finds it, and all others at most `largest_dropped`. Both are relative to the
    largest singular value.
    """

    ranks: list[int]  # of the columns of the first group, of the first two, ...
    smallest_kept: float
    largest_dropped: float


def compressed(blocks: Iterable[np.ndarray], n_rows: int, n_columns: int) -> np.ndarray:
    """A triangle whose leading columns have the ranks that those of all rows have.

    Many rows are mixed to few first: see `sketch`. Otherwise singular values stay, too.
    """
    if is_sketched(n_rows, n_columns):
        blocks = [sketch(blocks, n_columns)]
    return triangle(blocks, n_columns)


def is_sketched(n_rows: int, n_columns: int) -> bool:
    """Whether mixing rows saves time."""
    return n_columns >= COLUMNS_TO_SKETCH and n_rows > 2 * n_columns


def sketch(blocks: Iterable[np.ndarray], n_columns: int) -> np.ndarray:
    """S A for a random S with a few more rows than A has columns.

    Each 64 rows enter 512 random rows of S A, with normal factors. The rank of columns of S A is
    never larger than that of A. It is as large with probability one, if independent rows of A can
    be assigned to different rows of S that they enter: determinants of S are polynomials of its
    entries, and do not vanish where each of these rows enters its own one. By Hall's theorem they
    can, if any k groups of 64 reach min(64 k, n_columns) rows. Of N rows they leave
    N (1 - 512 / N)^k on average, and for all choices of k the probability of more than the 5 % to
    spare is far below rounding.
    """
    n = n_columns + n_columns // 20
    found, random = np.zeros((n, n_columns)), np.random.default_rng(0)
    for block in blocks:
        for start in range(0, len(block), ROWS_MIXED):
            rows = block[start : start + ROWS_MIXED]
            reached = random.choice(n, ROWS_REACHED, replace=False)
            found[reached] += random.standard_normal((ROWS_REACHED, len(rows))) @ rows
    return found


def triangle(blocks: Iterable[np.ndarray], n_columns: int) -> np.ndarray:
    """R of a QR factorization, (k, n_columns), of rows that come in blocks: k <= n_columns.

    It has the singular values of all rows. No more than it and a block is held; blocks are used up.
    """
    R = np.zeros((0, n_columns), order="F")
    for block in blocks:
        R = _with_rows(R, block)
    return R


def _with_rows(R: np.ndarray, block: np.ndarray) -> np.ndarray:
    block = np.asfortranarray(block)
    n = R.shape[1]
    if len(R) + len(block) <= n or len(R) < n:
        both = np.asfortranarray(np.vstack([R, block]))
        return np.asfortranarray(scipy.linalg.qr(both, mode="r", overwrite_a=True)[0][:n])
    # the triangle stays where it is
    size = min(COLUMNS_AT_ONCE, n)
    return lapack.dtpqrt(0, size, R, block, overwrite_a=True, overwrite_b=True)[0]


def rank_profile(R: np.ndarray, groups: Sequence[int], tol: float) -> RankProfile:
    """Ranks of the columns of the first group, of the first two, ...; groups have so many columns.

    R is overwritten. Columns are taken some at a time: what earlier ones do not span is rotated on
    both sides until it is diagonal, and counts where it exceeds `tol` times the largest singular
    value. In the end there is a triangle T of all that counted, in rotated rows and columns, and a
    remainder E of columns. By interlacing the r-th singular value is at least the smallest one of
    T, and the next one at most the norm of E. Where T is nearly singular although its diagonal is
    not, its small singular values decide.
    """
    largest = _largest_singular_value(R)
    cutoff = tol * largest
    kept: list[int] = []
    ranks: list[int] = []
    rank, dropped, end = 0, 0.0, 0
    for group in groups:
        start, end = end, end + group
        for low in range(start, end, COLUMNS_AT_ONCE):
            high = min(low + COLUMNS_AT_ONCE, end)
            values = _diagonalize(R, rank, low, high)
            n_kept = int((values > cutoff).sum())
            kept += range(low, low + n_kept)
            dropped += float((values[n_kept:] ** 2).sum())
            rank += n_kept
        ranks.append(rank)
    if not rank:
        return RankProfile(ranks, 0.0, 0.0)
    values = _small_singular_values(R[:rank, np.array(kept)], cutoff)
    small = values[values <= cutoff]
    ranks = [min(r, rank - len(small)) for r in ranks]
    dropped += float((small**2).sum())
    return RankProfile(ranks, float(values[len(small)]) / largest, dropped**0.5 / largest)


def _diagonalize(R: np.ndarray, top: int, low: int, high: int) -> np.ndarray:
    """Rotate the rows from `top` on, and columns low to high, until these are diagonal there.

    What of these rows reaches the columns comes before row `high`, since R was triangular. Returns
    the diagonal, in descending order.
    """
    bottom = min(high, len(R))
    if bottom <= top:
        return np.zeros(0)
    block = R[top:bottom, low:high]
    height = min(block.shape)
    if len(block) > block.shape[1]:
        (reflectors, tau), block = scipy.linalg.qr(block, mode="raw")
        rest = R[top:bottom, high:]
        if rest.size:
            work = max(1, rest.shape[1]) * 64
            R[top:bottom, high:] = lapack.dormqr("L", "T", reflectors, tau, rest, work)[0]
        block = block[:height]
    left, values, right = scipy.linalg.svd(block, lapack_driver="gesvd")
    R[top : top + height, high:] = left.T @ R[top : top + height, high:]
    R[:top, low:high] = R[:top, low:high] @ right.T
    R[top:bottom, low:high] = 0.0
    np.fill_diagonal(R[top : top + height, low : low + height], values)
    return values


def _largest_singular_value(R: np.ndarray) -> float:
    """By power iteration: from below, to a percent or so."""
    size = 0.0
    x = np.random.default_rng(0).standard_normal((R.shape[1],))
    for _ in range(POWER_STEPS):
        if not x.any():
            return 0.0
        image = R @ (x / np.linalg.norm(x))
        size, x = float(np.linalg.norm(image)), R.T @ image
    return size


def _small_singular_values(T: np.ndarray, cutoff: float) -> np.ndarray:
    """Those of a triangle up to `cutoff`, and one more at least: ascending, each from above.

    By inverse iteration with as many vectors as it takes. The diagonal of T has no zeros, and
    exceeds `cutoff` somewhere.
    """
    n_vectors = 1
    while True:
        X = np.random.default_rng(0).standard_normal((len(T), min(n_vectors, len(T))))
        for _ in range(POWER_STEPS // 3):
            X = scipy.linalg.qr(X, mode="economic", check_finite=False)[0]
            Y = scipy.linalg.solve_triangular(T, X, trans="T", check_finite=False)
            Y = scipy.linalg.qr(Y, mode="economic", check_finite=False)[0]
            X = scipy.linalg.solve_triangular(T, Y, check_finite=False)
        values = 1.0 / scipy.linalg.svdvals(X)  # T X has orthonormal columns
        if values[-1] > cutoff or n_vectors >= len(T):
            return values
        n_vectors *= 16
