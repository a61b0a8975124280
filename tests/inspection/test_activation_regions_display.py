"""ActivationRegionsDisplay: every switch is found, and it is known what bends there."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_allclose, assert_array_equal

from skfact.inspection import ActivationRegionsDisplay
from skfact.relu import activation_patterns
from tests.asserts import at_most
from tests.inspection._pictures import assert_readable
from tests.relu.networks import output, random_factors, random_network, scaled, seeds, sizes

pytest.importorskip("matplotlib")
import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def with_twins(widths=(2, 4, 3, 1), seed=0):
    """A generic network and neurons that change nothing: cancelling twins, an unused one."""
    coefs, intercepts = random_network(list(widths), seed)
    coefs[0] = np.hstack([coefs[0], coefs[0][:, :1] * 2, np.ones((widths[0], 1))])
    intercepts[0] = np.append(intercepts[0], [2 * intercepts[0][0], 0.3])
    coefs[1] = np.vstack([coefs[1], -coefs[1][:1] / 2, 0 * coefs[1][:1]])
    return coefs, intercepts


@given(sizes, seeds)
@at_most(30)
def test_a_line_is_cut_where_patterns_change_and_bends_where_slopes_do(widths, seed):
    network = random_network(widths, seed)
    points = np.random.default_rng(seed).standard_normal((2, widths[0]))
    display = ActivationRegionsDisplay(network, points, margin=1)
    ends = np.concatenate([[-1], display.cuts, [2]])
    assert (np.diff(ends) > 0).all() and len(display.bends) == len(display.cuts)
    t = np.linspace(ends[:-1], ends[1:], 5)[1:-1]  # three points of each region
    X = points[0] + t[..., None] * (points[1] - points[0])
    inside = X.reshape(-1, widths[0])
    patterns = activation_patterns(network, inside).reshape(3, len(ends) - 1, -1)
    wide = np.diff(ends) > 1e-9  # rounding decides in the others
    assert_array_equal(patterns[0][wide], patterns[2][wide])
    assert (patterns[1][1:] != patterns[1][:-1]).any(axis=1).all()
    f = output(network, inside).reshape(3, len(ends) - 1, -1)
    slopes = (f[2] - f[0]) / (t[2] - t[0])[:, None]
    scale = abs(slopes).max() + 1
    changes = abs(slopes[1:] - slopes[:-1]).max(axis=1)
    sure = wide[1:] & wide[:-1] & (np.diff(ends).min() > 1e-5)
    assert (changes[sure & ~display.bends] < 1e-6 * scale).all()
    assert (display.bends[sure & (changes > 1e-6 * scale)]).all()


def test_twins_and_unused_neurons_make_no_linear_regions():
    points = [[-2.0, -1.5], [2.0, 1.0]]
    display = ActivationRegionsDisplay(with_twins(), points)
    clean = [w[1:4] if l == 1 else w for l, w in enumerate(random_network([2, 4, 3, 1])[0])]
    clean[0], bias = clean[0][:, 1:], random_network([2, 4, 3, 1])[1]
    expected = ActivationRegionsDisplay((clean, [bias[0][1:], *bias[1:]]), points)
    # a neuron whose readers are all off changes nothing either
    assert expected.bends.any()
    assert_allclose(display.cuts[display.bends], expected.cuts[expected.bends], rtol=1e-10)
    assert 1 <= len(display.cuts) - len(expected.cuts) <= 2
    flat = [[[1.0, 0.0], [0.0, 1.0]], [[1.0], [0.0]]], None
    plane = ActivationRegionsDisplay(flat, [[-1, -1], [1, -1], [-1, 1]], margin=0)
    assert (plane.n_activation_regions, plane.n_linear_regions) == (4, 2)


def test_a_plane_agrees_with_patterns_and_lines():
    network = with_twins()
    points = np.array([[-2.0, -2.0], [2.0, -2.0], [-2.0, 2.0]])
    display = ActivationRegionsDisplay.from_network(network, points, margin=0, resolution=50)
    assert display.extent == pytest.approx((0, 4, 0, 4))
    s = np.linspace(-2, 2, 50)
    grid = np.stack([np.tile(s, 50), np.repeat(s, 50)], axis=1)
    patterns = activation_patterns(network, grid)
    number = display.activation_regions.ravel()
    assert len(np.unique(patterns, axis=0)) == display.n_activation_regions == 1 + number.max()
    for region in range(display.n_activation_regions):
        assert (patterns[number == region] == patterns[number == region][0]).all()
        assert len(np.unique(display.linear_regions.ravel()[number == region])) == 1
    assert display.n_linear_regions < display.n_activation_regions
    # the same affine function on each linear region
    f = output(network, grid)
    for region in range(display.n_linear_regions):
        here = display.linear_regions.ravel() == region
        basis = np.column_stack([grid[here], np.ones(here.sum())])
        fitted = basis @ np.linalg.lstsq(basis, f[here], rcond=None)[0]
        assert_allclose(fitted, f[here], atol=1e-10)


def test_rescaling_and_array_library_change_nothing(asarray):
    network = with_twins()
    points = np.random.default_rng(1).standard_normal((2, 2))
    expected = ActivationRegionsDisplay(network, points)
    other = scaled(network, random_factors([2, 6, 3, 1], 0, 40.0))
    arrays = [asarray(w) for w in other[0]], [asarray(b) for b in other[1]]
    found = ActivationRegionsDisplay(arrays, asarray(points))
    assert_allclose(found.cuts, expected.cuts, rtol=1e-9)
    assert_array_equal(found.bends, expected.bends)


def test_pictures():
    network = with_twins()
    _, (left, right) = plt.subplots(1, 2)
    line = ActivationRegionsDisplay.from_network(network, [[-2, 0], [2, 1]], ax=left)
    dashed = [x for x in left.lines if x.get_linestyle() == "--"]
    assert len(dashed) == (~line.bends).sum() > 0
    curve = left.lines[-1].get_xydata()
    X = np.array([-2.0, 0.0]) + curve[:, :1] * [4.0, 1.0]
    assert_allclose(curve[:, 1], output(network, X)[:, 0])
    points = [[-2, -2], [2, -2], [0, 2]]
    plane = ActivationRegionsDisplay.from_network(network, points, resolution=40, ax=right)
    assert plane.ax_ is right and plane.figure_ is right.figure
    assert f"{plane.n_linear_regions} linear regions" in right.get_title()
    layerless = [np.ones((2, 1))], None
    assert ActivationRegionsDisplay.from_network(layerless, points).n_linear_regions == 1
    assert len(ActivationRegionsDisplay(layerless, points[:2]).cuts) == 0


def test_a_picture_of_many_features_costs_its_points():
    rng = np.random.default_rng(0)
    network = [rng.standard_normal((3000, 8)), rng.standard_normal((8, 2))], None
    points = rng.standard_normal((3, 3000))
    tracemalloc.start()
    display = ActivationRegionsDisplay(network, points, resolution=150)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 30e6  # all points as samples would take 540 MB
    assert display.n_linear_regions > 1


@pytest.mark.parametrize("style", ["default", "dark_background"])
@pytest.mark.parametrize("points", [[[-2, -2], [2, 2]], [[-2, -2], [2, -2], [0, 2]]])
def test_pictures_are_legible_on_light_and_dark(style, points):
    with plt.style.context(style):
        display = ActivationRegionsDisplay.from_network(with_twins(), points, resolution=60)
        assert_readable(display)
        ground = sum(display.figure_.get_facecolor()[:3])
        for line in display.ax_.get_legend().get_lines():
            assert abs(sum(to_rgb(line.get_color())) - ground) > 0.7


def test_one_region_is_no_regions():
    linear = [np.ones((2, 1))], None
    display = ActivationRegionsDisplay.from_network(linear, [[0, 0], [1, 1]])
    assert display.ax_.get_title() == "1 activation region, 1 linear region"


@pytest.mark.parametrize(
    "points, options, error, message",
    [
        ([[0, 0]], {}, ValueError, "points must be 2 points of a line or 3 of a plane, got 1"),
        ([[0, 0], [0, 0]], {}, ValueError, "points are equal"),
        ([[0, 0], [1, 1], [2, 2]], {}, ValueError, "points are on one line"),
        ([[0, 0, 0]], {}, ValueError, "points has 3 features.*2 inputs"),
        ([[0, 0], [1, 1]], {"margin": -1.0}, ValueError, "margin"),
        ([[0, 0], [1, 1]], {"margin": np.inf}, ValueError, "margin must be at most 1e.09, got inf"),
        ([[0, 0], [1, 1]], {"margin": 1e300}, ValueError, "margin must be at most"),
        ([[0, 0], [1, 1]], {"margin": np.nan}, ValueError, "margin must be at least 0, got nan"),
        ([[0, 0], [1, 1]], {"margin": True}, TypeError, "margin"),
        ([[0, 0], [1]], {}, ValueError, "points"),
        ([[0, 0], [1, 1]], {"resolution": 1}, ValueError, "resolution"),
    ],
)
def test_refusals(points, options, error, message):
    with pytest.raises(error, match=message):
        ActivationRegionsDisplay(random_network([2, 3, 1]), points, **options)
