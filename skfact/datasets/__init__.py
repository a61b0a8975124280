"""Matrices and operators with known factors."""

from skfact.datasets._butterfly import make_butterfly

__all__ = ["make_butterfly"]
