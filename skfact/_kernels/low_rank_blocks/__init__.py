"""Best rank-r approximation of many small blocks at once."""

from skfact._kernels.low_rank_blocks.generic import low_rank_blocks

__all__ = ["low_rank_blocks"]
