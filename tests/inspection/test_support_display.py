"""SupportDisplay: every entry is drawn, in the right place, in a picture that says what it is."""

import subprocess
import sys
import tracemalloc

import matplotlib.pyplot as plt
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import hadamard
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import StandardScaler

from skfact import ButterflyFactorizer
from skfact.butterfly import butterfly_factorize
from skfact.inspection import (
    ActivationRegionsDisplay,
    IdentifiabilityDisplay,
    SupportDisplay,
    SupportReportDisplay,
    _cells,
)
from skfact.operators import FactorizedOperator, KroneckerFactor, SparseFactor
from skfact.supports import Chain, FixedMask, KroneckerSparse
from tests.asserts import for_each, on_any_matrix
from tests.inspection._pictures import assert_readable

plt.switch_backend("Agg")
PLAIN = SupportDisplay(Chain.butterfly(4))


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def texts(display):
    return [text.get_text() for text in display.ax_.texts]


def images(display):
    """What was drawn; NaN is left white."""
    return [np.ma.filled(image.get_array(), np.nan) for image in display.ax_.images]


def test_chain_is_drawn_entry_by_entry():
    chain = Chain.butterfly(12)
    display = SupportDisplay.from_chain(chain)
    assert len(images(display)) == len(chain)
    for image, entries, pattern in zip(images(display), display.factors, chain, strict=True):
        assert_array_equal(~np.isnan(image), pattern.mask())
        assert_array_equal(entries.toarray(), pattern.mask())
    labels = texts(display)
    assert labels.count("×") == len(chain) - 1
    for number, pattern in enumerate(chain, start=1):
        assert f"$S_{{{number}}}$\n{tuple(pattern)}" in labels
        assert f"{pattern.nnz}\nnon-zeros" in labels
    assert not any("one cell" in label for label in labels)


@on_any_matrix
def test_estimator_on_any_array_library(asarray):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 12))
    estimator = ButterflyFactorizer().fit(asarray(X))
    display = SupportDisplay.from_estimator(estimator, values=True)
    reference = butterfly_factorize(X).factors
    assert len(display.factors) == len(reference)
    for entries, factor in zip(display.factors, reference, strict=True):
        assert isinstance(entries.data, np.ndarray)
        assert_allclose(entries.toarray(), np.abs(factor.toarray()), rtol=1e-10, atol=1e-12)


def test_values_are_shaded_relative_to_the_largest_of_each_factor():
    left, right = np.array([[1.0, -4.0], [2.0, 0.0]]), np.array([[10.0j, 5.0], [0.0, 5.0]])
    operator = FactorizedOperator([left, right])
    shaded = SupportDisplay.from_operator(operator, values=True)
    assert_allclose(images(shaded)[0], [[0.25, 1], [0.5, 0]])
    assert_allclose(images(shaded)[1], [[1, 0.5], [0, 0.5]])
    assert len(shaded.figure_.get_axes()) == 2  # the picture and the bar of colours
    plain = SupportDisplay.from_operator(operator)
    assert_array_equal(images(plain)[0], np.ones((2, 2)))
    assert plain.figure_.get_axes() == [plain.ax_]


def test_all_zero_factor_is_shaded_as_zero():
    display = SupportDisplay.from_operator(FactorizedOperator([np.zeros((2, 3))]), values=True)
    assert_array_equal(images(display)[0], np.zeros((2, 3)))


def test_permutations_and_padding_are_named_and_not_counted():
    F = np.fft.fft(np.eye(8))
    display = SupportDisplay.from_operator(butterfly_factorize(F, permutation="digit-reversal"))
    assert texts(display)[-3:] == ["$P$", "permutation", "×"]
    padded = SupportDisplay.from_operator(butterfly_factorize(np.ones((11, 12))))
    labels = texts(padded)
    assert labels[:2] == ["$P$", "selection"]
    assert any(label.startswith("$S_{1}$") for label in labels)


