"""The picture of an identifiability report marks the neurons that it names."""

import numpy as np
import pytest

from skfact.inspection import IdentifiabilityDisplay
from skfact.relu import identifiability_report

pytest.importorskip("matplotlib")
import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex

from skfact.inspection._identifiability_display import COLOURS, HEALTHY

COEFS = [np.array([[1.0, 2.0, -1.0, 0.3, 0.0], [0.0, 0.0, 0.0, 1.0, 0.0]]), np.ones((5, 1))]
NETWORK = COEFS, None


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def colours(display):
    return [to_hex(line.get_color()) for line in display.ax_.get_lines()]


def test_each_finding_has_its_colour():
    _, ax = plt.subplots()
    display = IdentifiabilityDisplay.from_network(NETWORK, ax=ax)
    assert display.ax_ is ax and display.figure_ is ax.figure
    positive, negative, unused = (COLOURS[k][0] for k in ("positive", "negative", "unused"))
    assert colours(display) == [positive, positive, negative, HEALTHY, unused]
    assert "not identifiable" in ax.get_title()


def test_costs_of_rank_are_written():
    X = np.random.default_rng(0).standard_normal((200, 2))
    report = identifiability_report(NETWORK, X)
    display = IdentifiabilityDisplay.from_report(report)
    shown = [text.get_text() for text in display.ax_.texts]
    losses = [f"−{loss}" for _, loss in report.local.losses]
    assert losses and sorted(text for text in shown if text[0] == "−") == sorted(losses)
    assert f"{report.local.rank} of {report.local.full_rank}" in display.ax_.get_title()


def test_neurons_whose_inputs_span_too_little():
    X = np.random.default_rng(0).standard_normal((200, 3)) * [1, 1, 0]
    network = [np.eye(3)[:, :2] + 0.1, np.ones((2, 1))], [np.full(2, 0.1), np.zeros(1)]
    display = IdentifiabilityDisplay.from_network(network, X)
    assert colours(display) == [COLOURS["unseen"][0]] * 2
    assert "−1" in [text.get_text() for text in display.ax_.texts]


def test_the_title_says_of_which_samples_it_speaks():
    one = np.ones((1, 1))
    display = IdentifiabilityDisplay.from_network(([one, one], None), [[0.0], [1.0], [2.0]])
    first, second = display.ax_.get_title().split("\n")
    assert first == "identifiable from some bounded set of inputs"
    assert second == "on X: local rank 2 of 3 (1 unexplained); 1 on a kink left out"
    assert (
        "not identifiable from any" in IdentifiabilityDisplay.from_network(NETWORK).ax_.get_title()
    )


def test_wide_layers_are_cut_and_say_so():
    display = IdentifiabilityDisplay.from_network(NETWORK, max_neurons=4)
    assert HEALTHY not in colours(display) and len(colours(display)) == 4
    assert "+1 more" in [text.get_text() for text in display.ax_.texts]


def test_wrong_arguments():
    with pytest.raises(TypeError, match="report must be an IdentifiabilityReport, got ndarray"):
        IdentifiabilityDisplay(np.eye(3))
    with pytest.raises(ValueError, match="max_neurons must be at least 1"):
        IdentifiabilityDisplay.from_network(NETWORK, max_neurons=0)
    affine = IdentifiabilityDisplay.from_network(([np.ones((2, 1))], None))
    assert affine.ax_.get_title() == "identifiable from some bounded set of inputs"
