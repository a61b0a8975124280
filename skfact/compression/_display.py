"""The picture of a compressed network: what each layer had, has, and misses."""

from __future__ import annotations

from typing import Any

import numpy as np

from skfact.compression._row import CompressedLayer
from skfact.inspection._matplotlib import Display

BEFORE, AFTER, ERROR, LOW_RANK = "0.85", "tab:blue", "tab:red", "tab:orange"


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
        self._draw_in(ax, 7.0, 1.8 + 0.28 * len(layers))
        ax, rows = self.ax_, np.arange(len(layers))
        ax.barh(rows, [layer.numbers_before for layer in layers], color=BEFORE, label="before")
        ax.barh(
            rows,
            [layer.numbers_after for layer in layers],
            height=0.5,
            color=AFTER,
            label="after",
        )
        ax.set_yticks(rows, [layer.name for layer in layers])
        ax.locator_params(axis="x", nbins=4)
        ax.invert_yaxis()
        ax.set(xlabel="numbers")
        self._draw_errors(rows)
        before, after = self.compression.n_parameters_before, self.compression.n_parameters_after
        self.ax_.set_title(f"{100 * after / before:.2g} % of the numbers", fontsize="medium")
        return self

    def _draw_errors(self, rows: np.ndarray) -> None:
        """The errors of the layers beside their bars."""
        layers = self.compression.layers
        from mpl_toolkits.axes_grid1 import make_axes_locatable

        divider = make_axes_locatable(self.ax_)
        errors = self.errors_ax_ = divider.append_axes("right", "50%", pad=0.12, sharey=self.ax_)
        in_place = [
            layer.error if layer.output_error is None else layer.output_error for layer in layers
        ]
        marks = [
            errors.plot([layer.low_rank_error for layer in layers], rows, "|", color=LOW_RANK)[0],
            errors.plot([layer.error for layer in layers], rows, "o", color=ERROR)[0],
            errors.plot(in_place, rows, "o", color=ERROR, markerfacecolor="none")[0],
        ]
        for mark, label in zip(marks, ("low rank", "error", "in place"), strict=True):
            mark.set(label=label, markersize=9 if label != "error" else 5)
        errors.tick_params(labelleft=False)
        errors.set(xlabel="relative error")
        errors.set_xlim(left=0)
        errors.margins(x=0.15)
        errors.locator_params(axis="x", nbins=3)
        errors.grid(axis="y", linewidth=0.4)
        for ax in (self.ax_, errors):
            ax.legend(fontsize="x-small", loc="best")
