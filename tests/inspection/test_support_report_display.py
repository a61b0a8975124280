"""The picture of a support report shows every class where it lies."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError

from skfact import FixedSupportMF
from skfact.fixed_support import FAMILIES, analyze_supports
from skfact.inspection import SupportReportDisplay

pytest.importorskip("matplotlib")
import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb

from skfact.inspection._support_report_display import COMPLETE, DEAD, OVERLAP
from tests.inspection._pictures import assert_readable


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def images(display):
    return [np.asarray(image.get_array()) for image in display.ax_.get_images()]


def is_colour(image, colour):
    return np.all(np.isclose(image[..., :3], to_rgb(colour)), axis=-1)


def test_product_shows_overlaps_and_complete_classes():
    lower = np.tri(4)
    left, right, product = images(SupportReportDisplay.from_supports(lower, lower.T))
    covering = sum(np.outer(lower[:, k], lower[:, k]) for k in range(4))
    complete = np.outer(lower[:, 3], lower[:, 3]) == 1
    assert_array_equal(is_colour(product, COMPLETE), complete)
    assert_array_equal(is_colour(product, OVERLAP), (covering > 1) & ~complete)
    assert_array_equal(is_colour(left, "white"), lower == 0)
    assert_array_equal(is_colour(right, "white"), lower.T == 0)


def test_classes_have_the_colour_of_their_components():
    masks = FAMILIES["disjoint-groups"](6, 9, 3)
    left, right, product = images(SupportReportDisplay.from_supports(*masks))
    for k in range(3):
        assert_allclose(right[k][masks[1][k]], np.broadcast_to(left[0, k], (3, 3)))
        assert_allclose(product[:, masks[1][k]], np.broadcast_to(left[0, k], (6, 3, 3)))
    assert len(np.unique(product.reshape(-1, 3), axis=0)) == 3


@pytest.mark.parametrize("shape", [(8, 8), (3, 24), (12, 5)])
def test_tiles_side_by_side_have_other_colours(shape):
    """A grid of tiles, each a class of its own."""
    rows, columns = shape
    left = np.kron(np.eye(rows), np.ones((2, columns)))
    right = np.tile(np.eye(columns), rows).T.repeat(3, axis=1)
    display = SupportReportDisplay.from_supports(left, right)
    assert len(display.report.classes) == rows * columns
    tiles = images(display)[2][::2, ::3]
    assert tiles.shape == (*shape, 3)
    assert len(np.unique(tiles.reshape(-1, 3), axis=0)) == 8
    for one, two in (
        (tiles[1:], tiles[:-1]),
        (tiles[:, 1:], tiles[:, :-1]),
        (tiles[1:, 1:], tiles[:-1, :-1]),
    ):
        assert np.all(np.any(one != two, axis=-1))


def test_columns_side_by_side_have_other_colours():
    left, right, _ = images(SupportReportDisplay.from_supports(np.tri(40), np.tri(40).T))
    assert np.all(np.any(left[-1, 1:] != left[-1, :-1], axis=-1))
    assert np.all(np.any(right[1:, -1] != right[:-1, -1], axis=-1))


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_texts_do_not_overlap(style):
    masks = FAMILIES["butterfly"](64, 64, None)
    with plt.style.context(style):
        display = SupportReportDisplay.from_supports(*masks, max_pixels=16)
        assert_readable(display)
        legend = display.ax_.get_legend()
        assert "class of equal supports (64)" in [text.get_text() for text in legend.get_texts()]


def test_classes_keep_their_colours_in_other_styles():
    masks = FAMILIES["disjoint-groups"](6, 9, 3)
    usual = images(SupportReportDisplay.from_supports(*masks))
    with plt.style.context("dark_background"):
        dark = images(SupportReportDisplay.from_supports(*masks))
    for one, two in zip(usual, dark, strict=True):
        assert_allclose(one, two)


def test_dead_components_are_told_apart():
    left, right, _ = images(SupportReportDisplay.from_supports([[1, 0]], [[1, 1], [1, 1]]))
    assert_array_equal(is_colour(right, DEAD), [[False, False], [True, True]])
    assert_array_equal(is_colour(left, "white"), [[False, True]])


def test_long_sides_are_sampled():
    masks = FAMILIES["butterfly"](64, 64, None)
    display = SupportReportDisplay.from_supports(*masks, max_pixels=16)
    assert [image.shape for image in images(display)] == [(16, 16, 3)] * 3
    assert "drawn: 16 of 64" in display.ax_.get_title()
    left = display.report.left_support.toarray()[::4, ::4]
    assert_array_equal(~is_colour(images(display)[0], "white"), left)


def test_axes_and_estimators():
    _, ax = plt.subplots()
    model = FixedSupportMF(3, supports="disjoint-groups")
    with pytest.raises(NotFittedError):
        SupportReportDisplay.from_estimator(model)
    model.fit(np.ones((6, 6)))
    display = SupportReportDisplay.from_estimator(model, ax=ax)
    assert display.ax_ is ax and display.figure_ is ax.figure
    assert "tractable: route blockwise" in ax.get_title()
    assert display.report is model.support_report_


def test_wrong_arguments():
    with pytest.raises(TypeError, match="report must be a SupportReport, got ndarray"):
        SupportReportDisplay(np.eye(3))
    with pytest.raises(ValueError, match="max_pixels must be at least 1"):
        SupportReportDisplay(analyze_supports(np.eye(2), np.eye(2))).plot(max_pixels=0)
