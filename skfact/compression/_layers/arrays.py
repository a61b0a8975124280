"""Layers one after another, with a function of the entries between them: pairs of lists, MLPs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from skfact._backend import detached, move_like, to_numpy
from skfact._checks import check_matrix, require_finite
from skfact.compression._layers.network import Batch, Linear, Replaced
from skfact.relu._networks.readers import read_network

ROWS = 4096  # that go through the network at a time


@dataclass(frozen=True)
class Layered:
    """Layers in a sequence, with samples (n_samples, n_in) or None."""

    linears: list[Linear]
    activation: Callable[[np.ndarray], Any]  # changes its argument
    X: np.ndarray | None
    writer: Callable[[list[Any], list[np.ndarray]], Any]  # of coefs (n_in, n_out) and intercepts
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def n_numbers(self) -> int:
        """Entries of all weights and biases."""
        return sum(w.size + (0 if b is None else b.size) for _, w, b in self.linears)

    def inputs(self, which: Collection[int], replaced: Replaced) -> Iterator[Batch]:
        """What comes into some layers, with others replaced, batch for batch."""
        last = max(which)
        for rows in self._batches():
            found: Batch = {}
            for place, came in enumerate(self._along(rows, replaced)):
                if place in which:
                    found[place] = came
                if place == last:
                    break
            yield found

    def outputs(self, replaced: Replaced) -> Iterator[np.ndarray]:
        """Outputs of the last layer, batch for batch."""
        for rows in self._batches():
            *_, last = self._along(rows, replaced)
            yield last

    def written(self, replaced: Replaced) -> Any:
        """A network of the kind that was read."""
        coefs, intercepts = [], []
        weight: Any
        for place, (_, weight, bias) in enumerate(self.linears):
            if place in replaced:
                weight, bias = replaced[place]
            coefs.append(np.array(weight.T, order="C") if _is_array(weight) else weight.T)
            intercepts.append(np.array(bias))
        return self.writer(coefs, intercepts)

    def _batches(self) -> Iterator[np.ndarray]:
        assert self.X is not None
        for start in range(0, len(self.X), ROWS):
            yield self.X[start : start + ROWS]

    def _along(self, rows: np.ndarray, replaced: Replaced) -> Iterator[np.ndarray]:
        """What comes into each layer, and at the end what comes out."""
        weight: Any
        for place, (_, weight, bias) in enumerate(self.linears):
            if place:
                self.activation(rows)
            yield rows
            if place in replaced:
                weight, bias = replaced[place]
            rows = rows @ weight.T if _is_array(weight) else weight.apply(rows)
            rows = rows + bias
        yield rows


def _is_array(weight: Any) -> bool:
    return isinstance(weight, np.ndarray)


def samples(X: Any, n_in: int, dtype: Any) -> np.ndarray | None:
    """Rows as the first layer takes them; None where there are none."""
    if X is None:
        return None
    found = to_numpy(detached(check_matrix(X, "X")))
    if found.shape[1] != n_in:
        raise ValueError(
            f"X must have one column for each of the {n_in} inputs of the network, got shape "
            f"{tuple(found.shape)}."
        )
    if np.iscomplexobj(found):
        raise TypeError("X is complex, and the network takes real inputs: pass real numbers.")
    require_finite(float(np.abs(found).max()), "X")
    return found.astype(dtype, copy=False)


def read_pair(pair: Any, X: Any) -> Layered:
    """Lists (coefs, intercepts), with ReLU between the layers."""
    network = read_network(pair)
    weights = [to_numpy(weight) for weight in network.weights]
    biases = [to_numpy(bias) for bias in network.biases]

    def write(coefs: list[Any], intercepts: list[np.ndarray]) -> Any:
        moved = [
            move_like(coef, like) if _is_array(coef) else coef.to_device(like)
            for coef, like in zip(coefs, network.weights)
        ]
        return moved, [move_like(bias, network.biases[0]) for bias in intercepts]

    def relu(rows: np.ndarray) -> None:
        np.maximum(rows, 0, out=rows)

    linears = [Linear(str(l), w.T, b) for l, (w, b) in enumerate(zip(weights, biases))]
    return Layered(linears, relu, samples(X, len(weights[0]), weights[0].dtype), write)
