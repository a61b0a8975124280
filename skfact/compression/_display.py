"""The picture of a compressed network: what each layer had, has, and misses."""

from __future__ import annotations

import math
from itertools import takewhile
from typing import Any

import numpy as np

from skfact.compression._row import CompressedLayer, percent
from skfact.inspection._matplotlib import Display

BEFORE, AFTER, ERROR, LOW_RANK = "0.85", "tab:blue", "tab:red", "tab:orange"
MANY = 30  # layers, of which more are drawn smaller
LONG = 40  # letters of a name
POINTS = 72  # in an inch
LEGEND = 34  # points below the axes
LINE, INSIDE = 1.4, 0.5  # height of a line of text; share of axes that texts around them leave


class CompressionDisplay(Display):
    """Picture of a compressed network: a row for each layer, with its numbers and its errors.

    Grey bars are the numbers before, blue ones those after. Red dots are the errors of the outputs,
    orange marks those of low rank with as many numbers: structure pays where these are further to
    the right. Use :meth:`from_compression` to create one.

    Parameters
    ----------
    compression : Compression
        What :func:`compress` returned.

    Attributes
    ----------
    compression : Compression
        The same.
    ax_ : matplotlib Axes
        Axes with the bars (set by `plot`).
    errors_ax_ : matplotlib Axes
        Axes with the errors, which share the rows (set by `plot`).
    figure_ : matplotlib Figure
        Figure that holds both (set by `plot`).

    See Also
    --------
    compress : Makes what is drawn.
    skfact.inspection.StructureDisplay : Draws how one matrix could be stored.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.compression import CompressionDisplay, compress
    >>> small = compress(([np.ones((32, 32))], None), tol=0.01)
    >>> CompressionDisplay.from_compression(small).ax_.get_xlabel()
    'numbers'
    """

    errors_ax_: Any

    def __init__(self, compression: Any) -> None:
        layers = getattr(compression, "layers", ())
        if not layers or not all(isinstance(layer, CompressedLayer) for layer in layers):
            raise TypeError(
                f"compression must be a Compression, got {type(compression).__name__}: pass what "
                "compress(network, X) returned."
            )
        self.compression = compression

    @classmethod
    def from_compression(cls, compression: Any, *, ax: Any = None) -> CompressionDisplay:
        """Draw a compressed network.

        Parameters
        ----------
        compression : Compression
            What :func:`compress` returned.
        ax : matplotlib Axes, default=None
            Axes to draw in; None makes a figure.

        Returns
        -------
        display : CompressionDisplay
            The drawn display.

        Raises
        ------
        TypeError
            If it is no Compression.
        """
        return cls(compression).plot(ax=ax)

    def plot(self, ax: Any = None) -> CompressionDisplay:
        """Draw bars and errors.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in, part of which is taken for the errors; None makes a figure.

        Returns
        -------
        display : CompressionDisplay
            The display itself, with `ax_`, `errors_ax_` and `figure_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        layers = self.compression.layers
        names, prefix = _shortened([layer.name for layer in layers])
        count, longest = len(layers), max(map(len, names))
        row, size = (0.28, 9) if count <= MANY else (0.17, 7)  # inches, points
        own = ax is None
        self._draw_in(ax, 6.4 + 0.007 * size * longest, 2.0 + row * count)
        ax, rows = self.ax_, np.arange(count)
        bars = [
            ax.barh(rows, [x.numbers_before for x in layers], color=BEFORE, label="before"),
            ax.barh(
                rows, [x.numbers_after for x in layers], height=0.5, color=AFTER, label="after"
            ),
        ]
        points = ax.get_window_extent().height / self.figure_.dpi * POINTS
        every = 1 if own else math.ceil(count * LINE * size / (INSIDE * points))  # has its name
        ax.set_yticks(rows[::every], names[::every], fontsize=size)
        ax.set_ylim(count - 0.4, -0.6)
        ax.set(xlabel="numbers", ylabel=f"{prefix} …" if prefix else "")
        self._draw_ticks(ax, 3, "upper")
        marks = self._draw_errors(rows)
        title = percent(self.compression.n_parameters_after / self.compression.n_parameters_before)
        ax.set_title(f"{title} of the numbers of these layers", fontsize="medium")
        self._legend_under([*bars, *marks])
        return self

    def _draw_errors(self, rows: np.ndarray) -> list[Any]:
        """The errors of the layers beside their bars."""
        layers = self.compression.layers
        from mpl_toolkits.axes_grid1 import make_axes_locatable

        divider = make_axes_locatable(self.ax_)
        errors = self.errors_ax_ = divider.append_axes("right", "50%", pad=0.12, sharey=self.ax_)
        in_place = [
            layer.error if layer.output_error is None else layer.output_error for layer in layers
        ]
        low_rank = [layer.low_rank_error for layer in layers]
        found = [layer.error for layer in layers]
        marks = [
            errors.plot(low_rank, rows, "|", color=LOW_RANK)[0],
            errors.plot(found, rows, "o", color=ERROR)[0],
            errors.plot(in_place, rows, "o", color=ERROR, markerfacecolor="none")[0],
        ]
        for mark, label in zip(marks, ("low rank", "error", "in place"), strict=True):
            mark.set(label=label, markersize=9 if label != "error" else 5)
        errors.tick_params(labelleft=False)
        errors.set(xlabel="relative error")
        shown = filter(math.isfinite, [*low_rank, *found, *in_place])
        most = max(shown, default=0.0) or 1.0
        errors.set_xlim(-0.06 * most, 1.1 * most)
        self._draw_ticks(errors, 3, None)
        errors.grid(axis="y", linewidth=0.4)
        return marks

    def _draw_ticks(self, ax: Any, count: int, prune: str | None) -> None:
        """About so many numbers below axes, in thousands and millions where they are large."""
        from matplotlib.ticker import EngFormatter, MaxNLocator

        ax.xaxis.set_major_locator(MaxNLocator(nbins=count, prune=prune))
        if prune:
            ax.xaxis.set_major_formatter(EngFormatter(sep=""))

    def _legend_under(self, handles: list[Any]) -> None:
        """What bars and marks are, below the names of the axes."""
        from matplotlib.transforms import ScaledTranslation

        drop = ScaledTranslation(0, -LEGEND / POINTS, self.figure_.dpi_scale_trans)
        self.ax_.legend(
            handles=handles,
            loc="upper left",
            bbox_to_anchor=(0, 0),
            bbox_transform=self.ax_.transAxes + drop,
            ncols=3,
            fontsize="x-small",
            frameon=False,
            borderaxespad=0,
        )


def _shortened(names: list[str]) -> tuple[list[str], str]:
    """Names of layers, and what they begin with where some are long; cut if need be."""
    if max(map(len, names)) <= LONG:
        return names, ""
    first, last = min(names), max(names)
    common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, last)))
    prefix = first[: first.rfind(".", 0, common) + 1]
    names = [name.removeprefix(prefix) for name in names]
    cut = [n if len(n) <= LONG else f"{n[: LONG // 3]}…{n[LONG // 3 + 1 - LONG :]}" for n in names]
    return (cut if len(set(cut)) == len(cut) else names), prefix[:LONG]
