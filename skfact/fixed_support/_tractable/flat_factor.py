"""A factor as the vector of its values, run after run of its mask.

That is component after component, each in the order of its support: the data of the CSC mask of the
left factor, of the CSR mask of the right one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from skfact._backend import array_namespace, device, move, move_like, to_numpy
from skfact._inputs import is_numpy
from skfact._linalg import is_complex
from skfact.fixed_support._supports.runs import run_of_place, run_places, with_values
from skfact.fixed_support._tractable.report import SupportReport


class FlatFactor:
    """Collects values of a factor by their places, then makes the vector of all of them."""

    def __init__(self, mask: Any) -> None:
        self.mask = mask
        self._places: list[np.ndarray] = []
        self._values: list[Any] = []

    def put(self, places: np.ndarray, values: Any) -> None:
        """Set `places` to `values`, arrays of one shape; each place at most once."""
        self._places.append(places)
        self._values.append(values)

    def vector(self, like: Any) -> Any:
        """All values, zero where none was put, in the namespace, dtype and device of `like`."""
        return collected(self._values, sources(self._places, self.mask.nnz), like)


def sources(parts: Sequence[np.ndarray], size: int) -> np.ndarray:
    """Where in the concatenated parts each place stands; at the end if in none of them."""
    filled = np.concatenate([part.ravel() for part in parts]) if parts else np.empty(0, np.int64)
    source = np.full(size + 1, len(filled), dtype=np.int64)
    source[filled] = np.arange(len(filled))
    return source[:-1]


def collected(parts: Sequence[Any], source: Any, like: Any, beyond: float = 0.0) -> Any:
    """Values by their places from parts in any order, by the `sources` of these."""
    xp, where = array_namespace(like), device(like)
    flat = [xp.reshape(part, (-1,)) for part in parts]
    last = xp.full((1,), beyond, dtype=like.dtype, device=where)
    return xp.take(xp.concat([*flat, last]), move(source, xp, where))


def with_fixed_phases(x: Any, y: Any, report: SupportReport) -> tuple[Any, Any]:
    """The same product, the largest entry of each row of the right factor positive.

    Without it signs would depend on the library that computes.
    """
    xp, right = array_namespace(y), report.right_support
    phases, holders = [], []
    for batch in report.class_batches:
        places = move_like(run_places(right, batch.components, batch.columns.shape[1]), y)
        largest = xp.argmax(xp.abs(y[places]), axis=2)
        leading = y[places[:, :, 0] + largest]  # (n_blocks, p)
        size = xp.abs(leading)
        one = xp.ones_like(leading)
        phase = leading / xp.where(size > 0, xp.astype(size, y.dtype), one)
        phases.append(xp.where(size > 0, phase, one))
        holders.append(batch.components)
    phase = collected(phases, sources(holders, report.n_components), y, beyond=1.0)
    of_x, of_y = (
        xp.take(phase, move_like(run_of_place(mask), y)) for mask in (report.left_support, right)
    )
    return x * of_x, y * (xp.conj(of_y) if is_complex(y) else of_y)


def by_energy(x: Any, y: Any, report: SupportReport) -> tuple[Any, Any, np.ndarray]:
    """The same product, the components of each class by the norm of their part of it, descending.

    Also gives the new place of each component (r,).
    """
    place = np.arange(report.n_components)
    groups = [batch.components for batch in report.class_batches if batch.components.shape[1] > 1]
    if not groups:
        return x, y, place
    masks, sizes = (report.left_support, report.right_support), np.ones(report.n_components)
    for mask, values in zip(masks, (x, y), strict=True):
        magnitudes = np.abs(to_numpy(values)).astype(float)
        sizes *= np.sqrt(np.bincount(run_of_place(mask), magnitudes**2, report.n_components))
    source = place.copy()
    for components in groups:
        order = np.argsort(-sizes[components], axis=1, kind="stable")
        source[components] = np.take_along_axis(components, order, axis=1)
    place[source] = np.arange(report.n_components)
    if (source == np.arange(len(source))).all():
        return x, y, place
    found = []
    for mask, values in zip(masks, (x, y), strict=True):
        starts = mask.indptr.astype(np.int64)
        shift = np.repeat(starts[source] - starts[:-1], np.diff(starts))
        found.append(array_namespace(x).take(values, move_like(np.arange(mask.nnz) + shift, x)))
    return found[0], found[1], place


def dense_factor(mask: Any, vector: Any) -> Any:
    """The factor as a dense matrix, from its mask and the vector of its values."""
    if is_numpy(array_namespace(vector)):
        return with_values(mask, vector).toarray()
    # the other libraries cannot write at indices: they read by an index of all entries
    places = np.full(mask.shape, mask.nnz, dtype=np.int64)
    runs = run_of_place(mask)
    where = (mask.indices, runs) if mask.format == "csc" else (runs, mask.indices)
    places[where] = np.arange(mask.nnz)
    return array_namespace(vector).reshape(collected([vector], places.ravel(), vector), mask.shape)


def factor_product(left: Any, x: Any, right: Any, y: Any) -> Any:
    """The dense product of two factors given by their masks and vectors.

    SciPy multiplies sparse ones with as many operations as there are non-zeros to combine.
    """
    if is_numpy(array_namespace(x)):
        combined = float(np.diff(left.indptr).astype(float) @ np.diff(right.indptr))
        m, r, n = left.shape[0], left.shape[1], right.shape[1]
        if combined < 0.05 * m * r * n:
            return (with_values(left, x).tocsr() @ with_values(right, y)).toarray()
    return dense_factor(left, x) @ dense_factor(right, y)
