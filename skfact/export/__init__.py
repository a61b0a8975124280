"""Out of Python: operators and fitted estimators as ONNX models and C source."""

from skfact.export._c.source import to_c
from skfact.export._onnx.model import to_onnx

__all__ = ["to_c", "to_onnx"]
