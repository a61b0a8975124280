"""Out of Python: operators and fitted estimators as ONNX models and C source."""

from skfact.export._onnx.model import to_onnx

__all__ = ["to_onnx"]
