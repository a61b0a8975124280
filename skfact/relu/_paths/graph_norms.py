"""Path quantities of network graphs: norm, inner product and saliency."""

from __future__ import annotations

from functools import partial
from typing import Any

from skfact._backend import move
from skfact._exponents import times_power_of_two
from skfact._inputs import namespace_dtype
from skfact._kernels.paths import power_product
from skfact.relu._networks.balance import scaled_float, scaled_sum
from skfact.relu._networks.graph import NetworkGraph
from skfact.relu._networks.graph_passes import Paths, backward, combined, forward, on_any_scale
from skfact.relu._networks.passes import path_power


def graph_norm(graph: NetworkGraph, q: float, include_bias: bool) -> float:
    """(sum over paths of |Phi_p|^q)^(1/q)."""
    function, product = path_power(q), partial(power_product, q=q)
    paths = Paths.of(graph)
    output = paths.graph.output.index

    def run(scaled: Any) -> list[Any]:
        steps = combined(lambda edge: edge, scaled[0], include_bias=include_bias)
        return forward(steps[: output + 1], paths.ones(graph.input.size), function, product)

    values, (exponents,) = on_any_scale(run, paths)
    total, power = scaled_sum(values[output], exponents[output] * q)
    return scaled_float(total ** (1 / q), power / q)


def graph_inner(graph: NetworkGraph, other: NetworkGraph, include_bias: bool) -> float:
    """Sum over paths of Phi_p Phi'_p."""
    mine, others = _same_library(Paths.of(graph), Paths.of(other))
    output = mine.graph.output.index

    def run(one: Any, two: Any) -> list[Any]:
        product = combined(lambda v, w: v * w, one[0], two[0], include_bias=include_bias)
        return forward(product[: output + 1], mine.ones(graph.input.size))

    values, exponents = on_any_scale(run, mine, others)
    return scaled_float(*scaled_sum(values[output], sum(e[output] for e in exponents)))


def graph_saliency(graph: NetworkGraph, include_bias: bool) -> tuple[list[Any], list[Any]]:
    """Sum of |Phi_p| over the paths through each weight, and from each bias."""
    paths = Paths.of(graph)
    nodes, output = paths.graph.nodes, paths.graph.output.index
    absolute: list[Any] = []

    def run(scaled: Any) -> list[Any]:
        steps, exponents = scaled
        absolute[:] = combined(abs, steps, include_bias=include_bias)
        f = forward(absolute, paths.ones(graph.input.size))
        end = exponents[output] - paths.xp.max(exponents[output])
        end = times_power_of_two(0 * f[output] + 1, end)
        return [*f, *backward(absolute, output, end, f)]

    values, (exponents,) = on_any_scale(run, paths)
    f, g = values[: len(nodes)], values[len(nodes) :]
    top = int(paths.xp.max(exponents[output]))

    def saliency(values: Any) -> Any:
        return paths.xp.astype(times_power_of_two(values, top), paths.dtype)

    coefs, intercepts = [], []
    for node, step, g_v in zip(nodes, absolute, g):
        if node.kind == "linear":
            coefs.append(saliency(f[node.inputs[0]][:, None] * step.matrix * g_v))
            intercepts.append(saliency(0 * g_v if step.bias is None else step.bias * g_v))
    return coefs, intercepts


def _same_library(a: Paths, b: Paths) -> tuple[Paths, Paths]:
    """Both graphs in the array library of the first, and one dtype.

    Raises
    ------
    ValueError
        If they are not made of the same nodes.
    """
    if len(a.graph.nodes) != len(b.graph.nodes) or a.graph.output.index != b.graph.output.index:
        raise ValueError(
            "Both graphs must have the same nodes (batch norms aside); got "
            f"{len(a.graph.nodes)} and {len(b.graph.nodes)} nodes, the outputs "
            f"{a.graph.output.name!r} and {b.graph.output.name!r}."
        )
    for v, w in zip(a.graph.nodes, b.graph.nodes):
        if (v.kind, v.size, v.inputs, v.groups) != (w.kind, w.size, w.inputs, w.groups):
            raise ValueError(
                f"Both graphs must have the same nodes; node {v.name!r} is {v.kind} of size "
                f"{v.size}, and {w.name!r} in its place is {w.kind} of size {w.size}, or reads "
                "other nodes."
            )
    dtype = a.xp.result_type(a.dtype, namespace_dtype(b.dtype, a.xp))
    return _moved(a, a, dtype), _moved(b, a, dtype)


def _moved(paths: Paths, like: Paths, dtype: Any) -> Paths:
    arrays = (
        [like.xp.astype(move(x, like.xp, like.device), dtype) for x in part]
        for part in (paths.graph.coefs, paths.graph.intercepts)
    )
    return Paths.of(paths.graph.with_arrays(*arrays))
