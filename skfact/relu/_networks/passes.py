"""Sums over all paths of a network by one pass through its steps.

A path's weight is the product of its edges: entries of the weight matrices, and ones through all
other nodes. A sum over paths of products of a function of the edges is therefore a forward pass
through the steps with this function of the edges, in which ReLUs are identities and maxima are
sums.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from skfact._backend import array_namespace, device
from skfact._checks import check_number
from skfact.relu._networks.network import Step


def checked_power(q: Any) -> float:
    """The exponent `q` of path weights as a float; it must be a finite positive number."""
    check_number(q, "q", float, 0)
    if not 0 < q < math.inf:
        raise ValueError(f"q must be a finite positive number, got {q!r}.")
    return float(q)


def edgewise(
    function: Callable[..., Any], *networks: Sequence[Step], include_bias: bool = True
) -> Iterator[Step]:
    """Steps whose edges are a function of those of networks with the same nodes; f(1, ...) = 1."""
    for steps in zip(*networks):
        inputs, matrix, bias, factors = steps[0]
        yield Step(
            inputs,
            None if matrix is None else function(*(s.matrix for s in steps)),
            None if bias is None or not include_bias else function(*(s.bias for s in steps)),
            None if factors is None else tuple(map(function, *(s.factors for s in steps))),
        )


def arrive(
    step: Step, given: Sequence[Any], product: Callable[[Any, Any], Any] | None = None
) -> Any:
    """What arrives at a node from the values of its inputs, (n,) or rows of an (m, n) array.

    ``product(h, matrix)`` replaces ``h @ matrix``.
    """
    if step.matrix is not None:
        value = given[0] @ step.matrix if product is None else product(given[0], step.matrix)
    else:
        terms = given if step.factors is None else [h * c for h, c in zip(given, step.factors)]
        value = sum(terms[1:], start=terms[0])
    return value if step.bias is None else value + step.bias


def forward(
    steps: Iterable[Step], start: Any, product: Callable[[Any, Any], Any] | None = None
) -> list[Any]:
    """Sums over the paths that arrive at each node, from values `start` at the inputs."""
    values: list[Any] = []
    for step in steps:
        given = [values[i] for i in step.inputs]
        values.append(arrive(step, given, product) if given else start)
    return values


def backward(steps: Sequence[Step], sizes: Sequence[int], output: int, end: Any) -> list[Any]:
    """Sums over the paths from each node to the output, times `end`, (n_out,) or (n_out, m)."""
    values: list[Any] = [None] * len(sizes)
    values[output] = end
    for index in range(output, 0, -1):
        step, value = steps[index], values[index]
        if value is None:
            continue  # does not lead to the output
        for number, i in enumerate(step.inputs):
            if step.matrix is not None:
                more = step.matrix @ value
            elif step.factors is not None:
                factor = step.factors[number]
                more = value * (factor if value.ndim == 1 else factor[:, None])
            else:
                more = value
            values[i] = more if values[i] is None else values[i] + more
    xp, where = array_namespace(end), device(end)
    return [
        xp.zeros((n, *end.shape[1:]), dtype=end.dtype, device=where) if value is None else value
        for n, value in zip(sizes, values)
    ]
