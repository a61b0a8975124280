"""The steps of a completion: which entry of which rank-one term became known, and how."""

from __future__ import annotations

from math import ceil
from typing import Any

import numpy as np

from skfact._checks import check_number
from skfact.fixed_support import RankOneCompletion
from skfact.inspection._cells import sampled
from skfact.inspection._matplotlib import Display, check_shown, counted, is_dark

PER_ROW, GAP, ROW = 5, 0.2, 1.34  # panels side by side; units of the longest side of a panel
INCHES = 1.35  # length of the unit in a figure of our own
THINNEST = 0.08  # a panel of few rows or columns is drawn at least this wide
LARGEST, LONGEST = 8, 4  # sides with numbers in their cells, and characters of a number
OUTSIDE, UNKNOWN, KNOWN, READ, FILLED = range(5)
LIGHT = ("#ffffff", "#d9d9d9", "#c6dbef", "#fdae6b", "#a1d99b")
DARK = ("#1a1a1a", "#5c5c5c", "#1d4e79", "#a8540f", "#1f6b36")
WORDS = {
    READ: "read: what the other components leave of Z",
    FILLED: "filled: by ratios in its rectangle",
    KNOWN: "known before",
    UNKNOWN: "not known yet",
}


class CompletionDisplay(Display):
    """Picture of a completion, step by step.

    A panel for each step shows the component that the step is about, a matrix that is zero outside
    its rectangle: what was known of it before, what the step found, read off Z or filled by ratios,
    and what is not known yet. Small matrices have their numbers written in. Use
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
        """Draw a panel for each step.

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
        states = self._states(max_steps)
        per_row = min(PER_ROW, max(1, len(states)))
        wide, high = (max(size / max(m, n), THINNEST) for size in (n, m))
        width = per_row * wide + (per_row - 1) * GAP
        height = ceil(len(states) / per_row) * (high + ROW - 1)
        plt = self._draw_in(ax, max(INCHES * width + 0.4, 5.4), INCHES * height + 1.0)
        ax = self.ax_
        colours = np.array([plt.matplotlib.colors.to_rgb(c) for c in self._palette()])
        ax.set_axis_off()
        for number, state in enumerate(states):
            row, column = divmod(number, per_row)
            x, y = column * (wide + GAP), row * (high + ROW - 1) + ROW - 1
            image = colours[state[np.ix_(rows, columns)]]
            ax.imshow(image, extent=(x, x + wide, y + high, y), interpolation="nearest")
            box = plt.Rectangle((x, y), wide, high, fill=False, edgecolor="0.5", linewidth=0.8)
            ax.add_patch(box)
            title = f"{number + 1}. component {self.completion.steps[number].component}"
            ax.text(x + wide / 2, y - 0.04, title, ha="center", va="bottom", fontsize="x-small")
            if max(m, n) <= LARGEST:
                self._write_numbers(number, state, (x, y), (wide / n, high / m))
        ax.set(xlim=(-0.02, width + 0.02), ylim=(height + 0.02, -0.02), aspect="equal")
        ax.set_title(self._title(len(states), len(rows), len(columns)), fontsize="small")
        seen = {int(kind) for state in states for kind in np.unique(state)}
        self._legend_below(
            [
                plt.Rectangle(
                    (0, 0), 1, 1, facecolor=self._palette()[kind], edgecolor="0.5", label=text
                )
                for kind, text in WORDS.items()
                if kind in seen
            ]
        )
        return self

    def _palette(self) -> tuple[str, ...]:
        return DARK if is_dark(self.ax_) else LIGHT

    def _states(self, max_steps: int) -> list[np.ndarray]:
        """What is said of each entry in the panel of each step, (m, n)."""
        blocks, states = self.completion.blocks, []
        now: dict[int, np.ndarray] = {}  # of the component of each step so far
        for step in self.completion.steps[:max_steps]:
            if step.component not in now:
                block = blocks[step.component]
                now[step.component] = np.full(self.completion.shape, OUTSIDE)
                now[step.component][np.ix_(block.rows, block.columns)] = UNKNOWN
            state = now[step.component]
            state[step.rows, step.columns] = READ if step.rule == "read" else FILLED
            states.append(state.copy())
            state[step.rows, step.columns] = KNOWN
        return states

    def _write_numbers(
        self, number: int, state: np.ndarray, at: tuple[float, float], cell: tuple[float, float]
    ) -> None:
        """The numbers that are known in a panel, if they are short enough for the cells."""
        values = self.completion.component(self.completion.steps[number].component)
        places = np.argwhere(state >= KNOWN)
        texts = [_short(values[i, j]) for i, j in places]
        if max(map(len, texts)) > LONGEST:
            return
        for (i, j), text in zip(places, texts, strict=True):
            x, y = at[0] + (j + 0.5) * cell[0], at[1] + (i + 0.5) * cell[1]
            self.ax_.text(x, y, text, ha="center", va="center", fontsize=28 * min(cell))

    def _title(self, drawn: int, n_rows: int, n_columns: int) -> str:
        """Whether all is known, and what was left out of the picture."""
        found, (m, n) = self.completion, self.completion.shape
        title = "all entries are known"
        if not found.is_complete:
            title = f"still unknown, {len(found.undetermined):,} of all entries"
        if not found.is_consistent:
            title += ", and what is known does not fit Z"
        left_out = []
        if drawn < len(found.steps):
            left_out.append(f"{drawn:,} of {counted(len(found.steps), 'step')}")
        for size, shown, side in ((m, n_rows, "rows"), (n, n_columns, "columns")):
            if shown < size:
                left_out.append(f"{shown:,} of {size:,} {side}")
        title = f"{counted(len(found.steps), 'step')}: {title}"
        return title + (f"\n(drawn: {', '.join(left_out)})" if left_out else "")


def _short(value: Any) -> str:
    """A number in few characters; a complex one is too long."""
    return "x" * (LONGEST + 1) if np.iscomplexobj(value) else f"{value:.2g}"