@pytest.mark.parametrize("n, max_pixels", [(1024, 128), (96, 7), (8, 1)])
def test_large_factors_lose_no_entry(n, max_pixels):
    rng = np.random.default_rng(0)
    matrix = scipy.sparse.random_array((n, n), density=2 / n, rng=rng)
    display = SupportDisplay([matrix]).plot(values=True, max_pixels=max_pixels)
    (image,) = images(display)
    assert image.shape == (max_pixels, max_pixels)
    expected = np.zeros((max_pixels, max_pixels))
    coo = matrix.tocoo()
    for i, j, value in zip(*coo.coords, coo.data, strict=True):
        cell = i * max_pixels // n, j * max_pixels // n
        expected[cell] = max(expected[cell], value / coo.data.max())
    assert_allclose(np.nan_to_num(image), expected)
    cell = -(-n // max_pixels)
    assert f"one cell: up to {cell} × {cell} entries" in texts(display)


def test_other_supports_and_matrices():
    mask = np.eye(4, dtype=bool)
    sparse = scipy.sparse.csr_array(hadamard(4) * mask)
    display = SupportDisplay([FixedMask(mask), KroneckerSparse(2, 2, 2, 1), sparse, mask * 3.0])
    assert [entries.nnz for entries in display.factors] == [4, 8, 4, 4]
    assert display.plot() is display


def test_many_factors_are_broken_into_rows_and_do_not_overlap():
    display = SupportDisplay.from_chain(Chain.butterfly(1024))
    display.figure_.canvas.draw()
    renderer = display.figure_.canvas.get_renderer()
    boxes = [text.get_window_extent(renderer) for text in display.ax_.texts]
    boxes += [image.get_window_extent(renderer) for image in display.ax_.images]
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])
    width, height = display.figure_.get_size_inches() * display.figure_.dpi
    for box in boxes:
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height
    assert len({round(image.get_extent()[3], 6) for image in display.ax_.images}) == 2


@for_each("pattern", [(1, 1, 1, 1), (3, 5, 2, 7), (1, 9, 4, 11), (13, 1, 6, 1), (2, 3, 3, 17)])
@for_each("max_pixels", [1, 2, 7, 16, 61, 500])
def test_patterns_are_drawn_as_their_masks_are(pattern, max_pixels):
    """From the ends of the cells alone, without the entries."""
    pattern = KroneckerSparse(*pattern)
    drawn = [
        images(SupportDisplay([matrix]).plot(max_pixels=max_pixels))[0]
        for matrix in (pattern, FixedMask(pattern.mask()), pattern.mask() * 2.0)
    ]
    plt.close("all")
    assert_array_equal(drawn[0], drawn[1])
    assert_array_equal(drawn[0], drawn[2])


@given(st.tuples(*[st.integers(1, 12)] * 4), st.integers(1, 50))
def test_cells_of_any_pattern(pattern, max_pixels):
    pattern = KroneckerSparse(*pattern)
    image = _cells.image_of(pattern, max_pixels, values=False)
    assert_array_equal(image, _cells.image_of(pattern.mask() * 1.0, max_pixels, values=False))


@for_each("pattern", [(2, 3, 5, 7), (1, 40, 30, 1), (1, 1, 90, 3), (50, 4, 1, 2)])
def test_values_are_looked_at_in_parts(pattern, monkeypatch):
    """The same picture and entries whatever the size of the parts, for all that can be drawn."""
    pattern = KroneckerSparse(*pattern)
    a, b, c, d = pattern
    values = np.random.default_rng(0).standard_normal((a, d, b, c))
    factor = KroneckerFactor(values, pattern)
    dense = factor.toarray()
    matrices = [factor, dense, scipy.sparse.csc_array(dense), SparseFactor(factor.to_csr())]
    for chunk in (1, 5, 100, 2**18):
        monkeypatch.setattr(_cells, "CHUNK", chunk)
        display = SupportDisplay(matrices).plot(values=True, max_pixels=11)
        first, *others = images(display)
        for other, entries in zip(others, display.factors, strict=False):
            assert_allclose(other, first)
            assert_allclose(entries.toarray(), np.abs(dense))
        plt.close("all")


