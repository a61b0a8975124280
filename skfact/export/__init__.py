"""Out of Python: operators and fitted estimators as ONNX models and C source."""

from skfact.export._c.source import to_c
from skfact.export._onnx.converters import register_skl2onnx
from skfact.export._onnx.model import to_onnx

__all__ = ["register_skl2onnx", "to_c", "to_onnx"]
