"""Best rank-r approximation of many small blocks at once, and one split of a product in two."""

from skfact._kernels.low_rank_blocks.dispatch import (
    OutOfScaleError,
    move_magnitudes,
    split_product,
)
from skfact._kernels.low_rank_blocks.generic import low_rank_blocks
from skfact._kernels.low_rank_blocks.layout import Arranged, Classes

__all__ = [
    "Arranged",
    "Classes",
    "OutOfScaleError",
    "low_rank_blocks",
    "move_magnitudes",
    "split_product",
]
