"""Nodes and constants of an ONNX graph under construction."""

from __future__ import annotations

from typing import Any

import numpy as np

from skfact.export._numbers import narrowed


def onnx_library() -> Any:
    """The package onnx, which is imported when a graph is made."""
    try:
        import onnx
    except ImportError as error:
        raise ImportError(
            "ONNX models are made with the package onnx, which is not installed: "
            "`pip install skfact[onnx]`."
        ) from error
    return onnx


class Graph:
    """Nodes in the order of computation, and initializers; all their names begin with a prefix.

    `dtype` is that of all numbers.
    """

    def __init__(self, prefix: str, dtype: Any) -> None:
        self.prefix, self.dtype = prefix, np.dtype(dtype)
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self._onnx = onnx_library()
        self.number = self._onnx.helper.np_dtype_to_tensor_dtype(self.dtype)
        self.int64 = self._onnx.TensorProto.INT64
        self._lists: dict[tuple[int, ...], str] = {}

    def add(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Append a node with one output, whose name is returned."""
        name = f"{self.prefix}{kind}_{len(self.nodes)}"
        output = output or f"{name}_output"
        node = self._onnx.helper.make_node(kind, inputs, [output], name, **attributes)
        self.nodes.append(node)
        return output

    def constant(self, array: np.ndarray) -> str:
        """The name of an initializer with these entries: numbers, or indices."""
        if array.dtype.kind == "f":
            array = narrowed(array, self.dtype, "obj")
        name = f"{self.prefix}constant_{len(self.initializers)}"
        array = np.ascontiguousarray(array)
        self.initializers.append(self._onnx.numpy_helper.from_array(array, name))
        return name

    def scalar(self, number: float) -> str:
        """A constant number of `dtype`, that goes with tensors of any shape."""
        return self.constant(np.array([number], float))

    def integers(self, *numbers: int) -> str:
        """A constant list of int64, such as a shape or axes; one for equal ones."""
        if numbers not in self._lists:
            self._lists[numbers] = self.constant(np.array(numbers, np.int64))
        return self._lists[numbers]

    def zeros(self, *shape: int) -> str:
        """Zeros of `dtype`, which take no space in a file."""
        zero = self._onnx.numpy_helper.from_array(np.zeros(1, self.dtype))
        return self.add("ConstantOfShape", self.integers(*shape), value=zero)

    def reshape(self, x: str, *shape: int) -> str:
        """A tensor in another shape, of which -1 is worked out."""
        return self.add("Reshape", x, self.integers(*shape))

    def end(self, x: str, output: str) -> None:
        """Give the last tensor the name that the graph promises."""
        if self.nodes and self.nodes[-1].output[0] == x:
            self.nodes[-1].output[0] = output
        else:
            self.add("Identity", x, output=output)
