"""matplotlib, which is imported when something is plotted."""

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
