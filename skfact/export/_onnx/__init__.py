"""Operators and fitted estimators as ONNX models."""
