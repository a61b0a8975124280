"""The neurons of a network, marked by what an identifiability report says about them."""

from __future__ import annotations

from typing import Any

from skfact._checks import check_number
from skfact.inspection._matplotlib import Display, check_shown
from skfact.relu import IdentifiabilityReport, identifiability_report

HEALTHY = "#d9d9d9"
# colour and legend of each finding; a neuron with several has the first of them
COLOURS = {
    "dead": ("#000000", "dead on X"),
    "unused": ("#8c564b", "nothing arrives or leaves"),
    "positive": ("#d62728", "positive twin"),
    "negative": ("#ff7f0e", "negative twin"),
    "flip": ("#9467bd", "signs can be flipped together"),
    "undetermined": ("#17becf", "layer: irreducibility undetermined"),
    "always": ("#1f77b4", "always active on X"),
    "unseen": ("#e377c2", "inputs span too little on X"),
}
UNSEEN = COLOURS["unseen"][1]  # the cause in a report


class IdentifiabilityDisplay(Display):
    """Picture of an identifiability report: one dot for each hidden neuron, one row per layer.

    The colour of a neuron says what was found about it; a number below a neuron says how much
    rank it costs in the test on samples. The title says what is known from bounded sets of inputs,
    and, below, from the samples X, those on a kink left out. Use
    :meth:`from_network` or :meth:`from_report` to create one.

    Parameters
    ----------
    report : IdentifiabilityReport
        The report.

    Attributes
    ----------
    report : IdentifiabilityReport
        The report.
    ax_ : matplotlib Axes
        Axes with the picture (set by `plot`).
    figure_ : matplotlib Figure
        Figure that holds the axes (set by `plot`).

    See Also
    --------
    skfact.relu.identifiability_report : Makes the report.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.inspection import IdentifiabilityDisplay
    >>> network = [np.array([[1.0, 2.0, -1.0]]), np.array([[1.0], [1.0], [3.0]])], None
    >>> display = IdentifiabilityDisplay.from_network(network)
    >>> display.figure_.get_axes() == [display.ax_]
    True
    """

    def __init__(self, report: IdentifiabilityReport) -> None:
        instead = "identifiability_report(network, X), or use from_network"
        check_shown(
            report, IdentifiabilityReport, "report must be an IdentifiabilityReport", instead
        )
        self.report = report

    @classmethod
    def from_report(
        cls, report: IdentifiabilityReport, *, max_neurons: int = 64, ax: Any = None
    ) -> IdentifiabilityDisplay:
        """Draw a report.

        Parameters
        ----------
        report : IdentifiabilityReport
            The report.
        max_neurons : int, default=64
            Most neurons drawn of a layer; see :meth:`plot`.
        ax : matplotlib Axes, default=None
            Axes to draw in; None makes a figure.

        Returns
        -------
        display : IdentifiabilityDisplay
            The drawn display.
        """
        return cls(report).plot(max_neurons=max_neurons, ax=ax)

    @classmethod
    def from_network(
        cls, network: Any, X: Any = None, *, max_neurons: int = 64, ax: Any = None
    ) -> IdentifiabilityDisplay:
        """Make the report on a network, and draw it.

        Parameters
        ----------
        network : network-like of layers
            The ReLU network.
        X : array-like of shape (n_samples, n_features), default=None
            Samples for the rank test.
        max_neurons : int, default=64
            Most neurons drawn of a layer; see :meth:`plot`.
        ax : matplotlib Axes, default=None
            Axes to draw in; None makes a figure.

        Returns
        -------
        display : IdentifiabilityDisplay
            The drawn display.
        """
        return cls.from_report(identifiability_report(network, X), max_neurons=max_neurons, ax=ax)

    def plot(self, ax: Any = None, *, max_neurons: int = 64) -> IdentifiabilityDisplay:
        """Draw the hidden layers.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in; None makes a figure.
        max_neurons : int, default=64
            Of a wider layer, so many neurons are drawn, those with findings first; the picture
            says how many are left out.

        Returns
        -------
        display : IdentifiabilityDisplay
            The display itself, with `ax_` and `figure_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        TypeError, ValueError
            If `max_neurons` is not a positive int.
        """
        check_number(max_neurons, "max_neurons", int, 1)
        report = self.report
        losses = () if report.local is None else report.local.losses
        kinds = [_kinds(l, layer, losses) for l, layer in enumerate(report.layers, start=1)]
        drawn = [
            _chosen(layer.n_neurons, max_neurons, found)
            for layer, found in zip(report.layers, kinds, strict=True)
        ]
        widest = max((len(neurons) for neurons in drawn), default=1)
        width, height = min(max(5.5, 0.42 * widest + 2.0), 14.0), 1.9 + 0.75 * max(len(drawn), 1)
        plt, ax = self._draw_in(ax, width, height), self.ax_
        costs = {s[:2]: loss for s, loss in losses}
        used = []
        for row, (layer, neurons) in enumerate(zip(report.layers, drawn, strict=True)):
            for x, v in enumerate(neurons):
                kind = kinds[row].get(v)
                used += [kind] if kind else []
                colour = COLOURS[kind][0] if kind else HEALTHY
                ax.plot(x, row, "o", color=colour, markeredgecolor="0.4", markersize=11)
                ax.text(x, row - 0.24, str(v), ha="center", va="bottom", fontsize="x-small")
                cost = costs.get((row + 1, v))
                if cost:
                    ax.text(x, row + 0.24, f"−{cost}", ha="center", va="top", fontsize="x-small")
            if len(neurons) < layer.n_neurons:
                text = f"+{layer.n_neurons - len(neurons):,} more"
                ax.text(len(neurons) - 0.4, row, text, va="center", fontsize="x-small")
        ax.set(xlim=(-0.7, widest + 0.9), ylim=(max(len(drawn), 1) - 0.4, -0.6), xticks=[])
        ax.set_yticks(range(len(drawn)), [f"layer {l}" for l in range(1, len(drawn) + 1)])
        ax.tick_params(length=0)
        for side in ax.spines.values():
            side.set_visible(False)
        self._describe(plt, used)
        return self

    def _describe(self, plt: Any, used: list[str]) -> None:
        report = self.report
        verdict = {True: "identifiable", False: "not identifiable", None: "not decided"}
        some = "some" if report.is_identifiable else "any"
        title = f"{verdict[report.is_identifiable]} from {some} bounded set of inputs"
        if report.local is not None:
            title += f"\non X: local rank {report.local.rank:,} of {report.local.full_rank:,}"
            if report.local.unexplained:
                title += f" ({report.local.unexplained:,} unexplained)"
            if report.local.n_on_kinks:
                title += f"; {report.local.n_on_kinks:,} on a kink left out"
        self.ax_.set_title(title, fontsize="medium")
        entries = [(HEALTHY, "no finding"), *(COLOURS[kind] for kind in COLOURS if kind in used)]
        handles = [
            plt.Line2D([], [], marker="o", ls="", color=colour, markeredgecolor="0.4", label=text)
            for colour, text in entries
        ]
        self._legend_below(handles)


def _kinds(number: int, layer: Any, losses: Any) -> dict[int, str]:
    """The first finding of each neuron of a layer that has any."""
    result = layer.irreducibility
    members = {
        "dead": layer.dead or (),
        "unused": (*layer.zero_incoming, *layer.zero_outgoing),
        "positive": [v for side in layer.positive_twins for v in side],
        "negative": [v for group in layer.negative_twins for side in group for v in side],
        "flip": result.witness,
        "undetermined": range(layer.n_neurons) if result.answer is None else (),
        "always": layer.always_active or (),
        "unseen": [s.neuron for s, _ in losses if (s.layer, s.cause) == (number, UNSEEN)],
    }
    found: dict[int, str] = {}
    for kind, neurons in members.items():
        for v in neurons:
            found.setdefault(v, kind)
    return found


def _chosen(n_neurons: int, count: int, kinds: dict[int, str]) -> list[int]:
    """All neurons, or `count` of them, those with findings first; in their order."""
    return sorted(sorted(range(n_neurons), key=lambda v: v not in kinds)[:count])
