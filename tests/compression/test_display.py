"""The picture of a compressed network shows its numbers and errors."""

from itertools import pairwise

import numpy as np
import pytest

from skfact.compression import CompressedLayer, Compression, CompressionDisplay, compress

pytest.importorskip("matplotlib")
import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

from tests.inspection._pictures import assert_readable

RNG = np.random.default_rng(0)
PAIR = [RNG.standard_normal((40, 40)) for _ in range(3)], None


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.mark.parametrize("inputs", [None, RNG.standard_normal((90, 40))], ids=["plain", "inputs"])
def test_bars_and_marks_are_those_of_the_report(inputs):
    found = compress(PAIR, inputs, max_density=0.4)
    display = found.plot()
    before, after = ([bar.get_width() for bar in container] for container in display.ax_.containers)
    assert before == [layer.numbers_before for layer in found.layers]
    assert after == [layer.numbers_after for layer in found.layers]
    lines = {line.get_label(): line.get_xdata() for line in display.errors_ax_.get_lines()}
    np.testing.assert_allclose(lines["error"], [layer.error for layer in found.layers])
    np.testing.assert_allclose(lines["low rank"], [x.low_rank_error for x in found.layers])
    assert_readable(display)


def test_errors_beside_zeros_are_not_drawn():
    """No sample reaches the neurons, but where their layer is of low rank; and nothing is added."""
    coefs, rows = [RNG.standard_normal((16, 24)), np.ones((24, 8))], RNG.standard_normal((99, 16))
    found = compress((coefs, [-(rows @ coefs[0]).max(axis=0) - 1e-3, np.zeros(8)]), rows)
    assert found.layers[1].output_error == found.output_error == np.inf
    left, right = found.plot().errors_ax_.get_xlim()
    assert left < 0 < found.layers[0].error < right < 2


def test_axes_of_ones_own():
    _, axes = plt.subplots(1, 2, figsize=(11, 3))
    display = CompressionDisplay.from_compression(compress(PAIR), ax=axes[1])
    assert display.ax_ is axes[1] and display.figure_ is axes[0].figure


def test_only_what_compress_returns():
    for wrong in (None, PAIR):
        with pytest.raises(TypeError, match="compression must be a Compression"):
            CompressionDisplay(wrong)


LONG = "encoder.layer.{0}.attention.self.query_key_value"
LONGER = "a.{0}." + "of_many_parts." * 5 + "projection"


@pytest.mark.parametrize(
    "count, name, missed",
    [
        (1, LONG, 0.0),
        (3, LONG, 0.4),
        (3, LONGER, 0.4),
        (3, f"{LONGER}_{{0}}", 0.0),
        (80, LONG, 0.4),
    ],
)
def test_many_layers_and_long_names(count, name, missed):
    layers = tuple(
        CompressedLayer(
            name.format(i), (99, 999), "rank 9", 98_901, 9882, missed, missed, 0.5, None, 8.0, 4.0
        )
        for i in range(count)
    )
    display = CompressionDisplay(Compression(None, layers, {}, 99, 0.1, 0.0, None)).plot()
    assert_readable(display)
    display.figure_.canvas.draw()
    labels = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert len(set(labels)) == count
    assert all(not 0 < i < count or str(i) in label for i, label in enumerate(labels))
    for axes in (display.ax_, display.errors_ax_):
        ticks = [text for text in axes.get_xticklabels() if text.get_text()]
        boxes = [text.get_window_extent() for text in ticks]
        assert all(one.x1 < two.x0 for one, two in pairwise(boxes))
    for line in display.errors_ax_.get_lines():
        low, high = display.errors_ax_.get_xlim()
        assert all(low < x < high for x in line.get_xdata())


def test_axes_too_small_for_all_names():
    layers = tuple(
        CompressedLayer(f"layer {i}", (9, 9), "rank 1", 81, 18, 0.1, 0.1, 0.1, None, 8.0, 4.0)
        for i in range(100)
    )
    _, ax = plt.subplots(figsize=(7, 3), layout="constrained")
    assert_readable(Compression(None, layers, {}, 99, 0.1, 0.0, None).plot(ax))
