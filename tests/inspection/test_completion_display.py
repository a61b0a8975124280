"""The picture of a completion shows every step: what was known, and what was found how."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skfact.fixed_support import complete_rank_one
from skfact.inspection import CompletionDisplay

pytest.importorskip("matplotlib")
import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb

from skfact.inspection._completion_display import (
    DARK,
    FILLED,
    KNOWN,
    LIGHT,
    OUTSIDE,
    READ,
    UNKNOWN,
    _short,
)
from tests.fixed_support._uniqueness.test_completion import SEED, SEED_LEFT, SEED_RIGHT
from tests.inspection._pictures import assert_apart, assert_readable

EXAMPLE = complete_rank_one(SEED, SEED_LEFT, SEED_RIGHT)
BAND = np.tri(30, k=3) * np.tri(30).T
LONG = complete_rank_one(BAND @ BAND.T, BAND, BAND.T)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def panels(display, palette=LIGHT):
    """Which kind each cell of each panel is."""
    colours = np.array([to_rgb(colour) for colour in palette])
    images = [np.asarray(image.get_array())[..., :3] for image in display.ax_.get_images()]
    return [np.abs(image[:, :, None] - colours).sum(axis=-1).argmin(axis=-1) for image in images]


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_a_panel_for_each_step(style):
    with plt.style.context(style):
        display = CompletionDisplay.from_completion(EXAMPLE)
        assert_readable(display)
    kinds = panels(display, LIGHT if style == "default" else DARK)
    assert len(kinds) == len(EXAMPLE.steps) == 10
    for kind, step in zip(kinds, EXAMPLE.steps, strict=True):
        new = READ if step.rule == "read" else FILLED
        assert_array_equal(np.argwhere(kind == new), np.column_stack([step.rows, step.columns]))
        rectangle = np.outer(SEED_LEFT[:, step.component], SEED_RIGHT[step.component])
        assert_array_equal(kind > 0, rectangle > 0)
    last = {step.component: kind for step, kind in zip(EXAMPLE.steps, kinds, strict=True)}
    assert not any((kind == UNKNOWN).any() for kind in last.values())
    assert (last[0] == KNOWN).sum() == 4


def test_titles_numbers_and_legend():
    display = CompletionDisplay.from_completion(EXAMPLE)
    texts = [text.get_text() for text in display.ax_.texts]
    assert [text for text in texts if "component" in text] == [
        f"{i + 1}. component {step.component}" for i, step in enumerate(EXAMPLE.steps)
    ]
    counts = [np.count_nonzero(kind >= KNOWN) for kind in panels(display)]
    third = numbers(display)[sum(counts[:2]) : sum(counts[:3])]
    assert third == ["1", "2", "1", "2"]  # row by row, the 1 of row 1 filled in
    assert display.ax_.get_title() == "10 steps: all entries are known"
    assert len(display.ax_.get_legend().get_texts()) == 4


def test_what_stays_unknown_and_what_does_not_fit():
    open_ended = complete_rank_one([[0, 1], [1, 5]], np.tri(2), np.tri(2).T)
    display = CompletionDisplay.from_completion(open_ended)
    assert display.ax_.get_title() == "1 step: 2 entries of components stay unknown"
    first, untouched = panels(display)
    assert_array_equal(first, [[READ, READ], [READ, UNKNOWN]])
    assert_array_equal(untouched, [[OUTSIDE, OUTSIDE], [OUTSIDE, UNKNOWN]])
    assert [t.get_text() for t in display.ax_.texts if "component" in t.get_text()] == [
        "1. component 0",
        "component 1",
    ]
    wrong = complete_rank_one(np.eye(2), [[1], [1]], [[1, 1]])
    assert "does not fit Z" in CompletionDisplay(wrong).plot().ax_.get_title()
    twice = complete_rank_one(np.ones((3, 3)), np.ones((3, 2)), np.ones((2, 3)))
    assert not twice.steps
    display = CompletionDisplay(twice).plot()
    assert_readable(display)
    assert_array_equal(panels(display), np.full((2, 3, 3), UNKNOWN))
    words = "No step, as no entry is forced: 18 entries of components stay unknown"
    assert display.ax_.get_title() == words


def test_long_completions_and_long_sides_are_cut():
    display = CompletionDisplay.from_completion(LONG, max_steps=7, max_pixels=10)
    assert_readable(display)
    assert [kind.shape for kind in panels(display)] == [(10, 10)] * 7
    title = display.ax_.get_title()
    assert f"drawn: 7 of {len(LONG.steps)} steps, 10 of 30 rows, 10 of 30 columns" in title
    assert len(panels(CompletionDisplay.from_completion(LONG))) == 20


def numbers(display):
    """What is written in cells."""
    return [text.get_text() for text in display.ax_.texts if "component" not in text.get_text()]


def test_numbers_are_written_in_all_panels_or_in_none():
    """Rounded to a few characters; complex ones would be too long."""
    kinds = panels(CompletionDisplay(EXAMPLE).plot())
    known = sum(np.count_nonzero(kind >= KNOWN) for kind in kinds)
    for factor in (1.0, -1234.5, 1e-3, 1e100):
        found = complete_rank_one(SEED * factor, SEED_LEFT, SEED_RIGHT)
        assert len(numbers(CompletionDisplay(found).plot())) == known
    for factor in (1j, -1e-150):
        found = complete_rank_one(SEED * factor, SEED_LEFT, SEED_RIGHT)
        assert not numbers(CompletionDisplay(found).plot())


@pytest.mark.parametrize(
    "value, text",
    [(0.0, "0"), (2.0, "2"), (-0.125, "-0.12"), (3.25, "3.2"), (123.4, "123"), (-4321.0, "-4321"),
     (99.96, "100"), (0.0123, "1e-2"), (56789.0, "6e4"), (-1e-10, "-1e-10")],
)  # fmt: skip
def test_numbers_are_short(value, text):
    assert _short(value) == text


@pytest.mark.parametrize("max_steps", [1, 4, 5, 7, 13, 16, 20])
@pytest.mark.parametrize("shape", [(16, 16), (4, 4), (24, 6), (6, 24)])
def test_nothing_is_cut_off(shape, max_steps):
    """Whatever the number of panels and their shape, titles and legend are inside of the figure."""
    size = min(shape)
    left, right = np.tri(shape[0], size), np.tri(shape[1], size).T
    found = complete_rank_one(left @ right, left, right)
    assert_readable(CompletionDisplay.from_completion(found, max_steps=max_steps))


def test_axes_of_the_caller_and_wrong_arguments():
    for ax in (plt.subplots()[1], plt.subplots(2, 2)[1][0, 0], plt.subplots(figsize=(3, 2))[1]):
        display = CompletionDisplay.from_completion(EXAMPLE, ax=ax)
        assert display.ax_ is ax and display.figure_ is ax.figure
        ax.get_legend().set_visible(False)  # which may be wider than small axes
        assert_apart(display)
    with pytest.raises(TypeError, match="completion must be a RankOneCompletion, got ndarray"):
        CompletionDisplay(SEED)
    for name in ("max_steps", "max_pixels"):
        with pytest.raises(ValueError, match=f"{name} must be at least 1"):
            CompletionDisplay(EXAMPLE).plot(**{name: 0})
