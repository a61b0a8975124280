"""Structures of a matrix are looked for, factored and compared, for some budgets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, partial
from types import MappingProxyType
from typing import Any

import numpy as np

from skfact._backend import detached, to_numpy
from skfact._checks import check_choice, check_matrix
from skfact._exponents import binary_exponent, times_power_of_two
from skfact._linalg import is_complex
from skfact.butterfly._factorize import (
    Factorization,
    Options,
    factor_plan,
    factorize,
    low_rank_within,
)
from skfact.butterfly._output import (
    Inputs,
    OutputSearch,
    Seen,
    both_ways,
    closest,
    least_output_error,
)
from skfact.butterfly._plans import fixed_plan
from skfact.butterfly._rank_search import auto_budget, check_bounds, check_inputs
from skfact.butterfly._report.report import (
    StructureOption,
    StructureReport,
    StructureRow,
    described,
)
from skfact.butterfly._structure.choice import fewest_numbers, least_error
from skfact.butterfly._structure.noise import (
    is_far_from_noise,
    noise_entries_error,
    noise_error,
    shuffled,
)
from skfact.butterfly._structure.search import Structure, StructureSearch
from skfact.butterfly._structure.sums import PER_ENTRY, splits_of_budget
from skfact.butterfly._sum import entries_within
from skfact.supports import Chain

DENSITIES = 0.0625, 0.125, 0.25, 0.5
UNTOLD = 1e-6  # relative errors that Gram matrices do not tell from zero


def structure_report(
    A: Any,
    *,
    max_density: float | None = None,
    tol: float | None = None,
    effort: str = "normal",
    inputs: Any = None,
) -> StructureReport:
    """Which structure fits a matrix: products of sparse factors, low rank, or low rank and entries.

    For each budget the most promising chain is looked for, as with ``supports="auto"``, and
    factored: errors are those of factorizations, not promises. Beside it stands what low rank
    misses with as many numbers, low rank with a few entries (or entries alone), and what is left of
    noise: of a Gaussian matrix of this shape, by the Marchenko-Pastur law of singular values, or
    for entries by the law of its largest ones. An entry counts as two numbers: it has a place.
    Entries with heavy tails, or whose mean is not zero, are closer to low rank or to a few of them
    than Gaussian ones, wherever they stand: what looks better than noise is then compared with what
    is left of the same entries shuffled (once, at random), too.

    Parameters
    ----------
    A : array-like of shape (n_out, n_in)
        Real or complex matrix, from any array library; computed on NumPy.
    max_density : float, default=None
        The one budget to look at, as a share of the entries; None takes 6.25, 12.5, 25 and 50 %.
    tol : float, default=None
        Look for the fewest numbers with at most this relative error, instead.
    effort : {"normal", "high"}, default="normal"
        "high" looks at all blocks of all nodes and factors three chains of each budget: some ten
        times slower.
    inputs : array-like of shape (n_samples, n_in), default=None
        Samples x of what is multiplied by the matrix: all errors are then those of the outputs A x,
        and what is compared, low rank among it, is weighted by the samples, as with `inputs` in
        :func:`butterfly_factorize`. Noise is a Gaussian matrix, or the same entries shuffled where
        these are far from Gaussian, fitted to the same inputs. Only chains of two factors are
        weighted before they are chosen; low rank with entries is fitted to the matrix itself.
        Subtract the mean where the matrix will be applied to centred samples.

    Returns
    -------
    report : StructureReport
        Printed, sentences. The verdicts "structure found", "a little better than noise" and "no
        structure of this class found" stand for an error of at most .55, at most .9 and more than
        .9 of that of noise: limits that were measured on 34 matrices, not proved. "no better than
        for the same entries shuffled" stands for more than .9 of that.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If `A` is not a finite matrix, or another argument has a wrong value; if `tol` comes with
        `inputs`.

    See Also
    --------
    butterfly_factorize : With ``supports="auto"`` it takes what is best.
    complementary_ranks : Ranks of all blocks.
    skfact.inspection.StructureDisplay : The picture of a report.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.butterfly import structure_report
    >>> print(structure_report(np.fft.fft(np.eye(16)), max_density=0.5))
    Structure of a 16 x 16 matrix of 256 entries
    50 % of the numbers: two factors, blocks of 4 x 4 of rank 1, columns digit-reversed: exact, \
