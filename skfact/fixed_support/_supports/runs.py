"""Runs of a compressed mask: the columns of a CSC mask, the rows of a CSR mask.

A factor on that support is the vector of its values, run after run; an index of it is a *place*.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np


def run_of(mask: Any, k: int) -> np.ndarray:
    """Indices of run k."""
    return mask.indices[mask.indptr[k] : mask.indptr[k + 1]].astype(np.int64)


def run_of_place(mask: Any) -> np.ndarray:
    """Run to which each place belongs: (nnz,)."""
    return np.repeat(np.arange(len(mask.indptr) - 1), np.diff(mask.indptr))


def run_places(mask: Any, runs: np.ndarray, size: int) -> np.ndarray:
    """Places of whole runs, (..., size); beyond a shorter run the place after the last one."""
    starts, stops = (mask.indptr[k].astype(np.int64)[..., None] for k in (runs, runs + 1))
    found = starts + np.arange(size)
    return np.where(found < stops, found, mask.nnz)


def places_of(mask: Any, runs: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Places of some indices, ascending, that are in all of the runs: (n_runs, n_indices)."""
    return np.stack(
        [mask.indptr[k] + np.searchsorted(run_of(mask, k), indices) for k in runs.tolist()]
    )


def with_values(mask: Any, values: np.ndarray) -> Any:
    """The sparse array with these values at the places of the mask."""
    return type(mask)((values, mask.indices, mask.indptr), shape=mask.shape)


def equal_runs(mask: Any) -> np.ndarray:
    """Label of each run; equal ones share one.

    The bytes of the sorted indices are the keys: exact, and no larger than the mask.
    """
    seen: dict[bytes, int] = {}
    raw, borders = mask.indices.tobytes(), mask.indptr.astype(np.int64) * mask.indices.itemsize
    labels = [
        seen.setdefault(raw[start:stop], len(seen)) for start, stop in pairwise(borders.tolist())
    ]
    return np.array(labels, dtype=np.int64)


def grouped(labels: np.ndarray) -> list[np.ndarray]:
    """Positions of equal labels, ascending, the groups in order of their first positions."""
    order = np.argsort(labels, kind="stable")
    borders = np.flatnonzero(np.diff(labels[order])) + 1
    return sorted(np.split(order, borders), key=lambda group: int(group[0]))
