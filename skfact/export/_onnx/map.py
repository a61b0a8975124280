"""Maps of rows that know how to write themselves as nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from skfact._inputs import is_complex_dtype
from skfact.export._numbers import real_name
from skfact.export._onnx.graph import Graph
from skfact.export._onnx.nodes import apply_operator
from skfact.operators import FactorizedOperator, OperatorSum

Write = Callable[[Graph, str], str]  # appends nodes for rows of that name; the name of the result


class Map(NamedTuple):
    """A map of rows (batch, *takes) to (batch, *gives), and the dtype of its numbers.

    What is written has a column for a map that gives one number, `()`, too.
    """

    takes: tuple[int, ...]
    gives: tuple[int, ...]
    dtype: str
    write: Write


def is_operator(obj: Any) -> bool:
    """Whether it is a product or a sum of products of factors."""
    return isinstance(obj, FactorizedOperator | OperatorSum)


def of_operator(operator: Any) -> Map:
    """Rows times the transpose of the operator."""
    n_out, n_in = operator.shape
    parts = (2,) if is_complex_dtype(operator.dtype) else ()
    return Map(
        (n_in, *parts),
        (n_out, *parts),
        real_name(None, operator.dtype),
        lambda graph, x: apply_operator(graph, x, operator, one_axis=True),
    )
