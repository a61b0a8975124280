"""Gram matrices of blocks of a matrix, of all or of some, drawn by their energy."""

from skfact._kernels.block_grams.dispatch import block_grams
from skfact._kernels.block_grams.generic import Look, block_view

__all__ = ["Look", "block_grams", "block_view"]
