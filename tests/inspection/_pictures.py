"""What all pictures must be: readable."""

from itertools import combinations
from typing import Any

from matplotlib.colors import to_rgb
from matplotlib.text import Text


def assert_readable(display: Any) -> None:
    """No text lies over another one or leaves the figure, and all stand out from the ground."""
    texts, ticks = assert_apart(display)
    figure = display.figure_
    whole = figure.bbox.padded(1)
    for text in texts:  # ticks beyond the limits are there, and not drawn
        inside = whole.count_contains(text.get_window_extent().corners()) == 4
        assert inside or text in ticks, text.get_text()
    ground = sum(to_rgb(figure.get_facecolor()))
    for text in texts:
        assert abs(sum(to_rgb(text.get_color())) - ground) > 1.2, text.get_text()


def assert_apart(display: Any) -> tuple[list[Text], list[Text]]:
    """No text lies over another one; the texts, and those at ticks."""
    display.figure_.canvas.draw()
    texts = [
        text for text in display.ax_.findobj(Text) if text.get_text().strip() and text.get_visible()
    ]
    ticks = [*display.ax_.xaxis.findobj(Text), *display.ax_.yaxis.findobj(Text)]
    if not display.ax_.axison:
        texts = [text for text in texts if text not in ticks]
    hidden = display.ax_.get_legend()
    if hidden is not None and not hidden.get_visible():
        texts = [text for text in texts if text not in hidden.findobj(Text)]
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts]
    assert boxes
    for (one, box), (two, other) in combinations(boxes, 2):
        assert not box.overlaps(other), (one, two)
    return texts, ticks
