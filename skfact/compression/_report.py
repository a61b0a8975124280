"""What became of a network, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from skfact._backend import is_torch_module
from skfact._tables import html_table
from skfact.butterfly._report.report import FAIR, GOOD
from skfact.compression._display import CompressionDisplay
from skfact.compression._row import AS_GOOD, CompressedLayer, percent

BY_EFFECT, ALIKE, EQUAL, TOLERANCE = "by effect", "alike", "equal shares", "by tolerance"
AS_SHARED = {
    BY_EFFECT: "by the effects of the layers",
    ALIKE: "with all layers alike",
    EQUAL: "in equal shares",
}
ELSEWHERE = 0.05  # difference of shares from which on the whole network is worth a sentence


@dataclass(frozen=True, eq=False)
class Compression:
    """A compressed network, and what became of its layers.

    Printed, sentences; in a notebook, a table.

    Parameters
    ----------
    network : object
        The compressed network, of the kind that was given.
    layers : tuple of CompressedLayer
        What became of each layer that was looked at.
    skipped : mapping of str to str
        Layers that were left as they are, and why.
    n_samples : int or None
        Rows of inputs on which errors count; None without inputs.
    output_error : float or None
        Relative error of the outputs of the network on these, in root mean square around their
        mean; beside their size where they do not vary, infinite where they are zeros and others
        come out. None without inputs.
    bound : float
        No choice among the options that were looked at, with the budget `shared` as it is, has a
        smaller `total` than this; zero for a tolerance.
    low_rank_total : float or None
        The `total` if all layers were of low rank or dense, in the same budget, `shared` alike;
        None for a tolerance, or where low rank does not fit.
    low_rank_numbers : int or None, default=None
        The numbers of low rank for the same tolerance; None for a budget.
    shared : {"by effect", "alike", "equal shares", "by tolerance"}, default="alike"
        How numbers were given to layers: so that the sum of the squared errors times the effects
        of the layers is least; that of the squared errors; the same share of the numbers of each
        layer; or as many as the error of each layer asks for.
    tried : mapping of str to float, optional
        The errors of the outputs with each way to share the budget, by its name, with layers fitted
        to what the original network gives. The way with the least is taken.
    supports : str or callable, default="auto"
        The family of structures that was asked for.
    n_parameters_elsewhere : int or None, default=None
        Numbers of the network that are no entries of these matrices, and stay: biases, embeddings,
        norms, layers that were skipped or excluded. With `n_parameters_after` they are all that the
        compressed network has.

    See Also
    --------
    compress : Makes it.
    CompressionDisplay : Draws it.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.compression import compress
    >>> print(compress(([np.ones((512, 512))], None), tol=0.01))
    Compression of a pair of lists: 262144 numbers of 1 layer become 1024 (0.39 %)
    0, 512 x 512: rank 1, 1024 of 262144 numbers, error ...; with NumPy about 18 times as fast.
    Without inputs errors are those of the weights: pass X to judge what they do.
    """

    network: Any
    layers: tuple[CompressedLayer, ...]
    skipped: Mapping[str, str]
    n_samples: int | None
    output_error: float | None
    bound: float
    low_rank_total: float | None
    low_rank_numbers: int | None = None
    shared: str = "alike"
    tried: Mapping[str, float] = field(default_factory=dict)
    supports: Any = "auto"
    n_parameters_elsewhere: int | None = None

    @property
    def n_parameters_before(self) -> int:
        """Entries of the matrices of all layers that were looked at."""
        return sum(layer.numbers_before for layer in self.layers)

    @property
    def n_parameters_after(self) -> int:
        """Numbers in their place."""
        return sum(layer.numbers_after for layer in self.layers)

    @property
    def total(self) -> float:
        """Sum of the squared errors of all layers, times their effects if `shared` by effect.

        With effects, to first order, and before layers are fitted one after another, the square of
        `output_error` where errors of layers are unrelated.
        """
        if self.shared != BY_EFFECT:
            return sum(layer.error**2 for layer in self.layers)
        return sum((layer.effect or 0.0) * layer.error**2 for layer in self.layers)

    @property
    def advice(self) -> str:
        """What to make of it, in a sentence or two."""
        if all(layer.is_dense for layer in self.layers):
            return "No layer can do with fewer numbers for this: not worth it, all stay dense."
        if self.output_error is None:
            return "Without inputs errors are those of the weights: pass X to judge what they do."
        missed = (
            f"The outputs of the network have a relative error of {self.output_error:.2g} on these "
            "samples"
        )
        more = "train it on" if is_torch_module(self.network) else "allow more numbers"
        if self.output_error <= GOOD:
            verdict = "check its score on others, and use it"
        elif self.output_error <= FAIR:
            verdict = f"use it if its score on others bears that, or {more}"
        else:
            verdict = "not worth it as it is: allow more numbers"
            verdict += f", or {more}" * is_torch_module(self.network)
        return f"{missed}: {verdict}.{self._few}{self._beside_low_rank}"

    @property
    def _few(self) -> str:
        """That samples do not show all."""
        most = max(layer.shape[1] for layer in self.layers)
        if self.n_samples is None or self.n_samples >= most:
            return ""
        return (
            f" They are fewer than the {most} inputs of a layer: of other directions they say "
            "nothing, and other samples may miss much more."
        )

    @property
    def _beside_low_rank(self) -> str:
        """What low rank would do."""
        low_rank, ours = self.low_rank_total, self.total
        if self.supports == "low-rank":
            return ""
        if self.shared == TOLERANCE:
            return self._numbers_beside_low_rank
        if low_rank is None or ours == 0:
            return ""
        ratio = math.sqrt(low_rank / ours)
        if ratio > 1 / AS_GOOD:
            return f" Low rank alone would miss {_more(ratio)}, layer by layer."
        if self.supports == "auto":
            return " Low rank does about as well here as any structure that was found."
        if ratio < AS_GOOD:
            return f" Low rank would miss less, {ratio:.2g} of that, layer by layer."
        return " Low rank would miss as much, layer by layer."

    @property
    def _numbers_beside_low_rank(self) -> str:
        if self.low_rank_numbers is None:
            return ""
        ratio = self.low_rank_numbers / self.n_parameters_after
        if ratio > 1 / AS_GOOD:
            return f" Low rank alone would take {_more(ratio, 'many')} numbers."
        if self.supports == "auto":
            return " Low rank takes as few numbers here as any structure that was found."
        if ratio < AS_GOOD:
            return f" Low rank would take {percent(ratio)} of these numbers."
        return " Low rank would take as many numbers."

    @property
    def speedup(self) -> float:
        """By how much the layers together are expected to be faster, as NumPy's products are."""
        before = sum(layer.nanoseconds_before for layer in self.layers)
        return before / sum(layer.nanoseconds_after for layer in self.layers)

    @property
    def _headline(self) -> str:
        before, after = self.n_parameters_before, self.n_parameters_after
        count = len(self.layers)
        on = "" if self.n_samples is None else f", errors on {self.n_samples} samples"
        return (
            f"Compression of {_kind(self.network)}: {before} numbers of {count} "
            f"layer{'s' * (count != 1)} become {after} ({percent(after / before)}){on}"
        )

    def __str__(self) -> str:
        skipped = [f"{name}: left as it is, {why}." for name, why in self.skipped.items()]
        lines = [self._headline, *map(str, self.layers), *skipped]
        lines += [self._elsewhere, self._ways, self.advice]
        return "\n".join(line for line in lines if line)

    @property
    def _ways(self) -> str:
        """How the budget was shared, where it makes a difference."""
        errors = {shared: f"{error:.2g}" for shared, error in self.tried.items()}
        if len(set(errors.values())) < 2:
            return ""
        best = errors.pop(self.shared)
        others = ", ".join(f"{error} {AS_SHARED[shared]}" for shared, error in errors.items())
        return (
            f"Numbers are shared {AS_SHARED[self.shared]}: before layers are fitted in turn, "
            f"outputs miss {best}, and would miss {others}."
        )

    @property
    def _elsewhere(self) -> str:
        """What the whole network keeps, where that is another share."""
        elsewhere = self.n_parameters_elsewhere or 0
        before, after = self.n_parameters_before, self.n_parameters_after
        share = (after + elsewhere) / (before + elsewhere)
        if share - after / before < ELSEWHERE:
            return ""
        return (
            f"Elsewhere the network has {elsewhere} numbers, which stay: as a whole it keeps "
            f"{percent(share)}."
        )

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        head = "layer", "shape", "structure", "before", "after", "error"
        more = "low rank", "in place", "effect", "speed, NumPy", "verdict"
        rows = [
            (
                layer.name,
                f"{layer.shape[0]} x {layer.shape[1]}",
                layer.structure,
                f"{layer.numbers_before}",
                f"{layer.numbers_after}",
                f"{layer.error:.2g}",
                f"{layer.low_rank_error:.2g}",
                "" if layer.output_error is None else f"{layer.output_error:.2g}",
                "" if layer.effect is None else f"{layer.effect:.2g}",
                f"{layer.speedup:.2g} x",
                layer.verdict,
            )
            for layer in self.layers
        ]
        rows += [
            (name, "", "", "", "", "", "", "", "", "", why) for name, why in self.skipped.items()
        ]
        return html_table(
            " ".join(f"{self._headline}. {self._elsewhere} {self._ways} {self.advice}".split()),
            [*head, *more],
            rows,
        )

    def plot(self, ax: Any = None) -> CompressionDisplay:
        """Draw the report.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in; None makes a figure.

        Returns
        -------
        display : CompressionDisplay
            The drawn display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        return CompressionDisplay(self).plot(ax=ax)


def _more(ratio: float, what: str = "much") -> str:
    """A ratio above one, in words."""
    if ratio > 1000:
        return f"more than 1000 times as {what}"
    if ratio >= 1.095:
        return f"{ratio:.3g} times as {what}" if ratio >= 99.5 else f"{ratio:.2g} times as {what}"
    return f"{100 * (ratio - 1):.0f} % more"


def _kind(network: Any) -> str:
    """What was compressed, in words."""
    if isinstance(network, tuple):
        return "a pair of lists"
    return type(network).__name__
