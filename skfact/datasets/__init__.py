"""Matrices and operators with known factors."""

from skfact.datasets._butterfly import make_butterfly
from skfact.datasets._convolution_tree import make_convolution_tree

__all__ = ["make_butterfly", "make_convolution_tree"]
