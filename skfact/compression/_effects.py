r"""What errors of a layer do to the outputs of the network, by which errors of layers compare.

One layer at a time is replaced, once closely by low rank and once by nothing but the mean of its
outputs, and the network runs on a batch. For layers that are replaced together this is a
first-order estimate: squared errors that several layers cause add up where they are unrelated.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np

from skfact.compression._curves import Curve
from skfact.compression._layers.network import Linear, Network, Replaced, Replacement
from skfact.compression._moments import Missed, Moments
from skfact.compression._seen import Seen

ROWS = 256  # of outputs; no batch is begun after so many
CLOSE = 0.05  # squared relative error of the close replacement, or about that
LEAST = 1e-3  # share of the largest effect: less is not learned from a batch


def effects(
    network: Network,
    outputs: Iterable[np.ndarray],
    linears: dict[int, Linear],
    curves: dict[int, Curve],
    moments: dict[int, Moments],
) -> dict[int, float]:
    """Squared relative error of the outputs of the network for one of a layer, by its place.

    The larger one of two: where small errors do no harm, large ones may, and the other way round.
    `outputs` are those of the original network. Empty where there is nothing to compare: one
    layer, or outputs that say nothing.
    """
    if len(linears) < 2:
        return {}
    before = list(_some(outputs))

    def missed2(replaced: Replaced) -> float:
        missed = Missed()
        for rows, others in zip(before, network.outputs(replaced)):
            missed.add(rows, others)
        return (missed.relative_error or 0.0) ** 2

    found = {
        place: max(
            missed2({place: replacement}) / error2
            for replacement, error2 in _replacements(linear, curves[place], moments[place])
        )
        for place, linear in linears.items()
    }
    largest = float(np.max(list(found.values())))
    if not 0 < largest < math.inf:
        return {}
    return {place: max(effect, LEAST * largest) for place, effect in found.items()}


def _some(outputs: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """The first batches, at least one."""
    seen = 0
    for rows in outputs:
        yield rows
        seen += len(rows)
        if seen >= ROWS:
            return


def _replacements(
    linear: Linear, curve: Curve, moments: Moments
) -> Iterator[tuple[Replacement, float]]:
    """What stands in for a layer, with its squared relative error."""
    seen = Seen(moments, changed=False)
    nothing = np.zeros_like(linear.weight)
    yield Replacement(nothing, seen.bias(linear, nothing)), 1.0
    inexact = [option for option in curve.low_rank() if option.error2 > CLOSE**2]
    if inexact:
        option = min(inexact, key=lambda option: abs(math.log(option.error2 / CLOSE)))
        weight = curve.layer.operator(option.structure).astype(linear.weight.dtype)
        yield Replacement(weight, seen.bias(linear, weight)), option.error2
