"""Chosen structures fitted to the layers: to what came in, or in turn to what comes in now.

Layer by layer, what comes in with the layers before it replaced already is seen beside what came
in: a layer is fitted to give the outputs of the original from that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from skfact.compression._curves import Layer, Option
from skfact.compression._layers.network import Linear, Network, Replaced, Replacement
from skfact.compression._moments import Moments
from skfact.compression._seen import Seen

KEPT = 2**29  # bytes of inputs of layers that are kept


class Fit:
    """Layers of a network, by their place, on which structures are fitted.

    If `again`, what comes into the layers of the original network is kept where there is room.
    """

    def __init__(
        self,
        network: Network,
        linears: dict[int, Linear],
        layers: dict[int, Layer],
        moments: dict[int, Moments],
        tell: Callable[[int, str], None],
        *,
        again: bool,
    ) -> None:
        self._network, self._linears, self._layers = network, linears, layers
        self._moments, self._tell = moments, tell
        self._room = KEPT if again else 0
        self._kept: dict[int, list[np.ndarray]] = {}
        self._groups = _groups(list(linears), moments)

    def apart(self, options: dict[int, Option]) -> dict[int, Replacement]:
        """Each layer fitted to what came into it."""
        found = {}
        for place, option in options.items():
            if not option.is_dense:
                moments = self._moments.get(place)
                seen = Seen(moments, changed=False) if moments is not None else None
                found[place] = self._replacement(place, option, self._layers[place], seen)
        return found

    def in_turn(
        self, options: dict[int, Option]
    ) -> tuple[dict[int, Replacement], dict[int, float]]:
        """Each layer fitted to what comes in where it stands, and how much its outputs miss."""
        replaced: dict[int, Replacement] = {}
        in_place: dict[int, float] = {}
        for group in self._groups:
            seen = self._seen(group[0], replaced)
            found: dict[int, Replacement] = {}
            for place in group:
                linear, option = self._linears[place], options[place]
                if option.is_dense and not seen.changed:
                    in_place[place] = 0.0
                else:
                    layer = seen.layer(linear) if seen.changed else self._layers[place]
                    found[place] = self._replacement(place, option, layer, seen)
                    in_place[place] = seen.error(linear, found[place].weight)
                count = len(in_place)
                self._tell(
                    count,
                    f"layer {count} of {len(options)}, {linear.name}: {option.words}, error in "
                    f"place {in_place[place]:.2g}",
                )
            replaced.update(found)
        return replaced, in_place

    def _replacement(
        self, place: int, option: Option, layer: Layer, seen: Seen | None
    ) -> Replacement:
        """What stands in for a layer."""
        linear = self._linears[place]
        weight = layer.operator(option.structure).astype(linear.weight.dtype)
        return Replacement(weight, linear.bias if seen is None else seen.bias(linear, weight))

    def _seen(self, place: int, replaced: Replaced) -> Seen:
        """What comes into a layer, before and after others were replaced."""
        if not replaced:
            return Seen(self._moments[place], changed=False)
        both = Moments(sides=2)
        after = self._network.inputs([place], replaced)
        for rows, others in zip(self._before(place), after, strict=True):
            both.add(np.hstack([rows, others[place]]))
        return Seen(both, changed=True)

    def _before(self, place: int) -> Iterator[np.ndarray]:
        """What comes into a layer of the original network, batch for batch."""
        if place in self._kept:
            yield from self._kept[place]
            return
        kept, size = [], 0
        for batch in self._network.inputs([place], {}):
            rows = batch[place]
            size += rows.nbytes
            if size <= self._room:
                kept.append(rows)
            yield rows
        if size <= self._room:
            self._kept[place] = kept
            self._room -= size


def _groups(places: list[int], moments: dict[int, Moments]) -> list[list[int]]:
    """Layers one after another that see the same rows, which one pass serves."""
    groups: list[list[int]] = []
    for place in places:
        alike = groups and place in moments and moments[groups[-1][0]].equal(moments[place])
        if alike:
            groups[-1].append(place)
        else:
            groups.append([place])
    return groups
