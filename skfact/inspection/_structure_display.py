"""Error against numbers: products, low rank, low rank and entries, and the level of noise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from skfact.butterfly import StructureOption, StructureReport, StructureRow, structure_report
from skfact.butterfly._report.report import FAIR
from skfact.inspection._matplotlib import Display, check_shown

DECADE = 10
LEAST = 1e-16  # errors below are drawn here
# label, colour, marker
CURVES = {
    "product": ("best product", "tab:blue", "o"),
    "low_rank": ("low rank", "tab:orange", "s"),
    "low_rank_sparse": ("low rank + entries", "tab:green", "D"),
}
NOISE = "0.55"


def _options(row: StructureRow) -> list[StructureOption]:
    """The options of a row that there are."""
    return [option for name in CURVES if (option := getattr(row, name)) is not None]


class StructureDisplay(Display):
    """Picture of a structure report: relative error against the share of the numbers.

    The grey line is what products leave of a Gaussian matrix of this shape: a curve that stays
    close to it says that the matrix has no structure of that kind. A ring marks the option that is
    taken of each budget: the best product, unless entries miss 5 % less. Numbers are those of the
    budget, of which an option may leave some. Use :meth:`from_matrix` or :meth:`from_report` to
    create one.

    Parameters
    ----------
    report : StructureReport
        The report.

    Attributes
    ----------
    report : StructureReport
        The report.
    ax_ : matplotlib Axes
        Axes with the picture (set by `plot`).
    figure_ : matplotlib Figure
        Figure that holds the axes (set by `plot`).

    See Also
    --------
    skfact.butterfly.structure_report : Makes the report.
    RankProfileDisplay : Draws the rank of each cut.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.inspection import StructureDisplay
    >>> display = StructureDisplay.from_matrix(np.fft.fft(np.eye(32)))
    >>> display.ax_.get_ylabel()
    'relative error'
    """

    def __init__(self, report: StructureReport) -> None:
        instead = "structure_report(A), or use from_matrix"
        check_shown(report, StructureReport, "report must be a StructureReport", instead)
        if not report.rows:
            raise ValueError(f"report has no rows, there is nothing to draw: pass {instead}.")
        for row in report.rows:
            errors = row.share, row.noise_error, *(option.error for option in _options(row))
            if not all(map(math.isfinite, errors)):
                raise ValueError(
                    f"report has a row whose share or errors are no finite numbers, {errors}: pass "
                    f"{instead}."
                )
        self.report = report

    @classmethod
    def from_report(cls, report: StructureReport, *, ax: Any = None) -> StructureDisplay:
        """Draw a report.

        Parameters
        ----------
        report : StructureReport
            The report.
        ax : matplotlib Axes, default=None
            Axes to draw in; None makes a figure.

        Returns
        -------
        display : StructureDisplay
            The drawn display.

        Raises
        ------
        TypeError
            If `report` is no StructureReport.
        ValueError
            If it has no rows, or errors that are no finite numbers.
        """
        return cls(report).plot(ax=ax)

    @classmethod
    def from_matrix(
        cls,
        A: Any,
        *,
        max_density: float | None = None,
        tol: float | None = None,
        effort: str = "normal",
        inputs: Any = None,
        ax: Any = None,
    ) -> StructureDisplay:
        """Make the report on a matrix, and draw it.

        Parameters
        ----------
        A : array-like of shape (n_out, n_in)
            The matrix.
        max_density : float, default=None
            As in :func:`skfact.butterfly.structure_report`, like the next two.
        tol : float, default=None
            Look for the fewest numbers with at most this relative error.
        effort : {"normal", "high"}, default="normal"
            How thorough the search is.
        inputs : array-like of shape (n_samples, n_in), default=None
            Samples on whose outputs errors are measured.
        ax : matplotlib Axes, default=None
            Axes to draw in; None makes a figure.

        Returns
        -------
        display : StructureDisplay
            The drawn display.
        """
        report = structure_report(A, max_density=max_density, tol=tol, effort=effort, inputs=inputs)
        return cls.from_report(report, ax=ax)

    def plot(self, ax: Any = None) -> StructureDisplay:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in; None makes a figure.

        Returns
        -------
        display : StructureDisplay
            The display itself, with `ax_` and `figure_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        self._draw_in(ax, 5.6, 4.2)
        ax, rows = self.ax_, self.report.rows
        noise = [(row.share, row.noise_error) for row in rows]
        handles = [self._curve(noise, "noise", NOISE, "_", "--")]
        for name, (label, colour, marker) in CURVES.items():
            options = [(row.share, getattr(row, name)) for row in rows]
            errors = [(share, option.error) for share, option in options if option is not None]
            if errors:
                handles.append(self._curve(errors, label, colour, marker))
        (best,) = ax.plot(
            [100 * row.share for row in rows],
            [max(row.option.error, LEAST) for row in rows],
            "o",
            markersize=13,
            markerfacecolor="none",
            markeredgecolor="tab:red",
            label="taken",
        )
        if self.report.tol is not None:
            ax.axhline(self.report.tol, color="tab:red", linewidth=0.8, linestyle=":")
        self._describe(rows)
        self._legend_below([*handles, best], drop=0.16)
        return self

    def _curve(
        self,
        points: list[tuple[float, float]],
        label: str,
        colour: str,
        marker: str,
        line: str = "-",
    ) -> Any:
        shares = [100 * share for share, _ in points]
        errors = [max(error, LEAST) for _, error in points]
        (handle,) = self.ax_.plot(
            shares, errors, line, color=colour, marker=marker, label=label, markersize=5
        )
        return handle

    def _describe(self, rows: tuple[StructureRow, ...]) -> None:
        ax, (m, n) = self.ax_, self.report.shape
        ax.set_xscale("log", base=2)
        self._scale_errors()
        ax.set_xticks(
            [100 * row.share for row in rows], [f"{100 * row.share:.3g} %" for row in rows]
        )
        ax.minorticks_off()
        about = "" if self.report.n_inputs is None else " of outputs"
        ax.set(xlabel=f"budget, as a share of {m} x {n} numbers", ylabel=f"relative error{about}")
        ax.set_title(self._headline(), fontsize="medium")

    def _scale_errors(self) -> None:
        """From zero where the errors are of one decade; otherwise logarithmic."""
        ax = self.ax_
        errors = np.concatenate([np.asarray(line.get_ydata()) for line in ax.get_lines()])
        low, high = float(errors.min()), float(errors.max())
        if high < DECADE * low:
            ax.set_ylim(0, 1.08 * high)
            return
        ax.set_yscale("log")
        ax.set_ylim(low / 1.5, 1.5 * high)
        if high < DECADE**2 * low:
            digits = (c * DECADE ** float(e) for e in range(-16, 1) for c in (1, 2, 5))
            ticks = [tick for tick in digits if low / 1.5 <= tick <= 1.5 * high]
            ax.set_yticks(ticks, [f"{tick:.1g}" for tick in ticks])

    def _headline(self) -> str:
        """What the report advises, in a line."""
        best = self.report.best
        if best is None:
            return "keep it dense"
        error, share = best.option.error, f"{100 * best.share:.3g} %"
        if self.report.tol is None and error > FAIR:
            return f"{best.verdict} at {share}, but an error of {error:.2g}"
        return f"take {best.option.description.split(',')[0]}, at {share}"
