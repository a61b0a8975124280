"""The rank-one supports of two masks: where they lie, which are complete, where they overlap."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skfact._checks import check_number
from skfact.fixed_support import SupportReport, analyze_supports
from skfact.inspection._matplotlib import Display

GAP = 0.16  # between two panels, in units of the longest side
THINNEST = 0.06  # a mask of a few components is drawn at least this wide
INCHES = 2.6  # length of the unit in a figure of our own
COMPLETE, OVERLAP, DEAD = "#4d4d4d", "#d62728", "#d9d9d9"


class SupportReportDisplay(Display):
    """Picture of a support report: both masks, and who covers which entry of the product.

    Each class of equal rank-one supports has one colour (of eight, in turns) in the two masks and
    in their product. Entries of the product that a complete class covers are dark grey, those where
    other classes overlap red. Use :meth:`from_supports` or :meth:`from_estimator` to
    create one.

    Parameters
    ----------
    report : SupportReport
        The report.

    Attributes
    ----------
    report : SupportReport
        The report.
    ax_ : matplotlib Axes
        Axes with the picture (set by `plot`).
    figure_ : matplotlib Figure
        Figure that holds the axes (set by `plot`).

    See Also
    --------
    skfact.fixed_support.analyze_supports : Makes the report.
    SupportDisplay : Draws the factors of a product.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.inspection import SupportReportDisplay
    >>> lower = np.tri(4)
    >>> display = SupportReportDisplay.from_supports(lower, lower.T)
    >>> display.figure_.get_axes() == [display.ax_]
    True
    """

    def __init__(self, report: SupportReport) -> None:
        if not isinstance(report, SupportReport):
            raise TypeError(
                f"report must be a SupportReport, got {type(report).__name__}: pass "
                "analyze_supports(left, right), or use from_supports."
            )
        self.report = report

    @classmethod
    def from_supports(
        cls, left_support: Any, right_support: Any, *, max_pixels: int = 200, ax: Any = None
    ) -> SupportReportDisplay:
        """Draw the report on two masks.

        Parameters
        ----------
        left_support : mask of shape (m, r)
            Where the left factor may be non-zero.
        right_support : mask of shape (r, n)
            Where the right factor may be non-zero.
        max_pixels : int, default=200
            Longest side of a panel; see :meth:`plot`.
        ax : matplotlib Axes, default=None
            Axes to draw in; None makes a figure.

        Returns
        -------
        display : SupportReportDisplay
            The drawn display.
        """
        report = analyze_supports(left_support, right_support)
        return cls(report).plot(max_pixels=max_pixels, ax=ax)

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, max_pixels: int = 200, ax: Any = None
    ) -> SupportReportDisplay:
        """Draw the report of a fitted estimator.

        Parameters
        ----------
        estimator : FixedSupportMF
            A fitted estimator with a `support_report_`.
        max_pixels : int, default=200
            Longest side of a panel; see :meth:`plot`.
        ax : matplotlib Axes, default=None
            Axes to draw in; None makes a figure.

        Returns
        -------
        display : SupportReportDisplay
            The drawn display.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.
        TypeError
            If the estimator has no `support_report_` once fitted.
        """
        check_is_fitted(estimator)
        report: Any = getattr(estimator, "support_report_", None)
        return cls(report).plot(max_pixels=max_pixels, ax=ax)

    def plot(self, ax: Any = None, *, max_pixels: int = 200) -> SupportReportDisplay:
        """Draw the two masks and their product.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in; None makes a figure.
        max_pixels : int, default=200
            Of a longer side, so many rows or columns at equal distances are drawn; the picture says
            so.

        Returns
        -------
        display : SupportReportDisplay
            The display itself, with `ax_` and `figure_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        TypeError, ValueError
            If `max_pixels` is not a positive int.
        """
        check_number(max_pixels, "max_pixels", int, 1)
        report = self.report
        (m, n), r = report.shape, report.n_components
        samples = [_sample(size, max_pixels) for size in (m, r, n)]
        unit = max(m, n, r)
        heights = [max(size / unit, THINNEST) for size in (m, r, n)]
        panels = [
            ("left factor", _mask_image(report, "left", samples), heights[1], heights[0]),
            ("right factor", _mask_image(report, "right", samples), heights[2], heights[1]),
            ("product", _product_image(report, samples), heights[2], heights[0]),
        ]
        width = sum(panel[2] for panel in panels) + 2 * GAP
        height = max(panel[3] for panel in panels)
        plt = self._draw_in(ax, max(INCHES * width + 0.4, 5.0), INCHES * height + 1.5)
        ax = self.ax_
        ax.set_axis_off()
        x = 0.0
        for (title, image, wide, high), sign in zip(panels, ("×", "=", ""), strict=True):
            y = (height - high) / 2
            ax.imshow(image, extent=(x, x + wide, y + high, y), interpolation="nearest")
            box = plt.Rectangle((x, y), wide, high, fill=False, edgecolor="0.5", linewidth=0.8)
            ax.add_patch(box)
            ax.text(x + wide / 2, y - 0.03, title, ha="center", va="bottom", fontsize="small")
            ax.text(x + wide + GAP / 2, height / 2, sign, ha="center", va="center")
            x += wide + GAP
        ax.set(xlim=(-0.02, width + 0.02), ylim=(height + 0.02, -0.14), aspect="equal")
        self._describe(ax, plt, samples)
        return self

    def _describe(self, ax: Any, plt: Any, samples: list[np.ndarray]) -> None:
        report = self.report
        verdict = "tractable" if report.is_tractable else "no closed form"
        ax.set_title(f"{verdict}: route {report.route}", fontsize="medium")
        entries: list[tuple[Any, str]] = [
            (_tint(0), f"one class ({len(report.classes):,}, eight colours in turns)")
        ]
        if report.complete_classes:
            entries.append((COMPLETE, f"complete class ({len(report.complete_classes):,})"))
        if report.overlaps:
            entries.append((OVERLAP, "several classes, none complete"))
        if len(report.dead_components):
            entries.append((DEAD, f"dead component ({len(report.dead_components):,})"))
        self._legend_below(
            [
                plt.Rectangle((0, 0), 1, 1, facecolor=colour, edgecolor="0.5", label=text)
                for colour, text in entries
            ]
        )
        sizes = (*report.shape, report.n_components)
        if max(sizes) > max(len(sample) for sample in samples):
            step = round(max(sizes) / max(len(sample) for sample in samples))
            text = f"every {step}th row and column of the longest side"
            ax.text(0.0, -0.1, text, fontsize="x-small", color="0.35", va="top")


def _sample(size: int, count: int) -> np.ndarray:
    """All of 0 .. size - 1, or `count` of them at equal distances."""
    return np.arange(size) if size <= count else np.arange(count) * size // count


def _tint(number: int) -> tuple[float, float, float]:
    """The colour of a class: eight in turns, lightened."""
    from matplotlib.colors import to_rgb

    # of the ten usual colours C0 .. C9 neither the red nor the grey
    red, green, blue = to_rgb(f"C{(0, 1, 2, 4, 5, 6, 8, 9)[number % 8]}")
    return 0.35 + 0.65 * red, 0.35 + 0.65 * green, 0.35 + 0.65 * blue


def _colours(report: SupportReport) -> np.ndarray:
    """Colour of each component: (r, 3)."""
    from matplotlib.colors import to_rgb

    found = np.empty((report.n_components, 3))
    found[:] = to_rgb(DEAD)
    for number, support in enumerate(report.classes):
        found[support.components] = to_rgb(COMPLETE) if support.is_complete else _tint(number)
    return found


def _mask_image(report: SupportReport, side: str, samples: list[np.ndarray]) -> np.ndarray:
    """One mask, each component in the colour of its class."""
    rows, components, columns = samples
    colours = _colours(report)[components]
    if side == "left":
        mask = report.left_support.tocsr()[rows][:, components].toarray()
        return np.where(mask[..., None], colours[None, :, :], 1.0)
    mask = report.right_support[components][:, columns].toarray()
    return np.where(mask[..., None], colours[:, None, :], 1.0)


def _product_image(report: SupportReport, samples: list[np.ndarray]) -> np.ndarray:
    """Entries of the product, in the colour of the class that covers them."""
    from matplotlib.colors import to_rgb

    rows, _, columns = samples
    image = np.ones((len(rows), len(columns), 3))
    count = np.zeros(image.shape[:2], dtype=np.int64)
    complete = np.zeros(image.shape[:2], dtype=bool)
    for number, support in enumerate(report.classes):
        i = np.flatnonzero(np.isin(rows, support.rows, assume_unique=True))[:, None]
        j = np.flatnonzero(np.isin(columns, support.columns, assume_unique=True))
        image[i, j] = _tint(number)
        count[i, j] += 1
        complete[i, j] |= support.is_complete
    image[count > 1] = to_rgb(OVERLAP)
    image[complete] = to_rgb(COMPLETE)
    return image
