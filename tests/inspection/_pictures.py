"""What all pictures must be: readable."""

from itertools import combinations
from typing import Any

from matplotlib.colors import to_rgb
from matplotlib.text import Text


def assert_readable(display: Any) -> None:
    """No text lies over another one, and all stand out from the ground."""
    figure = display.figure_
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    texts = [
        text for text in display.ax_.findobj(Text) if text.get_text().strip() and text.get_visible()
    ]
    if not display.ax_.axison:
        ticks = [*display.ax_.xaxis.findobj(Text), *display.ax_.yaxis.findobj(Text)]
        texts = [text for text in texts if text not in ticks]
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in texts]
    assert boxes
    for (one, box), (two, other) in combinations(boxes, 2):
        assert not box.overlaps(other), (one, two)
    ground = sum(to_rgb(figure.get_facecolor()))
    for text in texts:
        assert abs(sum(to_rgb(text.get_color())) - ground) > 1.2, text.get_text()
