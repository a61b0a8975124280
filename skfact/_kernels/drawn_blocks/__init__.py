"""Some blocks of a matrix, drawn with a probability proportional to their energy."""

from skfact._kernels.drawn_blocks.dispatch import drawn_blocks
from skfact._kernels.drawn_blocks.generic import block_view

__all__ = ["block_view", "drawn_blocks"]
