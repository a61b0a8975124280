"""The picture of a convolution tree shows its nodes, its kernels, and what collides."""

import numpy as np
import pytest

from skfact.datasets import make_convolution_tree
from skfact.deep_linear import ConvolutionTree
from skfact.inspection import ConvolutionTreeDisplay

pytest.importorskip("matplotlib")
import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.collections import LineCollection

from skfact.inspection._convolution_tree_display import COLLIDING
from tests.inspection._pictures import assert_readable

TREE = ConvolutionTree([("r", "a"), ("a", "x"), ("a", "y")], [(0, 1), (0, 3), (4,)], 6)
CROSSED = ConvolutionTree([(0, 1), (0, 2), (1, 3), (2, 4), (1, 5)], [(0, 1)] * 5, 6)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def texts(display):
    return [text.get_text() for text in display.ax_.texts]


def test_marks_stand_where_kernels_may_be_non_zero():
    kernels = [np.array([1.0, -2.0]), np.array([1.0, 4.0]), np.array([0.0])]
    display = ConvolutionTreeDisplay.from_tree(TREE, kernels)
    marks = [c for c in display.ax_.collections if isinstance(c, LineCollection)]
    assert [len(c.get_segments()) for c in marks] == [2, 2, 1]
    for lines, kernel, support in zip(marks, kernels, TREE.supports):
        at = np.array([segment[0, 0] for segment in lines.get_segments()])
        heights = np.array([abs(s[1, 1] - s[0, 1]) for s in lines.get_segments()])
        np.testing.assert_allclose(np.diff(at), 0.84 / 6 * np.diff(support))
        np.testing.assert_allclose(heights, 0.33 * np.abs(kernel) / max(np.max(np.abs(kernel)), 1))
        colours = lines.get_colors()
        assert len({tuple(c) for c in colours}) == len(np.unique(kernel < 0))
    assert {"r", "a", "x", "y", "0, 1", "0, 3", "4"} == set(texts(display))
    assert "3 kernels in signals of 6: recoverable" in display.ax_.get_title()


def test_the_path_that_collides_is_red():
    display = ConvolutionTreeDisplay.from_tree(CROSSED)
    red = [line for line in display.ax_.get_lines() if line.get_color() == COLLIDING]
    assert len(red) == 2
    assert "not recoverable,\nto leaf 3: 0 + 1 = 1 + 0" in display.ax_.get_title()
    tall = make_convolution_tree((16, 16), recoverable=False, random_state=0)[1]
    title = ConvolutionTreeDisplay.from_tree(tall).ax_.get_title()
    assert "two sums of indices to leaf" in title or " = " in title


def test_lines_do_not_cross():
    display = ConvolutionTreeDisplay.from_tree(CROSSED)
    at = {t.get_text(): t.get_position() for t in display.ax_.texts if t.get_text() in "0123456789"}
    assert sorted([at["3"][0], at["5"][0], at["4"][0]]) == [0, 1, 2]
    assert at["4"][0] in (0, 2)  # beside the two children of node 1, not between them
    assert at["0"][1] == 0 and at["1"][1] == at["2"][1] == 1


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_it_is_readable(style):
    with plt.style.context(style):
        for options in (
            {"size": 4096, "n_leaves": 4, "depth": 6, "kernel_size": 4},
            {"size": (16, 16), "n_leaves": 3},
            {"n_leaves": 10},
            {"size": 8, "n_leaves": 1, "depth": 1},
        ):
            _, tree, kernels = make_convolution_tree(random_state=1, **options)
            assert_readable(ConvolutionTreeDisplay.from_tree(tree, kernels))
        assert_readable(ConvolutionTreeDisplay.from_tree(CROSSED))


def test_large_trees_have_no_words():
    _, tree, _ = make_convolution_tree(n_leaves=20, random_state=0)
    assert texts(ConvolutionTreeDisplay.from_tree(tree)) == []


def test_kernels_of_every_library_on_axes_of_ours(asarray):
    _, ax = plt.subplots()
    kernels = [asarray(np.ones(len(support))) for support in TREE.supports]
    display = ConvolutionTreeDisplay.from_tree(TREE, kernels, ax=ax)
    assert display.ax_ is ax and display.figure_ is ax.figure
    assert all(isinstance(kernel, np.ndarray) for kernel in display.kernels)
    complex_ones = [kernel * 1j for kernel in display.kernels]
    assert ConvolutionTreeDisplay(TREE, complex_ones).plot().ax_ is not ax


def test_no_tree():
    with pytest.raises(TypeError, match="tree must be a ConvolutionTree"):
        ConvolutionTreeDisplay([(0, 1)])
    with pytest.raises(ValueError, match="one kernel for each"):
        ConvolutionTreeDisplay(TREE, [[1.0, 2.0]])
