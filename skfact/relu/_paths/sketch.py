"""Random projections of the vector of path weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import mul
from typing import Any

import numpy as np

from skfact._backend import move
from skfact._checks import check_choice, check_number, check_random_state
from skfact._exponents import times_power_of_two
from skfact.relu._networks.balance import steady
from skfact.relu._networks.network import Step
from skfact.relu._networks.passes import arrive, forward
from skfact.relu._networks.readers import read_network

MOST_ENTRIES = 2**60  # of an array that can be asked for


def path_sketch(
    network: Any,
    n_components: int = 64,
    *,
    signs: str = "node",
    include_bias: bool = True,
    random_state: Any = 0,
) -> Any:
    """Project the path weights on random signs: inner products stay, in expectation.

    Each component is one forward pass, without ReLU, in which the outputs of neurons (or the
    weights) are multiplied by random signs; where a graph adds nodes or takes maxima, so is each
    of the ways that meet. For two networks of the same shape sketched with the
    **same** seed, ``(path_sketch(a) * path_sketch(b)).sum()`` is an unbiased estimate of
    ``path_inner(a, b)``. The estimate of one component has a standard deviation of about the size
    of the product of the norms; that of the mean falls like ``n_components ** -0.5``. Invariant to
    rescaling.

    Parameters
    ----------
    network : network-like
        The network.
    n_components : int, default=64
        Number of projections.
    signs : {"node", "edge"}, default="node"
        Draw a sign for each neuron, in one batched pass, or for each weight: slower, with lighter
        tails when all weights are alike.
    include_bias : bool, default=True
        Include the paths that start at a bias.
    random_state : int or RandomState instance, default=0
        Seed of the signs. Sketches can be compared only if it is the same.

    Returns
    -------
    sketch : array of shape (n_components, n_outputs)
        In the array library and dtype of the network.

    Raises
    ------
    TypeError
        If the network is of an unsupported kind, or `n_components` is no integer.
    ValueError
        If the network is not usable, or a parameter has a wrong value.

    References
    ----------
    .. [1] N. Alon, Y. Matias, M. Szegedy, "The space complexity of approximating the frequency
       moments", STOC 1996 (random signs).
    .. [2] P. Stock, R. Gribonval, "An embedding of ReLU networks and an analysis of their
       identifiability", arXiv:2107.09370 (the vector that is projected).

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.relu import path_inner, path_sketch
    >>> rng = np.random.default_rng(0)
    >>> network = [rng.normal(size=(20, 30)), rng.normal(size=(30, 5))], None
    >>> sketch = path_sketch(network, 1000)
    >>> sketch.shape
    (1000, 5)
    >>> bool(abs((sketch**2).sum() / path_inner(network, network) - 1) < 0.2)
    True
    """
    network = read_network(network, include_bias=include_bias)
    check_number(n_components, "n_components", int, 1)
    most = MOST_ENTRIES // max(network.sizes)
    if n_components > most:
        raise ValueError(f"n_components must be at most {most}, got {n_components}.")
    check_choice(signs, "signs", ("node", "edge"))
    if random_state is None:
        raise ValueError(
            "random_state must be a seed: sketches drawn with different signs cannot be compared."
        )
    random = check_random_state(random_state)
    xp = network.xp

    paths = steady(network)
    steps = paths.steps[: network.output + 1]
    if not include_bias:
        steps = [step._replace(bias=None) for step in steps]

    def draw(*shape: int) -> Any:
        drawn = 2 * random.randint(0, 2, size=shape, dtype="int8") - 1  # a byte each on the bus
        return xp.astype(move(drawn, xp, network.device), paths.network.dtype)

    if signs == "node":
        h = _by_nodes(steps, network.sizes, lambda size: draw(n_components, size))
    else:
        ones = paths.ones(1, network.sizes[0])
        rows = [
            forward([_by_edges(step, n, draw) for step, n in zip(steps, network.sizes)], ones)[-1]
            for _ in range(n_components)
        ]
        h = xp.concat(rows)
    with np.errstate(over="ignore"):
        h = times_power_of_two(h, paths.output_exponents) / float(n_components) ** 0.5
        return xp.astype(h, network.dtype, copy=False)


def _by_nodes(steps: Sequence[Step], sizes: Sequence[int], draw: Callable[[int], Any]) -> Any:
    """The forward pass with signs that tell any two ways through the nodes apart.

    They belong to the inputs and to what comes out of matrices; in a sum, to each of its terms.
    """
    values = [draw(sizes[0])]
    for index, step in enumerate(steps[1:], start=1):
        given = [values[i] for i in step.inputs]
        if len(given) > 1:
            given = [h * draw(sizes[index]) for h in given]
        value = arrive(step, given)
        if step.matrix is not None and index < len(steps) - 1:
            value = value * draw(sizes[index])
        values.append(value)
    return values[-1]


def _by_edges(step: Step, size: int, draw: Callable[..., Any]) -> Step:
    """A step to a node of a size with a sign for each edge, where entries have more than one."""
    matrix, bias, factors = step.matrix, step.bias, step.factors
    if matrix is not None:
        matrix = matrix * draw(*matrix.shape)
        bias = None if bias is None else bias * draw(*bias.shape)
    elif len(step.inputs) > 1:
        drawn = tuple(draw(size) for _ in step.inputs)
        factors = drawn if factors is None else tuple(map(mul, factors, drawn))
    return Step(step.inputs, matrix, bias, factors)
