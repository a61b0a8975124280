"""Converters for skl2onnx: whole pipelines with our estimators among their steps."""

from __future__ import annotations

from typing import Any

import numpy as np

from skfact.export._onnx.graph import Graph, onnx_library
from skfact.export._onnx.map import Map
from skfact.export._onnx.maps import ESTIMATORS, map_of
from skfact.export._onnx.nodes import OLDEST_OPSET
from skfact.relu import ReLUPathEmbedding


def register_skl2onnx() -> None:
    """Teach skl2onnx to convert our estimators, alone and in pipelines.

    After one call of this function, ``skl2onnx.to_onnx`` converts pipelines with a
    :class:`~skfact.butterfly.ButterflyFactorizer`,
    a :class:`~skfact.fixed_support.FixedSupportMF`,
    a :class:`~skfact.deep_linear.SparseDeepLinearNet` or
    a :class:`~skfact.relu.ReLUPathEmbedding` in them.

    Raises
    ------
    ImportError
        If skl2onnx is not installed: ``pip install skl2onnx``.

    See Also
    --------
    to_onnx : A model of one operator or estimator, without skl2onnx.

    Notes
    -----
    A SparseDeepLinearNet is converted to its `transform` where other steps follow, and else to its
    `predict`, also inside of voting and stacking. A ReLUPathEmbedding is converted to its
    `transform`, or with ``options={id(step): {"method": "network"}}`` to the outputs of its
    network; that option also chooses between the two methods of a net. The target opset must be at
    least 15, as it is by default.

    Examples
    --------
    >>> import skl2onnx
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skfact import ButterflyFactorizer
    >>> from skfact.export import register_skl2onnx
    >>> X, y = load_digits(return_X_y=True)
    >>> fast = ButterflyFactorizer(16, supports="monarch")
    >>> pipeline = make_pipeline(StandardScaler(), fast, LogisticRegression()).fit(X, y)
    >>> register_skl2onnx()
    >>> model = skl2onnx.to_onnx(pipeline, X[:1].astype("float32"))
    >>> [output.name for output in model.graph.output]
    ['output_label', 'output_probability']
    """
    try:
        import skl2onnx
    except ImportError as error:
        raise ImportError(
            "Pipelines are converted by skl2onnx, which is not installed: `pip install skl2onnx`."
        ) from error
    for kind, methods in ESTIMATORS.items():
        if kind.__module__.startswith("skfact."):
            skl2onnx.update_registered_converter(
                kind, f"Skfact{kind.__name__}", set_shape, convert, options={"method": [*methods]}
            )


def step_of(operator: Any) -> Map:
    """The map of a step: as scikit-learn does, the transform if others follow.

    Voting and stacking follow no step: they ask for predictions when they are converted themselves.
    """
    fitted, scope = operator.raw_operator, operator.scope_inst
    method = scope.get_options(fitted, {"method": None})["method"]
    if method is None and (isinstance(fitted, ReLUPathEmbedding) or is_followed(operator)):
        method = "transform"
    return map_of(fitted, method)


def is_followed(operator: Any) -> bool:
    """Whether what a step gives goes into another one."""
    name = operator.outputs[0].onnx_name
    others = operator.scope_inst.operators.values()
    return any(given.onnx_name == name for other in others for given in other.inputs)


def set_shape(operator: Any) -> None:
    """Say what shape and type the output of a step has."""
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    (given,) = operator.inputs
    kind = DoubleTensorType if isinstance(given.type, DoubleTensorType) else FloatTensorType
    n_out = (step_of(operator).gives or (1,))[0]
    operator.outputs[0].type = kind([given.get_first_dimension(), n_out])


def convert(scope: Any, operator: Any, container: Any) -> None:
    """Append the nodes of a step."""
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    if container.main_opset < OLDEST_OPSET:
        raise ValueError(
            f"target_opset must be at least {OLDEST_OPSET} for skfact, got {container.main_opset}."
        )
    fitted, (given,) = operator.raw_operator, operator.inputs
    found = step_of(operator)
    dtype = np.float64 if isinstance(given.type, DoubleTensorType) else np.float32
    graph = Graph(scope.get_unique_operator_name(type(fitted).__name__) + "_", dtype)
    x = given.full_name
    if not isinstance(given.type, DoubleTensorType | FloatTensorType):  # integers, truth values
        x = graph.add("Cast", x, to=graph.number)
    graph.end(found.write(graph, x), operator.outputs[0].full_name)
    for initializer in graph.initializers:
        container.add_initializer(initializer.name, None, None, initializer)
    value = onnx_library().helper.get_attribute_value
    for node in graph.nodes:
        attributes = {attribute.name: value(attribute) for attribute in node.attribute}
        container.add_node(
            node.op_type, list(node.input), list(node.output), name=node.name, **attributes
        )
