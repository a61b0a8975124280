"""Converters for skl2onnx: whole pipelines with our estimators among their steps."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin

from skfact.deep_linear import SparseDeepLinearNet
from skfact.export._onnx.graph import Graph, onnx_library
from skfact.export._onnx.map import Map
from skfact.export._onnx.maps import ESTIMATORS, map_of
from skfact.export._onnx.nodes import OLDEST_OPSET
from skfact.relu import ReLUPathEmbedding

CLASSIFIER_OPTIONS = {  # those of skl2onnx, which sees to them
    "zipmap": [True, False, "columns"],
    "output_class_labels": [False, True],
    "nocl": [True, False],
}
HALF = np.array(0.5)  # the probability beyond which one of several labels is given


def register_skl2onnx() -> None:
    """Teach skl2onnx to convert our estimators, alone and in pipelines.

    After one call of this function, ``skl2onnx.to_onnx`` converts pipelines with a
    :class:`~skfact.butterfly.ButterflyFactorizer`,
    a :class:`~skfact.fixed_support.FixedSupportMF`,
    a :class:`~skfact.deep_linear.SparseDeepLinearNet`,
    a :class:`~skfact.relu.ReLUPathEmbedding` or a perceptron that
    :func:`~skfact.compression.compress` made in them.

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
    network; that option also chooses between the two methods of a net. A compressed classifier has
    labels and probabilities, and the options of skl2onnx for classifiers, such as "zipmap". The
    target opset must be at least 15, as it is by default.

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
    kinds = {kind: of for kind, of in ESTIMATORS.items() if kind.__module__.startswith("skfact.")}
    for kind, methods in (kinds | perceptrons()).items():
        options: dict[str, Any] = {"method": [*methods]}
        if issubclass(kind, ClassifierMixin):
            options |= CLASSIFIER_OPTIONS
        skl2onnx.update_registered_converter(
            kind, f"Skfact{kind.__name__}", set_shape, convert, options=options
        )


def perceptrons() -> dict[type, Any]:
    """The classes of compressed perceptrons, with their methods."""
    from skfact.compression._layers.mlp import COMPRESSED

    return {compressed: ESTIMATORS[kind] for kind, compressed in COMPRESSED.items()}


def step_of(operator: Any) -> Map:
    """The map of a step: as scikit-learn does, the transform if others follow.

    Voting and stacking follow no step: they ask for predictions when they are converted themselves.
    """
    fitted, scope = operator.raw_operator, operator.scope_inst
    method = scope.get_options(fitted, {"method": None})["method"]
    is_net = isinstance(fitted, SparseDeepLinearNet)
    if method is None and (
        isinstance(fitted, ReLUPathEmbedding) or (is_net and is_followed(operator))
    ):
        method = "transform"
    return map_of(fitted, method)


def is_followed(operator: Any) -> bool:
    """Whether what a step gives goes into another one."""
    name = operator.outputs[0].onnx_name
    others = operator.scope_inst.operators.values()
    return any(given.onnx_name == name for other in others for given in other.inputs)


def set_shape(operator: Any) -> None:
    """Say what shapes and types the outputs of a step have."""
    from skl2onnx.common import data_types

    (given,) = operator.inputs
    is_double = isinstance(given.type, data_types.DoubleTensorType)
    kind = data_types.DoubleTensorType if is_double else data_types.FloatTensorType
    n, n_out = given.get_first_dimension(), (step_of(operator).gives or (1,))[0]
    *labels, numbers = operator.outputs
    numbers.type = kind([n, n_out])
    for label in labels:
        fitted = operator.raw_operator
        is_text = fitted.classes_.dtype.kind in "OU"
        kind = data_types.StringTensorType if is_text else data_types.Int64TensorType
        label.type = kind([n, n_out] if is_multilabel(fitted) else [n])


def is_multilabel(classifier: Any) -> bool:
    """Whether rows have any number of labels, each of them 0 or 1."""
    return bool(classifier._label_binarizer.y_type_ == "multilabel-indicator")


def labels_of(graph: Graph, p: str, classifier: Any) -> str:
    """The classes that probabilities tell, as texts or whole numbers."""
    if is_multilabel(classifier):
        return graph.add("Cast", graph.add("Greater", p, graph.constant(HALF)), to=graph.int64)
    classes = classifier.classes_
    classes = classes.astype(object if classes.dtype.kind in "OU" else np.int64)
    best = graph.add("ArgMax", p, axis=1, keepdims=0)
    return graph.add("Gather", graph.constant(classes), best)


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
    *labels, numbers = (output.full_name for output in operator.outputs)
    graph.end(found.write(graph, x), numbers)
    for label in labels:
        graph.end(labels_of(graph, numbers, fitted), label)
    for tensor in graph.initializers:
        texts = tensor.string_data  # which skl2onnx does not copy
        given = (tensor.data_type, [*tensor.dims], [*texts]) if texts else (None, None, tensor)
        container.add_initializer(tensor.name, *given)
    value = onnx_library().helper.get_attribute_value
    for node in graph.nodes:
        attributes = {attribute.name: value(attribute) for attribute in node.attribute}
        container.add_node(
            node.op_type, list(node.input), list(node.output), name=node.name, **attributes
        )
