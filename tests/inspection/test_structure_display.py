"""The picture of a structure report shows the errors of the report."""

from dataclasses import replace

import numpy as np
import pytest

from skfact.butterfly import structure_report
from skfact.inspection import StructureDisplay

pytest.importorskip("matplotlib")
import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

from tests.inspection._pictures import assert_readable

DISTANCE = np.abs(np.subtract.outer(np.arange(48.0), np.arange(40.0)))
PEAK = 1 / (1 + DISTANCE)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_curves_are_those_of_the_report():
    report = structure_report(PEAK)
    display = StructureDisplay.from_report(report)
    lines = {line.get_label(): line for line in display.ax_.get_lines()}
    shares = [100 * row.share for row in report.rows]
    for label, errors in {
        "noise": [row.noise_error for row in report.rows],
        "best product": [row.product.error for row in report.rows],
        "low rank": [row.low_rank.error for row in report.rows],
        "taken": [row.option.error for row in report.rows],
    }.items():
        np.testing.assert_allclose(lines[label].get_xdata(), shares)
        np.testing.assert_allclose(lines[label].get_ydata(), errors)
    assert "low rank + entries" in lines


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_it_is_readable(style):
    with plt.style.context(style):
        for A in (PEAK, np.fft.fft(np.eye(32)), np.ones((1, 5))):
            assert_readable(StructureDisplay.from_matrix(A))


def test_errors_of_one_decade_start_at_zero():
    noise = np.random.default_rng(0).normal(size=(48, 40))
    display = StructureDisplay.from_matrix(noise)
    assert display.ax_.get_yscale() == "linear" and display.ax_.get_ylim()[0] == 0
    assert display.ax_.get_title() == "keep it dense"
    display = StructureDisplay.from_matrix(PEAK)
    assert display.ax_.get_yscale() == "log"
    shown = [t for t in display.ax_.get_yticks() if np.prod(display.ax_.get_ylim() - t) <= 0]
    assert len(shown) >= 3
    assert display.report.best.option.description.split(",")[0] in display.ax_.get_title()


def test_a_tolerance_is_a_line_and_axes_are_ours():
    _, ax = plt.subplots()
    display = StructureDisplay.from_matrix(PEAK, tol=0.3, ax=ax)
    assert display.ax_ is ax and display.figure_ is ax.figure
    assert any(np.allclose(line.get_ydata(), 0.3) for line in ax.get_lines())


def test_no_report():
    with pytest.raises(TypeError, match="report must be a StructureReport"):
        StructureDisplay(PEAK)


def test_reports_that_show_nothing():
    report = structure_report(PEAK)
    with pytest.raises(ValueError, match="report has no rows"):
        StructureDisplay.from_report(replace(report, rows=()))
    row = report.rows[0]
    for broken in (
        replace(row, share=np.nan),
        replace(row, noise_error=np.inf),
        replace(row, product=replace(row.product, error=np.nan)),
    ):
        with pytest.raises(ValueError, match="report has a row whose share or errors"):
            StructureDisplay.from_report(replace(report, rows=(broken,)))
