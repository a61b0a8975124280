"""Operators as nodes of an ONNX graph.

Where all factors of a term are single matrices, rows are multiplied from the right. Else the rows
become columns, a Kronecker-sparse factor is one batched matrix product of its blocks, and between
two of them the entries change their order: with onnxruntime that is several times as fast as blocks
on the right or Einsum.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

from skfact._inputs import is_complex_dtype
from skfact.export._numbers import real_factors
from skfact.export._onnx.graph import Graph
from skfact.export._onnx.products import is_matrix, multiply_columns, multiply_rows
from skfact.operators._factors import SELECTION
from skfact.operators._fuse import (
    USUAL_BATCH,
    cheapest_partition,
    fuse_runs,
    numpy_cost,
    product_pattern,
)

OLDEST_OPSET = 15  # the first whose Shape gives some of the axes
GROWTH = 2.0  # fused factors have at most so many times the numbers of the true ones


def operator_nodes(
    operator: Any,
    input_name: str,
    output_name: str,
    prefix: str,
    dtype: Any,
    *,
    one_axis: bool = False,
    growth: float = GROWTH,
) -> tuple[list[Any], list[Any]]:
    """Nodes and initializers that map rows (..., n_in) to rows (..., n_out), as `apply` does.

    All names but those of input and output begin with `prefix`. Input, output and constants are of
    `dtype`, float32 or float64. A complex operator takes (..., n_in, 2) to (..., n_out, 2): real
    and imaginary parts. There are fewer nodes if the rows are known to lie along `one_axis`.
    Factors that are multiplied out have at most `growth` times the numbers.
    """
    graph = Graph(prefix, dtype)
    y = apply_operator(graph, input_name, operator, one_axis=one_axis, growth=growth)
    graph.end(y, output_name)
    return graph.nodes, graph.initializers


def apply_operator(
    graph: Graph, x: str, operator: Any, *, one_axis: bool, growth: float = GROWTH
) -> str:
    """Append the product of rows with an operator; the name of the result."""
    n_out, n_in = operator.shape
    fused_terms = [fused(term.to_device("numpy"), growth) for term in operator._summands]
    terms = [real_factors(term.factors, term.dtype) for term in fused_terms]
    if is_complex_dtype(operator.dtype):
        y = sum_of_products(graph, graph.reshape(x, -1, 2 * n_in), terms, one_axis=True)
        return graph.reshape(y, -1, n_out, 2) if one_axis else like_input(graph, y, x, (n_out, 2))
    return sum_of_products(graph, x, terms, one_axis=one_axis)


def sum_of_products(graph: Graph, x: str, terms: list[list[Any]], *, one_axis: bool) -> str:
    """Rows times real factors, term by term: from the right where that is best."""
    by_rows = [factors for factors in terms if all(map(is_matrix, factors))]
    by_columns = [factors for factors in terms if not all(map(is_matrix, factors))]
    images = [multiply_rows(graph, x, factors) for factors in by_rows]
    if by_columns:
        n_out, n_in = terms[0][0].shape[0], terms[0][-1].shape[1]
        rows = x if one_axis else graph.reshape(x, -1, n_in)
        columns = graph.add("Transpose", rows, perm=[1, 0])
        found = [multiply_columns(graph, columns, factors) for factors in by_columns]
        y = total(graph, [graph.reshape(y, n_out, -1) for y in found])
        y = graph.add("Transpose", y, perm=[1, 0])
        images.append(y if one_axis else like_input(graph, y, x, (n_out,)))
    return total(graph, images)


def total(graph: Graph, names: Sequence[str]) -> str:
    """The sum of tensors of one shape."""
    first, *others = names
    for other in others:
        first = graph.add("Add", first, other)
    return first


def like_input(graph: Graph, y: str, x: str, last: tuple[int, ...]) -> str:
    """Rows with the leading axes of those of x, and these last ones."""
    leading = graph.add("Shape", x, start=0, end=-len(last))
    shape = graph.add("Concat", leading, graph.integers(*last), axis=0)
    return graph.add("Reshape", y, shape)


def fused(operator: Any, growth: float = GROWTH) -> Any:
    """The product with neighbouring factors multiplied out where that is faster.

    The cost model of the operators is that of batched matrix products. A file should be small, too.
    """
    cost = numpy_cost(operator.dtype, USUAL_BATCH)
    factors = operator.factors
    best = tuple((i, i + 1) for i in range(len(factors)))
    least = sum(cost(factor._pattern) for factor in factors)
    for n in range(1, len(factors)):
        runs = cheapest_partition(factors, cost, n)
        sizes, patterns = zip(*(run_of(factors[start:stop]) for start, stop in runs))
        time = sum(map(cost, patterns))
        if sum(sizes) <= growth * operator.nnz and time < least:
            best, least = runs, time
    found = fuse_runs(factors, best)
    return operator._of(found) if all(factor._is_safe() for factor in found) else operator


def run_of(factors: Sequence[Any]) -> tuple[int, Any]:
    """How many numbers the product of a run of factors has, and its pattern."""
    if len(factors) == 1:
        return factors[0].nnz, factors[0]._pattern
    pattern = reduce(product_pattern, (factor._pattern for factor in factors))
    return 0 if pattern == SELECTION else pattern.nnz, pattern
