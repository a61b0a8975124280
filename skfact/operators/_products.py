"""Running vectors through factors: plans of fused factors, compiled loops, tiles.

Kronecker-sparse factors, with selections at either end, go through compiled loops with NumPy where
numba is installed, and through one CUDA kernel with CuPy; everything else through batched matrix
products of the array library.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np
import scipy.sparse

from skfact._inputs import dtype_name, is_numpy
from skfact._kernels import _cuda
from skfact._kernels.apply import (
    LANES,
    TILES,
    Layout,
    Program,
    cuda,
    lay_out,
    loops,
    multiply_lanes,
    multiply_tiles,
    vectors_per_row,
)
from skfact.operators._factors import SELECTION
from skfact.operators._fuse import USUAL_BATCH, cheapest_partition, fuse_runs, numpy_cost
from skfact.supports import KroneckerSparse

# Bytes of one intermediate result. Of 1/2, 1, 2 and 4 MiB this was the fastest or near it for real
# and complex products at n = 1024 and 4096, batches of 16 to 1024, on one core with 0.5 MiB of
# second-level cache: up to 27 % faster than 1/2 MiB, and 4 MiB costs up to 40 % for large batches.
TILE_BYTES = 2**21
SMALLEST_TILE = 32
LARGEST_PLAN = 8  # plans are made for batches of 1, 4, 16, ... and this power of 4
FILLED = 3  # a tile is worth it from a third of its vectors on

MISSING: Any = object()

AS_ROWS: dict[str, Callable[[Any], Any]] = {
    "columns": lambda X: X.T,
    "rows": lambda X: X,
    "vector": lambda x: x[None, :],
}

Runs = tuple[tuple[int, int], ...]
PatternCost = Callable[[Any, Any], float]  # of a pattern and a dtype


class Products:
    """Products with the factors of an operator, which are known to fit together.

    Arguments are arrays that have been checked: of the library and on the device of the factors.
    What is made on the way (converted and fused factors, programs) is kept, but not without end.
    """

    def __init__(self, factors: tuple[Any, ...], dtype: Any) -> None:
        self.factors, self.dtype = factors, dtype
        self.shape = factors[0].shape[0], factors[-1].shape[1]
        self.array, self.xp = factors[0]._array, factors[0]._namespace
        self.on_numpy, self.on_cuda = is_numpy(self.xp), _cuda.serves(self.xp)
        self._converted: dict[Any, tuple[Any, ...]] = {}
        self._fused: dict[tuple[Any, Runs], tuple[Any, ...]] = {}
        self._plans: dict[tuple[Any, int], Runs] = {}
        self._programs: dict[tuple[Any, Any], Any] = {}

    # Products

    def columns(self, X: Any) -> Any:
        """Product with the columns of an array (n_in, batch)."""
        X = self._promoted(X)
        if self.on_numpy:
            return self._images(X.T, rows=False).T
        program = self.device_program(X.dtype)
        if program is not None:
            return cuda.multiply_chain(program, X.T).T
        return self._own(multiply(self.plan(X.dtype, X.shape[1]), X))

    def rows(self, X: Any) -> Any:
        """The same for the rows of an array (batch, n_in)."""
        X = self._promoted(X)
        if self.on_numpy:
            if len(X) == 1 and self.program(X.dtype, LANES) is not None:
                return self.vector(X[0])[None]
            return self._images(X, rows=True)
        program = self.device_program(X.dtype)
        if program is not None:
            return cuda.multiply_chain(program, X)
        columns = multiply(self.plan(X.dtype, X.shape[0]), self.xp.permute_dims(X, (1, 0)))
        return self.xp.permute_dims(self._own(columns), (1, 0))

    def vector(self, x: Any) -> Any:
        """The same for one vector (n_in,)."""
        x = self._promoted(x)
        if self.on_numpy:
            lanes = self.program(x.dtype, LANES)
            if lanes is not None:
                return multiply_lanes(lanes, x if x.flags.carray else x.copy())
        program = self.device_program(x.dtype)
        if program is not None:
            return cuda.multiply_chain(program, x[None, :])[0]
        return self._own(multiply(self.plan(x.dtype, 1), x[:, None]))[:, 0]

    def add(self, form: str, X: Any, onto: Any) -> None:
        """Add "columns", "rows" or "vector" of `X` to an array of the result's dtype, in place.

        One launch for a program of CUDA, which reads and writes the array itself.
        """
        program, in_rows = self.device_program(X.dtype), AS_ROWS[form]
        if program is not None and in_rows(onto).flags.c_contiguous:
            cuda.multiply_chain(program, in_rows(X), in_rows(onto))
        else:
            onto += getattr(self, form)(X)

    def sparse_rows(self, X: Any) -> np.ndarray:
        """The same for the rows of a SciPy sparse matrix, sparse through the first factor applied.

        Only with NumPy.
        """
        first, rest = self._first_applied
        images = (scipy.sparse.csr_array(X) @ first.T).toarray()
        return images if rest is None else rest.rows(images)

    @cached_property
    def _first_applied(self) -> tuple[scipy.sparse.csr_array, Products | None]:
        """The last factor with numbers and the selections after it as one CSR; the others."""
        numerical = [i for i, factor in enumerate(self.factors) if factor.dtype is not None]
        cut = numerical[-1] if numerical else 0
        (first,) = csr_factors(self.factors[cut:], self.dtype)
        return first, Products(self.factors[:cut], self.dtype) if cut else None

    def _promoted(self, X: Any) -> Any:
        """`X` in the dtype that it has in common with the factors."""
        if X.dtype == self.dtype:
            return X
        return self.xp.astype(X, self.xp.result_type(X.dtype, self.dtype), copy=False)

    def _own(self, result: Any) -> Any:
        """A result that shares no memory with the input, as that of selections alone may do."""
        if any(factor.dtype is not None for factor in self.factors):
            return result
        return self.xp.asarray(result, copy=True)

    def _images(self, X: np.ndarray, *, rows: bool) -> np.ndarray:
        """Images of the rows of a NumPy array: C-ordered if `rows` says so, else F-ordered."""
        found = self._compiled_images(X, rows=rows)
        if found is not None:
            return found
        factors, width = self.plan(X.dtype, len(X)), self._tile_width(X.itemsize)
        if not rows and len(X) <= width:
            return self._own(multiply(factors, X.T)).T
        # tiles of the batch stay in cache
        Y = np.empty((len(X), self.shape[0]), X.dtype, order="C" if rows else "F")
        for start in range(0, len(X), width):
            tile = slice(start, start + width)
            Y[tile] = multiply(factors, X[tile].T).T
        return Y

    def _compiled_images(self, X: np.ndarray, *, rows: bool) -> np.ndarray | None:
        """None where the loops do not apply, or would mostly multiply what fills up a tile."""
        tiles, lanes = (self.program(X.dtype, layout) for layout in (TILES, LANES))
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

    # What is computed with

    def plan(self, dtype: Any, batch: int) -> tuple[Any, ...]:
        """The factors in `dtype`, fused as the cost model advises for about this batch."""
        doublings = (batch - 1).bit_length() if batch else 0
        key = dtype, min((doublings + 1) // 2, LARGEST_PLAN)
        runs = self._plans.get(key)
        if runs is None:
            size = 4 ** key[1]
            if self.on_numpy:
                size = min(size, self._tile_width(np.dtype(dtype).itemsize))
            runs = self._plans[key] = self._cheapest_runs(dtype, size)
        return self._fused_safely(dtype, runs)

    def usual_plan(self) -> tuple[Any, ...]:
        """The factors as they are fastest for a batch of usual size."""
        compiled: tuple[Any, ...] = ()
        if self.on_cuda:
            compiled = self.compiled_factors(self.dtype, cuda.cost)
        elif self._has_loops():
            compiled = self.compiled_factors(self.dtype, TILES.cost)
        return compiled or self._fused_safely(
            self.dtype, self._cheapest_runs(self.dtype, USUAL_BATCH)
        )

    def program(self, dtype: Any, layout: Layout) -> Program | None:
        """The factors laid out in tiles or in lanes; None where the loops do not apply."""
        key = dtype, layout.whole_rows
        found = self._programs.get(key, MISSING)
        if found is MISSING:
            made = None
            if self._has_loops():
                made = self._laid_out(dtype, layout.cost, partial(lay_out, layout))
            found = keep(self._programs, key, made, limit=4)
        return found

    def device_program(self, dtype: Any) -> cuda.Program | None:
        """The factors laid out for the CUDA kernel; None where it does not apply."""
        if not self.on_cuda:
            return None
        key = dtype, "cuda"
        found = self._programs.get(key, MISSING)
        if found is MISSING:
            made = self._laid_out(dtype, cuda.cost, cuda.lay_out)
            found = keep(self._programs, key, made, limit=4)
        return found

    def _has_loops(self) -> bool:
        return self.on_numpy and loops() is not None

    def compiled_factors(self, dtype: Any, cost_in: PatternCost) -> tuple[Any, ...]:
        """The factors as compiled code is fastest with them; () where it does not apply."""

        def cost(pattern: Any) -> float:
            # a selection costs little, but the fewer the better
            return cost_in(pattern, dtype) if isinstance(pattern, KroneckerSparse) else 1.0

        patterns = [factor._pattern for factor in self.factors]
        numerical = [i for i, pattern in enumerate(patterns) if pattern != SELECTION]
        if not numerical or not all(
            isinstance(pattern, KroneckerSparse)
            for pattern in patterns[numerical[0] : numerical[-1] + 1]
        ):
            return ()
        runs = cheapest_partition(self.factors, cost)
        factors = self._fused_safely(dtype, runs) if runs else ()
        return factors if all(cost(factor._pattern) < math.inf for factor in factors) else ()

    def _laid_out(self, dtype: Any, cost: PatternCost, make: Callable[..., Any]) -> Any:
        factors = self.compiled_factors(dtype, cost)
        pairs = [(factor.pattern, factor.values) for factor in factors if factor.dtype is not None]
        if not pairs:
            return None
        first = next(i for i, factor in enumerate(factors) if factor.dtype is not None)
        last = first + len(pairs)
        result, source = (
            fuse_runs(factors, [run])[0]._host if run[0] < run[1] else None
            for run in ((0, first), (last, len(factors)))
        )
        n_out, n_in = self.shape
        return make(pairs, n_in, n_out, source, result)

    def _cheapest_runs(self, dtype: Any, batch: int) -> Runs:
        return cheapest_partition(self.factors, numpy_cost(dtype, batch))

    def _in_dtype(self, dtype: Any) -> tuple[Any, ...]:
        if dtype == self.dtype:
            return self.factors
        found = self._converted.get(dtype)
        if found is None:
            converted = tuple(factor.astype(dtype) for factor in self.factors)
            found = keep(self._converted, dtype, converted, limit=2)
        return found

    def _fused_safely(self, dtype: Any, runs: Runs) -> tuple[Any, ...]:
        """The runs of factors multiplied out; the factors themselves if that might overflow."""
        found = self._fused.get((dtype, runs))
        if found is None:
            factors = self._in_dtype(dtype)
            fused = tuple(fuse_runs(factors, runs))
            safe = all(factor._is_safe() for factor in fused)
            found = keep(self._fused, (dtype, runs), fused if safe else factors, limit=8)
        return found

    def _tile_width(self, itemsize: int) -> int:
        """Number of vectors that go through all factors together with NumPy."""
        widest = max(max(factor.shape) for factor in self.factors)
        width = TILE_BYTES // (itemsize * widest) // SMALLEST_TILE * SMALLEST_TILE
        return max(SMALLEST_TILE, width)


def keep(made: dict[Any, Any], key: Any, value: Any, limit: int) -> Any:
    """The value, kept under the key; of more than `limit` values the oldest go."""
    made[key] = value
    for oldest in list(made)[:-limit]:  # several threads may be here
        made.pop(oldest, None)
    return value


def multiply(factors: Sequence[Any], X: Any) -> Any:
    """Product of the factors and the columns of `X`: the last factor comes first."""
    for factor in reversed(factors):
        X = factor.apply(X)
    return X


def csr_factors(factors: Sequence[Any], dtype: Any) -> list[scipy.sparse.csr_array]:
    """SciPy sparse matrices of the same product, one for each factor with numbers of its own.

    Selections are folded into a neighbour; nothing but selections becomes one matrix.
    """
    name, matrices = dtype_name(dtype), []
    pending = None  # product of the selections to the left of the first numerical factor
    for factor in factors:
        matrix = factor.to_csr().astype(name)
        if factor.dtype is not None:
            matrices.append(matrix if pending is None else pending @ matrix)
            pending = None
        elif matrices:
            matrices[-1] = matrices[-1] @ matrix
        else:
            pending = matrix if pending is None else pending @ matrix
    return matrices if pending is None else [pending]
