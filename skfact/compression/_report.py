"""What became of a network, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from skfact._tables import html_table
from skfact.butterfly._report.report import FAIR, GOOD
from skfact.compression._display import CompressionDisplay
from skfact.compression._row import AS_GOOD, CompressedLayer


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
        mean. None without inputs.
    bound : float
        No choice among the options that were looked at has a smaller `total` than this.
    low_rank_total : float or None
        The `total` if all layers were of low rank or dense, in the same budget; None for a
        tolerance, or where low rank does not fit.

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
    0, 512 x 512: rank 1, 1024 of 262144 numbers, error ...; about 18 times as fast.
    Without inputs errors are those of the weights: pass X to judge what they do.
    """

    network: Any
    layers: tuple[CompressedLayer, ...]
    skipped: Mapping[str, str]
    n_samples: int | None
    output_error: float | None
    bound: float
    low_rank_total: float | None

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
        """Sum of the squared errors of all layers times their effects, which the choice minimizes.

        To first order, and before layers are fitted one after another, the square of `output_error`
        where errors of layers are unrelated. Layers whose effect was not measured count alike.
        """
        weights = (1.0 if layer.effect is None else layer.effect for layer in self.layers)
        return sum(weight * layer.error**2 for weight, layer in zip(weights, self.layers))

    @property
    def advice(self) -> str:
        """What to make of it, in a sentence or two."""
        if all(layer.is_dense for layer in self.layers):
            return "No layer can do with fewer numbers for this: not worth it, all stay dense."
        if self.output_error is None:
            return "Without inputs errors are those of the weights: pass X to judge what they do."
        missed = f"The outputs of the network miss {self.output_error:.2g}"
        if self.output_error <= GOOD:
            verdict = "check its score, and use it"
        elif self.output_error <= FAIR:
            verdict = "use it if its score bears that, or tune it"
        else:
            verdict = "not worth it as it is: allow more numbers, or tune it"
        return f"{missed}: {verdict}.{self._beside_low_rank}"

    @property
    def _beside_low_rank(self) -> str:
        low_rank = self.low_rank_total
        if low_rank is None or self.total == 0:
            return ""
        if self.total > AS_GOOD**2 * low_rank:
            return " Low rank does as well here as any structure that was found."
        return (
            f" Low rank alone would miss {(low_rank / self.total) ** 0.5:.2g} times as much, "
            "layer by layer."
        )

    @property
    def speedup(self) -> float:
        """By how much the layers together are expected to be faster."""
        before = sum(layer.nanoseconds_before for layer in self.layers)
        return before / sum(layer.nanoseconds_after for layer in self.layers)

    @property
    def _headline(self) -> str:
        before, after = self.n_parameters_before, self.n_parameters_after
        count = len(self.layers)
        on = "" if self.n_samples is None else f", errors on {self.n_samples} samples"
        return (
            f"Compression of {_kind(self.network)}: {before} numbers of {count} "
            f"layer{'s' * (count != 1)} become {after} ({100 * after / before:.2g} %){on}"
        )

    def __str__(self) -> str:
        skipped = [f"{name}: left as it is, {why}." for name, why in self.skipped.items()]
        return "\n".join([self._headline, *map(str, self.layers), *skipped, self.advice])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        head = "layer", "shape", "structure", "before", "after", "error"
        more = "low rank", "in place", "effect", "speed", "verdict"
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
        return html_table(f"{self._headline}. {self.advice}", [*head, *more], rows)

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


def _kind(network: Any) -> str:
    """What was compressed, in words."""
    if isinstance(network, tuple):
        return "a pair of lists"
    return type(network).__name__
