"""What is known of the structure of a matrix, for each budget of numbers, and how it is said."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from skfact._tables import html_table
from skfact.butterfly._permutations import hint_of_orders
from skfact.butterfly._structure.nodes import nodes_of
from skfact.butterfly._structure.sums import WORTH
from skfact.supports import Chain

# Ratios of the error to that of noise, read off the gap between matrices that have a fast algorithm
# and weights that were learned: measured on 34 matrices, not proved.
STRUCTURE, BETTER = 0.55, 0.9
SHUFFLED = "no better than for the same entries shuffled"
GOOD, FAIR = 0.1, 0.3  # relative errors: to be used, to be used after a check
# What low rank and entries, fitted in turns, leave of noise less than each of them alone: .887 of
# it at half of the numbers, .97 at a quarter. Measured for 64 to 500 rows, up to .06 off.
TURNS = 0.45
REVERSED = {
    None: "",
    "rows": ", rows digit-reversed",
    "columns": ", columns digit-reversed",
    "both": ", rows and columns digit-reversed",
}


@dataclass(frozen=True, eq=False)
class StructureOption:
    """One way to approximate a matrix, with the error that it was found to have.

    Parameters
    ----------
    kind : {"product", "low rank", "low rank + sparse", "dense"}
        What it is.
    description : str
        The same in more words.
    numbers : int
        How many it takes: of an entry of a sparse matrix the value and the place.
    error : float
        Relative error in the Frobenius norm.
    arguments : mapping
        What to pass to :func:`butterfly_factorize` for it.

    See Also
    --------
    structure_report : Makes them.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.butterfly import butterfly_factorize, structure_report
    >>> F = np.fft.fft(np.eye(16))
    >>> best = structure_report(F, max_density=0.6).best.option
    >>> butterfly_factorize(F, **best.arguments).nnz == best.numbers
    True
    """

    kind: str
    description: str
    numbers: int
    error: float
    arguments: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class StructureRow:
    """What fits a matrix best within a budget of numbers.

    Parameters
    ----------
    budget : int
        The most numbers.
    share : float
        The budget as a share of the entries of the matrix.
    product : StructureOption
        The best product of factors, low rank among them.
    low_rank : StructureOption or None
        The best of low rank; None if not even rank one is so small.
    low_rank_sparse : StructureOption or None
        Low rank and entries beside it; None if both do not fit.
    noise_error : float
        What products with so many numbers leave of a Gaussian matrix of this shape.
    noise_entries_error : float
        What the largest entries of one leave with so many numbers, places included.
    half_at : int or None
        The fewest numbers that are known to reach half the error, of another row or of low rank;
        None if none is.
    rounding : float
        Relative errors up to this are those of rounding: called exact.
    tol : float or None
        The relative error that was asked for.
    shuffled_error : float or None
        What the best option of this kind leaves of the same entries in another order, at random.
        Known where they are far from those of noise, a few large or their mean not zero, and the
        option looks better than noise; None elsewhere.

    See Also
    --------
    structure_report : Makes them.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.butterfly import structure_report
    >>> row = structure_report(np.fft.fft(np.eye(64)), max_density=0.2).rows[0]
    >>> row.option.kind, row.option.error < 1e-12, row.verdict
    ('product', True, 'exact')
    """

    budget: int
    share: float
    product: StructureOption
    low_rank: StructureOption | None
    low_rank_sparse: StructureOption | None
    noise_error: float
    noise_entries_error: float
    half_at: int | None
    rounding: float = 1e-13
    tol: float | None = None
    shuffled_error: float | None = None

    @property
    def option(self) -> StructureOption:
        """The best one: a product, unless entries, with or without low rank, miss 5 % less.

        Of those that are near enough, exact or within `tol`, the one with the fewest numbers.
        """
        both = self.low_rank_sparse
        if both is None:
            return self.product
        enough = [
            option
            for option in (self.product, both)
            if option.error <= max(self.rounding, self.tol or 0.0)
        ]
        if enough:
            return min(enough, key=lambda option: option.numbers)
        return both if both.error < WORTH * self.product.error else self.product

    @property
    def noise_level(self) -> float:
        """What is left of noise by what is like the best option."""
        if self.option.kind == "low rank + sparse":
            turns = 1 - TURNS * self.share**2
            return turns * min(self.noise_error, self.noise_entries_error)
        return self.noise_error

    @property
    def verdict(self) -> str:
        """What the error says, compared to that of noise."""
        error = self.option.error
        if self.option.kind == "dense":
            return "dense"
        if error <= self.rounding:
            return "exact"
        if self.shuffled_error is not None and error > BETTER * self.shuffled_error:
            return SHUFFLED
        level = min(self.noise_level, self.shuffled_error or math.inf)
        ratio = error / level if level > 0 else 1.0
        if ratio <= STRUCTURE:
            return "structure found"
        if ratio <= BETTER:
            return "a little better than noise"
        return "no structure of this class found"

    def __str__(self) -> str:
        option, at = self.option, f"{100 * self.share:.3g} % of the numbers"
        if option.error <= self.rounding:
            return (
                f"{at}: {option.description}: exact, with {option.numbers} numbers{self._counted}."
            )
        beside = []
        if self.low_rank is not None and option.kind != "low rank":
            beside.append(f"low rank: {self.low_rank.error:.2g}")
        if option.kind == "low rank + sparse":
            beside.append(f"best product: {self.product.error:.2g}")
        beside.append(f"noise of this shape: {self.noise_level:.2g}")
        if self.shuffled_error is not None:
            beside.append(f"the same entries shuffled: {self.shuffled_error:.2g}")
        text = (
            f"{at}: {option.description}: relative error {option.error:.2g} with {option.numbers} "
            f"numbers{self._counted} ({'; '.join(beside)}). {self.verdict.capitalize()}."
        )
        if self.half_at is not None:
            text += f" Half the error with {self.half_at} numbers."
        return text

    @property
    def _counted(self) -> str:
        """How entries are counted."""
        return ", an entry and its place as two" if self.option.kind == "low rank + sparse" else ""


@dataclass(frozen=True, eq=False)
class StructureReport:
    """Which structure fits a matrix, for some budgets of numbers.

    Printed, it says what fits best in each budget and what to make of it. In a notebook it is a
    table.

    Parameters
    ----------
    shape : (int, int)
        Shape of the matrix.
    tol : float or None
        Relative error that was asked for.
    rows : tuple of StructureRow
        What fits best in each budget, which grow.
    n_inputs : int or None
        How many inputs all errors are about: those of the outputs. None for errors of entries.

    See Also
    --------
    structure_report : Makes it from a matrix.
    skfact.inspection.StructureDisplay : Draws it.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.butterfly import structure_report
    >>> report = structure_report(np.outer(np.arange(64.0), np.ones(48)))
    >>> report.best.option.kind, report.best.option.numbers, report.best.verdict
    ('low rank', 112, 'exact')
    """

    shape: tuple[int, int]
    tol: float | None
    rows: tuple[StructureRow, ...]
    n_inputs: int | None = None

    @property
    def best(self) -> StructureRow | None:
        """The row to take; None says to keep the matrix dense.

        The smallest one with a relative error of at most `tol`, or .1 without it; otherwise the
        last one whose error is at most .9 of that of noise, and a product clearly better than for
        the same entries shuffled.
        """
        enough = GOOD if self.tol is None else self.tol
        saving = [row for row in self.rows if row.option.kind != "dense"]
        for row in saving:
            if row.option.error <= max(enough, row.rounding):
                return row
        # a few large entries are of use wherever they are
        better = [
            row
            for row in saving
            if row.option.error <= BETTER * row.noise_level
            and (row.verdict != SHUFFLED or row.option.kind == "low rank + sparse")
        ]
        return better[-1] if better and self.tol is None else None

    @property
    def advice(self) -> str:
        """What to do, in a sentence or two."""
        best = self.best
        if best is None and self.tol is not None:
            return f"No structure with fewer numbers reaches tol={self.tol:.3g}: keep it dense."
        if best is None:
            beside = " with a few entries" if self.n_inputs is None else ", even on these inputs"
            return (
                "The matrix is not in the class of products of sparse factors, nor of low rank"
                f"{beside}, in this order: keep it dense.{hint_of_orders(self.shape)}"
            )
        option = best.option
        if option.error <= best.rounding:
            return f"Exact with {option.numbers} numbers: take {option.description}."
        if self.tol is not None:
            return f"Take {option.description}: the fewest numbers found for tol={self.tol:.3g}."
        if option.error <= GOOD:
            last = self.rows[-1].option
            closer = ""
            if last.error < option.error / 2 and last.kind != "dense":
                words = last.description[:1].upper() + last.description[1:]
                closer = f" {words}, with {last.numbers}, misses {last.error:.2g}."
            return (
                f"Take {option.description}, with {option.numbers} numbers: the first row with an "
                f"error of at most {GOOD}.{closer}"
            )
        if self.n_inputs is not None:
            return (
                f"Outputs miss {option.error:.2g}: keep the matrix dense unless what they are for "
                f"bears that; then take {option.description}."
            )
        if option.error <= FAIR:
            return f"Take {option.description}, after a check of what it does to your data."
        return (
            f"A relative error of {option.error:.2g} is too large to use without a look at data, "
            "which structure_report(A, inputs=X) takes: keep the matrix dense unless its outputs "
            "miss less."
        )

    @property
    def _about(self) -> str:
        """Of what the errors are."""
        if self.n_inputs is None:
            return ""
        return f", errors of its outputs for {self.n_inputs} inputs"

    def __str__(self) -> str:
        m, n = self.shape
        lines = [
            f"Structure of a {m} x {n} matrix of {m * n} entries{self._about}",
            *map(str, self.rows),
        ]
        return "\n".join([*lines, self.advice])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        head = (
            *("budget", "best", "numbers", "error", "product", "low rank", "low rank + entries"),
            *("noise", "half the error with", "verdict"),
        )
        cells = [
            (
                f"{100 * row.share:.3g} %",
                row.option.description,
                f"{row.option.numbers}",
                f"{row.option.error:.2g}",
                f"{row.product.error:.2g}",
                "" if row.low_rank is None else f"{row.low_rank.error:.2g}",
                "" if row.low_rank_sparse is None else f"{row.low_rank_sparse.error:.2g}",
                f"{row.noise_level:.2g}",
                "" if row.half_at is None else f"{row.half_at}",
                row.verdict,
            )
            for row in self.rows
        ]
        m, n = self.shape
        caption = f"Structure of a {m} x {n} matrix{self._about}. {self.advice}"
        return html_table(caption, head, cells)


def described(chain: Chain, permutation: str | None) -> str:
    """A chain by its blocks and ranks."""
    m, n = chain.shape
    if len(chain) == 1:
        return "the dense matrix"
    blocks = [f"blocks of {m // Q} x {n // P} of rank {r}" for Q, P, r in nodes_of(chain)]
    if len(chain) == 2:
        Q, P, r = nodes_of(chain)[0]
        if Q == P == 1:
            return f"rank {r}"
        return f"two factors, {blocks[0]}{REVERSED[permutation]}"
    return f"{len(chain)} factors, {', '.join(blocks)}{REVERSED[permutation]}"
