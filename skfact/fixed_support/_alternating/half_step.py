"""One factor by least squares, the other one given: half a sweep of alternating minimization.

With X given, column j of Y is a least-squares problem of its own in the components K that it may
use: G y = b with G = (X^H X)[K, K] and b = (X^H A)[K, j]. Columns with equal K share the matrix,
systems of equal size are solved as a batch, and X^H A is formed only where Y may be non-zero, class
by class: the work is that of the non-zeros. Where the classes hold so many entries that one dense
product is cheaper, X^H A is formed everywhere and read where Y may be non-zero.

The new y is the old one plus (G + D)^-1 (b - G y), with D some rounding errors of the diagonal of
G: the exact minimizer where G is regular, no move along directions that G does not see, and for
every G a loss that does not increase (a proximal step).

G squares the condition number c of X[:, K]. That is why y is corrected and not replaced: each sweep
is a step of iterative refinement, whose accuracy is that of the gradient b - G y. Up to c of about
eps^-1/2 the residual is then larger than the least one by some c rounding errors of ||A||, as after
an orthogonal factorization of X[:, K], at k^3 multiplications for each K and not m k^2. Beyond, D
slows the steps along the directions that G hardly sees.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, log
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse

from skfact._backend import array_namespace, device, move
from skfact._inputs import is_numpy
from skfact._linalg import abs2, adjoint, is_complex
from skfact.fixed_support._alternating.weighted_grams import CHUNK, weighted_grams
from skfact.fixed_support._supports.rank_one import RankOneSupport
from skfact.fixed_support._supports.runs import (
    equal_runs,
    grouped,
    run_of,
    run_of_place,
    run_places,
    with_values,
)
from skfact.fixed_support._tractable.flat_factor import collected, dense_factor, sources
from skfact.fixed_support._tractable.grids import Batch, gather

# Blocks of A are copied once for all sweeps if they take at most this many copies of A.
KEPT_COPIES = 2
# Time for an entry of such a block, and of one gathered anew, in those of a dense product.
KEPT, GATHERED = 15, 100
# Up to this many components the Gram matrix of a factor is a dense array.
DENSE_GRAM = 3000
# Supports whose sides differ by less than this factor share a batch, padded to the largest.
PADDING = 1.3


class Correlations(NamedTuple):
    """Classes of about equal size: where their blocks are, and their values."""

    blocks: Batch  # rows and columns padded to one size
    given: np.ndarray  # (n_blocks, p, a): places; beyond a shorter support that of a zero
    solved: np.ndarray  # (n_blocks, p, b)


class Systems(NamedTuple):
    """Columns with equal supports K: groups of k components and about as many columns."""

    components: np.ndarray  # (n_groups, k)
    columns: np.ndarray  # (n_groups, c)
    unknowns: np.ndarray  # (n_groups, k, c): places; beyond fewer columns that of a zero


class SparseVector(NamedTuple):
    """The non-zeros of a vector, and where they are; past its end there is a zero."""

    places: np.ndarray  # ascending
    values: np.ndarray

    @classmethod
    def flat(cls, matrix: scipy.sparse.csr_array) -> SparseVector:
        """A matrix, row after row."""
        matrix.sort_indices()
        end = np.zeros(1, dtype=matrix.dtype)
        last = np.iinfo(np.int64).max
        return cls(np.append(entries(matrix), last), np.append(matrix.data, end))

    def at(self, places: np.ndarray) -> np.ndarray:
        """Values at places of any shape."""
        where = np.searchsorted(self.places, places)
        return np.where(self.places[where] == places, self.values[where], 0)


class HalfStep:
    """Least squares for the factor `solved`, with the factor `given` on its left.

    `given` (m, r) and `solved` (r, n) are masks, `classes` their distinct rank-one supports, and
    `alpha` is a ridge penalty. `weights` (m, n) are in the dtype of the target, None is ones; A are
    the entries of the target times their weights.
    """

    def __init__(
        self,
        A: Any,
        given: scipy.sparse.csc_array,
        solved: scipy.sparse.csr_array,
        classes: Sequence[RankOneSupport],
        alpha: float,
        weights: Any = None,
    ) -> None:
        self.A, self.given, self.solved, self.alpha = A, given, solved, alpha
        self.weights = weights
        self._xp, self._device = array_namespace(A), device(A)
        self._batches = correlations(classes, given, solved)
        self._given_places = [self._move(batch.given) for batch in self._batches]
        self._from_batches = self._move(sources([b.solved for b in self._batches], solved.nnz))
        size = sum(b.given.shape[0] * b.given.shape[2] * b.solved.shape[2] for b in self._batches)
        self._keep = size <= KEPT_COPIES * A.shape[0] * A.shape[1]
        multiplications = given.shape[1] * A.shape[0] * A.shape[1]
        self._dense = multiplications < size * (KEPT if self._keep else GATHERED)
        self._entries = self._move(entries(solved)) if self._dense else None
        self._blocks: dict[int, list[tuple[slice, Any]]] = {}
        self._systems = systems(solved, batched=weights is None)
        self._unknowns = [self._move(group.unknowns) for group in self._systems]
        self._from_systems = self._move(sources([g.unknowns for g in self._systems], solved.nnz))
        self._in_gram = [self._move(self._pairs(group.components)) for group in self._systems]
        holders = [batch.blocks.components for batch in self._batches]
        self._from_norms = self._move(sources(holders, given.shape[1]))
        self._component_of_place = self._move(run_of_place(given))

    def __call__(self, x: Any, y: Any) -> tuple[Any, float]:
        """The solved factor, and the part of the loss that depends on it.

        Both factors are flat vectors. The part is
        ``-2 Re<y, b> + <y, G y> + alpha ||y||^2``: with ||A||^2 and the penalty of x, the loss.
        """
        b, y = self._with_zero(self.correlate(x)), self._with_zero(y)
        given = self._with_zero(x)
        gram = self._gram(x) if self.weights is None else None
        solved: list[Any] = []
        value: Any = 0.0
        for group, where, pairs in zip(self._systems, self._unknowns, self._in_gram, strict=True):
            target, old = b[where], y[where]  # (n_groups, k, c)
            if gram is None:
                new, part = self._solve_weighted(given, group, target, old)
            else:
                new, part = self._solve(gram(pairs), target, old)
            value += part
            solved.append(new)
        return collected(solved, self._from_systems, y), float(value)  # one wait for a device

    def correlate(self, x: Any) -> Any:
        """X^H A where Y may be non-zero, as a flat vector."""
        xp, found = self._xp, []
        if self._dense:
            everywhere = adjoint(dense_factor(self.given, x)) @ self.A  # (r, n)
            return xp.reshape(everywhere, (-1,))[self._entries]
        given = self._with_zero(xp.conj(x) if is_complex(x) else x)
        for number, (batch, where) in enumerate(zip(self._batches, self._given_places)):
            values = given[where]  # (n_blocks, p, a)
            found += [values[part, :, :] @ rest for part, rest in self._blocks_of(number, batch)]
        return collected(found, self._from_batches, x)

    def component_norms(self, x: Any) -> Any:
        """Norm of each component of the given factor: (r,), real."""
        xp, given = self._xp, self._with_zero(x)
        norms = [xp.sqrt(xp.sum(abs2(given[where]), axis=2)) for where in self._given_places]
        return collected(norms, self._from_norms, xp.real(x) if is_complex(x) else x)

    def scale_components(self, x: Any, scale: Any) -> Any:
        """The given factor with component k times scale[k]."""
        xp = self._xp
        return x * xp.astype(xp.take(scale, self._component_of_place), x.dtype)

    def _blocks_of(self, number: int, batch: Correlations) -> Any:
        if number in self._blocks:
            return self._blocks[number]
        found = gather(self.A, batch.blocks)
        if self._keep:
            self._blocks[number] = list(found)
            return self._blocks[number]
        return found

    def _gram(self, x: Any) -> Callable[[Any], Any]:
        """How to read X^H X at places of the flat matrix.

        For many components, in NumPy, its non-zeros alone are stored.
        """
        xp, r = self._xp, self.given.shape[1]
        sparse_enough = self.given.nnz < 0.1 * self.given.shape[0] * r
        if is_numpy(xp) and (sparse_enough or r > DENSE_GRAM):
            matrix = with_values(self.given, x)
            gram = matrix.conj().T @ matrix
            if r > DENSE_GRAM:
                return SparseVector.flat(gram.tocsr()).at
            return gram.toarray().reshape(-1).__getitem__
        dense = dense_factor(self.given, x)
        return xp.reshape(adjoint(dense) @ dense, (-1,)).__getitem__

    def _solve(self, gram: Any, target: Any, old: Any) -> tuple[Any, Any]:
        """The proximal step for (n, k, k) systems with (n, k, c) right-hand sides.

        With M the Gram matrix and the penalty, (M + D) step = b - M old gives M new = b - D step,
        and so the value <new, M new - 2 b> without another product.
        """
        xp, k = self._xp, gram.shape[-1]
        eye = xp.eye(k, dtype=gram.dtype, device=self._device)
        diagonal = xp.linalg.diagonal(gram)[..., None]  # (n, k, 1)
        rounding = 8 * k * float(xp.finfo(gram.dtype).eps) * diagonal
        smallest = float(xp.finfo(gram.dtype).smallest_normal)
        if self.alpha < smallest:
            unseen = (xp.real(diagonal) if is_complex(gram) else diagonal) < smallest
            rounding = rounding + xp.astype(unseen, eye.dtype)
        rest = target - gram @ old
        if self.alpha:
            rest = rest - self.alpha * old
        step = xp.linalg.solve(gram + (rounding + self.alpha) * eye, rest)
        new = old + step
        inner = (xp.conj(new) if is_complex(new) else new) * (target + rounding * step)
        value = xp.sum(xp.real(inner) if is_complex(inner) else inner)
        return new, -xp.astype(value, xp.float64)

    def _solve_weighted(self, given: Any, group: Systems, target: Any, old: Any) -> tuple[Any, Any]:
        """The same where each column has its own weights: (1, k, c) right-hand sides."""
        xp = self._xp
        X, rows = self._rows_of(given, group.components[0])
        weights = self.weights
        if len(rows) < weights.shape[0]:
            weights = xp.take(weights, self._move(rows), axis=0)
        columns, step = group.columns[0], max(1, CHUNK // X.shape[1] ** 2)
        parts: list[Any] = []
        value: Any = 0.0
        for start in range(0, len(columns), step):
            stop = min(start + step, len(columns))
            if len(columns) == weights.shape[1]:  # no copy
                seen = weights[:, start:stop]
            else:
                seen = xp.take(weights, self._move(columns[start:stop]), axis=1)
            rhs, before = (
                xp.matrix_transpose(part[0, :, start:stop])[:, :, None] for part in (target, old)
            )
            new, part_value = self._solve(weighted_grams(X, seen), rhs, before)
            parts.append(new[:, :, 0])
            value += part_value
        return xp.matrix_transpose(xp.concat(parts, axis=0))[None, :, :], value

    def _rows_of(self, given: Any, components: np.ndarray) -> tuple[Any, np.ndarray]:
        """Some components of the given factor in the rows that they reach, and these rows."""
        supports = [run_of(self.given, k) for k in components.tolist()]
        rows = np.unique(np.concatenate(supports))
        places = np.full((len(rows), len(components)), self.given.nnz)
        for q, (k, own) in enumerate(zip(components.tolist(), supports)):
            places[np.searchsorted(rows, own), q] = self.given.indptr[k] + np.arange(len(own))
        return given[self._move(places)], rows

    def _pairs(self, components: np.ndarray) -> np.ndarray:
        """Places of G[K, K] in the flat Gram matrix: (n_groups, k, k)."""
        if self.weights is not None:
            return np.empty(0, dtype=np.int64)
        wide = components.astype(np.int64)
        return wide[:, :, None] * self.given.shape[1] + wide[:, None, :]

    def _with_zero(self, x: Any) -> Any:
        xp = self._xp
        return xp.concat([x, xp.zeros((1,), dtype=x.dtype, device=self._device)])

    def _move(self, index: np.ndarray) -> Any:
        return move(np.ascontiguousarray(index), self._xp, self._device)


def entries(matrix: scipy.sparse.csr_array) -> np.ndarray:
    """Where each value is in the flat dense matrix: (nnz,)."""
    return run_of_place(matrix) * matrix.shape[1] + matrix.indices


def correlations(
    classes: Sequence[RankOneSupport],
    given: scipy.sparse.csc_array,
    solved: scipy.sparse.csr_array,
) -> list[Correlations]:
    """Classes in batches of about equal size, padded."""

    def bucket(size: int) -> int:
        return ceil(log(size) / log(PADDING))

    kinds: dict[tuple[int, int, int], list[RankOneSupport]] = {}
    for s in classes:
        key = (s.multiplicity, bucket(s.shape[0]), bucket(s.shape[1]))
        kinds.setdefault(key, []).append(s)
    found = []
    for batch in kinds.values():
        a, b = (max(s.shape[axis] for s in batch) for axis in (0, 1))
        blocks = Batch(
            padded([s.rows for s in batch], a),
            padded([s.columns for s in batch], b),
            np.stack([s.components for s in batch]),
        )
        k = blocks.components
        found.append(Correlations(blocks, run_places(given, k, a), run_places(solved, k, b)))
    return found


def padded(indices: Sequence[np.ndarray], size: int) -> np.ndarray:
    """Arrays of indices as (n, size); the last index of a shorter one is repeated."""
    return np.stack([np.pad(index, (0, size - len(index)), mode="edge") for index in indices])


def systems(solved: scipy.sparse.csr_array, batched: bool) -> list[Systems]:
    """Columns by equal supports, and these groups in batches of equal size."""
    by_column = solved.tocsc()
    by_column.sort_indices()
    kinds: dict[tuple[int, int], list[np.ndarray]] = {}
    for number, columns in enumerate(grouped(equal_runs(by_column))):
        size = int(by_column.indptr[columns[0] + 1] - by_column.indptr[columns[0]])
        if size:
            key = (size, len(columns).bit_length()) if batched else (size, -number)
            kinds.setdefault(key, []).append(columns)
    # place of every entry, in the order of the columns
    places = with_values(solved, np.arange(solved.nnz)).tocsc()
    places.sort_indices()
    found = []
    for (k, _), groups in kinds.items():
        c = max(map(len, groups))
        firsts = by_column.indptr[[columns[0] for columns in groups]]
        components = by_column.indices[firsts[:, None] + np.arange(k)]  # (n_groups, k)
        unknowns = np.full((len(groups), k, c), solved.nnz, dtype=np.int64)
        for g, columns in enumerate(groups):
            run = places.indptr[columns].astype(np.int64) + np.arange(k)[:, None]
            unknowns[g, :, : len(columns)] = places.data[run]
        found.append(Systems(components, padded(groups, c), unknowns))
    return found