@for_each("chain", [Chain.butterfly(2**22), Chain.butterfly(2**61), Chain.monarch(2**40, 2**40)])
def test_pictures_of_huge_chains_cost_their_pixels(chain):
    tracemalloc.start()
    display = SupportDisplay.from_chain(chain)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40e6
    assert len(images(display)) == len(chain)
    if chain[0].b == 2:  # the same picture as of a small one, but for the thickness of a cell
        small = SupportDisplay([KroneckerSparse(1, 2, 2, 64)]).plot()
        assert_array_equal(images(display)[0], images(small)[0])
    plt.close("all")


def test_reports_of_large_masks_take_the_memory_of_the_mask():
    mask = np.ones((3000, 2000), dtype=bool)
    tracemalloc.start()
    SupportDisplay([mask]).plot()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < mask.nbytes + 30e6


def test_too_large_to_be_drawn():
    with pytest.raises(ValueError, match="too large to be drawn"):
        SupportDisplay.from_chain(Chain.butterfly(2**70))


def test_what_is_drawn_does_not_follow_the_callers_arrays():
    dense, sparse = np.eye(2), scipy.sparse.coo_array(np.eye(2))
    display = SupportDisplay([dense, sparse])
    dense[:] = 7
    sparse.data[:], sparse.row[:] = 7, 0
    for entries in display.factors:
        assert_array_equal(entries.toarray(), np.eye(2))


def test_infinite_magnitudes():
    (image,) = images(SupportDisplay([np.array([[np.inf, 1.0], [0.0, np.inf]])]).plot(values=True))
    assert_allclose(image, [[1, 0], [np.nan, 1]], atol=1e-300)


@for_each("style", ["default", "dark_background"])
@for_each("chain", [Chain.butterfly(1024), Chain.dense(512, 512), Chain.low_rank(300, 200, 1)])
def test_all_is_legible_on_light_and_dark(style, chain):
    with plt.style.context(style):
        display = SupportDisplay.from_chain(chain)
        assert_readable(display)
        ground = sum(display.figure_.get_facecolor()[:3])
        for image in display.ax_.images:
            colours = image.get_cmap()(np.linspace(0, 1, 5))[:, :3].sum(axis=1)
            assert np.all(np.abs(colours - ground) > 0.4)
            assert abs(colours[-1] - ground) > 1.5
        plt.close("all")


@for_each("shape", [(1, 2), (2, 2), (1, 1), (3, 1)])
def test_texts_fit_axes_that_are_given(shape):
    for chain in (Chain.butterfly(1024), Chain.monarch(512, 512)):
        _, axes = plt.subplots(*shape, squeeze=False)
        assert_readable(SupportDisplay.from_chain(chain, ax=axes[0, 0]))
        plt.close("all")


def test_one_non_zero():
    assert "1\nnon-zero" in texts(SupportDisplay([[[1.0]]]).plot())


def test_thin_factors_stay_visible():
    display = SupportDisplay.from_chain(Chain.low_rank(1000, 1000, 1))
    left, right, bottom, top = display.ax_.images[0].get_extent()
    assert_allclose((right - left, bottom - top), (0.03, 1))