with 128 numbers.
    Exact with 128 numbers: take two factors, blocks of 4 x 4 of rank 1, columns digit-reversed.
    """
    check_choice(effort, "effort", ("normal", "high"))
    check_bounds("auto", None, tol, max_density)
    A = to_numpy(detached(check_matrix(A, "A")))
    A = times_power_of_two(A, -binary_exponent(A))
    m, n = A.shape
    look: _Look
    if inputs is None:
        look = _Look(A, thorough=effort == "high")
    else:
        check_inputs("auto", tol)
        look = _LookOnInputs(A, inputs, thorough=effort == "high")
    if tol is not None:
        rows = [look.row_within(float(tol))]
    else:
        densities = DENSITIES if max_density is None else (max_density,)
        budgets = sorted({auto_budget(density, A.shape) for density in _possible(densities, A)})
        rows = [look.row(budget) for budget in budgets]
    rows = [look.with_half(row, rows[i + 1 :]) for i, row in enumerate(rows)]
    return StructureReport((m, n), None if tol is None else float(tol), tuple(rows), look.n_inputs)


def _possible(densities: Sequence[float], A: np.ndarray) -> list[float]:
    """Those at which rank one fits; all of them if only one was asked for."""
    if len(densities) == 1:
        return list(densities)
    least = min(1.0, sum(A.shape) / A.size)
    return [density for density in densities if density >= least] or [1.0]


class _Look:
    """What has been found out about a matrix of ordinary magnitude."""

    n_inputs: int | None = None  # on which errors count

    def __init__(self, A: np.ndarray, *, thorough: bool) -> None:
        self.A, self.size = A, math.prod(A.shape)
        self.search: Any = StructureSearch(A, self.size - 1, thorough=thorough)
        self.exact = 100 * float(np.finfo(A.dtype).eps)
        self.rounding = 10 * math.sqrt(max(A.shape)) * float(np.finfo(A.dtype).eps)

    def row(self, budget: int) -> StructureRow:
        """What fits best in a budget."""
        return self._row(budget, least_error(self.search, budget, self._factor, self.exact))

    def row_within(self, tol: float) -> StructureRow:
        """The fewest numbers that reach a tolerance."""
        found = fewest_numbers(self.search, tol, self._factor, self.exact)
        low_rank = partial(low_rank_within, options=Options())
        total = entries_within(self.A, 0, max(tol, self.exact), found, low_rank)
        if total is not found:
            found = least_error(self.search, total.numbers, self._factor, self.exact)
        return replace(self._row(total.numbers, found), tol=tol)

    def with_half(self, row: StructureRow, following: Sequence[StructureRow]) -> StructureRow:
        """The row, and the fewest numbers known to reach half its error."""
        half = row.option.error / 2
        if row.option.error <= row.rounding or row.option.kind == "dense":
            return row
        known = [other.option.numbers for other in following if other.option.error <= half]
        errors = self._low_rank_errors()
        rank = int(np.argmax(errors <= half))
        if errors[rank] <= half:
            known.append(rank * sum(self.A.shape))
        numbers = min(known, default=self.size)
        return replace(row, half_at=numbers if numbers < self.size else None)

    def _low_rank_errors(self) -> np.ndarray:
        """Relative errors of rank 0, 1, .."""
        errors: np.ndarray = self.search.low_rank_errors
        return errors

    def _row(self, budget: int, found: Factorization) -> StructureRow:
        row = StructureRow(
            budget=budget,
            share=budget / self.size,
            product=self._option(found),
            low_rank=self._low_rank(budget),
            low_rank_sparse=self._low_rank_sparse(budget),
            noise_error=self._noise(budget),
            noise_entries_error=noise_entries_error(
                budget / PER_ENTRY / self.size, is_complex=is_complex(self.A)
            ),
            half_at=None,
            rounding=self.rounding,
        )
        looks_better = row.verdict in ("structure found", "a little better than noise")
        error = self._shuffled_error(row) if looks_better else None
        return replace(row, shuffled_error=error)

    @cached_property
    def is_far_from_noise(self) -> bool:
        """Whether noise says too little of what such entries leave."""
        return is_far_from_noise(self.A)

    def _shuffled_error(self, row: StructureRow) -> float | None:
        """What the best option of the same kind leaves of the same entries in another order."""
        if not self.is_far_from_noise:
            return None
        entries = None
        if row.option.kind == "low rank + sparse":
            entries = self._in_another_order._low_rank_sparse(row.budget)
        return self._shuffled_product_error(row.budget) if entries is None else entries.error

    def _shuffled_product_error(self, budget: int) -> float | None:
        look = self._in_another_order
        return least_error(look.search, budget, look._factor, self.exact).relative_error

    @cached_property
    def _in_another_order(self) -> _Look:
        return self._like(shuffled(self.A))

    def _like(self, A: np.ndarray) -> _Look:
        """A look at another matrix in place of this one."""
        return _Look(A, thorough=False)

    def _factor(self, structure: Structure) -> Factorization:
        return factorize(self.A, structure.chain, permutation=structure.permutation)

    def _option(self, found: Factorization) -> StructureOption:
        chain, permutation = found.chain, found.plan.permutation
        words = described(chain, permutation)
        kind = "dense" if len(chain) == 1 else "product"
        if words.startswith("rank"):
            kind = "low rank"
        arguments: dict[str, Any] = {"supports": chain, "permutation": permutation}
        return StructureOption(
            kind, words, found.numbers, found.relative_error, MappingProxyType(arguments)
        )

    def _low_rank(self, budget: int) -> StructureOption | None:
        structure = self.search.low_rank(budget)
        if structure is None:
            return None
        error = structure.estimate
        if error <= UNTOLD:  # Gram matrices do not tell
            error = self._factor(structure).relative_error
        rank = structure.chain.ranks[0]
        arguments = MappingProxyType({"supports": "low-rank", "rank": rank})
        return StructureOption("low rank", f"rank {rank}", structure.chain.nnz, error, arguments)

    def _low_rank_sparse(self, budget: int) -> StructureOption | None:
        if not splits_of_budget(budget, sum(self.A.shape)):
            return None
        arguments: dict[str, Any] = {
            "supports": "low-rank+sparse",
            "max_density": budget / self.size,
        }
        found = self._judged(factorize(self.A, **arguments))
        entries = f"{found.n_entries} entries ({100 * found.n_entries / self.size:.2g} %)"
        if len(getattr(found.unit, "terms", ())) > 1:
            entries = f"rank {max(found.chain.ranks)} and {entries}"
        return StructureOption(
            "low rank + sparse",
            entries,
            found.numbers,
            found.relative_error,
            MappingProxyType(arguments),
        )

    def _judged(self, found: Factorization) -> Factorization:
        return found

    def _noise(self, budget: int) -> float:
        return noise_error(self.A.shape, budget)


class _LookOnInputs(_Look):
    """The same where errors are those of the outputs for some inputs."""

    def __init__(self, A: np.ndarray, X: Any, *, thorough: bool) -> None:
        super().__init__(A, thorough=thorough)
        self.plain, self.X = self.search, X
        self.inputs = Inputs(to_numpy(detached(check_matrix(X, "inputs"))), A)
        self.n_inputs = len(X)
        self.search = OutputSearch(A, self.inputs)
        noise = np.random.default_rng(0).normal(size=(2, *A.shape))
        noise = (noise[0] + 1j * noise[1] if is_complex(A) else noise[0]).astype(A.dtype)
        self.of_noise = OutputSearch(shuffled(A) if self.is_far_from_noise else noise, self.inputs)

    def row(self, budget: int) -> StructureRow:
        found = least_output_error(self.search, self.plain, budget, factor_plan)
        return self._row(budget, found)

    def _option(self, found: Factorization) -> StructureOption:
        return self._with_inputs(super()._option(found))

    def _with_inputs(self, option: StructureOption) -> StructureOption:
        return replace(option, arguments=MappingProxyType({**option.arguments, "inputs": self.X}))

    def _low_rank(self, budget: int) -> StructureOption | None:
        m, n = self.A.shape
        rank = min(budget // (m + n), m, n)
        if rank == 0:
            return None
        chain = Chain.low_rank(m, n, rank)
        found = closest(
            list(both_ways(self.A, self.inputs, fixed_plan(chain, None), chain, factor_plan))
        )
        arguments = MappingProxyType({"supports": "low-rank", "rank": rank})
        return self._with_inputs(
            StructureOption("low rank", f"rank {rank}", chain.nnz, found.relative_error, arguments)
        )

    def _judged(self, found: Factorization) -> Factorization:
        return replace(found, seen=Seen(self.inputs, self.A, self.inputs.largest))

    def _shuffled_product_error(self, budget: int) -> float | None:
        """Noise for products is the same entries shuffled already."""
        return None

    def _like(self, A: np.ndarray) -> _Look:
        return _LookOnInputs(A, self.X, thorough=False)

    def _low_rank_errors(self) -> np.ndarray:
        """Those on the inputs are not known for all ranks."""
        return np.ones(1)

    def _noise(self, budget: int) -> float:
        """What the most promising structure, or low rank, leaves of noise."""
        found = self.of_noise.best(min(budget, self.size - 1))
        if budget >= self.size or not found:
            return 0.0
        sizes = np.linalg.svdvals(self.inputs.image(self.of_noise.A))
        lost = np.linalg.norm(sizes[budget // sum(self.A.shape) :]) / (np.linalg.norm(sizes) or 1.0)
        return min(found[0].estimate, float(lost))
