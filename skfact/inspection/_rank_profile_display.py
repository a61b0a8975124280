"""The rank that each way to cut a matrix into blocks asks for, and the chain that passes them."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from skfact.butterfly import ComplementaryRanks, complementary_ranks
from skfact.butterfly._structure.nodes import nodes_of
from skfact.inspection._matplotlib import Display, check_shown, is_dark
from skfact.supports._radices import divisors

MOST = 14  # rows or columns of the table up to which the ranks are written into it


class RankProfileDisplay(Display):
    """Picture of complementary ranks: a table of cuts, shaded where few numbers would do.

    A column is a number P of classes of the columns, a row a number Q of classes of the rows. The
    number is the rank of the Q P blocks, the shade the numbers of two factors of that rank over
    those of the matrix: pale cuts save nothing. The line is the chain with the fewest numbers. Use
    :meth:`from_matrix` or :meth:`from_ranks` to create one.

    Parameters
    ----------
    ranks : ComplementaryRanks
        The ranks.

    Attributes
    ----------
    ranks : ComplementaryRanks
        The ranks.
    ax_ : matplotlib Axes
        Axes with the picture (set by `plot`).
    figure_ : matplotlib Figure
        Figure that holds the axes (set by `plot`).

    See Also
    --------
    skfact.butterfly.complementary_ranks : Finds the ranks.
    StructureDisplay : Draws what fits a matrix.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.inspection import RankProfileDisplay
    >>> display = RankProfileDisplay.from_matrix(np.fft.fft(np.eye(32)))
    >>> display.ax_.get_xlabel()
    'P, classes of columns'
    """

    def __init__(self, ranks: ComplementaryRanks) -> None:
        instead = "complementary_ranks(A), or use from_matrix"
        check_shown(ranks, ComplementaryRanks, "ranks must be ComplementaryRanks", instead)
        self.ranks = ranks

    @classmethod
    def from_ranks(cls, ranks: ComplementaryRanks, *, ax: Any = None) -> RankProfileDisplay:
        """Draw ranks that were found.

        Parameters
        ----------
        ranks : ComplementaryRanks
            The ranks.
        ax : matplotlib Axes, default=None
            Axes to draw in; None makes a figure.

        Returns
        -------
        display : RankProfileDisplay
            The drawn display.
        """
        return cls(ranks).plot(ax=ax)

    @classmethod
    def from_matrix(
        cls, A: Any, tol: float = 1e-6, *, permutation: str | None = "auto", ax: Any = None
    ) -> RankProfileDisplay:
        """Find the ranks of a matrix, and draw them.

        Parameters
        ----------
        A : array-like of shape (n_out, n_in)
            The matrix.
        tol : float, default=1e-6
            Share of the norm that all blocks of a cut may miss.
        permutation : {"auto", "columns", "rows", "both"} or None, default="auto"
            Whose digits are reversed first.
        ax : matplotlib Axes, default=None
            Axes to draw in; None makes a figure.

        Returns
        -------
        display : RankProfileDisplay
            The drawn display.
        """
        return cls.from_ranks(complementary_ranks(A, tol, permutation=permutation), ax=ax)

    def plot(self, ax: Any = None) -> RankProfileDisplay:
        """Draw the table and the chain.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in; None makes a figure.

        Returns
        -------
        display : RankProfileDisplay
            The display itself, with `ax_` and `figure_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        (m, n), found = self.ranks.shape, self.ranks
        rows = divisors(m)[:-1][::-1] or (1,)
        columns = divisors(n)[:-1] or (1,)
        side = 1.2 + 0.42 * max(len(columns), 6), 1.6 + 0.42 * max(len(rows), 4)
        self._draw_in(ax, *side)
        ax = self.ax_
        saved = np.array([[1 - self._share(Q, P) for P in columns] for Q in rows])
        dark = is_dark(ax)
        ax.imshow(saved, cmap="bone" if dark else "Blues", vmin=0.0, vmax=1.8)
        if len(rows) <= MOST and len(columns) <= MOST:
            for (i, Q), (j, P) in product(enumerate(rows), enumerate(columns)):
                text, shade = str(found.ranks.get((Q, P), "")), "white" if dark else "black"
                ax.text(j, i, text, ha="center", va="center", fontsize="x-small", color=shade)
        chain = found.chain
        if len(chain) > 1:
            at = [(columns.index(node.P), rows.index(node.Q)) for node in nodes_of(chain)]
            ax.plot(*zip(*at, strict=True), "-o", color="tab:red", markersize=16, fillstyle="none")
        ax.set_xticks(range(len(columns)), map(str, columns), fontsize="x-small")
        ax.set_yticks(range(len(rows)), map(str, rows), fontsize="x-small")
        ax.set(xlabel="P, classes of columns", ylabel="Q, classes of rows")
        counted = f"{chain.nnz:,} of {m * n:,} numbers"
        ax.set_title(counted if len(chain) > 1 else "no chain saves numbers", fontsize="medium")
        return self

    def _share(self, Q: int, P: int) -> float:
        """Numbers of two factors through a cut, over those of the matrix; one at most."""
        m, n = self.ranks.shape
        rank = self.ranks.ranks.get((Q, P), min(m, n))
        return min(1.0, rank * (m * P + n * Q) / (m * n))
