"""The rank-one supports of two masks: where they lie, which are complete, where they overlap."""

from __future__ import annotations

from typing import Any

import numpy as np

from skfact._checks import check_number
from skfact.fixed_support import SupportReport, analyze_supports
from skfact.inspection._cells import sampled
from skfact.inspection._matplotlib import Display, check_estimator_fitted, check_shown

GAP = 0.16  # between two panels, in units of the longest side
THINNEST = 0.06  # a mask of a few components is drawn at least this wide
INCHES = 2.6  # length of the unit in a figure of our own
TINTS = ("blue", "orange", "green", "purple", "brown", "pink", "olive", "cyan")
COMPLETE, OVERLAP, DEAD = "#4d4d4d", "#d62728", "#d9d9d9"


class SupportReportDisplay(Display):
    """Picture of a support report: both masks, and who covers which entry of the product.

    Each class of equal rank-one supports has one colour in the two masks and in their product: one
    of eight, and classes side by side have different ones. Entries of the product that a complete
    class covers are dark grey, those where other classes overlap red. Use :meth:`from_supports` or
    :meth:`from_estimator` to create one.

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
        instead = "analyze_supports(left, right), or use from_supports"
        check_shown(report, SupportReport, "report must be a SupportReport", instead)
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
        check_estimator_fitted(estimator)
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
        samples = [sampled(size, max_pixels) for size in (m, r, n)]
        unit = max(m, n, r)
        heights = [max(size / unit, THINNEST) for size in (m, r, n)]
        labels = _labels(report, samples)
        colours = _colours(report, labels)
        left, right, product = (colours[numbers] for numbers in labels)
        panels = [
            ("left factor", left, heights[1], heights[0]),
            ("right factor", right, heights[2], heights[1]),
            ("product", product, heights[2], heights[0]),
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
        title = f"{verdict}: route {report.route}"
        sides = ("rows", "components", "columns")
        sizes = (report.shape[0], report.n_components, report.shape[1])
        size, drawn, side = max(zip(sizes, map(len, samples), sides, strict=True))
        if drawn < size:
            title += f"\n(drawn: {drawn:,} of {size:,} {side})"
        ax.set_title(title, fontsize="medium")
        classes = len(report.classes)
        entries: list[tuple[Any, str]] = [(_tint(0), f"class of equal supports ({classes:,})")]
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


def _tint(number: int) -> tuple[float, float, float]:
    """One of the eight colours of classes: usual ones, lightened."""
    from matplotlib.colors import to_rgb

    red, green, blue = to_rgb(f"tab:{TINTS[number]}")
    return 0.35 + 0.65 * red, 0.35 + 0.65 * green, 0.35 + 0.65 * blue


def _labels(report: SupportReport, samples: list[np.ndarray]) -> list[np.ndarray]:
    """Who covers which entry of the left factor, the right one and the product.

    The number of a class, that of classes and more for what has a colour of its own: see
    :func:`_colours`.
    """
    rows, components, columns = samples
    white, dead, overlap = range(len(report.classes), len(report.classes) + 3)
    of_component = np.full(report.n_components, dead)
    product = np.full((len(rows), len(columns)), white)
    count = np.zeros(product.shape, dtype=np.int64)
    complete = np.full(product.shape, white)
    left, right = report.left_support.tocsr()[rows].tocsc(), report.right_support[:, columns]
    for number, support in enumerate(report.classes):
        of_component[support.components] = number
        one = support.components[0]  # the others have the same rows and columns
        i = left.indices[left.indptr[one] : left.indptr[one + 1], None]
        j = right.indices[right.indptr[one] : right.indptr[one + 1]]
        product[i, j] = number
        count[i, j] += 1
        if support.is_complete:
            complete[i, j] = number
    product[count > 1] = overlap
    product = np.where(complete == white, product, complete)
    left, right = left[:, components].toarray(), right[components].toarray()
    drawn = of_component[components]
    return [np.where(left, drawn, white), np.where(right, drawn[:, None], white), product]


def _colours(report: SupportReport, labels: list[np.ndarray]) -> np.ndarray:
    """The colour of each label, (n_classes + 3, 3)."""
    from matplotlib.colors import to_rgb

    n_classes = len(report.classes)
    found = np.array([_tint(0)] * n_classes + [to_rgb(c) for c in ("white", DEAD, OVERLAP)])
    tinted = np.array([not support.is_complete for support in report.classes] + [False] * 3)
    for number, tint in _tints(labels, tinted).items():
        found[number] = _tint(tint)
    for number, support in enumerate(report.classes):
        if support.is_complete:
            found[number] = to_rgb(COMPLETE)
    return found


def _tints(labels: list[np.ndarray], tinted: np.ndarray) -> dict[int, int]:
    """One of eight colours for each class that is drawn, another one than its neighbours have.

    Where neighbours have all eight it is the one that the fewest have; of the others the one that
    was taken least often so far.
    """
    pairs = np.concatenate([side_by_side(numbers) for numbers in labels])
    pairs = pairs[tinted[pairs].all(axis=1)]
    neighbours: dict[int, set[int]] = {}
    for one, two in np.unique(pairs, axis=0).tolist():
        neighbours.setdefault(one, set()).add(two)
        neighbours.setdefault(two, set()).add(one)
    taken = np.zeros(len(TINTS), dtype=np.int64)
    tints: dict[int, int] = {}
    drawn = np.unique(np.concatenate([numbers.ravel() for numbers in labels]))
    for number in drawn[tinted[drawn]].tolist():
        near = np.zeros(len(TINTS), dtype=np.int64)
        for other in neighbours.get(number, ()):
            if other in tints:
                near[tints[other]] += 1
        tints[number] = int(np.lexsort((np.arange(len(TINTS)), taken, near))[0])
        taken[tints[number]] += 1
    return tints


def side_by_side(numbers: np.ndarray) -> np.ndarray:
    """Pairs (n, 2) of different numbers at places of an image that touch, by a corner at least."""
    steps = (
        (numbers[:, 1:], numbers[:, :-1]),
        (numbers[1:], numbers[:-1]),
        (numbers[1:, 1:], numbers[:-1, :-1]),
        (numbers[1:, :-1], numbers[:-1, 1:]),
    )
    pairs = np.concatenate([np.stack([x.ravel(), y.ravel()], axis=1) for x, y in steps])
    return pairs[pairs[:, 0] != pairs[:, 1]]