def test_given_axes_are_used():
    figure, axes = plt.subplots(1, 2)
    display = SupportDisplay.from_chain(Chain.butterfly(8), ax=axes[1], cmap="viridis")
    assert display.ax_ is axes[1]
    assert display.figure_ is figure
    assert len(axes[0].images) == 0
    assert axes[1].images[0].get_cmap().name == "viridis"


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: SupportDisplay([]), ValueError, "factors is empty"),
        (lambda: SupportDisplay([np.ones(3)]), ValueError, r"factors\[0\] must be a factor"),
        (lambda: SupportDisplay([np.eye(2), "x"]), ValueError, r"factors\[1\] must be a factor"),
        (lambda: SupportDisplay([[[1], [2, 3]]]), ValueError, r"factors\[0\] is no rectangular"),
        (lambda: SupportDisplay([np.float64(3)]), ValueError, r"factors\[0\] must be a factor"),
        (lambda: SupportDisplay(3), TypeError, "factors must be a sequence of factors"),
        (lambda: SupportDisplay("ab"), TypeError, "factors must be a sequence of factors"),
        (lambda: SupportDisplay({1, 2}), TypeError, "factors must be a sequence of factors"),
        (lambda: PLAIN.plot(values="no"), TypeError, "values must be True or False, got 'no'"),
        (lambda: PLAIN.plot(values=1), TypeError, "values must be True or False, got 1"),
        (lambda: PLAIN.plot(cmap="nope"), ValueError, "cmap='nope' is no colormap"),
        (lambda: PLAIN.plot(cmap=3), TypeError, "cmap must be a name or a Colormap"),
        (lambda: PLAIN.plot(3), TypeError, "ax must be a matplotlib Axes or None, got int"),
        (lambda: PLAIN.plot(np.array([None])), TypeError, "ax must be.*take one"),
        (lambda: SupportDisplay.from_chain([(1, 2, 2, 1)]), TypeError, "chain must be a Chain"),
        (
            lambda: SupportDisplay.from_operator(np.eye(2)),
            TypeError,
            "must be a FactorizedOperator",
        ),
        (
            lambda: SupportDisplay.from_chain(Chain.dense(2, 2), max_pixels=0),
            ValueError,
            "max_pixels must be at least 1",
        ),
        (
            lambda: SupportDisplay.from_chain(Chain.dense(2, 2), max_pixels=2.5),
            TypeError,
            "max_pixels must be int",
        ),
        (
            lambda: SupportDisplay.from_estimator(StandardScaler().fit(np.eye(2))),
            TypeError,
            "must have an operator_",
        ),
    ],
)
def test_refusals(make, error, message):
    with pytest.raises(error, match=message):
        make()


@for_each("display", [SupportDisplay, SupportReportDisplay])
@for_each("estimator", [3, None, StandardScaler, np.eye(2)])
def test_no_estimator(display, estimator):
    with pytest.raises(TypeError, match="estimator must be a fitted estimator, got"):
        display.from_estimator(estimator)


@for_each("ax", [3, "ax", [None], np.array([None])])
def test_no_axes(ax):
    network = [np.ones((2, 2)), np.ones((2, 1))], None
    for draw in (
        lambda: SupportDisplay.from_chain(Chain.butterfly(4), ax=ax),
        lambda: SupportReportDisplay.from_supports(np.eye(2), np.eye(2), ax=ax),
        lambda: IdentifiabilityDisplay.from_network(network, ax=ax),
        lambda: ActivationRegionsDisplay.from_network(network, [[0, 0], [1, 1]], ax=ax),
    ):
        with pytest.raises(TypeError, match="ax must be a matplotlib Axes or None, got"):
            draw()
    assert plt.get_fignums() == []


def test_unfitted_estimator():
    with pytest.raises(NotFittedError):
        SupportDisplay.from_estimator(ButterflyFactorizer())


def test_without_matplotlib_only_plotting_fails():
    code = """
import sys
sys.modules["matplotlib"] = None
from skfact.inspection import SupportDisplay
from skfact.supports import Chain
display = SupportDisplay(Chain.butterfly(4))
try:
    display.plot()
except ImportError as error:
    print(error)
"""
    process = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert process.stderr == ""
    assert "pip install skfact[plot]" in process.stdout
