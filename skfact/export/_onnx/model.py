"""ONNX models of operators and fitted estimators."""

from __future__ import annotations

import os
import re
from typing import Any

import skfact
from skfact._checks import is_number
from skfact.export._numbers import real_name
from skfact.export._onnx.graph import Graph, onnx_library
from skfact.export._onnx.map import Map
from skfact.export._onnx.maps import map_of
from skfact.export._onnx.nodes import OLDEST_OPSET
from skfact.operators._save import path_name, written_whole

PREFIX = "skfact_"  # of all names inside
OPSET = 18
LARGEST_FILE = 2**31 - 1  # bytes of a protocol buffer


def to_onnx(
    obj: Any,
    path: str | os.PathLike[str] | None = None,
    *,
    method: str | None = None,
    dtype: Any = None,
    opset: int = OPSET,
    input_name: str = "X",
    output_name: str = "Y",
) -> Any:
    """Write an operator, a fitted estimator or a network as an ONNX model.

    Parameters
    ----------
    obj : operator, fitted estimator or network
        A FactorizedOperator or OperatorSum, whose `apply` is exported; a fitted
        :class:`~skfact.butterfly.ButterflyFactorizer` (`transform`),
        :class:`~skfact.fixed_support.FixedSupportMF` (its `transform`, where that is linear:
        without `missing_values` and non-negative codes),
        :class:`~skfact.deep_linear.SparseDeepLinearNet` (`predict` or `transform`) or
        :class:`~skfact.relu.ReLUPathEmbedding` (the outputs of its network, or `transform`); a
        fitted MLPRegressor (`predict`) or MLPClassifier (`predict_proba`) of scikit-learn; a ReLU
        network as a pair (coefs, intercepts) of lists; a PyTorch layer or nn.Sequential, see Notes.
        Coefficients and layers may be operators, as those of
        :func:`~skfact.compression.compress` are. Pipelines are converted by skl2onnx, see
        :func:`~skfact.export.register_skl2onnx`.
    path : str or path-like, default=None
        Where to write the model, too. An existing file is replaced once the new one is complete.
    method : {"predict", "predict_proba", "transform", "network"}, default=None
        What to export of an estimator that has several: None is `predict` of a SparseDeepLinearNet,
        and the outputs of the network of a ReLUPathEmbedding, ``transform(X) @ path_weights_``.
        An MLPClassifier has `predict_proba` only: for its labels, which skl2onnx writes, too, see
        :func:`~skfact.export.register_skl2onnx`.
    dtype : {"float32", "float64"}, default=None
        Precision of the input, the output and all numbers; None is that of `obj`.
    opset : int, default=18
        Version of ONNX's operators, from 15 to the newest that the installed onnx knows.
    input_name, output_name : str, default="X", "Y"
        Names of the input (batch, n_in) and the output (batch, n_out).

    Returns
    -------
    onnx.ModelProto
        The model, which onnx.checker has checked.

    Raises
    ------
    ImportError
        If onnx is not installed: ``pip install skfact[onnx]``.
    TypeError
        If `obj` is of another kind, has a layer of another kind or in half precision, or another
        argument is of a wrong type.
    ValueError
        If the map is not linear where it should be, a PyTorch module is in training or has hooks, a
        number leaves the range of `dtype` or is not finite, or a name is not as in ONNX: letters,
        digits and underscores.
    sklearn.exceptions.NotFittedError
        If an estimator is not fitted.
    OSError
        If the file cannot be written.

    Notes
    -----
    The model has standard operators only and its batch may have any size. The IR version is the
    lowest that the opset can have, 8 for opsets 15 to 18. Of an
    nn.Sequential in evaluation, with others in it or not, are written: linear layers, dense or
    factorized, and :class:`~skfact.torch.OrthogonalButterfly`; ReLU, ReLU6, LeakyReLU, PReLU, ELU,
    CELU, SELU, GELU (the exact one in single precision), SiLU, Mish, Tanh, Sigmoid, LogSigmoid,
    Softplus, Softsign, Tanhshrink, Hardtanh, Hardsigmoid, Hardswish, Softmax and LogSoftmax of
    rows; BatchNorm1d, LayerNorm and RMSNorm; Dropout, AlphaDropout, Flatten and Identity, which do
    nothing. The input are rows in any case.

    Neighbouring factors are multiplied out where that is
    faster and at most doubles their numbers. A sparse matrix with long rows has its entries in the
    file, and the runtime makes a dense matrix of them when it loads it.

    ONNX has no products of complex numbers: a complex operator takes (batch, n_in, 2), real and
    imaginary parts, as the ONNX operator DFT does.

    Examples
    --------
    >>> from scipy.linalg import hadamard
    >>> from skfact.butterfly import butterfly_factorize
    >>> from skfact.export import to_onnx
    >>> model = to_onnx(butterfly_factorize(hadamard(64)), dtype="float32")
    >>> [node.op_type for node in model.graph.node if node.op_type == "MatMul"]
    ['MatMul', 'MatMul']
    """
    onnx = onnx_library()
    check_names(input_name, output_name)
    newest = onnx.defs.onnx_opset_version()
    if not is_number(opset, int):
        raise TypeError(f"opset must be an int, got {opset!r}.")
    if not OLDEST_OPSET <= opset <= newest:
        raise ValueError(
            f"opset must be from {OLDEST_OPSET} to {newest}, which this onnx knows, got {opset}."
        )
    name = None if path is None else path_name(path)
    found = map_of(obj, method)
    found = found._replace(dtype=real_name(dtype, found.dtype))
    model = model_of(found, int(opset), input_name, output_name)
    onnx.checker.check_model(model, full_check=True)
    if name is not None:
        write(model, name)
    return model


def check_names(input_name: Any, output_name: Any) -> None:
    """Raise unless both are identifiers, as ONNX demands, that do not meet others."""
    for argument, name in (("input_name", input_name), ("output_name", output_name)):
        if not isinstance(name, str):
            raise TypeError(f"{argument} must be a str, got {name!r}.")
        if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name) or name.startswith(PREFIX):
            raise ValueError(
                f"{argument} must be of letters, digits and underscores, as names in ONNX, and not "
                f"begin with a digit or {PREFIX!r}, got {name!r}."
            )
    if input_name == output_name:
        raise ValueError(f"output_name must not be input_name, got {output_name!r} for both.")


def model_of(found: Map, opset: int, input_name: str, output_name: str) -> Any:
    """The model of a map of rows (batch, n_in)."""
    helper = onnx_library().helper
    graph = Graph(PREFIX, found.dtype)
    y = found.write(graph, input_name)
    graph.end(y if found.gives else graph.add("Squeeze", y, graph.integers(1)), output_name)
    inputs, outputs = (
        [helper.make_tensor_value_info(name, graph.number, ["batch", *shape])]
        for name, shape in ((input_name, found.takes), (output_name, found.gives))
    )
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(
        helper.make_graph(graph.nodes, "skfact", inputs, outputs, graph.initializers),
        producer_name="skfact",
        producer_version=skfact.__version__,
        opset_imports=opsets,
        ir_version=helper.find_min_ir_version_for(opsets),
    )


def write(model: Any, path: str) -> None:
    """Write the model to exactly this path: all of it, or what stands there stays."""
    if model.ByteSize() > LARGEST_FILE:
        raise ValueError(
            "obj has more than 2 GB of numbers, which one ONNX file cannot hold: pass path=None, "
            "and the model to onnx.save_model with save_as_external_data=True."
        )
    content = model.SerializeToString(deterministic=True)
    with written_whole(path) as file:
        file.write(content)
