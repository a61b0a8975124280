"""Applying Kronecker-sparse factors to vectors: one factor, or a product of many."""

from skfact._kernels.apply import cuda
from skfact._kernels.apply.dispatch import apply_factor, loops, multiply_lanes, multiply_tiles
from skfact._kernels.apply.generic import correlate
from skfact._kernels.apply.layout import (
    LANES,
    TILES,
    Layout,
    Program,
    is_shared,
    lay_out,
    vectors_per_row,
)

__all__ = [
    "LANES",
    "TILES",
    "Layout",
    "Program",
    "apply_factor",
    "correlate",
    "cuda",
    "is_shared",
    "lay_out",
    "loops",
    "multiply_lanes",
    "multiply_tiles",
    "vectors_per_row",
]
