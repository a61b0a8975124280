"""An operator for the compiled loops: which factors they run through, and when they apply.

They take Kronecker-sparse factors of NumPy arrays, with selections at either end.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from skfact._inputs import is_numpy
from skfact._kernels.apply.program import (
    Program,
    lane_cost,
    lane_program,
    loops,
    multiply_lanes,
    multiply_tiles,
    tile_cost,
    tile_program,
    vectors_per_row,
)
from skfact.operators._fuse import SELECTION, cheapest_partition, fuse_runs, is_safe, pattern_of
from skfact.supports import KroneckerSparse

FILLED = 3  # a tile is worth it from a third of its vectors on


def in_dtype(operator: Any, dtype: Any) -> tuple[Any, ...]:
    """The factors of an operator, converted once."""
    return operator._cached(
        ("factors", dtype), lambda: tuple(factor.astype(dtype) for factor in operator.factors)
    )


def fused_safely(operator: Any, dtype: Any, runs: tuple[tuple[int, int], ...]) -> tuple[Any, ...]:
    """The runs of factors multiplied out, once; the factors themselves if that might overflow."""
    factors = in_dtype(operator, dtype)
    fused = operator._cached(("runs", dtype, runs), lambda: tuple(fuse_runs(factors, runs)))
    return fused if all(is_safe(factor) for factor in fused) else factors


def compiled_factors(
    operator: Any, dtype: Any, pattern_cost: Callable[[Any, Any], float]
) -> tuple[Any, ...]:
    """The factors in `dtype` as the loops are fastest with them; () where the loops do not apply.

    Parameters
    ----------
    operator : FactorizedOperator
        Of any array library.
    dtype : dtype
        What is computed in.
    pattern_cost : callable
        `tile_cost` or `lane_cost`.
    """
    if loops() is None or not is_numpy(operator._xp):
        return ()

    def cost(pattern: Any) -> float:
        # a selection costs little, but the fewer the better
        return pattern_cost(pattern, dtype) if isinstance(pattern, KroneckerSparse) else 1.0

    kinds = [pattern_of(factor) for factor in operator.factors]
    numerical = [i for i, kind in enumerate(kinds) if kind != SELECTION]
    if not numerical or not all(
        isinstance(kind, KroneckerSparse) for kind in kinds[numerical[0] : numerical[-1] + 1]
    ):
        return ()
    runs = cheapest_partition(in_dtype(operator, dtype), cost)
    factors = fused_safely(operator, dtype, runs) if runs else ()
    return factors if all(cost(pattern_of(factor)) < math.inf for factor in factors) else ()


def program(operator: Any, dtype: Any, layout: str) -> Program | None:
    """The operator laid out in "tiles" or "lanes", once; None where the loops do not apply."""
    key = layout, dtype
    found = operator._cache.get(key, operator)
    if found is operator:
        found = operator._cache[key] = _make_program(operator, dtype, layout)
    return found


def _make_program(operator: Any, dtype: Any, layout: str) -> Program | None:
    factors = compiled_factors(operator, dtype, tile_cost if layout == "tiles" else lane_cost)
    pairs = [
        (tuple(factor.pattern), factor.values) for factor in factors if factor.dtype is not None
    ]
    if not pairs:
        return None
    first = next(i for i, factor in enumerate(factors) if factor.dtype is not None)
    last = first + len(pairs)
    result, source = (
        fuse_runs(factors, [run])[0]._host if run[0] < run[1] else None
        for run in ((0, first), (last, len(factors)))
    )
    n_out, n_in = operator.shape
    make = tile_program if layout == "tiles" else lane_program
    return make(pairs, n_in, n_out, source, result)


def compiled_product(operator: Any, X: np.ndarray, *, rows: bool) -> np.ndarray | None:
    """Images of the rows of X, C-ordered if `rows` says so, else F-ordered.

    None where the loops do not apply, or would mostly multiply what fills up a tile.
    """
    tiles, lanes = (program(operator, X.dtype, layout) for layout in ("tiles", "lanes"))
    samples = vectors_per_row(X.dtype)
    if tiles is None or (lanes is None and FILLED * len(X) < samples):
        return None
    if not X.flags.aligned or not (X.flags.c_contiguous or X.flags.f_contiguous):
        X = X.copy()
    padded = -(-len(X) // samples) * samples
    if lanes is not None and len(X) * lanes.seconds < padded * tiles.seconds:
        Y = multiply_lanes(lanes, np.ascontiguousarray(X))
        return Y if rows or len(X) == 1 else np.asfortranarray(Y)
    return multiply_tiles(tiles, X, rows=rows)
