"""Loops over chains, compiled where numba is there."""

from __future__ import annotations

import numpy as np

from skfact._kernels._jit import compiled
from skfact._kernels.chains import generic
from skfact._kernels.chains.generic import Places


def cheapest(
    places: Places, first: np.ndarray, ranks: np.ndarray, left: np.ndarray, prices: np.ndarray
) -> np.ndarray:
    """The cheapest paths for some prices; see `generic.cheapest`."""
    loops = compiled("skfact._kernels.chains.numba")
    if loops is None:
        return generic.cheapest(places, first, ranks, left, prices)
    paths = np.full((*prices.shape, places.longest()), -1)
    loops.cheapest(places.Q, places.P, places.shape, first, ranks, left, prices, paths)
    return paths


def best_pairs(
    places: Places,
    squares: np.ndarray,
    most: np.ndarray,
    ranks: np.ndarray,
    budget: int,
    count: int,
) -> tuple[np.ndarray, np.ndarray]:
    """The best chains of three factors; see `generic.best_pairs`."""
    loops = compiled("skfact._kernels.chains.numba")
    if loops is None:
        return generic.best_pairs(places, squares, most, ranks, budget, count)
    found, chosen = np.full((2, len(squares), count, 2), -1)
    least = np.full((len(squares), count), np.inf)
    loops.best_pairs(*places, squares, most, ranks, budget, found, chosen, least)
    return found, chosen


def fit_ranks(
    places: Places,
    squares: np.ndarray,
    which: np.ndarray,
    paths: np.ndarray,
    ranks: np.ndarray,
    limits: np.ndarray,
) -> None:
    """Ranks that meet the budget; see `generic.fit_ranks`."""
    loops = compiled("skfact._kernels.chains.numba")
    if loops is None:
        generic.fit_ranks(places, squares, which, paths, ranks, limits)
    else:
        loops.fit_ranks(*places, squares, which, paths, ranks, limits)
