"""Maps of rows that know how to write themselves as nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from skfact._inputs import dtype_name
from skfact.export._onnx.graph import Graph
from skfact.export._onnx.nodes import apply_operator

Write = Callable[[Graph, str], str]  # appends nodes for rows of that name; the name of the result
REAL = {"complex64": "float32", "complex128": "float64"}


class Map(NamedTuple):
    """A map of rows (batch, *takes) to (batch, *gives), and the dtype of its numbers."""

    takes: tuple[int, ...]
    gives: tuple[int, ...]
    dtype: str
    write: Write


def of_operator(operator: Any) -> Map:
    """Rows times the transpose of the operator."""
    n_out, n_in = operator.shape
    name = dtype_name(operator.dtype)
    parts = (2,) if name in REAL else ()
    return Map(
        (n_in, *parts),
        (n_out, *parts),
        REAL.get(name, name),
        lambda graph, x: apply_operator(graph, x, operator, one_axis=True),
    )
