"""What is known of the structure of a matrix, for each budget of numbers, and how it is said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from skfact.butterfly._structure.nodes import nodes_of
from skfact.supports import Chain

# Ratios of the error to that of noise, read off the gap between matrices that have a fast algorithm
# and weights that were learned: measured on 34 matrices, not proved.
STRUCTURE, BETTER = 0.55, 0.9
EXACT, GOOD, FAIR = 1e-6, 0.1, 0.3  # relative errors: rounding, as it is, with a check
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
        How many numbers promise half the error; None if nothing below the dense matrix does.

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

    @property
    def option(self) -> StructureOption:
        """The best one: a product, unless entries beside low rank miss 5 % less."""
        both = self.low_rank_sparse
        worth = both is not None and self.product.error > EXACT
        if both is not None and worth and both.error < 0.95 * self.product.error:
            return both
        return self.product

    @property
    def noise_level(self) -> float:
        """What is left of noise by what is like the best option."""
        if self.option.kind == "low rank + sparse":
            return min(self.noise_error, self.noise_entries_error)
        return self.noise_error

    @property
    def verdict(self) -> str:
        """What the error says, compared to that of noise."""
        error = self.option.error
        if self.option.kind == "dense":
            return "dense"
        if error <= EXACT:
            return "exact"
        ratio = error / self.noise_level if self.noise_level > 0 else 1.0
        if ratio <= STRUCTURE:
            return "structure found"
        if ratio <= BETTER:
            return "a little better than noise"
        return "no structure of this class found"

    def __str__(self) -> str:
        option, at = self.option, f"{100 * self.share:.3g} % of the numbers"
        if option.error <= EXACT:
            return f"{at}: {option.description}: exact, with {option.numbers} numbers."
        beside = []
        if self.low_rank is not None and option.kind != "low rank":
            beside.append(f"low rank: {self.low_rank.error:.2g}")
        if option.kind == "low rank + sparse":
            beside.append(f"best product: {self.product.error:.2g}")
        beside.append(f"noise of this shape: {self.noise_level:.2g}")
        text = (
            f"{at}: {option.description}: relative error {option.error:.2g} with {option.numbers} "
            f"numbers ({'; '.join(beside)}). {self.verdict.capitalize()}."
        )
        if self.half_at is not None:
            text += f" Half the error with about {self.half_at} numbers."
        return text


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
        last one whose error is at most .9 of that of noise.
        """
        enough = GOOD if self.tol is None else self.tol
        saving = [row for row in self.rows if row.option.kind != "dense"]
        for row in saving:
            if row.option.error <= max(enough, EXACT if self.tol is None else 1e-13):
                return row
        better = [row for row in saving if row.option.error <= BETTER * row.noise_level]
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
                f"{beside}: keep it dense."
            )
        option = best.option
        if option.error <= EXACT:
            return f"Exact with {option.numbers} numbers: take {option.description}."
        if option.error <= GOOD or (self.tol is not None and option.error <= self.tol):
            return f"Take {option.description}, with {option.numbers} numbers, as it is."
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
        head = ("budget", "best", "numbers", "error", "low rank", "noise", "verdict")
        cells = [
            (
                f"{100 * row.share:.3g} %",
                row.option.description,
                f"{row.option.numbers}",
                f"{row.option.error:.2g}",
                "" if row.low_rank is None else f"{row.low_rank.error:.2g}",
                f"{row.noise_level:.2g}",
                row.verdict,
            )
            for row in self.rows
        ]
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in line) + "</tr>"
            for line in cells
        )
        m, n = self.shape
        return (
            f"<table><caption>Structure of a {m} x {n} matrix{self._about}. "
            f"{escape(self.advice)}</caption>"
            f"<thead><tr>{''.join(f'<th>{name}</th>' for name in head)}</tr></thead>"
            f"<tbody>{body}</tbody></table>"
        )


def described(chain: Chain, permutation: str | None) -> str:
    """A chain by its blocks and ranks."""
    m, n = chain.shape
    if len(chain) == 1:
        return "the dense matrix"
    blocks = [f"{m // Q} x {n // P} blocks of rank {r}" for Q, P, r in nodes_of(chain)]
    if len(chain) == 2:
        Q, P, r = nodes_of(chain)[0]
        if Q == P == 1:
            return f"low rank, {r}"
        return f"two factors, {blocks[0]}{REVERSED[permutation]}"
    return f"{len(chain)} factors, {', '.join(blocks)}{REVERSED[permutation]}"
