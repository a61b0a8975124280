"""What displays share: matplotlib, which is imported when something is plotted, and axes."""

from __future__ import annotations

from typing import Any

from sklearn.utils.validation import check_is_fitted


class Display:
    """A picture in `ax_`, axes of the figure `figure_`, which `plot` sets."""

    ax_: Any
    figure_: Any

    def _draw_in(self, ax: Any, width: float, height: float) -> Any:
        """matplotlib.pyplot, with the axes set: those given, or the ones of a new figure."""
        try:
            import matplotlib.pyplot as plt
        except ImportError as error:
            raise ImportError(
                f"{type(self).__name__} draws with matplotlib, which is not installed: "
                "`pip install skfact[plot]`."
            ) from error
        if not isinstance(ax, plt.Axes | None):
            raise TypeError(
                f"ax must be a matplotlib Axes or None, got {type(ax).__name__}. Of several, as "
                "plt.subplots(1, 2) makes them, take one."
            )
        if ax is None:
            _, ax = plt.subplots(figsize=(width, height), layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        return plt

    def _legend_below(self, handles: list[Any], drop: float = 0.01, size: str = "x-small") -> None:
        """The legend of labelled handles, in two columns below the axes."""
        place = {"loc": "upper center", "bbox_to_anchor": (0.5, -drop)}
        self.ax_.legend(handles=handles, **place, ncols=2, fontsize=size, frameon=False)


def check_shown(value: Any, kind: type, what: str, instead: str) -> None:
    """Raise unless a display shows a thing of the kind that it is for."""
    if not isinstance(value, kind):
        raise TypeError(f"{what}, got {type(value).__name__}: pass {instead}.")


def check_estimator_fitted(estimator: Any) -> None:
    """Raise unless it is an estimator that was fitted."""
    if isinstance(estimator, type) or not hasattr(estimator, "fit"):
        what = getattr(estimator, "__name__", type(estimator).__name__)
        raise TypeError(f"estimator must be a fitted estimator, got {what}.")
    check_is_fitted(estimator)


def counted(number: int, noun: str) -> str:
    """A number of things, as one says it."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def is_dark(ax: Any) -> bool:
    """Whether the axes are drawn on a dark ground."""
    from matplotlib.colors import to_rgb

    ground = ax.get_facecolor() if ax.axison else ax.figure.get_facecolor()
    return sum(to_rgb(ground)) < 1.5
