"""The picture of a compressed network shows its numbers and errors."""

import numpy as np
import pytest

from skfact.compression import CompressionDisplay, compress

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


def test_axes_of_ones_own():
    _, axes = plt.subplots(1, 2, figsize=(11, 3))
    display = CompressionDisplay.from_compression(compress(PAIR), ax=axes[1])
    assert display.ax_ is axes[1] and display.figure_ is axes[0].figure


def test_only_what_compress_returns():
    for wrong in (None, PAIR):
        with pytest.raises(TypeError, match="compression must be a Compression"):
            CompressionDisplay(wrong)
