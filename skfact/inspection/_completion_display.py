"""The steps of a completion: which entry of which rank-one term became known, and how."""

from __future__ import annotations

from math import ceil
from typing import Any, NamedTuple

import numpy as np

from skfact._checks import check_number
from skfact.fixed_support import RankOneCompletion
from skfact.inspection._cells import sampled
from skfact.inspection._matplotlib import Display, check_shown, counted, is_dark

PER_ROW, GAP, ROW = 5, 0.2, 1.34  # panels side by side; units of the longest side of a panel
INCHES = 1.35  # length of the unit in a figure of our own
ABOVE_AND_BELOW = 1.3  # twice what a title or a legend takes: the axes may stand in the middle
THINNEST = 0.08  # a panel of few rows or columns is drawn at least this wide
SLOT = 0.8  # width that a panel has at least, for its title
LARGEST, LONGEST = 8, 6  # sides with numbers in their cells, and characters of a number
SMALLEST, SIZE_OF_TITLE, LARGE = 3.5, 7.0, 14.0  # points of letters
WIDTH = 0.62  # of a letter, by its size
OUTSIDE, UNKNOWN, KNOWN, READ, FILLED = range(5)
LIGHT = ("#ffffff", "#d9d9d9", "#c6dbef", "#fdae6b", "#a1d99b")
DARK = ("#1a1a1a", "#5c5c5c", "#1d4e79", "#a8540f", "#1f6b36")
WORDS = {
    READ: "read: what the other components leave of Z",
    FILLED: "filled: by ratios in its rectangle",
    KNOWN: "known before",
    UNKNOWN: "not known yet",
}


class Panel(NamedTuple):
    """What a panel shows: a component after a step of some number, or one without a step."""

    number: int | None
    component: int
    state: np.ndarray  # (m, n)

    @property
    def title(self) -> str:
        """Which step and which component it is."""
        step = "" if self.number is None else f"{self.number + 1}. "
        return f"{step}component {self.component}"


