"""What displays share: matplotlib, which is imported when something is plotted, and axes."""

from __future__ import annotations

from typing import Any


def pyplot(display: Any) -> Any:
    """matplotlib.pyplot, or an ImportError that says what a display needs."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{type(display).__name__} draws with matplotlib, which is not installed: "
            "`pip install skfact[plot]`."
        ) from error
    return plt


class Display:
    """A picture in `ax_`, axes of the figure `figure_`, which `plot` sets."""

    ax_: Any
    figure_: Any

    def _draw_in(self, ax: Any, width: float, height: float) -> Any:
        """matplotlib.pyplot, with the axes set: those given, or the ones of a new figure."""
        plt = pyplot(self)
        if ax is None:
            _, ax = plt.subplots(figsize=(width, height), layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        return plt