class CompletionDisplay(Display):
    """Picture of a completion, step by step.

    A panel for each step shows the component that the step is about, a matrix that is zero outside
    its rectangle: what was known of it before, what the step found, read off Z or filled by ratios,
    and what is not known yet. Components without a step follow. Small matrices have their numbers
    written in, all of them or, where one would not fit into its cell, none. Use
    :meth:`from_completion` to create one.

    Parameters
    ----------
    completion : RankOneCompletion
        The completion.

    Attributes
    ----------
    completion : RankOneCompletion
        The completion.
    ax_ : matplotlib Axes
        Axes with the picture (set by `plot`).
    figure_ : matplotlib Figure
        Figure that holds the axes (set by `plot`).

    See Also
    --------
    skfact.fixed_support.complete_rank_one : Makes the completion.
    SupportReportDisplay : Draws the rectangles of all components.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.fixed_support import complete_rank_one
    >>> from skfact.inspection import CompletionDisplay
    >>> completion = complete_rank_one([[2, 6], [4, 12]], [[1], [1]], [[1, 1]])
    >>> display = CompletionDisplay.from_completion(completion)
    >>> display.figure_.get_axes() == [display.ax_]
    True
    """

    def __init__(self, completion: RankOneCompletion) -> None:
        instead = "complete_rank_one(Z, left_support, right_support)"
        check_shown(
            completion, RankOneCompletion, "completion must be a RankOneCompletion", instead
        )
        self.completion = completion

    @classmethod
    def from_completion(
        cls,
        completion: RankOneCompletion,
        *,
        max_steps: int = 20,
        max_pixels: int = 200,
        ax: Any = None,
    ) -> CompletionDisplay:
        """Draw a completion.

        Parameters
        ----------
        completion : RankOneCompletion
            The completion.
        max_steps : int, default=20
            Largest number of panels; see :meth:`plot`.
        max_pixels : int, default=200
            Longest side of a panel; see :meth:`plot`.
        ax : matplotlib Axes, default=None
            Axes to draw in; None makes a figure.

        Returns
        -------
        display : CompletionDisplay
            The drawn display.
        """
        return cls(completion).plot(ax, max_steps=max_steps, max_pixels=max_pixels)

    def plot(
        self, ax: Any = None, *, max_steps: int = 20, max_pixels: int = 200
    ) -> CompletionDisplay:
        """Draw a panel for each step, and then one for each component that no step is about.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in; None makes a figure.
        max_steps : int, default=20
            Of a longer completion the first so many steps are drawn; the picture says so.
        max_pixels : int, default=200
            Of a longer side, so many rows or columns at equal distances are drawn; the picture says
            so.

        Returns
        -------
        display : CompletionDisplay
            The display itself, with `ax_` and `figure_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        TypeError, ValueError
            If `max_steps` or `max_pixels` is not a positive int.
        """
        check_number(max_steps, "max_steps", int, 1)
        check_number(max_pixels, "max_pixels", int, 1)
        m, n = self.completion.shape
        rows, columns = (sampled(size, max_pixels) for size in (m, n))
        panels = self._panels(max_steps)
        per_row = min(PER_ROW, len(panels))
        wide, high = (max(size / max(m, n), THINNEST) for size in (n, m))
        slot, line = max(wide, SLOT), high + ROW - 1
        width, height = per_row * slot + (per_row - 1) * GAP, ceil(len(panels) / per_row) * line
        plt = self._draw_in(ax, max(INCHES * width + 0.2, 5.4), INCHES * height + ABOVE_AND_BELOW)
        ax = self.ax_
        colours = np.array([plt.matplotlib.colors.to_rgb(c) for c in self._palette()])
        ax.set_axis_off()
        boxes = []
        for number, panel in enumerate(panels):
            row, column = divmod(number, per_row)
            x, y = column * (slot + GAP) + (slot - wide) / 2, (row + 1) * line - high
            boxes.append((x, y, wide, high))
            image = colours[panel.state[np.ix_(rows, columns)]]
            ax.imshow(image, extent=(x, x + wide, y + high, y), interpolation="nearest")
            box = plt.Rectangle((x, y), wide, high, fill=False, edgecolor="0.5", linewidth=0.8)
            ax.add_patch(box)
        ax.set(xlim=(-0.02, width + 0.02), ylim=(height + 0.02, -0.02), aspect="equal")
        drawn = sum(panel.number is not None for panel in panels)
        ax.set_title(self._title(drawn, len(rows), len(columns)), fontsize="small")
        self._legend_of({int(kind) for panel in panels for kind in np.unique(panel.state)}, plt)
        self._write(panels, boxes, slot)
        return self

    def _palette(self) -> tuple[str, ...]:
        return DARK if is_dark(self.ax_) else LIGHT

    def _legend_of(self, kinds: set[int], plt: Any) -> None:
        """What the colours say that are in the picture."""
        palette = self._palette()
        patches = [
            plt.Rectangle((0, 0), 1, 1, facecolor=palette[kind], edgecolor="0.5", label=text)
            for kind, text in WORDS.items()
            if kind in kinds
        ]
        self._legend_below(patches)

    def _panels(self, most: int) -> list[Panel]:
        """A panel for each step, and then for each component without one, at most so many."""
        now: dict[int, np.ndarray] = {}  # of the component of each step so far
        panels = []
        for number, step in enumerate(self.completion.steps[:most]):
            state = now.setdefault(step.component, self._unknown(step.component))
            state[step.rows, step.columns] = READ if step.rule == "read" else FILLED
            panels.append(Panel(number, step.component, state.copy()))
            state[step.rows, step.columns] = KNOWN
        found = {step.component for step in self.completion.steps}
        rest = [k for k in range(len(self.completion.blocks)) if k not in found]
        panels += [Panel(None, k, self._unknown(k)) for k in rest[: most - len(panels)]]
        return panels

    def _unknown(self, component: int) -> np.ndarray:
        """What is said of each entry of a component before its first step, (m, n)."""
        block = self.completion.blocks[component]
        state = np.full(self.completion.shape, OUTSIDE)
        state[np.ix_(block.rows, block.columns)] = UNKNOWN
        return state

    def _write(
        self, panels: list[Panel], boxes: list[tuple[float, float, float, float]], slot: float
    ) -> None:
        """Titles of panels, and the known numbers of small ones, in letters that fit."""
        unit = self._points_per_unit()
        longest = max(len(panel.title) for panel in panels)
        size = min(SIZE_OF_TITLE, unit * (slot + GAP) / (longest * WIDTH))
        for panel, (x, y, wide, _) in zip(panels, boxes, strict=True):
            place = {"ha": "center", "va": "bottom"}
            self.ax_.text(x + wide / 2, y - 0.04, panel.title, fontsize=size, **place)
        (m, n), (_, _, wide, high) = self.completion.shape, boxes[0]
        texts = [self._numbers(panel) for panel in panels]
        longest = max((len(text) for some in texts for text in some.values()), default=0)
        if max(m, n) > LARGEST or not 0 < longest <= LONGEST:
            return
        size = min(unit * min(high / m / 1.4, wide / n / (longest * WIDTH + 0.6)), LARGE)
        if size < SMALLEST:
            return
        for some, (x, y, wide, high) in zip(texts, boxes, strict=True):
            for (i, j), text in some.items():
                at = x + (j + 0.5) * wide / n, y + (i + 0.5) * high / m
                self.ax_.text(*at, text, ha="center", va="center_baseline", fontsize=size)

    def _numbers(self, panel: Panel) -> dict[tuple[int, int], str]:
        """The numbers that are known in a panel, by their place."""
        values = self.completion.component(panel.component)
        places = np.argwhere(panel.state >= KNOWN).tolist()
        return {(i, j): _short(values[i, j]) for i, j in places}

    def _points_per_unit(self) -> float:
        """Length of the unit of the axes in points, as they are laid out now."""
        if len(self.figure_.axes) == 1:
            self.figure_.draw_without_rendering()
        self.ax_.apply_aspect()
        ends = self.ax_.transData.transform([(0, 0), (1, 0)])
        return float(ends[1, 0] - ends[0, 0]) * 72 / self.figure_.dpi

    def _title(self, drawn: int, n_rows: int, n_columns: int) -> str:
        """Whether all is known, and what was left out of the picture."""
        found, (m, n) = self.completion, self.completion.shape
        title = "all entries are known"
        if not found.is_complete:
            entries = "1 entry" if (k := len(found.undetermined)) == 1 else f"{k:,} entries"
            title = f"{entries} of components stay unknown"
        if not found.is_consistent:
            title += ", and what is known does not fit Z"
        left_out = []
        if drawn < len(found.steps):
            left_out.append(f"{drawn:,} of {counted(len(found.steps), 'step')}")
        for size, shown, side in ((m, n_rows, "rows"), (n, n_columns, "columns")):
            if shown < size:
                left_out.append(f"{shown:,} of {size:,} {side}")
        if not found.steps:
            return f"No step, as no entry is forced: {title}" + _left_out(left_out)
        title = f"{counted(len(found.steps), 'step')}: {title}"
        return title + _left_out(left_out)


def _left_out(parts: list[str]) -> str:
    return f"\n(drawn: {', '.join(parts)})" if parts else ""


def _short(value: Any) -> str:
    """A number in few characters, rounded to two or more digits; a complex one is too long."""
    if np.iscomplexobj(value):
        return "x" * (LONGEST + 1)
    mantissa, exponent = f"{value:.1e}".split("e")
    if -1 <= int(exponent) <= 3:
        return f"{float(f'{value:.2g}'):g}" if abs(value) < 100 else f"{value:.0f}"
    return f"{float(mantissa):.0f}e{int(exponent)}"
